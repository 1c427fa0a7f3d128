"""The simulated stocking: a wearer, the physics of a leg in a garment, sensors, sans-IO firmware and a GATT server.

The firmware never sees the truth, and nothing here knows how wear is detected.
"""
