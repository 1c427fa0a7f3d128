"""The course of treatments and the checklist before the first. Knows no readings."""
