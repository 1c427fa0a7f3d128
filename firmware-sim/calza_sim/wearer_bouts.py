"""Bouts of activity: how a day is filled with sitting, standing, walking and sleep. Knows no stocking.

Hours are local hours of a day; a bout is when it begins and what is done from then on.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np

from calza_sim.wearer_events import EventKind, TimedEvent


class Activity(IntEnum):
    """What the wearer does; it decides posture, gait and warmth."""

    ASLEEP = 0
    SITTING = 1
    STANDING = 2
    WALKING = 3
    SHOWERING = 4

    @property
    def posture(self) -> str:
        """The posture this activity is done in."""
        return ("lying", "sitting", "standing", "walking", "standing")[self]


Bout: TypeAlias = tuple[float, Activity]

# activity, share of bouts, median length in minutes; our assumption of an ordinary working day (about 3 h on foot)
WAKING_BOUTS: Final = ((Activity.SITTING, 0.50, 25.0), (Activity.STANDING, 0.28, 8.0), (Activity.WALKING, 0.22, 7.0))
TURNING_MIN: Final = 40.0  # median time between turns in bed; our assumption
BOUT_LOG_SD: Final = 0.6  # spread of bout lengths; our assumption
WAKING_H: Final = (6.9, 22.8)  # getting up and going to bed, local hours; our assumption
WAKING_JITTER_H: Final = 0.2  # sd with which people keep them; our assumption
HELD: Final = {EventKind.STILL: Activity.ASLEEP, EventKind.KNEE_FLEXED: Activity.SITTING}  # nothing else meanwhile


def day_bouts(
    handled: Iterable[float], interruptions: Iterable[tuple[float, float, Activity]], chance: np.random.Generator
) -> list[Bout]:
    """One day's bouts. At the hours `handled` the wearer is up; `interruptions` are from, to and what is done."""
    hours = list(handled)
    up, bed = (hour + WAKING_JITTER_H * float(chance.standard_normal()) for hour in WAKING_H)
    up = max(min([up, *(hour - 0.5 for hour in hours)]), 0.0)  # nobody handles a stocking asleep
    bed = min(max([bed, *(hour + 0.5 for hour in hours)]), 23.95)
    bouts = _filled(0.0, up, chance, lambda _: (Activity.ASLEEP, TURNING_MIN))
    bouts += _filled(up, bed, chance, _waking_bout)
    for start, end, activity in interruptions:
        interrupted = [before for hour, before in bouts if hour <= end]
        kept = [bout for bout in bouts if not start <= bout[0] <= end]
        resumed = interrupted[-1] if interrupted else Activity.STANDING
        bouts = sorted([*kept, (start, activity), (end, resumed)])
    return bouts + _filled(bed, 24.0, chance, lambda _: (Activity.ASLEEP, TURNING_MIN))


def hold(bouts: list[Bout], event: TimedEvent, end_s: float) -> None:
    """Make one bout of a held event's time, then what would have been; a life may end within it. Times in seconds."""
    first, after = bisect_left(bouts, (event.start_s,)), bisect_right(bouts, (event.end_s, math.inf))
    held = [(event.start_s, HELD[event.kind])]
    if event.end_s < end_s and after:
        held.append((event.end_s, bouts[after - 1][1]))
    bouts[first:after] = held


def _filled(
    start: float, end: float, chance: np.random.Generator, kind: Callable[[float], tuple[Activity, float]]
) -> list[Bout]:
    """Bouts from one hour to another; `kind` turns a random point of 0..1 into an activity and its median minutes."""
    bouts: list[Bout] = []
    hour = start
    while hour < end:
        activity, median_min = kind(float(chance.random()))
        bouts.append((hour, activity))
        hour += median_min / 60.0 * math.exp(BOUT_LOG_SD * float(chance.standard_normal()))
    return bouts


def _waking_bout(point: float) -> tuple[Activity, float]:
    for activity, share, median_min in WAKING_BOUTS:
        if point < share:
            return activity, median_min
        point -= share
    return WAKING_BOUTS[0][0], WAKING_BOUTS[0][2]
