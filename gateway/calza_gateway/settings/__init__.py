"""What the gateway is told from outside, and what it means: checked once, then frozen. Opens nothing."""
