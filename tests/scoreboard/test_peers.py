"""The peers' methods on minutes drawn by hand: each does what its description says, faults included."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.states import State
from tests.scoreboard.peers import PEERS, ankle_8_mmhg, fixed_25_c, fixed_29_c, slope_edges

ROOM_C, LEG_C = 20.0, 31.0


def grid_of(skin_c: npt.NDArray[np.float64], ankle_mmhg: float = 20.0) -> MinuteGrid:
    grid = MinuteGrid.empty(1_000, 1_000 + len(skin_c))
    grid.skin[:] = skin_c
    grid.ankle[:] = ankle_mmhg
    grid.present[:] = True
    return grid


def steps(*stretches: tuple[int, float]) -> npt.NDArray[np.float64]:
    """So many minutes at such a temperature, one after the other, each reached within a few minutes."""
    out, value = [], stretches[0][1]
    for minutes, target in stretches:
        for _ in range(minutes):
            value += (target - value) / 4.0
            out.append(value)
    return np.array(out)


def worn_minutes(said: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    return np.flatnonzero(said == State.WORN)


def test_fixed_thresholds_go_by_the_level_alone() -> None:
    grid = grid_of(np.array([24.9, 25.0, 28.9, 29.0]))
    assert worn_minutes(fixed_25_c(grid)).tolist() == [1, 2, 3]
    assert worn_minutes(fixed_29_c(grid)).tolist() == [3]


def test_the_pressure_threshold_goes_by_the_ankle_alone() -> None:
    grid = grid_of(np.full(3, ROOM_C))
    grid.ankle[:] = (7.9, 8.0, np.nan)
    assert worn_minutes(ankle_8_mmhg(grid)).tolist() == [1]


def test_the_slope_finds_both_edges_whatever_the_level() -> None:
    for shift_c in (0.0, -8.0, 12.0):
        worn = worn_minutes(slope_edges(grid_of(steps((100, ROOM_C), (200, LEG_C), (100, ROOM_C)) + shift_c)))
        assert 98 <= worn[0] <= 105
        assert 297 <= worn[-1] <= 305
        assert len(worn) == worn[-1] - worn[0] + 1


def test_the_slope_method_takes_what_came_before_a_doff_for_wear() -> None:
    worn = worn_minutes(slope_edges(grid_of(steps((100, LEG_C), (100, ROOM_C)))))
    assert worn[0] == 0
    assert 97 <= worn[-1] <= 105


def test_without_an_edge_the_slope_method_sees_no_wear() -> None:
    assert not len(worn_minutes(slope_edges(grid_of(np.full(300, LEG_C)))))


def test_the_slope_across_a_hole_is_no_edge() -> None:
    grid = grid_of(np.where(np.arange(300) < 150, ROOM_C, LEG_C))
    grid.skin[145:155] = np.nan
    assert not len(worn_minutes(slope_edges(grid)))


@pytest.mark.parametrize("name", PEERS)
def test_peers_say_something_of_every_minute_held_and_nothing_of_others(name: str) -> None:
    grid = grid_of(steps((60, ROOM_C), (60, LEG_C)))
    grid.present[10:20] = False
    said = PEERS[name](grid)
    assert (said[10:20] == State.UNKNOWN).all()
    assert (np.delete(said, np.s_[10:20]) != State.UNKNOWN).all()
