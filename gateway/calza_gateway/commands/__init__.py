"""What is typed after `calza gateway`: commands, their settings, how they show what happens. Builds the adapters."""
