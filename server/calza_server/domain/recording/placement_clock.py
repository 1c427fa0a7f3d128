"""Which looks at a stocking's clock to believe, and what they make of its time. Pure; knows no store and no wear.

A gateway is somebody's phone, and its clock may be wrong by hours. The server knows its own clock and when each report
reached it. Three rules follow, and all the figures in them are our proposal:

1. Nothing is seen after it was reported, nor before there were stockings. A report that says so is put aside; if even
   the stocking's clock showed more than the time of receipt, that clock is ahead and its own word is worth nothing.
2. A report that arrived at once is *verified*: it can be wrong by no more than it took to arrive. A late one cannot be
   verified. It counts if it agrees with the verified ones of its timeline, or, where there are none, with more than
   half of what was said about that timeline, to which the stocking's own clock, once set, adds one voice. A gateway
   that says itself that nobody keeps its clock right has a voice only where no other gateway has spoken.
3. Record numbers rise with time. What is not verified and would lie on the wrong side of what is, lies nowhere.

What the rules cannot know: two wrong clocks that agree, with nobody there to contradict them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from calza_server.domain.recording.readings import Readings

    Seconds = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

AFTER_RECEIPT_S: Final = 30  # two good clocks differ by less; half a minute moves no minute by more than one slot
LIVE_WITHIN_S: Final = 60  # from the reading of the clock to this server; a verified time is wrong by so much at most
AGREE_WITHIN_S: Final = 60
DRIFT_ALLOWED: Final = 200e-6  # a cheap crystal in the cold loses 100 ppm; twice that, and no more than 17 s a day
NO_STOCKING_BEFORE_S: Final = 1_577_836_800  # 2020-01-01: a clock that shows less was never set since it had power
SEALED_WITHIN_S: Final = 120  # setting a clock seals the open record; the visit has looked at the clock just before
ORDER_SLACK_S: Final = 120  # two verified times, each wrong by the most it can be


class ClockConfidence(IntEnum):
    """How well it is known when a minute was."""

    NONE = 0  # nobody says: no reading here, or one that came with its time from elsewhere
    LOW = 1  # by the stocking's own clock alone, or by gateways that say themselves that theirs may be wrong
    FAIR = 2  # by gateways whose reports came late
    HIGH = 3  # by a report that reached this server at once, beside its own clock

    @property
    def word(self) -> str:
        """The stable lower-case word for files and the API."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ClockSighting:
    """One look at a stocking's clock beside a gateway's; all times in Unix seconds.

    Records `timeline_first_record` <= r < `next_record` of the log had been written on that clock at that moment.
    `received_s` is when this server heard of it, by its own clock; None: not known, and then it is taken as it stands.
    `battery_percent` is what the stocking said of itself in that visit. `unsure`: by the gateway's own word nobody
    keeps its clock right.
    """

    log_id: bytes
    timeline_first_record: int
    next_record: int
    device_s: int
    true_s: int
    received_s: int | None = None
    battery_percent: int | None = None
    unsure: bool = False

    @property
    def ahead_s(self) -> int:
        """How much must be added to the stocking's clock, by this gateway's word."""
        return self.true_s - self.device_s

    @property
    def counts_from_power(self) -> bool:
        """Whether the clock had not been set since it last lost power."""
        return self.device_s < NO_STOCKING_BEFORE_S

    @property
    def timeline(self) -> tuple[bytes, int]:
        """The log and the first record of its timeline."""
        return self.log_id, self.timeline_first_record

    @property
    def impossible(self) -> bool:
        """Whether it claims to have been made after it was received, or before there was any stocking."""
        early = self.true_s < NO_STOCKING_BEFORE_S  # a gateway that booted without a clock believes it is 1970
        return early or (self.received_s is not None and self.true_s > self.received_s + AFTER_RECEIPT_S)

    @property
    def verified(self) -> bool:
        """Whether it was received so soon that the gateway's clock must have been right."""
        return self.received_s is None or (not self.impossible and self.received_s - self.true_s <= LIVE_WITHIN_S)

    def agrees_with(self, other: ClockSighting) -> bool:
        """Whether both can be of one clock that runs on, seen by two good ones."""
        allowed = AGREE_WITHIN_S + DRIFT_ALLOWED * abs(self.device_s - other.device_s)
        return abs(self.ahead_s - other.ahead_s) <= allowed

    @property
    def clock_ahead(self) -> bool:
        """Whether the stocking's clock showed more than the time this was received."""
        return self.received_s is not None and self.device_s > self.received_s + AFTER_RECEIPT_S


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """What is believed of one timeline. `seen_s` rises; `ahead_s` beside it is what to add to the clock there.

    Nothing seen: only the stocking's own word is left, which counts unless `own_word_refuted`.
    """

    seen_s: Seconds
    ahead_s: Seconds
    confidence: ClockConfidence
    own_word_refuted: bool

    @property
    def verified(self) -> bool:
        """Whether this server heard of a look at the clock at once."""
        return self.confidence is ClockConfidence.HIGH

    def correction_s(self, device_s: Seconds) -> Seconds:
        """What to add to these device times: in a line between two sightings, as a crystal drifts; level beyond."""
        if len(self.seen_s) == 1:
            return np.full(len(device_s), self.ahead_s[0], np.int64)
        return np.rint(np.interp(device_s, self.seen_s, self.ahead_s)).astype(np.int64)


