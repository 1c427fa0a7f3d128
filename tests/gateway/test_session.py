"""The sync session against a scripted stocking: the order of the conversation, and every loss a radio can bring."""

from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.ports import Moment
from calza_gateway.sync.session import Session, SessionFacts, stamp_like
from calza_gateway.sync.steps import AskWanted, Done, Event, Failed, Read, Received, StoreRecord, Subscribe, Tick, Write
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.messages import GatewayClock, Receipt, StoredRanges, Wanted, WantedLog
from calza_wire.racp import Selection
from calza_wire.ranges import RangeSet, RecordRange
from calza_wire.records import decode_record
from calza_wire.uuids import (
    BATTERY_LEVEL,
    CURRENT_ELAPSED_TIME,
    FIRMWARE_REVISION,
    LOG_STATUS,
    RACP,
    STOCKING_CONTROL_POINT,
    STOCKING_IDENTITY,
    STORED_OBSERVATIONS,
)
from tests.gateway.scripted_stocking import LOG_ID, MTU, SERIAL, START_UNIX_S, Faults, ScriptedStocking, Talk


def stocking(records: int, seed: int = 1) -> ScriptedStocking:
    made = ScriptedStocking(Random(seed))
    for _ in range(records):
        made.add_record()
    return made


def held(outbox: MemoryOutbox) -> dict[int, bytes]:
    """What waits in the outbox; a number twice is a failure by itself."""
    found: dict[int, bytes] = {}
    for item in outbox.pending(1_000_000):
        assert (item.serial, item.log_id) == (SERIAL, LOG_ID)
        record = decode_record(item.payload)
        assert record.number == item.number
        assert record.number not in found, f"record {record.number} is held twice"
        found[record.number] = record.body
    return found


def test_the_order_of_the_conversation() -> None:
    one = stocking(3)
    one.clock_offset_s = 30.0
    talk = Talk(one, MemoryOutbox())
    done = talk.session()
    assert isinstance(done, Done)
    asked = [(type(a).__name__, getattr(a, "uuid", "")) for a in talk.actions if not isinstance(a, StoreRecord)]
    assert asked == [
        ("Subscribe", STORED_OBSERVATIONS),
        ("Subscribe", RACP),
        ("Subscribe", STOCKING_CONTROL_POINT),
        ("Read", CURRENT_ELAPSED_TIME),
        ("Read", LOG_STATUS),
        ("Read", BATTERY_LEVEL),
        ("Read", FIRMWARE_REVISION),
        ("Read", STOCKING_IDENTITY),
        ("PublishSync", ""),
        ("Write", CURRENT_ELAPSED_TIME),
        ("Write", STOCKING_CONTROL_POINT),
        ("Read", LOG_STATUS),
        ("AskWanted", ""),
        ("Expect", ""),
        ("Write", RACP),
        ("Read", LOG_STATUS),
        ("Read", CURRENT_ELAPSED_TIME),
        ("PublishSync", ""),
        ("Done", ""),
    ]
    assert (done.expected, done.fetched, done.absent, done.clock_set) == (3, 3, 0, True)


def test_reports_tell_both_clocks_before_and_after_the_setting() -> None:
    one = stocking(2)
    one.clock_offset_s = -500.0
    talk = Talk(one, MemoryOutbox())
    assert isinstance(talk.session(), Done)
    began, ended = talk.reports
    assert (began.phase, ended.phase) == ("began", "ended")
    assert began.device_time.unix_s - began.gateway_ms / 1000 == pytest.approx(-500.0, abs=1.01)
    assert ended.device_time.unix_s - ended.gateway_ms / 1000 == pytest.approx(0.0, abs=1.01)
    assert (began.fetched, ended.fetched) == (0, 2)
    assert (began.firmware, began.battery_percent, began.rssi, began.mtu) == ("1.2.3", 87, -60, MTU)


