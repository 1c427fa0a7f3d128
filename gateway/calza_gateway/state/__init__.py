"""What the gateway keeps in its state folder beside the outbox: its stockings, and the lock of the folder."""
