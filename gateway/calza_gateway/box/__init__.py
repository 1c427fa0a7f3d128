"""What a gateway that runs for months has beside its work: a watchdog, a look at the clock, and who is told."""
