"""The ledger: dose with its doubt, several stockings on one leg, pauses, windows, runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.detection.detector import detect
from calza_server.domain.ledgers.ledger import Ledger, Source, excused, ledger_of, unsensed
from calza_server.domain.ledgers.ledger_join import on_one_leg
from calza_server.domain.ledgers.leg import ordered_floor
from calza_server.domain.orders.prescription import Mode, Phase, Prescription
from calza_server.domain.states import Dose, Reason, State
from calza_wire.minute_block import MinuteFlag
from tests.server.wear_days import DAY, START, grid_of, worn_between

REASON_OF = {
    State.UNKNOWN: Reason.NO_DATA,
    State.WORN: Reason.ON_LEG,
    State.NOT_WORN: Reason.NO_PRESSURE,
    State.EXCUSED: Reason.PAUSED,
}
STATES = st.lists(st.sampled_from(list(State)), min_size=1, max_size=30)


def ledger(states: list[State], *, serial: str = "CZ-0001", start: int = START) -> Ledger:
    n = len(states)
    return Ledger(
        start_minute=start,
        state=np.array(states, np.uint8),
        reason=np.array([REASON_OF[state] for state in states], np.uint8),
        dose=np.zeros(n, np.uint8),
        source=np.array([-1 if state is State.UNKNOWN else 0 for state in states], np.int16),
        record=np.array([-1 if state is State.UNKNOWN else 5 + i // 60 for i, state in enumerate(states)], np.int64),
        sources=(Source(serial, b"log-one."),),
    )


@pytest.mark.parametrize(
    ("ankle", "floor", "dose"),
    [
        (26.0, 18.0, Dose.REACHED),
        (21.0, 18.0, Dose.UNCERTAIN),  # 21 less 3.15 is below 18
        (21.0, 23.0, Dose.UNCERTAIN),  # 21 with 3.15 more is above 23: not to be called low
        (15.0, 23.0, Dose.BELOW),
        (9.0, 11.9, Dose.UNCERTAIN),  # at least 3 mmHg of doubt, however low
    ],
)
def test_dose_knows_its_doubt(ankle: float, floor: float, dose: Dose) -> None:
    grid = grid_of(worn_between(DAY, (0, DAY)), mmhg=(ankle, 14.0, 9.0))
    grid.ankle[:] = ankle
    made = ledger_of(grid, detect(grid), "CZ-0001", np.full(DAY, floor, np.float32))
    assert (made.dose == dose).all()


def test_dose_is_asked_of_worn_minutes_with_a_floor_and_a_working_ankle_only() -> None:
    grid = grid_of(worn_between(DAY, (600, DAY)))
    grid.flags[1000:1100] |= np.uint8(MinuteFlag.ANKLE_FAULT)
    floor = np.full(DAY, 18.0, np.float32)
    floor[1200:] = np.nan
    made = ledger_of(grid, detect(grid), "CZ-0001", floor)
    asked = worn_between(DAY, (600, 1000), (1100, 1200))
    assert ((made.dose == Dose.NOT_ASKED) == ~asked).all()
    grid.ankle[700:800] = 0.3  # a dead site under a worn stocking, not a weak one
    made = ledger_of(grid, detect(grid), "CZ-0001", floor)
    assert not made.dose[700:800].any()
    assert not ledger_of(grid, detect(grid), "CZ-0001").dose.any()


def test_each_phase_orders_its_own_floor() -> None:
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    phases = (
        Phase(1, Mode.CONTINUOUS, 23, 1, 23.0),
        Phase(1, Mode.DAYTIME, 10, 1),
        Phase(1, Mode.DAYTIME, 10, 1, 18.0),
    )
    order = Prescription(start, "UTC", phases)
    floor = ordered_floor(order, order.start_minute - 60, order.end_minute + 60)
    lengths = [(None if np.isnan(value) else value, len(list(run))) for value, run in groupby(floor, key=float)]
    assert [(value, length) for value, length in lengths if value] == [(23.0, 720), (18.0, 1440)]
    assert np.isnan(floor[:60]).all()
    assert np.isnan(floor[-60:]).all()
    assert np.isnan(floor[780:2220]).all()


W, N, U = State.WORN, State.NOT_WORN, State.UNKNOWN


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [(W, N, W), (N, W, W), (W, U, W), (N, N, N), (N, U, U), (U, N, U), (U, U, U)],
)
def test_two_stockings_of_one_leg(one: State, other: State, together: State) -> None:
    joined = on_one_leg([ledger([one, W]), ledger([other, N], serial="CZ-0002")])
    assert joined.state[0] == together


def test_the_minute_keeps_the_source_that_decided_it() -> None:
    joined = on_one_leg([ledger([N, W]), ledger([W, N], serial="CZ-0002")])
    assert [run.source.serial for run in joined.runs() if run.source] == ["CZ-0002", "CZ-0001"]


def test_a_spare_in_a_drawer_without_a_reading_harms_nothing() -> None:
    joined = on_one_leg([ledger([U, U], serial="CZ-0009"), ledger([N, W])])
    assert joined.state.tolist() == [N, W]


def test_two_silent_stockings_leave_the_leg_unknown() -> None:
    assert on_one_leg([ledger([U, U]), ledger([U, U], serial="CZ-0002")]).state.tolist() == [U, U]


def numbered(states: list[State], first: int, *, serial: str = "CZ-0002") -> Ledger:
    """A ledger whose log begins with record `first`."""
    made = ledger(states, serial=serial)
    made.record[made.record >= 0] += first - 5
    return made


@pytest.mark.parametrize(("first", "together"), [(1, [N, N, W]), (2, [U, U, W])])
def test_before_the_first_record_of_its_log_a_stocking_has_no_say(first: int, together: list[State]) -> None:
    joined = on_one_leg([ledger([N, N, N]), numbered([U, U, W], first)])
    assert joined.state.tolist() == together


def test_a_stocking_with_a_reason_for_its_silence_keeps_its_say() -> None:
    """Something was recorded before what is numbered first here: it lies under a lost clock."""
    early = numbered([U, W], 1)
    early.reason[0] = Reason.CLOCK_UNTRUSTED
    joined = on_one_leg([ledger([N, N]), early])
    assert joined.state.tolist() == [U, W]
    assert joined.reason[0] == Reason.CLOCK_UNTRUSTED


def test_once_retired_a_silent_stocking_has_no_say_and_one_that_speaks_still_does() -> None:
    old, new = ledger([N, U, W]), ledger([N, N, N], serial="CZ-0002")
    assert on_one_leg([old, new]).state.tolist() == [N, U, W]
    assert on_one_leg([old, new], [START + 1, None]).state.tolist() == [N, N, W]
    assert on_one_leg([old, new], [START + 2, None]).state.tolist() == [N, U, W]


@pytest.mark.parametrize("reason", [Reason.CLOCK_UNTRUSTED, Reason.BATTERY_FLAT, Reason.DATA_REJECTED])
def test_of_two_unknowns_the_one_that_knows_why_is_kept(reason: Reason) -> None:
    knows, knows_not = ledger([U, W]), ledger([U, N], serial="CZ-0002")
    knows.reason[0] = reason
    for both in ([knows, knows_not], [knows_not, knows]):
        assert on_one_leg(both).reason[0] == reason
    silent = [ledger([U]), replace(ledger([U], serial="CZ-0002"), reason=np.array([reason], np.uint8))]
    assert on_one_leg(silent).reason.tolist() == [reason]


def test_what_no_sensor_sees_is_unknown_by_design() -> None:
    made = unsensed(ledger([W, W, N, U]), [(START + 1, START + 3)])
    assert made.state.tolist() == [W, U, U, U]
    assert made.reason[1:3].tolist() == [Reason.UNSENSED_BY_DESIGN] * 2
    assert made.minutes_by_reason() == {Reason.ON_LEG: 1, Reason.UNSENSED_BY_DESIGN: 2, Reason.NO_DATA: 1}


def test_ledgers_of_other_minutes_are_not_joined() -> None:
    with pytest.raises(ValueError, match="same minutes"):
        on_one_leg([ledger([W]), ledger([W], start=START + 1)])


def test_a_pause_overrules_whatever_was_recorded() -> None:
    paused = excused(ledger([W, W, N, U]), [(START - 5, START + 1), (START + 3, START + 90)])
    assert paused.state.tolist() == [State.EXCUSED, W, N, State.EXCUSED]
    assert paused.reason[0] == Reason.PAUSED


@given(states=STATES, before=st.integers(-40, 40), length=st.integers(0, 60))
def test_a_window_shows_what_is_there_and_unknown_elsewhere(states: list[State], before: int, length: int) -> None:
    whole = ledger(states)
    part = whole.window(START + before, START + before + length)
    assert (part.start_minute, len(part)) == (START + before, length)
    for i in range(length):
        inside = 0 <= i + before < len(states)
        assert part.state[i] == (states[i + before] if inside else State.UNKNOWN)
        assert part.reason[i] == (whole.reason[i + before] if inside else Reason.NO_DATA)


@given(states=STATES)
def test_runs_lie_end_to_end_and_say_the_same(states: list[State]) -> None:
    runs = ledger(states).runs()
    spelled = [run.state for run in runs for _ in range(run.start_minute, run.end_minute)]
    assert spelled == states
    assert all(one.end_minute == other.start_minute for one, other in pairwise(runs))
    assert all(one.state != other.state for one, other in pairwise(runs))


def test_an_empty_ledger_has_no_runs() -> None:
    assert Ledger.unknown(START, START).runs() == []
