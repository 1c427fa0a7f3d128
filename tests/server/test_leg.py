"""One leg from what its stockings recorded: reasons, several stockings, what the clinic laid over it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.adapters.memory_store import MemoryStore
from calza_server.domain.ledgers.leg import LegLedger, Recorded, ledger_of_grids, ledger_of_leg
from calza_server.domain.orders.prescription import Mode, Pause, Phase, Prescription
from calza_server.domain.recording.gaps import RefusedRecord
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.recording.readings import Readings
from calza_server.domain.states import Reason, State
from calza_server.domain.verdicts.verdict import Verdict, judge
from calza_server.ports import QuarantinedRecord
from calza_server.recorded import recorded_of
from calza_wire.elapsed_time import ClockFlag
from calza_wire.records import encode_record
from tests.server.recorded import blocks_of, heard
from tests.server.wear_days import DAY, START, every_day, grid_of, without, worn_between

HOUR = 60
START_AT = datetime.fromtimestamp(START * 60, UTC)
SERIAL = "CZ-0001"
ORDER = Prescription(START_AT, "UTC", (Phase(4, Mode.DAYTIME, 10, 3, 18.0),))


def stored(grid: MinuteGrid, serial: str = SERIAL, *, slow_s: int = 0, received: bool = True) -> MemoryStore:
    """A recording in a store, with one visit an hour after its end."""
    store = MemoryStore()
    store.append(blocks_of(grid, serial, slow_s=slow_s))
    at_ms = (grid.end_minute + HOUR) * 60_000
    report = heard(serial, grid.logs[0], int(grid.record.max()) + 1, at_ms)
    if slow_s:
        report = replace(report, device_time=replace(report.device_time, value=report.device_time.value - slow_s))
    if received:
        store.add_sync(report, at_ms + 400)
    return store


def recorded(store: MemoryStore, serial: str = SERIAL) -> Recorded:
    return recorded_of(store, serial, store.visits(serial))


def leg_of(*stockings: Recorded, order: Prescription = ORDER, days: int = 4) -> LegLedger:
    return ledger_of_leg(stockings, order, START - DAY, START + days * DAY)


def at(leg: LegLedger, minute: int) -> tuple[State, Reason]:
    """State and reason of a minute counted from START."""
    index = START + minute - leg.ledger.start_minute
    return State(int(leg.ledger.state[index])), Reason(int(leg.ledger.reason[index]))


# --- reasons ----------------------------------------------------------------------------------------------------------


def test_a_leg_no_stocking_was_ever_heard_of_is_not_paired_since_its_order_began() -> None:
    silent = Recorded(SERIAL, Readings.none(), ())
    for stockings in ((), (silent,), (silent, replace(silent, serial="CZ-0002"))):
        leg = leg_of(*stockings)
        assert at(leg, -1) == (State.UNKNOWN, Reason.NO_DATA)
        assert at(leg, 0) == (State.UNKNOWN, Reason.NOT_PAIRED)
        assert leg.minutes_by_reason == {Reason.NO_DATA: DAY, Reason.NOT_PAIRED: 4 * DAY}


@pytest.mark.parametrize("sign", ["visit", "refused"])
def test_one_sign_of_life_and_it_is_paired(sign: str) -> None:
    store = stored(without(grid_of(every_day(1, 0, DAY)), (0, DAY - 60)))
    heard_of = recorded(store)
    signs = {
        "visit": replace(heard_of, readings=Readings.none()),
        "refused": Recorded(SERIAL, Readings.none(), (), (RefusedRecord(None, 3),)),
    }
    assert Reason.NOT_PAIRED not in leg_of(signs[sign]).minutes_by_reason


def test_reasons_are_counted_and_add_up() -> None:
    grid = without(grid_of(every_day(3, 8 * HOUR, 22 * HOUR)), (10 * HOUR, 12 * HOUR))
    leg = leg_of(recorded(stored(grid)))
    assert sum(leg.minutes_by_reason.values()) == len(leg.ledger) == 5 * DAY
    assert leg.minutes_by_reason[Reason.NO_DATA] == 2 * HOUR + 2 * DAY


def test_a_refused_record_is_named_as_the_reason_for_its_minutes() -> None:
    whole = grid_of(every_day(2, 8 * HOUR, 22 * HOUR))
    store = stored(without(whole, (600, 660)))
    (forged,) = [block for block in blocks_of(whole, SERIAL) if block.record == 10]
    payload = encode_record(10, forged.body)
    store.quarantine([QuarantinedRecord("home", SERIAL, payload, "a" * 32, "forged", "the tag does not fit", 0)])
    store.quarantine([QuarantinedRecord("home", "CZ-0009", payload, "a" * 32, "forged", "the tag does not fit", 0)])
    store.quarantine([QuarantinedRecord("home", SERIAL, b"abc", "b" * 32, "malformed", "too short", 0)])
    leg = leg_of(recorded(store))
    assert {at(leg, minute) for minute in range(600, 660)} == {(State.UNKNOWN, Reason.DATA_REJECTED)}
    assert leg.minutes_by_reason[Reason.DATA_REJECTED] == 60


def test_a_tick_counter_places_nothing() -> None:
    store = stored(grid_of(every_day(1, 0, DAY)), slow_s=600)
    assert recorded(store).sightings[0].ahead_s == 600
    visits = [
        replace(
            visit,
            report=replace(
                visit.report,
                device_time=replace(
                    visit.report.device_time, flags=visit.report.device_time.flags | ClockFlag.TICK_COUNTER
                ),
            ),
        )
        for visit in store.visits(SERIAL)
    ]
    assert recorded_of(store, SERIAL, visits).sightings == ()


def test_a_slow_clock_is_put_right_and_a_report_from_the_future_is_not_believed() -> None:
    grid = grid_of(every_day(1, 8 * HOUR, 22 * HOUR))
    right = leg_of(recorded(stored(grid)), days=1)
    slow = leg_of(recorded(stored(grid, slow_s=600)), days=1)
    np.testing.assert_array_equal(right.ledger.state, slow.ledger.state)
    store = stored(grid, received=False)
    at_ms = (grid.end_minute + HOUR) * 60_000
    fast = replace(heard(SERIAL, grid.logs[0], 24, at_ms), gateway_ms=at_ms + 3 * 3_600_000)
    store.add_sync(fast, at_ms + 400)
    np.testing.assert_array_equal(leg_of(recorded(store), days=1).ledger.state, right.ledger.state)


# --- several stockings ------------------------------------------------------------------------------------------------


def test_a_garment_replaced_in_mid_course_leaves_no_doubt_about_the_days_before_it_was_given_out() -> None:
    """The second one's log begins on day 2; it recorded nothing earlier because it did not run."""
    first = grid_of(every_day(2, 8 * HOUR, 22 * HOUR))
    later = grid_of(every_day(2, 8 * HOUR, 22 * HOUR), seed=8)
    later = replace(later, start_minute=START + 2 * DAY, logs=(b"log-two.",))
    leg = leg_of(recorded(stored(first)), recorded(stored(later, "CZ-0002"), "CZ-0002"))
    assert at(leg, 2 * HOUR) == (State.NOT_WORN, Reason.NO_PRESSURE)
    assert at(leg, 12 * HOUR)[0] == at(leg, 2 * DAY + 12 * HOUR)[0] == State.WORN
    assert {source.serial for source in leg.ledger.sources} == {SERIAL, "CZ-0002"}
    # of the old one nothing is known since, and it may be on the leg: who takes it out of use must say so
    assert at(leg, 2 * DAY + 2 * HOUR) == (State.UNKNOWN, Reason.NO_DATA)
    retired = replace(recorded(stored(first)), retired_minute=START + 2 * DAY)
    leg = leg_of(retired, recorded(stored(later, "CZ-0002"), "CZ-0002"))
    assert at(leg, 2 * DAY + 2 * HOUR) == (State.NOT_WORN, Reason.NO_PRESSURE)
    assert Reason.NO_DATA not in {at(leg, minute)[1] for minute in range(4 * DAY)}


