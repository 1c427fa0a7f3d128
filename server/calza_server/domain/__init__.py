"""The server's pure core: readings in, states and verdicts out. Knows no store, no network, no clock."""
