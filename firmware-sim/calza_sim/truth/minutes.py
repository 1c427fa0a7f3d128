"""Who wore what, minute by minute: drawn from the itinerary alone. Knows no order, no sensor value and no detector."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.scenarios import Scenario
from calza_sim.wearer import Activity, Itinerary, local_seconds

Floats: TypeAlias = NDArray[np.float64]

MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Truth:
    """One row per UTC minute: `minute_s` (Unix seconds of its start), worn for at least half of it, posture, and the
    reason when not worn (empty when worn). `contact`: Unix seconds from..to when a phone was near.
    """

    minute_s: NDArray[np.int64]
    worn: NDArray[np.bool_]
    posture: tuple[str, ...]
    reason: tuple[str, ...]
    contact: tuple[tuple[float, float], ...]


def truth(life: Itinerary, scenario: Scenario, *, until_s: float | None = None, zone: tzinfo = UTC) -> Truth:
    """The truth of every whole UTC minute from the start of the itinerary to `until_s` (default: its end)."""
    last_s = life.end_s if until_s is None else min(until_s, life.end_s)
    first = math.ceil(life.start_s / MINUTE_S)
    minutes = np.arange(first, max(int(last_s // MINUTE_S), first), dtype=np.int64)
    edges: Floats = np.append(minutes, minutes[-1:] + 1).astype(np.float64) * MINUTE_S
    worn = np.diff(_worn_seconds(life, edges)) >= MINUTE_S / 2 if len(minutes) else np.zeros(0, dtype=np.bool_)
    middles: Floats = minutes.astype(np.float64) * MINUTE_S + MINUTE_S / 2
    reasons = (life.reason_before, *[each.reason_after for each in life.wears])
    latest = np.searchsorted([each.on_s for each in life.wears], middles, side="right")
    return Truth(
        minute_s=minutes * MINUTE_S,
        worn=worn,
        posture=tuple(Activity(code).posture for code in life.activity(middles).tolist()),
        reason=tuple("" if on else reasons[at] for on, at in zip(worn.tolist(), latest.tolist(), strict=True)),
        contact=_contact(life, scenario, zone),
    )


def _worn_seconds(life: Itinerary, times_s: Floats) -> Floats:
    """Seconds worn since the beginning, at each time: a line that rises while the stocking is on."""
    if not life.wears:
        return np.zeros_like(times_s)
    knots = np.array([edge for each in life.wears for edge in (each.on_s, each.doffing_s)])
    lengths = np.array([each.doffing_s - each.on_s for each in life.wears])
    heights = np.repeat(np.cumsum(lengths), 2)
    heights[::2] -= lengths
    return np.asarray(np.interp(times_s, knots, heights))


def _contact(life: Itinerary, scenario: Scenario, zone: tzinfo) -> tuple[tuple[float, float], ...]:
    first_day = datetime.fromtimestamp(life.start_s, zone).date()
    near_from = life.start_s
    spans: list[tuple[float, float]] = []
    for first, last in scenario.phone_away:
        spans.append((near_from, local_seconds(first_day + timedelta(days=first), 0.0, zone)))
        near_from = local_seconds(first_day + timedelta(days=last + 1), 0.0, zone)
    return (*spans, (near_from, math.inf))
