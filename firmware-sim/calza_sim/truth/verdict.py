"""What an order comes to when nothing is missing: the judge of the server, who knows the itinerary alone.

No line is shared with any wear detector or verdict. It counts the slow, plain way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from calza_sim.truth.minutes import MINUTE_S, Truth
from calza_sim.truth.order import AskedDay, AskedOrder, asked

HAIR_MIN: Final = 1e-6  # 0.1 * 600 is not said exactly in binary, and must not ask for one minute more


@dataclass(frozen=True, slots=True)
class TrueDay:
    """One ordered day: minutes worn outside pauses, the least that meets it after tolerance and excuse, the excuse."""

    day: date
    phase: int
    worn_min: int
    needed_min: float
    excused_min: float = 0.0

    @property
    def met(self) -> bool:
        """Whether enough was worn."""
        return self.worn_min >= self.needed_min - HAIR_MIN


@dataclass(frozen=True, slots=True)
class TruePhase:
    """One phase: days met of those it has, and how many must be."""

    days: int
    days_met: int
    days_required: int

    @property
    def met(self) -> bool:
        """Whether enough days were met."""
        return self.days_met >= self.days_required


@dataclass(frozen=True, slots=True)
class TrueVerdict:
    """What a finished order comes to when every minute is known: "met", "not_met" or "not_applicable".

    `label` is "order shortened" or "superseded" where the order ended early.
    """

    verdict: str
    days: tuple[TrueDay, ...]
    phases: tuple[TruePhase, ...] = ()
    label: str = ""


def truth_days(known: Truth, prescription: Mapping[str, object]) -> TrueVerdict:
    """Judge a finished order (the document rx.json) by the truth; days no sensor could see are judged like any other.

    Any hour of a day counts. Minutes of a pause are excused: they count neither way and the day asks for as much less.
    Raises ValueError when the order is not finished within the truth, KeyError or TypeError when it is none.
    """
    order = asked(prescription)
    days: list[TrueDay] = []
    phases: list[TruePhase] = []
    for phase in order.phases:
        judged = [_judge(known, each, order) for each in phase.days]
        phases.append(TruePhase(len(judged), sum(each.met for each in judged), phase.days_required))
        days += judged
    if not phases:
        return TrueVerdict("not_applicable", (), (), order.label)
    verdict = "met" if all(each.met for each in phases) else "not_met"
    return TrueVerdict(verdict, tuple(days), tuple(phases), order.label)


def truth_open(known: Truth, prescription: Mapping[str, object], as_of_s: float) -> TrueVerdict:
    """The order as it stands at `as_of_s` (Unix seconds): `truth_days`' own answer once it is over.

    Else all that is ahead is taken once as not worn, once as worn, and the verdict is "already_met", "can_be_met" or
    "cannot_be_met"; `days` are those that are over, `phases` count the days met for certain.
    """
    order = asked(prescription)
    last_s = max((each.end_s for phase in order.phases for each in phase.days), default=as_of_s)
    if last_s <= as_of_s:
        return truth_days(known, prescription)
    least = truth_days(_with_future(known, as_of_s, last_s, worn=False), prescription)
    most = truth_days(_with_future(known, as_of_s, last_s, worn=True), prescription)
    ends_s = [each.end_s for phase in order.phases for each in phase.days]
    over = tuple(day for day, end_s in zip(least.days, ends_s, strict=True) if end_s <= as_of_s)
    possible = "can_be_met" if most.verdict == "met" else "cannot_be_met"
    return replace(least, verdict="already_met" if least.verdict == "met" else possible, days=over)


def _with_future(known: Truth, as_of_s: float, last_s: float, *, worn: bool) -> Truth:
    past = known.minute_s < as_of_s
    first_s = int(known.minute_s[past][-1]) + MINUTE_S if past.any() else int(as_of_s // MINUTE_S * MINUTE_S)
    ahead = np.arange(first_s, last_s, MINUTE_S, dtype=np.int64)
    return replace(
        known,
        minute_s=np.concatenate([known.minute_s[past], ahead]),
        worn=np.concatenate([known.worn[past], np.full(len(ahead), worn)]),
    )


def _judge(known: Truth, asks: AskedDay, order: AskedOrder) -> TrueDay:
    at = known.minute_s
    if not len(at) or at[0] > asks.begin_s + MINUTE_S or at[-1] + MINUTE_S < asks.end_s:
        raise ValueError(f"the truth does not cover {asks.day.isoformat()}: the order is not finished")
    inside = (at >= asks.begin_s) & (at < asks.end_s)
    paused = np.zeros(len(at), dtype=np.bool_)
    for start_s, end_s in order.pauses:
        paused |= (at >= start_s) & (at < end_s)
    worn = int(np.count_nonzero(inside & ~paused & known.worn))
    off = inside & ~paused & ~known.worn
    night = _at_night(at[off], asks.night, order.zone)
    excused = int(np.count_nonzero(inside & paused)) + night
    excused_min = excused + min(int(np.count_nonzero(off)) - night, asks.room_min)
    return TrueDay(asks.day, asks.phase, worn, max(0.0, asks.asked_min - excused_min), excused_min)


def _at_night(minutes_s: NDArray[np.int64], night: tuple[time, time] | None, zone: ZoneInfo) -> int:
    """How many of the minutes lie in the night, by the clock on the wall."""
    if night is None:
        return 0
    start, end = night
    count = 0
    for at_s in minutes_s.tolist():
        clock = datetime.fromtimestamp(at_s, zone).time()
        count += start <= clock < end if start <= end else clock >= start or clock < end
    return count
