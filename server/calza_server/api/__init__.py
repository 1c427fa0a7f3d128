"""The HTTP API: read-only JSON and CSV over what `views` composes. Computes nothing itself."""