def test_a_stocking_whose_early_records_are_missing_still_casts_doubt() -> None:
    first = grid_of(every_day(2, 8 * HOUR, 22 * HOUR))
    later = without(grid_of(every_day(2, 8 * HOUR, 22 * HOUR), seed=8), (0, DAY))
    leg = leg_of(recorded(stored(first)), recorded(stored(later, "CZ-0002"), "CZ-0002"), days=2)
    assert at(leg, 2 * HOUR) == (State.UNKNOWN, Reason.NO_DATA)
    assert at(leg, 12 * HOUR)[0] == State.WORN


def test_two_stockings_worn_in_turn_are_one_leg() -> None:
    one, other = (
        grid_of(
            np.concatenate(
                [worn_between(DAY, (480, 1320)) if day % 2 == turn else worn_between(DAY) for day in range(4)]
            )
        )
        for turn in (0, 1)
    )
    leg = leg_of(recorded(stored(one)), recorded(stored(other, "CZ-0002"), "CZ-0002"))
    assert [at(leg, day * DAY + 12 * HOUR)[0] for day in range(4)] == [State.WORN] * 4
    assert at(leg, DAY + 2 * HOUR)[0] == State.NOT_WORN
    serial = [leg.ledger.sources[i].serial for i in leg.ledger.source[DAY + 12 * HOUR :: DAY]]
    assert serial == [SERIAL, "CZ-0002", SERIAL, "CZ-0002"]


def test_the_ankle_of_a_leg_is_that_of_the_stocking_that_was_on() -> None:
    one = grid_of(worn_between(2 * DAY, (480, 1320)), mmhg=(30.0, 18.0, 10.0))
    other = grid_of(worn_between(2 * DAY, (DAY + 480, DAY + 1320)), mmhg=(20.0, 14.0, 8.0))
    leg = leg_of(recorded(stored(one)), recorded(stored(other, "CZ-0002"), "CZ-0002"), days=2)
    assert leg.worn_ankle[DAY + 600] == pytest.approx(30.0, abs=1.5)
    assert leg.worn_ankle[2 * DAY + 600] == pytest.approx(20.0, abs=1.5)
    assert np.isnan(leg.worn_ankle[DAY + 100])


