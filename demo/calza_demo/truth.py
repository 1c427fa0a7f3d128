"""What each simulated wearer really did, and what the order therefore comes to: the answer the server is held against.

Uses the simulator's truth alone; no server code has a say in it.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from calza_demo.prescription import Order
from calza_sim.scenarios import scenario
from calza_sim.truth import MINUTE_S, truth, truth_days
from calza_sim.wearer import live

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class TrueLeg:
    """The verdict on what was really worn, and the hours worn during the order."""

    verdict: str
    worn_hours: float


def true_leg(scenario_name: str, *, seed: int, fitted_s: float, timezone: str, order: Order) -> TrueLeg:
    """Judge what the wearer of a scenario did from `fitted_s` (true Unix seconds) on, by an order that is over."""
    zone = ZoneInfo(timezone)
    lived = scenario(scenario_name)
    days = sum(phase["days"] for phase in order["phases"]) + 2  # two midnights more than any order of so many days
    known = truth(live(lived.plans(days), seed=seed, start_s=fitted_s, zone=zone), lived, zone=zone)
    judged = truth_days(known, dict(order))
    minutes = sum(day.worn_min for day in judged.days)
    return TrueLeg(judged.verdict, minutes * MINUTE_S / 3600)
