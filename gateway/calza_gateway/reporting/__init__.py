"""What the gateway tells people and programs: events, its standing, its status in files and over MQTT, the journal."""
