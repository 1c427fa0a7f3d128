"""The stocking's firmware without input or output: time, sensor values and flash are arguments.

It sees only what its sensors measure; it must not know the wearer, the truth, Bluetooth or any clock but its own.
"""