def of_one_clock(sightings: Sequence[ClockSighting]) -> list[ClockSighting]:
    """Of all sightings of a `timeline`, those of the clock its records were written on.

    A clock that is set, or loses power again, before its first record begins another timeline at the same number. The
    records, and the open one, are those of the last.
    """
    earlier = [one for one in sightings if one.next_record == one.timeline_first_record]
    if not earlier:
        return list(sightings)
    later = [one for one in sightings if one.next_record > one.timeline_first_record]
    if not later:
        last = max(earlier, key=lambda one: (one.received_s or one.true_s, one.device_s))
        return [one for one in earlier if one.agrees_with(last)]
    return [one for one in earlier if any(one.agrees_with(other) for other in later)] + later


def believed(sightings: Sequence[ClockSighting], *, clock_was_set: bool) -> Timeline:
    """What to believe of one timeline's sightings, whatever their order. `clock_was_set`: its records say so."""
    refuted = any(one.clock_ahead for one in sightings)
    possible = [one for one in sightings if not one.impossible]
    live = [one for one in possible if one.verified]
    kept = possible if len(live) == len(possible) else _agreeing(possible, live, own_word=clock_was_set and not refuted)
    points = {one.device_s: one.ahead_s for one in sorted(kept, key=lambda one: (one.device_s, one.true_s))}
    return Timeline(
        seen_s=np.array(list(points), np.int64),
        ahead_s=np.array(list(points.values()), np.int64),
        confidence=_confidence(kept, verified=bool(live)),
        own_word_refuted=refuted,
    )


def _confidence(kept: Sequence[ClockSighting], *, verified: bool) -> ClockConfidence:
    if verified:
        return ClockConfidence.HIGH
    return ClockConfidence.LOW if all(one.unsure for one in kept) else ClockConfidence.FAIR


def _agreeing(
    possible: Sequence[ClockSighting], live: Sequence[ClockSighting], *, own_word: bool
) -> list[ClockSighting]:
    """The sightings of rule 2."""
    seen = np.array([one.device_s for one in possible], np.float64)
    ahead = np.array([one.ahead_s for one in possible], np.float64)
    if live:
        at, by = np.array(sorted((one.device_s, one.ahead_s) for one in live), np.float64).T
        after = np.clip(np.searchsorted(at, seen), 0, len(at) - 1)
        away = np.minimum(np.abs(seen - at[after]), np.abs(seen - at[np.maximum(after - 1, 0)]))
        agree = np.abs(ahead - np.interp(seen, at, by)) <= AGREE_WITHIN_S + DRIFT_ALLOWED * away
        return [one for one, good in zip(possible, agree.tolist(), strict=True) if good or one.verified]
    sure = np.array([not one.unsure for one in possible])
    voices = ahead[sure] if sure.any() else ahead
    if own_word:
        voices = np.append(voices, 0.0)
    middle, allowed = np.median(voices), AGREE_WITHIN_S + DRIFT_ALLOWED * float(np.ptp(seen))
    if 2 * np.count_nonzero(np.abs(voices - middle) <= allowed) <= len(voices):
        return []
    near = np.abs(ahead - middle) <= allowed  # whoever agrees is heard, with a voice or without
    return [one for one, good in zip(possible, near.tolist(), strict=True) if good]


def out_of_order(
    readings: Readings, true_s: Seconds, placed: Mask, verified: Mask, timelines: Sequence[ClockSighting]
) -> Mask:
    """Rule 3: rows whose time cannot be, because record numbers rise with time; whole stretches of unverified ones."""
    wrong = np.zeros(len(readings), np.bool_)
    unverified = placed & ~verified
    if not unverified.any() or not verified.any():
        return wrong
    for index, log_id in enumerate(readings.logs):
        rows = np.flatnonzero(readings.log == index)
        sure, doubtful, time = verified[rows], unverified[rows], true_s[rows]
        if not sure.any() or not doubtful.any():
            continue
        before = np.maximum.accumulate(np.where(sure, time, np.iinfo(np.int64).min // 2))
        after = np.minimum.accumulate(np.where(sure, time, np.iinfo(np.int64).max // 2)[::-1])[::-1]
        amiss = doubtful & ((time < before - ORDER_SLACK_S) | (time > after + ORDER_SLACK_S))
        if not amiss.any():
            continue
        begins = np.diff(doubtful, prepend=False)
        firsts = np.array(sorted({one.timeline_first_record for one in timelines if one.log_id == log_id}), np.int64)
        begins |= np.diff(np.searchsorted(firsts, readings.record[rows], side="right"), prepend=0).astype(np.bool_)
        stretch = np.cumsum(begins)
        wrong[rows] = doubtful & np.isin(stretch, stretch[amiss])
    return wrong
