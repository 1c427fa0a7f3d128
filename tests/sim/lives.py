"""Short lives to look at: one activity, a few times of wear, a few events, from midnight on."""

import numpy as np

from calza_sim.wearer import Activity, Itinerary, Wear
from calza_sim.wearer_events import EventKind, TimedEvent

DAY_S = 86_400.0
HOUR_S = 3_600.0
START_S = 1_767_916_800.0  # midnight of 2026-01-09 UTC
ON_S = START_S + HOUR_S
OFF_S = ON_S + 20 * HOUR_S
WEAR = Wear(ON_S - 120.0, ON_S, OFF_S, OFF_S + 60.0, "night")


def life_of(activity: Activity, *wears: Wear, events: tuple[TimedEvent, ...] = (), hours: float = 24.0) -> Itinerary:
    """A life of one activity from START_S on."""
    return Itinerary(
        midnight_s=START_S,
        start_s=START_S,
        end_s=START_S + hours * HOUR_S,
        bout_start_s=np.array([START_S]),
        bout_activity=np.array([int(activity)]),
        wears=wears,
        charging=(),
        reason_before="",
        events=events,
    )


def event(
    kind: EventKind, from_h: float, to_h: float, *, site: int | None = None, size: float | None = None
) -> TimedEvent:
    """An event between two hours after START_S."""
    return TimedEvent(kind, START_S + from_h * HOUR_S, START_S + to_h * HOUR_S, site, size)


def at_hours(*hours: float) -> np.typing.NDArray[np.float64]:
    """Times, in hours after START_S."""
    return START_S + HOUR_S * np.array(hours)
