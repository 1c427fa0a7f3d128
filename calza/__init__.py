"""The `calza` command: one entry point whose parts are imported only when they are asked for."""
