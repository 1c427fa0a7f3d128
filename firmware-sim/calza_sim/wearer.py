"""The wearer: what a person does and when the stocking is on the leg. This is the truth; no sensor appears here.

A day is a day of the wearer's own zone. Every day draws from its own stream, so an itinerary made for more days begins
with exactly the same days.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calza_sim.wearer_bouts import HELD, Bout, day_bouts, hold
from calza_sim.wearer_bouts import Activity as Activity
from calza_sim.wearer_chance import stream
from calza_sim.wearer_events import Event, EventKind, TimedEvent

EDGE_JITTER_H: Final = 0.2  # sd with which people keep their times; our assumption
BREAK_LENGTH_SPREAD: Final = 0.2  # a break lasts this fraction longer or shorter; our assumption
DONNING_S: Final = (30.0, 300.0)  # from foot to thigh, log-uniform; our assumption
DOFFING_S: Final = (15.0, 90.0)  # our assumption: pulling off is quicker
FIRST_DONNING_DELAY_S: Final = 60.0  # the stocking is switched on, then put on; our assumption


@dataclass(frozen=True, slots=True)
class Break:
    """The stocking is taken off for a while: around `hour` (local) for about `minutes`."""

    hour: float
    minutes: float
    reason: str
    activity: Activity = Activity.SITTING

    @property
    def end(self) -> float:
        """When it is over, local hour."""
        return self.hour + self.minutes / 60.0


@dataclass(frozen=True, slots=True)
class DayPlan:
    """One day's wear: local hours from..to, less the breaks. An edge at 0 or 24 means worn across midnight."""

    worn: tuple[tuple[float, float], ...]
    breaks: tuple[Break, ...] = ()
    off_reason: str = "night"
    charging: tuple[tuple[float, float], ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Wear:
    """One time on the leg: donning begins, fully on, doffing begins, fully off (true Unix seconds); then why it is off.

    The truth calls the stocking worn from `on_s` to `doffing_s`: while it is pulled on or off it is not in place.
    """

    donning_s: float
    on_s: float
    doffing_s: float
    off_s: float
    reason_after: str


@dataclass(frozen=True, slots=True)
class Itinerary:
    """A life from `start_s` to `end_s` (true Unix seconds): bouts of activity, times of wear, times on the charger.

    `midnight_s` is the midnight before `start_s` where the wearer lives.
    """

    midnight_s: float
    start_s: float
    end_s: float
    bout_start_s: NDArray[np.float64]
    bout_activity: NDArray[np.int64]
    wears: tuple[Wear, ...]
    charging: tuple[tuple[float, float], ...]
    reason_before: str
    events: tuple[TimedEvent, ...] = ()

    def activity(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """The `Activity` at each time."""
        return self.bout_activity[self.bout(times_s)]

    def bout(self, times_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which bout of activity each time falls in."""
        return np.maximum(np.searchsorted(self.bout_start_s, times_s, side="right") - 1, 0)


def local_seconds(day: date, hour: float, zone: tzinfo) -> float:
    """True Unix seconds of a wall-clock hour (0..24) of a day in `zone`, whatever summer time does that day."""
    return (datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(hours=hour)).timestamp()


def live(plans: tuple[DayPlan, ...], *, seed: int, start_s: float, zone: tzinfo = UTC) -> Itinerary:
    """Live the planned days one after the other from `start_s`; the first day is what is left of it.

    The same seed gives the same days however many follow.
    """
    first_day = datetime.fromtimestamp(start_s, zone).date()
    spans: list[_Span] = []
    bouts: list[Bout] = []
    charging: list[tuple[float, float]] = []
    happened: list[TimedEvent] = []
    for number, plan in enumerate(plans):
        day = first_day + timedelta(days=number)
        chance = stream(seed, "day", number)
        breaks = [_moved(each, chance) for each in plan.breaks]
        for span in _worn_hours(plan, breaks, chance):
            _join(spans, span.on_the_clock(day, zone))
        charging += [(local_seconds(day, a, zone), local_seconds(day, b, zone)) for a, b in plan.charging]
        happened += [_timed(each, local_seconds(day, each.hour, zone)) for each in plan.events]
        handled = [hour for span in plan.worn for hour in span if hour not in {0.0, 24.0}]
        handled += [hour for each in breaks for hour in (each.hour, each.end)]
        off = ((each.hour, each.end, each.activity) for each in breaks)
        bouts += [(local_seconds(day, hour, zone), activity) for hour, activity in day_bouts(handled, off, chance)]
    bouts.sort()  # the hour that summer time skips would come out of order
    end_s = local_seconds(first_day + timedelta(days=len(plans)), 0.0, zone)
    events = _joined(happened)
    for each in events:
        if each.kind in HELD:
            hold(bouts, each, end_s)
    return Itinerary(
        midnight_s=local_seconds(first_day, 0.0, zone),
        start_s=start_s,
        end_s=end_s,
        bout_start_s=np.array([at for at, _ in bouts]),
        bout_activity=np.array([int(activity) for _, activity in bouts], dtype=np.int64),
        wears=_wears(spans, start_s),
        charging=tuple(charging),
        reason_before="not yet put on" if spans else plans[0].off_reason,
        events=events,
    )


def _timed(event: Event, start_s: float) -> TimedEvent:
    return TimedEvent(event.kind, start_s, start_s + event.minutes * 60.0, event.site, event.size)


def _joined(events: list[TimedEvent]) -> tuple[TimedEvent, ...]:
    """An event that begins before the last of its like has ended goes on with it, as over midnight."""
    joined: list[TimedEvent] = []
    latest: dict[tuple[EventKind, int | None, float | None], int] = {}
    for each in events:
        like = (each.kind, each.site, each.size)
        at = latest.get(like)
        if at is not None and joined[at].start_s <= each.start_s <= joined[at].end_s:
            joined[at] = replace(joined[at], end_s=max(joined[at].end_s, each.end_s))
        else:
            latest[like] = len(joined)
            joined.append(each)
    return tuple(joined)


@dataclass(frozen=True, slots=True)
class _Span:
    """A time of wear, in hours of a day or (once on the clock) in seconds."""

    start: float
    end: float
    reason_after: str
    donning_s: float
    doffing_s: float

    def on_the_clock(self, day: date, zone: tzinfo) -> "_Span":
        start, end = local_seconds(day, self.start, zone), local_seconds(day, self.end, zone)
        return _Span(start, end, self.reason_after, self.donning_s, self.doffing_s)


def _moved(planned: Break, chance: np.random.Generator) -> Break:
    hour = planned.hour + EDGE_JITTER_H * float(np.clip(chance.standard_normal(), -2.0, 2.0))
    minutes = planned.minutes * float(chance.uniform(1.0 - BREAK_LENGTH_SPREAD, 1.0 + BREAK_LENGTH_SPREAD))
    return Break(hour, minutes, planned.reason, planned.activity)


def _worn_hours(plan: DayPlan, breaks: list[Break], chance: np.random.Generator) -> list[_Span]:
    pieces: list[tuple[float, float, str]] = []
    for start, end in plan.worn:
        at = _jittered(start, chance)
        until = _jittered(end, chance)
        for each in sorted(breaks, key=lambda one: one.hour):
            if at < each.hour and each.end < until:
                pieces.append((at, each.hour, each.reason))
                at = each.end
        pieces.append((at, until, plan.off_reason))
    return [
        _Span(start, end, reason, _log_uniform(DONNING_S, chance), _log_uniform(DOFFING_S, chance))
        for start, end, reason in pieces
    ]


def _jittered(hour: float, chance: np.random.Generator) -> float:
    moved = hour + EDGE_JITTER_H * float(np.clip(chance.standard_normal(), -2.0, 2.0))
    return hour if hour in {0.0, 24.0} else moved


def _log_uniform(bounds: tuple[float, float], chance: np.random.Generator) -> float:
    return float(np.exp(chance.uniform(*np.log(bounds))))


def _join(spans: list[_Span], new: _Span) -> None:
    """Wear that reaches midnight and goes on from midnight is one time of wear."""
    if spans and spans[-1].end == new.start:
        before = spans.pop()
        new = _Span(before.start, new.end, new.reason_after, before.donning_s, new.doffing_s)
    spans.append(new)


def _wears(spans: list[_Span], start_s: float) -> tuple[Wear, ...]:
    wears: list[Wear] = []
    free_from = start_s + FIRST_DONNING_DELAY_S
    for number, span in enumerate(spans):
        on = max(span.start, free_from + span.donning_s)
        if span.end <= on:
            continue  # over before the stocking could be on
        off = span.end + span.doffing_s
        if number + 1 < len(spans):
            off = min(off, (span.end + spans[number + 1].start) / 2)
        wears.append(Wear(on - span.donning_s, on, span.end, off, span.reason_after))
        free_from = off
    return tuple(wears)
