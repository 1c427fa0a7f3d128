"""Whom to visit next, and one visit from connecting to hanging up; a limit for everything the radio is asked."""