@pytest.mark.parametrize(
    ("offset_s", "needs_set", "expected"),
    [(0.0, False, False), (1.9, False, False), (3.1, False, True), (-3.1, False, True), (0.0, True, True)],
)
def test_the_clock_is_set_when_it_asks_or_is_off(offset_s: float, needs_set: bool, expected: bool) -> None:
    one = stocking(1)
    one.clock_offset_s, one.needs_set = offset_s, needs_set
    done = Talk(one, MemoryOutbox()).session()
    assert isinstance(done, Done)
    assert done.clock_set is expected
    assert [stamp.flags for stamp in one.set_to] == [0x32] * expected


def test_a_gateway_whose_own_clock_was_never_set_sets_no_other() -> None:
    one = stocking(1)
    one.needs_set = True
    done = Talk(one, MemoryOutbox(), now=Moment(1_000_000_000.0, 0.0)).session()
    assert isinstance(done, Done)
    assert (done.clock_set, done.refused, one.set_to) == (False, ("gateway_clock_unset",), [])


SYNCHRONISED, UNSYNCHRONISED, UNKNOWN = GatewayClock.SYNCHRONISED, GatewayClock.UNSYNCHRONISED, GatewayClock.UNKNOWN


@pytest.mark.parametrize(
    ("gateway_clock", "last_set_from", "needs_set", "expected"),
    [
        (SYNCHRONISED, TimeSource.NTP, False, TimeSource.NTP),
        (SYNCHRONISED, TimeSource.UNKNOWN, False, TimeSource.NTP),
        (SYNCHRONISED, TimeSource.NOT_SYNCHRONISED, True, TimeSource.NTP),
        (UNKNOWN, TimeSource.NTP, False, None),
        (UNKNOWN, TimeSource.MANUAL, False, None),
        (UNKNOWN, TimeSource.UNKNOWN, False, TimeSource.UNKNOWN),
        (UNKNOWN, TimeSource.NOT_SYNCHRONISED, True, TimeSource.UNKNOWN),
        (UNSYNCHRONISED, TimeSource.NTP, False, None),
        (UNSYNCHRONISED, TimeSource.UNKNOWN, False, None),
        (UNSYNCHRONISED, TimeSource.NOT_SYNCHRONISED, True, None),
    ],
)
def test_a_clock_is_set_only_by_who_knows_better(
    gateway_clock: GatewayClock, last_set_from: TimeSource, needs_set: bool, expected: TimeSource | None
) -> None:
    one = stocking(1)
    one.clock_offset_s, one.source, one.needs_set = -3600.0, last_set_from, needs_set
    talk = Talk(one, MemoryOutbox(), gateway_clock=gateway_clock)
    done = talk.session()
    assert isinstance(done, Done)
    assert [stamp.source for stamp in one.set_to] == ([] if expected is None else [expected])
    assert done.refused == (("gateway_clock_unsure",) if expected is None else ())
    assert [report.gateway_clock for report in talk.reports] == [gateway_clock] * 2


@pytest.mark.parametrize("gateway_clock", GatewayClock)
def test_a_clock_that_is_right_is_left_alone_and_nothing_is_said(gateway_clock: GatewayClock) -> None:
    one = stocking(1)
    done = Talk(one, MemoryOutbox(), gateway_clock=gateway_clock).session()
    assert isinstance(done, Done)
    assert (done.clock_set, done.refused, one.set_to) == (False, (), [])


