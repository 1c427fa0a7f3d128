"""Hypothesis without a deadline: two cores are shared, and a slow example is no failure."""

from hypothesis import settings

settings.register_profile("wire", deadline=None, print_blob=True)
settings.load_profile("wire")
