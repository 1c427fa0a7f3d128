"""Everything in one command: real parts as separate processes, no radio, no Docker."""
