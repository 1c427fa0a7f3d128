"""The truth: who wore what (`truth_minutes`), what an order comes to when nothing is missing (`truth_verdict`).

The judge of the server: it knows the itinerary alone, sees no sensor value and shares no code with any wear detector or
verdict. It is deliberately written the slow, plain way.
"""

from calza_sim.truth_minutes import MINUTE_S, Truth, truth
from calza_sim.truth_verdict import TrueDay, TruePhase, TrueVerdict, truth_days, truth_open

__all__ = ["MINUTE_S", "TrueDay", "TruePhase", "TrueVerdict", "Truth", "truth", "truth_days", "truth_open"]
