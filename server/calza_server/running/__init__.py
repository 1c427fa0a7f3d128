"""Processes that run for long: their parts, made from words, started in order and taken apart in the other."""
