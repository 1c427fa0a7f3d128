"""The air between simulated stockings and any number of gateways: a virtual radio with the timing of a real one.

Built on Bumble's virtual controller. It moves packets and knows nothing about GATT, stockings or what a record is.
"""

from calza_sim.radio.air import Radio
from calza_sim.radio.controller import RadioController
from calza_sim.radio.hci_port import HciPort
from calza_sim.radio.pacing import PACED, UNPACED, Pacing

__all__ = ["PACED", "UNPACED", "HciPort", "Pacing", "Radio", "RadioController"]
