"""What every outbox promises, whatever it is made of."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.forwarding.outbox_limit import REPORTS_PER_RECORD, OutboxLimit
from calza_gateway.ports import Contact, Outbox, OutboxFullError, Settled
from calza_wire.messages import Receipt, Refusal, RefusalReason, StoredRanges
from calza_wire.ranges import RangeSet, RecordRange
from calza_wire.records import Record, digest, encode_record

SERIAL, OTHER = "CZ-0001", "CZ-0002"
LOG, OTHER_LOG = bytes(8), bytes(range(8))
BODY = b"observation"
FLOOR = 200_000_000


@pytest.fixture(params=["memory", "sqlite"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    made: Outbox = MemoryOutbox() if request.param == "memory" else SqliteOutbox.open(tmp_path / "outbox.db")
    yield made
    made.close()


def records(*numbers: int, body: bytes = BODY) -> list[Record]:
    return [Record(number, body) for number in numbers]


def stored(*ranges: tuple[int, int], log: bytes = LOG, serial: str = SERIAL) -> Receipt:
    return Receipt(serial, (StoredRanges(log.hex(), tuple(RecordRange(*one) for one in ranges)),))


def refused(number: int, reason: RefusalReason, body: bytes = BODY) -> Receipt:
    name = digest(encode_record(number, body))
    return Receipt(SERIAL, (), (Refusal(name, number, reason, "because"),))


def numbers(outbox: Outbox) -> list[tuple[str, bytes, int]]:
    return [(item.serial, item.log_id, item.number) for item in outbox.pending(1000)]


def test_records_wait_oldest_first_with_their_octets(outbox: Outbox) -> None:
    assert outbox.put(SERIAL, LOG, records(7, 3), 10) == 2
    assert outbox.put(OTHER, LOG, records(1), 20) == 1
    assert numbers(outbox) == [(SERIAL, LOG, 7), (SERIAL, LOG, 3), (OTHER, LOG, 1)]
    first, second, third = outbox.pending(10)
    assert first.payload == encode_record(7, BODY)
    assert [item.number for item in outbox.pending(1, after=first.key)] == [3]
    assert outbox.pending(10, after=third.key) == []
    assert first.key < second.key < third.key
    assert outbox.waiting() == 3


def test_a_record_put_again_is_held_once(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1, 2), 10)
    assert outbox.put(SERIAL, LOG, records(2, 3, 3), 20) == 1
    assert numbers(outbox) == [(SERIAL, LOG, 1), (SERIAL, LOG, 2), (SERIAL, LOG, 3)]


def test_the_same_number_in_another_log_or_stocking_is_another_record(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1), 10)
    assert outbox.put(SERIAL, OTHER_LOG, records(1), 10) == 1
    assert outbox.put(OTHER, LOG, records(1), 10) == 1


def test_other_octets_under_the_same_number_are_kept_beside(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1), 10)
    assert outbox.put(SERIAL, LOG, records(1, body=b"other octets"), 20) == 1
    assert {item.payload for item in outbox.pending(10)} == {
        encode_record(1, BODY),
        encode_record(1, b"other octets"),
    }


def test_a_receipt_takes_exactly_what_it_names(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1, 2, 3, 4, 5), 10)
    outbox.put(SERIAL, OTHER_LOG, records(2), 10)
    outbox.put(OTHER, LOG, records(2), 10)
    keys = {item.number: item.key for item in outbox.pending(5)}
    settled = outbox.settle(stored((2, 3), (5, 9)), 30)
    assert settled == Settled(frozenset({keys[2], keys[3], keys[5]}), frozenset())
    assert numbers(outbox) == [(SERIAL, LOG, 1), (SERIAL, LOG, 4), (SERIAL, OTHER_LOG, 2), (OTHER, LOG, 2)]
    assert outbox.receipted(SERIAL, LOG) == RangeSet([RecordRange(2, 3), RecordRange(5, 9)])
    assert outbox.receipted(SERIAL, OTHER_LOG) == RangeSet()


def test_receipted_ranges_grow_together_and_a_receipt_may_come_twice(outbox: Outbox) -> None:
    for receipt in (stored((0, 3)), stored((8, 9)), stored((4, 7)), stored((4, 7))):
        outbox.settle(receipt, 1)
    assert outbox.receipted(SERIAL, LOG) == RangeSet([RecordRange(0, 9)])


def test_a_key_is_never_used_twice(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1), 10)
    (gone,) = outbox.pending(1)
    outbox.settle(stored((1, 1)), 20)
    outbox.put(SERIAL, LOG, records(2), 30)
    assert outbox.pending(1)[0].key > gone.key


def test_a_refused_record_waits_no_more_but_is_kept_with_the_reason(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1, 2), 10)
    settled = outbox.settle(refused(1, RefusalReason.OUT_OF_RANGE), 99)
    assert len(settled.refused) == 1
    assert numbers(outbox) == [(SERIAL, LOG, 2)]
    (kept,) = outbox.refused()
    assert (kept.serial, kept.log_id, kept.number, kept.reason, kept.detail, kept.refused_ms) == (
        SERIAL,
        LOG,
        1,
        "out_of_range",
        "because",
        99,
    )
    assert kept.digest == digest(encode_record(1, BODY))


def test_a_refusal_of_octets_it_does_not_have_changes_nothing(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1), 10)
    settled = outbox.settle(refused(1, RefusalReason.FORGED, body=b"never sent"), 20)
    assert not settled.refused
    assert numbers(outbox) == [(SERIAL, LOG, 1)]


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_what_a_second_reading_may_cure_is_fetched_once_more(outbox: Outbox, reason: RefusalReason) -> None:
    curable = reason in {RefusalReason.MALFORMED, RefusalReason.FORGED}
    outbox.put(SERIAL, LOG, records(1, 2), 10)
    assert outbox.held(SERIAL, LOG) == RangeSet([RecordRange(1, 2)])
    outbox.settle(refused(1, reason), 20)
    assert (1 in outbox.held(SERIAL, LOG)) is not curable
    assert outbox.put(SERIAL, LOG, records(1), 30) == 0, "the same octets are not sent a second time"
    assert numbers(outbox) == [(SERIAL, LOG, 2)]
    assert 1 in outbox.held(SERIAL, LOG)
    assert outbox.put(SERIAL, LOG, records(1, body=b"better"), 40) == 1
    assert outbox.waiting() == 2


def test_records_of_a_stocking_that_became_known_are_queued_again(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(1, 2, 3), 10)
    outbox.settle(refused(1, RefusalReason.UNKNOWN_STOCKING), 20)
    outbox.settle(refused(2, RefusalReason.FORGED), 20)
    assert outbox.release(OTHER) == 0
    assert outbox.release(SERIAL) == 1
    assert [number for _, _, number in numbers(outbox)] == [1, 3]
    assert [one.number for one in outbox.refused()] == [2]


def report_receipt(*payloads: bytes, serial: str = SERIAL) -> Receipt:
    return Receipt(serial, reports=tuple(digest(payload) for payload in payloads))


def report_refused(payload: bytes, reason: RefusalReason) -> Receipt:
    return Receipt(SERIAL, (), (Refusal(digest(payload), None, reason, "because"),))


def test_reports_wait_until_a_receipt_names_them(outbox: Outbox) -> None:
    outbox.put_report(SERIAL, b"began")
    outbox.put_report(OTHER, b"ended")
    first, second = outbox.reports(10)
    assert [(one.serial, one.payload) for one in (first, second)] == [(SERIAL, b"began"), (OTHER, b"ended")]
    assert outbox.reports(10, after=first.key) == [second]
    assert outbox.settle(report_receipt(b"ended", b"never sent"), 20) == Settled(frozenset(), frozenset())
    assert outbox.settle(report_receipt(b"began", b"began"), 20).reports == {first.key}
    assert outbox.settle(report_receipt(b"began"), 20).reports == set(), "a receipt may come twice"
    assert outbox.reports(10) == [second]


def test_a_report_of_an_unknown_stocking_waits_for_it_to_become_known(outbox: Outbox) -> None:
    outbox.put_report(SERIAL, b"began")
    outbox.put_report(SERIAL, b"ended")
    began, ended = outbox.reports(10)
    assert outbox.settle(report_refused(b"began", RefusalReason.UNKNOWN_STOCKING), 20).reports == {began.key}
    assert outbox.settle(report_refused(b"ended", RefusalReason.MALFORMED), 20).reports == {ended.key}
    assert (outbox.reports(10), outbox.counts().reports) == ([], 0)
    assert outbox.release(OTHER) == 0
    assert outbox.release(SERIAL) == 1
    assert outbox.reports(10) == [began]
    assert outbox.settle(report_receipt(b"began"), 30).reports == {began.key}


def test_a_failed_visit_keeps_the_time_of_the_last_good_one(outbox: Outbox) -> None:
    outbox.note_contact(Contact(SERIAL, 10, "ok", 10))
    outbox.note_contact(Contact(OTHER, 11, "not_found", None))
    outbox.note_contact(Contact(SERIAL, 20, "disconnected", None))
    assert outbox.contacts() == [Contact(SERIAL, 20, "disconnected", 10), Contact(OTHER, 11, "not_found", None)]


def test_what_a_visit_found_is_kept_until_the_next_visit(outbox: Outbox) -> None:
    first = Contact(SERIAL, 10, "ok", 10, backlog=0, clock_error_ms=-86_400_000, battery_percent=81)
    outbox.note_contact(first)
    assert outbox.contacts() == [first]
    cut_short = Contact(SERIAL, 20, "disconnected", None, backlog=12, clock_error_ms=None, battery_percent=80)
    outbox.note_contact(cut_short)
    assert outbox.contacts() == [Contact(SERIAL, 20, "disconnected", 10, 12, None, 80)]
    outbox.note_contact(Contact(SERIAL, 30, "not_found", None))
    assert outbox.contacts() == [Contact(SERIAL, 30, "not_found", 10, None, None, None)], "nothing of an older visit"


@dataclass
class Disk:
    """A disk with so many octets free."""

    free: int = FLOOR


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture(params=["memory", "sqlite"])
def limited(request: pytest.FixtureRequest, tmp_path: Path, disk: Disk) -> Iterator[Outbox]:
    """At most three records; `FLOOR` octets of the disk stay free."""
    limit = OutboxLimit(3, FLOOR, lambda: disk.free)
    made: Outbox = MemoryOutbox(limit)
    if request.param == "sqlite":
        made = SqliteOutbox.open(tmp_path / "outbox.db", limit)
    yield made
    made.close()


def test_at_the_limit_nothing_is_taken_and_nothing_dropped_until_there_is_room(limited: Outbox) -> None:
    limited.put(SERIAL, LOG, records(1, 2), 10)
    with pytest.raises(OutboxFullError, match="limit of 3 records") as caught:
        limited.put(SERIAL, LOG, records(2, 3, 4), 20)
    assert caught.value.code == "outbox_full"
    assert [number for _, _, number in numbers(limited)] == [1, 2], "all of a group or nothing"
    assert limited.put(SERIAL, LOG, records(3), 30) == 1, "what fits is taken"
    assert limited.put(SERIAL, LOG, records(1, 2, 3), 40) == 0, "what is held already needs no room"
    limited.settle(stored((1, 1)), 50)
    assert limited.put(SERIAL, LOG, records(4), 60) == 1, "it goes on by itself"
    assert [number for _, _, number in numbers(limited)] == [2, 3, 4]


def test_whether_one_more_would_fit_can_be_asked_beforehand(limited: Outbox, disk: Disk) -> None:
    limited.put(SERIAL, LOG, records(1, 2), 10)
    limited.check_room()
    limited.put(SERIAL, LOG, records(3), 20)
    with pytest.raises(OutboxFullError) as caught:
        limited.check_room()
    assert caught.value.code == "outbox_full"
    limited.settle(stored((1, 1)), 30)
    limited.check_room()
    disk.free = 0
    with pytest.raises(OutboxFullError) as caught:
        limited.check_room()
    assert caught.value.code == "disk_full"


def test_without_a_limit_there_is_room(outbox: Outbox) -> None:
    outbox.put(SERIAL, LOG, records(*range(1, 50)), 10)
    outbox.check_room()


def test_refused_records_take_room_too(limited: Outbox) -> None:
    limited.put(SERIAL, LOG, records(1, 2, 3), 10)
    limited.settle(refused(2, RefusalReason.FORGED), 20)
    with pytest.raises(OutboxFullError):
        limited.put(SERIAL, LOG, records(4), 30)
    assert limited.put(SERIAL, LOG, records(2), 40) == 0
    assert 2 in limited.held(SERIAL, LOG), "a second reading of what was spoilt is remembered even when full"


def test_reports_have_a_limit_of_their_own(limited: Outbox) -> None:
    for _ in range(3 * REPORTS_PER_RECORD):
        limited.put_report(SERIAL, b"report")
    with pytest.raises(OutboxFullError, match="sync reports"):
        limited.put_report(SERIAL, b"one more")
    assert len(limited.reports(1000)) == 3 * REPORTS_PER_RECORD


def test_a_disk_that_runs_low_stops_what_grows_and_lets_receipts_through(limited: Outbox, disk: Disk) -> None:
    limited.put(SERIAL, LOG, records(1), 10)
    limited.put_report(SERIAL, b"report")
    disk.free = 0
    with pytest.raises(OutboxFullError, match="free some space") as caught:
        limited.put(SERIAL, LOG, records(2), 20)
    assert caught.value.code == "disk_full"
    with pytest.raises(OutboxFullError):
        limited.put_report(SERIAL, b"another")
    limited.note_contact(Contact(SERIAL, 20, "disk_full", None))
    assert limited.settle(stored((1, 1)), 30).stored
    assert limited.settle(report_receipt(b"report"), 30).reports
    assert (limited.waiting(), limited.reports(1)) == (0, [])
    disk.free = FLOOR
    assert limited.put(SERIAL, LOG, records(2), 40) == 1


def test_counts_add_up(outbox: Outbox) -> None:
    assert outbox.counts().oldest_ms is None
    outbox.put(SERIAL, LOG, records(1, 2, 3), 10)
    outbox.put(OTHER, LOG, records(1), 5)
    outbox.put_report(SERIAL, b"report")
    outbox.settle(stored((1, 1)), 20)
    outbox.settle(refused(2, RefusalReason.CONFLICT), 20)
    counts = outbox.counts()
    assert (counts.pending, counts.refused, counts.reports, counts.oldest_ms) == (2, 1, 1, 5)
    assert [(one.serial, one.pending, one.refused, one.receipted) for one in counts.stockings] == [
        (SERIAL, 1, 1, 1),
        (OTHER, 1, 0, 0),
    ]


class _BothAlike(RuleBasedStateMachine):
    """Any sequence of calls leaves the memory and the SQLite outbox telling the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        limit = OutboxLimit(9, 0, lambda: 0)
        path = Path(self.folder.name) / "outbox.db"
        self.both: tuple[Outbox, Outbox] = (MemoryOutbox(limit), SqliteOutbox.open(path, limit))
        self.time_ms = 0

    def alike(self, ask: Callable[[Outbox], object]) -> None:
        def answer(outbox: Outbox) -> object:
            try:
                return ask(outbox)
            except OutboxFullError as error:
                return error.code

        memory, sqlite = (answer(outbox) for outbox in self.both)
        assert memory == sqlite

    number = st.integers(0, 6)
    body = st.sampled_from([b"a", b"b"])
    serial = st.sampled_from([SERIAL, OTHER])
    log = st.sampled_from([LOG, OTHER_LOG])

    @rule(serial=serial, log=log, chosen=st.lists(st.tuples(number, body), min_size=1, max_size=5))
    def put(self, serial: str, log: bytes, chosen: list[tuple[int, bytes]]) -> None:
        self.time_ms += 1
        self.alike(lambda outbox: outbox.put(serial, log, [Record(*one) for one in chosen], self.time_ms))

    @rule(serial=serial, log=log, first=number, more=st.integers(0, 3))
    def store(self, serial: str, log: bytes, first: int, more: int) -> None:
        self.alike(lambda outbox: len(outbox.settle(stored((first, first + more), log=log, serial=serial), 1).stored))

    @rule(number=number, body=body, reason=st.sampled_from(RefusalReason))
    def refuse(self, number: int, body: bytes, reason: RefusalReason) -> None:
        self.alike(lambda outbox: len(outbox.settle(refused(number, reason, body), self.time_ms).refused))

    @rule(body=body, serial=serial)
    def put_report(self, body: bytes, serial: str) -> None:
        self.alike(lambda outbox: outbox.put_report(serial, body))

    @rule(body=body, serial=serial)
    def store_report(self, body: bytes, serial: str) -> None:
        self.alike(lambda outbox: len(outbox.settle(report_receipt(body, serial=serial), 1).reports))

    @rule(body=body, reason=st.sampled_from(RefusalReason))
    def refuse_report(self, body: bytes, reason: RefusalReason) -> None:
        self.alike(lambda outbox: len(outbox.settle(report_refused(body, reason), 1).reports))

    @rule(serial=serial)
    def release(self, serial: str) -> None:
        self.alike(lambda outbox: outbox.release(serial))

    @invariant()
    def tell_the_same(self) -> None:
        self.alike(lambda outbox: [(i.serial, i.log_id, i.number, i.payload) for i in outbox.pending(100)])
        self.alike(lambda outbox: [(r.serial, r.number, r.digest, r.reason) for r in outbox.refused()])
        self.alike(lambda outbox: [(r.serial, r.payload) for r in outbox.reports(100)])
        self.alike(lambda outbox: outbox.counts())
        self.alike(lambda outbox: [outbox.held(s, g) for s in (SERIAL, OTHER) for g in (LOG, OTHER_LOG)])
        self.alike(lambda outbox: [outbox.receipted(s, g) for s in (SERIAL, OTHER) for g in (LOG, OTHER_LOG)])

    def teardown(self) -> None:
        for outbox in self.both:
            outbox.close()
        self.folder.cleanup()


def test_memory_and_sqlite_never_differ() -> None:
    limits = settings(max_examples=25, stateful_step_count=20)
    run_state_machine_as_test(_BothAlike, settings=limits)