def test_the_order_in_which_stockings_were_registered_changes_no_state() -> None:
    stockings = [
        recorded(stored(grid_of(every_day(2, start * HOUR, 22 * HOUR), seed=start), serial), serial)
        for start, serial in ((8, SERIAL), (12, "CZ-0002"), (15, "CZ-0003"))
    ]
    found = {tuple(leg_of(*order, days=2).ledger.state.tolist()) for order in permutations(stockings)}
    assert len(found) == 1


@given(data=st.data())
@settings(max_examples=20)
def test_the_order_in_which_records_and_reports_arrive_changes_nothing(data: st.DataObject) -> None:
    grid = without(grid_of(every_day(1, 8 * HOUR, 22 * HOUR)), (600, 720))
    blocks = data.draw(st.permutations(blocks_of(grid, SERIAL, slow_s=90)))
    store = MemoryStore()
    visits = [
        replace(one, device_time=replace(one.device_time, value=one.device_time.value - 90))
        for hour in (6, 12, 30)
        for one in [heard(SERIAL, grid.logs[0], min(hour, 24), (START + hour * HOUR) * 60_000)]
    ]
    for report in data.draw(st.permutations(visits)):
        store.add_sync(report, report.gateway_ms + 500)
    for block in blocks:
        store.append([block])
    leg = leg_of(recorded(store), days=1)
    assert at(leg, 12 * HOUR)[0] == State.WORN
    plain = leg_of(recorded(stored(grid)), days=1)
    np.testing.assert_array_equal(leg.ledger.state, plain.ledger.state)
    np.testing.assert_array_equal(leg.ledger.reason, plain.ledger.reason)


# --- what the clinic laid over it -------------------------------------------------------------------------------------


def span(start_hour: float, end_hour: float, reason: str) -> Pause:
    return Pause(START_AT + timedelta(hours=start_hour), START_AT + timedelta(hours=end_hour), reason)


def test_under_a_bandage_nothing_is_known_and_a_pause_overrules_even_that() -> None:
    order = replace(ORDER, unsensed=(span(0, 48, "bandage"),), pauses=(span(24, 30, "blister"),))
    leg = leg_of(recorded(stored(grid_of(every_day(4, 8 * HOUR, 22 * HOUR)))), order=order)
    assert at(leg, 12 * HOUR) == (State.UNKNOWN, Reason.UNSENSED_BY_DESIGN)
    assert at(leg, 26 * HOUR) == (State.EXCUSED, Reason.PAUSED)
    assert at(leg, 2 * DAY + 12 * HOUR)[0] == State.WORN
    assert not leg.ledger.dose[DAY : 3 * DAY].any()
    nobody = leg_of(order=order)
    assert at(nobody, 12 * HOUR) == (State.UNKNOWN, Reason.UNSENSED_BY_DESIGN)
    assert at(nobody, 31 * HOUR) == (State.UNKNOWN, Reason.UNSENSED_BY_DESIGN)
    assert at(nobody, 3 * DAY) == (State.UNKNOWN, Reason.NOT_PAIRED)


def test_a_bandage_makes_a_verdict_uncertain_and_never_worse() -> None:
    recording = recorded(stored(grid_of(every_day(4, 8 * HOUR, 22 * HOUR))))
    order = replace(ORDER, unsensed=(span(0, 72, "bandage"),))
    end = order.end_minute
    plain = judge(ORDER, ledger_of_leg([recording], ORDER, START - DAY, end).ledger, end)
    covered = judge(order, ledger_of_leg([recording], order, START - DAY, end).ledger, end)
    assert plain.verdict is Verdict.MET
    assert covered.verdict is Verdict.CANNOT_TELL


# --- ready grids ------------------------------------------------------------------------------------------------------


def test_ready_grids_give_the_same_ledger_as_the_store() -> None:
    grid = without(grid_of(every_day(4, 8 * HOUR, 22 * HOUR)), (600, 700))
    order = replace(ORDER, pauses=(span(24, 30, "blister"),), unsensed=(span(40, 44, "pad"),))
    from_store = leg_of(recorded(stored(grid)), order=order).ledger.window(START, START + 4 * DAY)
    from_grid = ledger_of_grids([(SERIAL, grid)], order)
    np.testing.assert_array_equal(from_grid.state, from_store.state)
    np.testing.assert_array_equal(from_grid.reason, from_store.reason)


def test_grids_of_different_length_are_joined_over_both() -> None:
    short = grid_of(every_day(1, 8 * HOUR, 22 * HOUR))
    later = replace(grid_of(every_day(1, 8 * HOUR, 22 * HOUR)), start_minute=START + 2 * DAY)
    joined = ledger_of_grids([(SERIAL, short), ("CZ-0002", later)], ORDER)
    assert (joined.start_minute, joined.end_minute) == (START, START + 3 * DAY)
    assert joined.state[12 * HOUR] == joined.state[2 * DAY + 12 * HOUR] == State.WORN
    assert joined.state[DAY + HOUR] == State.UNKNOWN
    with pytest.raises(ValueError, match="no ledger"):
        ledger_of_grids([], ORDER)
