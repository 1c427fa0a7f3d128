"""Hiding minutes may cost knowledge; it must not turn wear into its contrary, nor the contrary into wear."""

from __future__ import annotations

import numpy as np
import pytest

from calza_server.domain.detection.detector import Detection, detect
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.states import State
from tests.server.second_leg import anyone
from tests.server.wear_days import without

SEEDS = range(40)
NEAR_A_HOLE_MIN = 15  # the edges of wear are read off the minutes beside them, so a hole there may move them so far

Spans = list[tuple[int, int]]


def flipped(whole: Detection, grid: MinuteGrid, hidden: Spans) -> int:
    """Visible minutes, not beside a hole, that changed from worn to not worn or back."""
    holey = without(grid, *hidden)
    found = detect(holey)
    near = np.zeros(len(grid), np.bool_)
    for start, end in hidden:
        near[max(0, start - NEAR_A_HOLE_MIN) : end + NEAR_A_HOLE_MIN] = True
    visible = holey.present & ~near
    denied = (whole.state == State.WORN) & (found.state == State.NOT_WORN)
    invented = (whole.state == State.NOT_WORN) & (found.state == State.WORN)
    return int((visible & (denied | invented)).sum())


def short_holes(chance: np.random.Generator, minutes: int, _: Detection) -> Spans:
    return [(int(at), min(minutes, int(at + chance.integers(1, 120)))) for at in chance.integers(0, minutes, 20)]


def long_holes(chance: np.random.Generator, minutes: int, _: Detection) -> Spans:
    return [(int(at), min(minutes, int(at + chance.integers(300, 4000)))) for at in chance.integers(0, minutes, 2)]


def holes_at_every_edge(chance: np.random.Generator, minutes: int, whole: Detection) -> Spans:
    edges = np.flatnonzero(np.diff(whole.state == State.WORN))
    return [(max(0, int(at - chance.integers(0, 40))), min(minutes, int(at + chance.integers(1, 40)))) for at in edges]


def all_but_wear(_: np.random.Generator, __: int, whole: Detection) -> Spans:
    """Whatever was learned from slackness is lost."""
    off = np.flatnonzero(np.diff(whole.state != State.WORN, prepend=False, append=False))
    return list(zip(off[0::2].tolist(), off[1::2].tolist(), strict=True))


def all_but_idleness(_: np.random.Generator, __: int, whole: Detection) -> Spans:
    """Whatever was learned from the leg is lost."""
    worn = np.flatnonzero(np.diff(whole.state != State.NOT_WORN, prepend=False, append=False))
    return list(zip(worn[0::2].tolist(), worn[1::2].tolist(), strict=True))


@pytest.mark.parametrize("holes", [short_holes, long_holes, holes_at_every_edge, all_but_wear, all_but_idleness])
def test_hiding_minutes_never_turns_a_state_into_its_contrary(holes: object) -> None:
    assert callable(holes)
    turned = {}
    for seed in SEEDS:
        grid = anyone(seed, 6).grid()
        whole = detect(grid)
        hidden = holes(np.random.default_rng([seed, 41]), len(grid), whole)
        if minutes := flipped(whole, grid, hidden):
            turned[seed] = minutes
    assert not turned, "minutes turned, by seed"
