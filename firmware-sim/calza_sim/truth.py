"""Who wore what, minute by minute, and what an order should come to when nothing is missing.

The judge of the server: it knows the itinerary alone, sees no sensor value and shares no code with any wear detector or
verdict. It is deliberately written the slow, plain way.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from calza_sim.scenarios import Scenario
from calza_sim.wearer import Activity, Itinerary, local_seconds

Floats: TypeAlias = NDArray[np.float64]

MINUTE_S: Final = 60
DAY_TOLERANCE: Final = 0.10  # of the day's hours, forgiven by the rule a verdict follows
DAY_TOLERANCE_NO_REMOVAL: Final = 0.02  # when removal is forbidden only edges are forgiven


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


@dataclass(frozen=True, slots=True)
class TrueDay:
    """One ordered day: minutes worn, and the least that meets it after tolerance."""

    day: date
    phase: int
    worn_min: int
    needed_min: float

    @property
    def met(self) -> bool:
        """Whether enough was worn."""
        return self.worn_min >= self.needed_min


@dataclass(frozen=True, slots=True)
class TrueVerdict:
    """What a finished order comes to when every minute is known: "met", "not_met" or "not_applicable"."""

    verdict: str
    days: tuple[TrueDay, ...]


def truth_days(known: Truth, prescription: Mapping[str, object]) -> TrueVerdict:
    """Judge a finished order by the truth.

    `prescription` is {"start": ISO 8601, "timezone", "phases": [{"days", "hours", "removal", "days_required", ...}]}.
    Phases are calendar days of `timezone` from the date of `start`; any hour of a day counts; the first day needs its
    hours in proportion to what was left of it. Raises ValueError when the order is not finished within the truth,
    KeyError or TypeError when it is no prescription.
    """
    zone = ZoneInfo(str(prescription["timezone"]))
    start = datetime.fromisoformat(str(prescription["start"]))
    start_s = (start if start.tzinfo else start.replace(tzinfo=zone)).timestamp()
    day = datetime.fromtimestamp(start_s, zone).date()
    days: list[TrueDay] = []
    all_met = True
    phases = _phases(prescription)
    for number, phase in enumerate(phases):
        judged = []
        for _ in range(_whole(phase, "days")):
            judged.append(_judge(known, day, number, phase, start_s, zone))
            day += timedelta(days=1)
        all_met &= sum(each.met for each in judged) >= _whole(phase, "days_required")
        days += judged
    if not phases:
        return TrueVerdict("not_applicable", ())
    return TrueVerdict("met" if all_met else "not_met", tuple(days))


def _judge(known: Truth, day: date, number: int, phase: Mapping[str, object], start_s: float, zone: tzinfo) -> TrueDay:
    begin, end = local_seconds(day, 0.0, zone), local_seconds(day, 24.0, zone)
    counted_from = max(begin, start_s)
    if not len(known.minute_s) or known.minute_s[0] > counted_from + MINUTE_S or known.minute_s[-1] + MINUTE_S < end:
        raise ValueError(f"the truth does not cover {day.isoformat()}: the order is not finished")
    tolerance = DAY_TOLERANCE_NO_REMOVAL if phase.get("removal") == "none" else DAY_TOLERANCE
    needed_min = _number(phase, "hours") * 60.0 * (1.0 - tolerance) * (end - counted_from) / (end - begin)
    inside = (known.minute_s >= counted_from) & (known.minute_s < end)
    return TrueDay(day, number, int(np.count_nonzero(known.worn & inside)), needed_min)


def _phases(prescription: Mapping[str, object]) -> list[Mapping[str, object]]:
    phases = prescription["phases"]
    if not isinstance(phases, list):
        raise TypeError("a prescription's phases are a list of objects")
    return phases


def _number(phase: Mapping[str, object], key: str) -> float:
    value = phase[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a phase's {key} is a number, not {value!r}")
    return float(value)


def _whole(phase: Mapping[str, object], key: str) -> int:
    value = phase[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"a phase's {key} is a whole number, not {value!r}")
    return value
