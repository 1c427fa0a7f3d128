"""The contract of Calza: every octet that crosses the air or the broker is defined here and nowhere else.

Pure functions over octets. This package knows no radio, no broker, no clock and no randomness, and needs nothing but
the standard library. The normative description is `wire/README.md`; start reading at `minute_block.py`.
"""
