"""The GATT server of a simulated stocking: real ATT, L2CAP and SMP by Bumble, on a controller of `calza_sim.radio`.

Talks to the firmware through `calza_sim.ports.StockingFirmware` alone.
"""

from calza_sim.gatt.bonds import BondStore
from calza_sim.gatt.server import StockingServer

__all__ = ["BondStore", "StockingServer"]
