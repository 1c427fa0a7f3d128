"""The order the demo's patient was given: four days continuously, then ten by day, ending today at midnight.

The regimen is the one STD Pharmaceutical prints for microsclerotherapy; the hours are our proposal, since no source
gives any (docs/architecture.md, "What is ordered").
"""

import math
from datetime import UTC, datetime
from typing import TypedDict

MINUTE_S = 60
DAY_S = 86_400
LATEST_FITTING_H = 20.0  # UTC, as the whole demo
DAYS = 14
CONTINUOUS_DAYS = 4
# 24 h minus up to 60 minutes for hygiene and a look at the skin: our proposal.
CONTINUOUS_HOURS = 23
DAYTIME_HOURS = 10
# RAL class I begins at 18 mmHg at the ankle.
ANKLE_FLOOR_MMHG = 18
# Eight of ten daytime days: a proportion of days covered of 0.8, our proposal.
DAYTIME_DAYS_REQUIRED = 8


class Phase(TypedDict):
    """One stretch of days of an order."""

    days: int
    mode: str
    hours: int
    ankle_floor_mmhg: int
    removal: str
    days_required: int


class Order(TypedDict):
    """A prescription as the server's registry reads it."""

    start: str
    timezone: str
    phases: list[Phase]


def log_days(now_s: float) -> float:
    """Days of log the stockings should hold at `now_s` (Unix seconds): fourteen, and up to four hours more at night.

    Nobody is fitted late in the evening here: of a first day of a few minutes the donning alone would take too much.
    """
    into_day_h = now_s % DAY_S / 3600
    return DAYS + max(0.0, into_day_h - LATEST_FITTING_H) / 24


def order_beginning_at(fitted_s: float) -> Order:
    """The fourteen-day order of a stocking fitted at `fitted_s` (Unix seconds), from the next whole minute on."""
    start = datetime.fromtimestamp(math.ceil(fitted_s / MINUTE_S) * MINUTE_S, UTC)
    return Order(
        start=start.isoformat(),
        timezone="UTC",
        phases=[
            Phase(
                days=CONTINUOUS_DAYS,
                mode="continuous",
                hours=CONTINUOUS_HOURS,
                ankle_floor_mmhg=ANKLE_FLOOR_MMHG,
                removal="hygiene",
                days_required=CONTINUOUS_DAYS,
            ),
            Phase(
                days=DAYS - CONTINUOUS_DAYS,
                mode="daytime",
                hours=DAYTIME_HOURS,
                ankle_floor_mmhg=ANKLE_FLOOR_MMHG,
                removal="hygiene",
                days_required=DAYTIME_DAYS_REQUIRED,
            ),
        ],
    )