@pytest.mark.parametrize("gateway_clock", GatewayClock)
def test_a_gateway_in_1970_sets_nothing_whatever_its_system_says(gateway_clock: GatewayClock) -> None:
    one = stocking(2)
    one.needs_set, one.clock_offset_s = True, START_UNIX_S
    talk = Talk(one, MemoryOutbox(), now=Moment(3600.0, 0.0), gateway_clock=gateway_clock)
    done = talk.session()
    assert isinstance(done, Done)
    assert (done.refused, one.set_to, done.fetched) == (("gateway_clock_unset",), [], 2)
    assert [report.gateway_ms // 3_600_000 for report in talk.reports] == [1, 1], "what it believes is still told"


@pytest.mark.parametrize(
    ("flags", "value"),
    [(0x32, 790_000_000), (0x22, 790_000_000), (0x36, 7_900_000_004), (0x3A, 790_000_000_400), (0x30, 790_003_600)],
)
def test_a_clock_is_set_with_the_flags_it_shows(flags: int, value: int) -> None:
    like = TimeStamp(flags, 0, TimeSource.NOT_SYNCHRONISED)
    stamp = stamp_like(like, 946_684_800 + 790_000_000.4, source=TimeSource.NTP, offset_quarters=4)
    assert (stamp.flags, stamp.value, stamp.source) == (flags, value, TimeSource.NTP)
    assert stamp.offset_quarters == (4 if flags & 0x10 else 0)


def test_a_refused_clock_and_a_missing_battery_do_not_stop_the_sync() -> None:
    one = stocking(4)
    one.clock_offset_s = 100.0
    one.refuse = {BATTERY_LEVEL: 0x01, FIRMWARE_REVISION: 0x01}
    talk = Talk(one, MemoryOutbox())
    done = talk.session()
    assert isinstance(done, Done)
    assert (done.battery_percent, done.fetched, talk.reports[0].firmware) == (None, 4, "")


def test_a_stranger_at_the_address_is_refused_before_anything_is_reported() -> None:
    one = stocking(4)
    one.serial = "CZ-OTHER"
    talk = Talk(one, MemoryOutbox())
    failed = talk.session()
    assert isinstance(failed, Failed)
    assert (failed.code, talk.reports) == ("wrong_stocking", [])


def test_a_protected_read_refused_ends_the_session_with_the_radio_s_reason() -> None:
    one = stocking(1)
    one.refuse = {LOG_STATUS: 0x05}
    failed = Talk(one, MemoryOutbox()).session()
    assert failed == Failed("gatt_error", "refused by the test")


@pytest.mark.parametrize(("att_code", "code"), [(0x80, "racp_refused"), (None, "stack_stuck")])
def test_a_refused_request_is_blamed_on_the_stocking_only_if_it_answered(att_code: int | None, code: str) -> None:
    one = stocking(1)
    one.refuse = {RACP: att_code}
    failed = Talk(one, MemoryOutbox()).session()
    assert isinstance(failed, Failed)
    assert failed.code == code
    assert ("the stocking refused" in failed.sentence) == (att_code is not None)


def test_open_minutes_are_closed_and_fetched() -> None:
    one = stocking(2)
    one.open_minutes = 7
    outbox = MemoryOutbox()
    assert isinstance(Talk(one, outbox).session(), Done)
    assert held(outbox) == one.made
    assert len(one.made) == 3
    one.open_minutes = 7
    assert isinstance(Talk(one, outbox).session(close_block=False), Done)
    assert len(one.made) == 3


def test_an_empty_log_asks_nobody() -> None:
    talk = Talk(stocking(0), MemoryOutbox())
    done = talk.session()
    assert isinstance(done, Done)
    assert done.expected == 0
    assert not any(isinstance(action, AskWanted) for action in talk.actions)
    assert [report.phase for report in talk.reports] == ["began", "ended"]


def test_only_what_the_server_lacks_and_the_outbox_does_not_hold_is_fetched() -> None:
    one = stocking(20)
    outbox = MemoryOutbox()
    missing = (RecordRange(3, 5), RecordRange(9, 9))
    talk = Talk(one, outbox, wanted=lambda: Wanted((WantedLog(SERIAL, LOG_ID.hex(), 17, missing),)))
    assert isinstance(talk.session(), Done)
    assert sorted(held(outbox)) == [3, 4, 5, 9, 18, 19]
    one.add_record()
    again = talk.session()
    assert isinstance(again, Done)
    assert again.expected == 1, "what waits in the outbox is not fetched again although the server lacks it"
    assert sorted(held(outbox)) == [3, 4, 5, 9, 18, 19, 20]


def test_without_the_server_receipts_are_remembered() -> None:
    one = stocking(10)
    outbox = MemoryOutbox()
    talk = Talk(one, outbox)
    assert isinstance(talk.session(), Done)
    outbox.settle(Receipt(SERIAL, (StoredRanges(LOG_ID.hex(), (RecordRange(0, 7),)),)), 0)
    one.add_record()
    done = talk.session()
    assert isinstance(done, Done)
    assert (done.expected, sorted(held(outbox))) == (1, [8, 9, 10])


def test_overwritten_records_are_reported_and_no_error() -> None:
    one = stocking(10)
    talk = Talk(one, MemoryOutbox())
    hole = one.flash.pop(4)
    done = talk.session()
    assert isinstance(done, Done)
    assert (done.expected, done.fetched, done.absent) == (10, 9, 1)
    one.flash[4] = hole
    assert isinstance(again := talk.session(), Done)
    assert again.fetched == 1


def test_a_silent_stocking_ends_the_session_by_a_limit() -> None:
    session = Session(SessionFacts(SERIAL, MTU, None))
    (action,) = session.start(Moment(START_UNIX_S, 5.0))
    assert isinstance(action, Subscribe)
    assert session.deadline is not None
    (failed,) = session.handle(Tick(), Moment(START_UNIX_S, session.deadline))
    assert isinstance(failed, Failed)
    assert failed.code == "timeout"
    assert session.deadline is None
    assert session.handle(Received(RACP, b"\x08\x00\x00\x00\x00\x00"), Moment(START_UNIX_S, 99.0)) == []


def test_a_value_that_cannot_be_read_ends_the_session() -> None:
    class Garbled(ScriptedStocking):
        def status(self) -> object:  # type: ignore[override]  # the model is bent on purpose
            class Short:
                def encode(self) -> bytes:
                    return b"\x01\x02"

            return Short()

    failed = Talk(Garbled(Random(1)), MemoryOutbox()).session()
    assert isinstance(failed, Failed)
    assert failed.code == "bad_value"


def test_after_losses_smaller_ranges_are_asked_for() -> None:
    one = stocking(200)
    one.faults = Faults(lose_segment=0.05)
    talk = Talk(one, MemoryOutbox())
    assert isinstance(talk.session(), Done)
    writes = [action.value for action in talk.actions if isinstance(action, Write) and action.uuid == RACP]
    spans = [int.from_bytes(w[7:11], "little") - int.from_bytes(w[3:7], "little") + 1 for w in writes if len(w) == 11]
    assert spans[0] == 200
    assert max(spans[1:]) < 200


def test_a_link_that_brings_nothing_is_given_up_and_nothing_is_forgotten() -> None:
    one = stocking(6)
    one.faults = Faults(lose_segment=1.0)
    outbox = MemoryOutbox()
    failed = Talk(one, outbox).session()
    assert isinstance(failed, Failed)
    assert failed.code == "stalled"
    one.faults = Faults()
    assert isinstance(Talk(one, outbox).session(), Done)
    assert held(outbox) == one.made


def test_a_lost_last_indication_costs_no_record_twice() -> None:
    one = stocking(5)
    one.faults = Faults(lose_indication=1.0)
    talk = Talk(one, MemoryOutbox())
    done = talk.session(close_block=False)
    assert isinstance(done, Done)
    assert done.fetched == 5
    assert sum(isinstance(action, StoreRecord) for action in talk.actions) == 5


@pytest.mark.parametrize("seed", range(10))
def test_a_stocking_that_stalls_is_aborted_and_asked_again(seed: int) -> None:
    one = stocking(50, seed)
    one.faults = Faults(stall=0.5)
    outbox = MemoryOutbox()
    assert isinstance(Talk(one, outbox).session(), Done)
    assert held(outbox) == one.made


class Forgetful(ScriptedStocking):
    """Leaves the second half of its first report out, and counts only what it sent."""

    reports = 0

    def _report(self, selection: Selection) -> None:
        self.reports += 1
        whole = self.flash
        if self.reports == 1:
            self.flash = {number: body for number, body in whole.items() if number < len(whole) // 2}
        super()._report(selection)
        self.flash = whole


def test_a_record_the_log_still_claims_is_asked_for_again_before_it_is_given_up() -> None:
    one = Forgetful(Random(3))
    for _ in range(20):
        one.add_record()
    outbox = MemoryOutbox()
    done = Talk(one, outbox).session()
    assert isinstance(done, Done)
    assert (done.fetched, done.absent) == (20, 0)
    assert held(outbox) == one.made


class Babbling(ScriptedStocking):
    """Puts segments that are none, and a record without a body, between its own."""

    def transmit(self) -> list[Event]:
        arriving = super().transmit()
        if self._reporting and self.random.random() < 0.1:
            rubbish = self.random.choice([b"", b"\x03", b"\x03\x01\x00\x00\x00", b"\x00rest of nothing"])
            arriving.append(Received(STORED_OBSERVATIONS, rubbish))
        return arriving


@pytest.mark.parametrize("seed", range(5))
def test_rubbish_among_the_segments_spoils_only_what_it_interrupts(seed: int) -> None:
    one = Babbling(Random(seed))
    for _ in range(60):
        one.add_record()
    outbox = MemoryOutbox()
    assert isinstance(Talk(one, outbox).session(), Done)
    assert held(outbox) == one.made


CHANCE = st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.5])


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    records=st.integers(0, 40),
    rounds=st.lists(
        st.builds(
            Faults,
            lose_segment=CHANCE,
            lose_indication=CHANCE,
            duplicate=st.sampled_from([0.0, 0.05, 0.2]),
            disconnect=st.sampled_from([0.0, 0.002, 0.02, 0.1]),
            stall=st.sampled_from([0.0, 0.3]),
            stray_indication=st.sampled_from([0.0, 0.05]),
        ),
        max_size=6,
    ),
    growth=st.integers(0, 3),
)
def test_whatever_is_lost_the_outbox_ends_with_exactly_the_flash(
    seed: int, records: int, rounds: list[Faults], growth: int
) -> None:
    one = stocking(records, seed)
    outbox = MemoryOutbox()
    talk = Talk(one, outbox)
    for faults in rounds:
        one.faults = faults
        outcome = talk.session()
        note(repr(outcome))
        if isinstance(outcome, Failed):
            assert outcome.code in {"disconnected", "stalled"}
        elif not faults.disconnect:
            assert held(outbox).keys() == one.made.keys()
        for _ in range(growth):
            one.add_record()
    one.faults = Faults()
    final = talk.session()
    assert isinstance(final, Done)
    assert held(outbox) == one.made
    stored = [a.record.number for a in talk.actions if isinstance(a, StoreRecord)]
    assert len(stored) == len(set(stored)), "a record that was held already was fetched again"


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), records=st.integers(1, 60), overwrite=st.sampled_from([0.02, 0.1]))
def test_a_ring_that_overwrites_meanwhile_loses_only_what_it_overwrote(
    seed: int, records: int, overwrite: float
) -> None:
    one = stocking(records, seed)
    one.faults = Faults(lose_segment=0.1, lose_indication=0.1, overwrite=overwrite)
    outbox = MemoryOutbox()
    talk = Talk(one, outbox)
    for _ in range(3):
        talk.session()
    one.faults = Faults()
    assert isinstance(talk.session(), Done)
    found = held(outbox)
    assert found.keys() >= one.flash.keys()
    assert all(one.made[number] == body for number, body in found.items())


def test_what_was_lost_on_the_server_is_fetched_again_although_it_was_receipted() -> None:
    one = stocking(5)
    outbox = MemoryOutbox()
    Talk(one, outbox).session()
    outbox.settle(Receipt(SERIAL, (StoredRanges(LOG_ID.hex(), (RecordRange(0, 4),)),)), 0)
    talk = Talk(one, outbox, wanted=lambda: Wanted((WantedLog(SERIAL, None, None),)))
    assert talk.plan(SERIAL, LOG_ID, 0, 5) == RangeSet([RecordRange(0, 4)])
    assert isinstance(talk.session(), Done)
    assert held(outbox) == one.made


def test_reads_come_before_the_clock_is_touched() -> None:
    """The clock that dates the log is lost once it is set, so it is read first of all."""
    talk = Talk(stocking(0), MemoryOutbox())
    talk.session()
    first_read = next(action for action in talk.actions if isinstance(action, Read))
    assert first_read.uuid == CURRENT_ELAPSED_TIME
