"""Which stockings and legs are known and what is ordered for them, and how that is changed."""
