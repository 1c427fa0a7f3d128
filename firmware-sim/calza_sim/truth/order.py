"""What an order asks of each of its days, read from rx.json in the slow, plain way. Judges nothing.

Written apart from the server on purpose: the two must come to the same without having read one another.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from calza_sim.wearer import local_seconds

MINUTE_S: Final = 60
HOUR_S: Final = 3_600.0
DAY_HOURS: Final = 24.0
DAY_TOLERANCE: Final = 0.10  # of the day's hours, forgiven by the rule a verdict follows
DAY_TOLERANCE_NO_REMOVAL: Final = 0.02  # when removal is forbidden only edges are forgiven
HAIR: Final = 1e-6  # 60 minutes of a whole day are 60, whatever binary makes of it
NIGHT: Final = ("22:00", "07:00")  # local; our proposal, where the order names no night


@dataclass(frozen=True, slots=True)
class AskedDay:
    """One ordered day, true Unix seconds from..to: minutes asked for after tolerance, before anything is excused.

    `room_min`: how much removal for hygiene is excused. `night`: local from and to, when nights are optional.
    """

    day: date
    phase: int
    begin_s: float
    end_s: float
    asked_min: float
    room_min: float
    night: tuple[time, time] | None


@dataclass(frozen=True, slots=True)
class AskedPhase:
    """One phase with at least one day left, and how many of its days must be met."""

    days: tuple[AskedDay, ...]
    days_required: int


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """The whole order. `pauses`: true Unix seconds from..to. `label`: why it is shorter than written, or empty."""

    zone: ZoneInfo
    phases: tuple[AskedPhase, ...]
    pauses: tuple[tuple[float, float], ...]
    label: str


def asked(prescription: Mapping[str, object]) -> AskedOrder:
    """Read {"start", "timezone", "phases": [...]} and what else an order may have.

    Phases are calendar days of `timezone` from the date of `start`. The first day's hours are prorated from `start`,
    the last day's to `ended.at`. Raises ValueError, KeyError or TypeError when it is no prescription.
    """
    zone = ZoneInfo(str(prescription["timezone"]))
    start_s = _moment(prescription["start"], zone)
    ended = prescription.get("ended")
    end_s, label = _ended(ended, zone) if isinstance(ended, Mapping) else (math.inf, "")
    phases = _objects(prescription, "phases")
    most = prescription.get("max_days")
    if most is not None and sum(_whole(each, "days") for each in phases) > _whole(prescription, "max_days"):
        raise ValueError(f"the phases together are longer than the {most} days this order allows at most")
    day = datetime.fromtimestamp(start_s, zone).date()
    left: list[AskedPhase] = []
    for number, phase in enumerate(phases):
        # daytime hours leave the night free already
        night = _night(prescription) if phase.get("night_optional") and phase["mode"] == "continuous" else None
        count = _whole(phase, "days")
        dates = [day + timedelta(days=each) for each in range(count)]
        days = [_asked_day(each, number, phase, (start_s, end_s), zone, night) for each in dates]
        kept = tuple(each for each in days if each.begin_s < each.end_s)
        if kept:
            # the same share of the days that are left, a part of a day being a whole one
            left.append(AskedPhase(kept, math.ceil(_whole(phase, "days_required") * len(kept) / count)))
        day += timedelta(days=count)
    pauses = tuple((_moment(each["start"], zone), _moment(each["end"], zone)) for each in _pauses(prescription))
    return AskedOrder(zone, tuple(left), pauses, label if left or not phases else "")


def _asked_day(
    day: date,
    number: int,
    phase: Mapping[str, object],
    limits: tuple[float, float],
    zone: ZoneInfo,
    night: tuple[time, time] | None,
) -> AskedDay:
    midnight, next_midnight = local_seconds(day, 0.0, zone), local_seconds(day + timedelta(days=1), 0.0, zone)
    begin, end = max(midnight, limits[0]), min(next_midnight, limits[1])
    hours = _number(phase, "hours")
    # 23 hours of a day and night are fewer when the clocks go forward; nobody's waking day shrinks by an hour
    natural_s = next_midnight - midnight
    whole_s = DAY_HOURS * HOUR_S if phase.get("mode") == "continuous" else natural_s
    forgiven = 1.0 - _tolerance(phase)
    asked_min = hours * 60.0 * forgiven * (end - begin) / whole_s
    asked_min = min(asked_min, (end - begin) / MINUTE_S * forgiven)  # never more than the day has
    hygiene = _number(phase, "hygiene_minutes") if "hygiene_minutes" in phase else 0.0
    room = min(hygiene, max(0.0, (hours - DAY_HOURS) * 60.0 + hygiene))  # what the hours leave open is no excuse
    return AskedDay(day, number, begin, end, asked_min, math.floor(room * (end - begin) / natural_s + HAIR), night)


def _tolerance(phase: Mapping[str, object]) -> float:
    if phase.get("tolerance") is not None:
        return _number(phase, "tolerance")
    return DAY_TOLERANCE_NO_REMOVAL if phase.get("removal") == "none" else DAY_TOLERANCE


def _ended(ended: Mapping[str, object], zone: ZoneInfo) -> tuple[float, str]:
    labels = {"shortened": "order shortened", "superseded": "superseded"}
    why = str(ended["why"])
    if why not in labels:
        raise ValueError(f"an order ends early because it is shortened or superseded, not {why!r}")
    return _moment(ended["at"], zone), labels[why]


def _night(prescription: Mapping[str, object]) -> tuple[time, time]:
    night = prescription.get("night")
    start, end = (str(night["start"]), str(night["end"])) if isinstance(night, Mapping) else NIGHT
    return time.fromisoformat(start), time.fromisoformat(end)


def _pauses(prescription: Mapping[str, object]) -> list[Mapping[str, object]]:
    return _objects(prescription, "pauses") if "pauses" in prescription else []


def _moment(value: object, zone: ZoneInfo) -> float:
    """The start of the minute a moment lies in."""
    moment = datetime.fromisoformat(str(value))
    at_s = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    return float(at_s // MINUTE_S * MINUTE_S)


def _objects(prescription: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    values = prescription[key]
    if not isinstance(values, list) or not all(isinstance(each, Mapping) for each in values):
        raise TypeError(f"a prescription's {key} are a list of objects")
    return values


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
