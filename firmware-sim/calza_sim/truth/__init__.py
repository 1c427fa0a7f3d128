"""The truth: who wore what (`truth.minutes`), what an order comes to when nothing is missing (`truth.verdict`).

The judge of the server: it knows the itinerary alone, sees no sensor value and shares no code with any wear detector or
verdict. It is deliberately written the slow, plain way.
"""

from calza_sim.truth.minutes import MINUTE_S, Truth, truth
from calza_sim.truth.verdict import TrueDay, TruePhase, TrueVerdict, truth_days, truth_open

__all__ = ["MINUTE_S", "TrueDay", "TruePhase", "TrueVerdict", "Truth", "truth", "truth_days", "truth_open"]
