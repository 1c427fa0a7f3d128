"""The outside world, one module per library: radio stacks, the MQTT client, the outbox's database."""
