"""Every minute of a leg with its state, reason, dose and origin. The one composition of what lies below."""
