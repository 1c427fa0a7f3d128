"""The gateway beside the patient: reads stockings over Bluetooth LE and forwards what they kept over MQTT."""
