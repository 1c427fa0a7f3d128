"""Files read with a plain sentence when they cannot be, and written whole or not at all. Know no format."""
