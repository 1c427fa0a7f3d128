"""The wear detector: from the evidence in the minutes to worn, not worn or unknown. Knows no orders and no people.

*Entering* worn needs pressure at two sites, warmth and life together; *staying* worn needs only that the pressure
holds, because a still sleeper shows little life. Not worn is slackness for a while, or coldness without life for a
while, or the charger. Anything between is unknown: a tie falls to neither side. The figures are our proposal, see
`evidence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.evidence import LIFE_TIMES, LIFE_WINDOW_MIN, OFF_AT_LEAST_MIN, Evidence, gather
from calza_server.domain.states import Reason, State
from calza_server.domain.stretches import Indices, Mask, WindowMeans, held_for, latched, seen_near, stretches

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.grid import MinuteGrid

DETECTOR_VERSION: Final = "calza-detector-1"

# Every figure here is our proposal.
GAP_TOLERATED_MIN: Final = 3  # a longer hole in the data ends what went before
WARM_UP_AT_MOST_MIN: Final = 30  # the slowest sensor needs 8 min; before that a cold stretch is not yet the leg's
SHORTEST_WEAR_MIN: Final = 5  # kneading in the hands is warm, lively and pressed, but short
ONE_SITE_AT_MOST_MIN: Final = 10  # a single pressed site for longer is not a worn stocking
COLD_AND_STILL_MIN: Final = 30
EDGE_C: Final = 1.5  # the step in warmth when a stocking goes on or comes off
EDGE_SAMPLE_MIN: Final = 5
MATCH_SAMPLE_MIN: Final = 10
MATCH_MMHG: Final = 4.0  # posture moves a site by about as much
MATCH_SHARE: Final = 0.25
MATCH_C: Final = 2.0
DEAD_FLAT_MIN: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """State and reason of every minute of a grid (`State`, `Reason` values), and the sites not to be trusted."""

    state: npt.NDArray[np.uint8]
    reason: npt.NDArray[np.uint8]
    faulty_sites: npt.NDArray[np.uint8]


def detect(grid: MinuteGrid) -> Detection:
    """Judge every minute of a grid; a pure function of it."""
    seen = gather(grid)
    pressed = _pressed(seen)
    alive = seen_near(seen.lively, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES)
    cold_and_still = held_for(seen.present & seen.cold & ~alive, COLD_AND_STILL_MIN)
    worn, matched, never_a_leg = _judge_stretches(grid, seen, pressed, cold_and_still)
    slack = held_for(seen.slack, OFF_AT_LEAST_MIN)
    one_site = held_for(pressed & (seen.holding < 2), ONE_SITE_AT_MOST_MIN)

    state = np.full(len(grid), State.UNKNOWN, np.uint8)
    reason = np.full(len(grid), Reason.AMBIGUOUS, np.uint8)
    for mask, its_state, its_reason in (  # later lines overrule earlier ones
        (worn, State.WORN, Reason.ON_LEG),
        (worn & matched, State.WORN, Reason.SAME_AS_BEFORE_GAP),
        (one_site, State.UNKNOWN, Reason.AMBIGUOUS),
        (seen.usable_sites < 2, State.UNKNOWN, Reason.SENSOR_FAULT),
        (cold_and_still | never_a_leg, State.NOT_WORN, Reason.NOT_A_LEG),
        (slack, State.NOT_WORN, Reason.NO_PRESSURE),
        (slack & _contradicted(seen), State.UNKNOWN, Reason.AMBIGUOUS),
        (slack & _sensors_dead(seen), State.UNKNOWN, Reason.SENSOR_FAULT),
        (seen.charging, State.NOT_WORN, Reason.CHARGING),
        (~seen.present, State.UNKNOWN, Reason.NO_DATA),
        (~seen.present & grid.clock_lost, State.UNKNOWN, Reason.CLOCK_UNTRUSTED),
    ):
        state[mask] = its_state
        reason[mask] = its_reason
    return Detection(state, reason, seen.faulty_sites)


def _pressed(seen: Evidence) -> Mask:
    """Pressure with hysteresis: on at two firm sites, off when slack, charging, or at a hole in the data."""
    hole = held_for(~seen.present, GAP_TOLERATED_MIN + 1)
    return latched(seen.firm >= 2, seen.slack | seen.charging | hole)


def _judge_stretches(grid: MinuteGrid, seen: Evidence, pressed: Mask, cold_and_still: Mask) -> tuple[Mask, Mask, Mask]:
    """For each pressed stretch: worn or not, worn only by likeness to before a gap, and surely never on a leg."""
    starts, ends = stretches(pressed)
    index = np.arange(len(grid))
    if not len(starts):
        nothing = np.zeros(len(grid), np.bool_)
        return nothing, nothing, nothing
    opens = np.zeros(len(grid), np.int64)
    opens[starts] = 1
    of = np.cumsum(opens) - 1  # which stretch a pressed minute is in
    lively = seen_near(seen.lively & pressed, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES) & pressed
    edge = _warmth_edge(grid, seen, starts, ends)
    entry = lively & (seen.firm >= 2) & (seen.warm | edge[of])
    first_entry = np.minimum.reduceat(np.where(entry, index, len(grid)), starts)
    entered = (first_entry < ends) & (ends - starts >= SHORTEST_WEAR_MIN)
    matched = _matched_over_gaps(grid, seen, starts, ends, entered)
    from_entry = (index >= first_entry[of]) | seen.warm | (first_entry[of] - index <= WARM_UP_AT_MOST_MIN)
    worn = pressed & ((entered[of] & from_entry) | matched[of])
    # maximum.reduceat runs on into the time between stretches, so only pressed minutes may speak
    was_lively = np.maximum.reduceat(lively, starts)
    was_cold = np.maximum.reduceat(cold_and_still & pressed, starts)
    never_a_leg = pressed & ~worn & (was_cold & ~was_lively)[of]
    return worn, matched[of], never_a_leg


def _warmth_edge(grid: MinuteGrid, seen: Evidence, starts: Indices, ends: Indices) -> Mask:
    """Stretches that began with a step up in warmth, or ended with a step down, against the slack minutes beside."""
    inside = WindowMeans(grid.skin, seen.skin_usable)
    beside = WindowMeans(grid.skin, seen.skin_usable & seen.slack)
    with np.errstate(invalid="ignore"):  # no sample, no edge
        rise = inside.over(np.minimum(starts + 10, ends), np.minimum(starts + 30, ends), EDGE_SAMPLE_MIN)
        rise -= beside.over(starts - 30, starts, EDGE_SAMPLE_MIN)
        fall = inside.over(np.maximum(ends - 20, starts), ends, EDGE_SAMPLE_MIN)
        fall -= beside.over(ends + 10, ends + 40, EDGE_SAMPLE_MIN)
        edge: Mask = (rise >= EDGE_C) | (fall >= EDGE_C)
    return edge


def _matched_over_gaps(grid: MinuteGrid, seen: Evidence, starts: Indices, ends: Indices, entered: Mask) -> Mask:
    """Stretches that show no entry of their own but go on, after a hole in the data, just as the worn one before it."""
    matched = np.zeros(len(starts), np.bool_)
    recorded = np.concatenate(([0], np.cumsum(seen.present)))
    unbroken = recorded[starts[1:]] == recorded[ends[:-1]]  # nothing but the hole lies between
    candidates = np.flatnonzero(unbroken & ~entered[1:]) + 1
    if not len(candidates):
        return matched
    columns = (grid.ankle, grid.calf, grid.thigh)
    before_at, after_at = ends[:-1], starts[1:]
    like = np.zeros(len(starts) - 1, np.int8)
    compared = np.zeros(len(starts) - 1, np.int8)
    with np.errstate(invalid="ignore"):  # a site without a sample is not compared
        for column in columns:
            means = WindowMeans(column, seen.present & np.isfinite(column))
            before = means.over(np.maximum(before_at - MATCH_SAMPLE_MIN, starts[:-1]), before_at, EDGE_SAMPLE_MIN)
            after = means.over(after_at, np.minimum(after_at + MATCH_SAMPLE_MIN, ends[1:]), EDGE_SAMPLE_MIN)
            compared += np.isfinite(before - after)
            like += np.abs(after - before) <= np.maximum(MATCH_MMHG, MATCH_SHARE * before)
        warmth = WindowMeans(grid.skin, seen.skin_usable)
        step_c = warmth.over(after_at, np.minimum(after_at + MATCH_SAMPLE_MIN, ends[1:]), EDGE_SAMPLE_MIN)
        step_c -= warmth.over(np.maximum(before_at - MATCH_SAMPLE_MIN, starts[:-1]), before_at, EDGE_SAMPLE_MIN)
        same = (compared >= 2) & (like == compared) & (np.abs(step_c) <= MATCH_C)
    for this in candidates:  # in order: one match may carry over several gaps
        matched[this] = bool(same[this - 1]) and bool(entered[this - 1] or matched[this - 1])
    return matched


def _contradicted(seen: Evidence) -> Mask:
    """Slack, but warm as the leg and moving strongly: the sites, or the leg, must be wrong."""
    strong = seen.slack & seen.strong
    if not bool(strong.any()):
        return strong
    return seen.warm & seen_near(strong, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES)


def _sensors_dead(seen: Evidence) -> Mask:
    """Slack without even the noise of a working sensor, and warm as the leg: this says nothing about wear."""
    return seen.warm & held_for(seen.dead_flat, DEAD_FLAT_MIN)
