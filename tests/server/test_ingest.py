"""Ingest by itself: what is refused and why, in which order things happen, what a failing store does."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.adapters.memory_store import MemoryStore
from calza_server.ingest.ingest import Ingest
from calza_server.ingest.ingest_checks import LAST_RECORD, IncomingRecord, RefusedRecord, check
from calza_server.ports import Appended, Delivery, StoreError
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.gateway_status import GatewayReport, GatewayStatus
from calza_wire.live_minute import LiveMinute
from calza_wire.messages import GatewayClock, Hello, Receipt, Wanted, WantedLog
from calza_wire.minute_block import MinuteFlag
from calza_wire.ranges import RecordRange
from calza_wire.records import digest, encode_record
from tests.server.sealed import (
    LOG_ID,
    START_MS,
    START_S,
    Known,
    StoppedClock,
    block,
    body,
    garment,
    payload,
    stored,
    sync,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.ports import StoredBlock
    from calza_wire.minute_block import MinuteBlock

SERIAL = "CALZA-0001"
UP = "calza/v1/up/bedside"
NOT_STOPPED = threading.Event()


@dataclass
class Line:
    """A broker that hands out what it was given until it is acknowledged, and notes everything in one list."""

    waiting: list[Delivery] = field(default_factory=list)
    happened: list[tuple[str, object]] = field(default_factory=list)
    connected: bool = True

    def give(self, topic: str, octets: bytes) -> None:
        self.waiting.append(Delivery(topic, octets, len(self.waiting)))

    def take(self, limit: int, linger_s: float, wait_s: float) -> list[Delivery]:
        return self.waiting[:limit]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.happened.append(("acknowledged", len(deliveries)))
        self.waiting = [each for each in self.waiting if each not in deliveries]

    def send(self, topic: str, payload: bytes) -> None:
        self.happened.append((topic, payload))

    def receipts(self) -> list[Receipt]:
        return [Receipt.decode(octets) for topic, octets in self.happened if topic.endswith("/receipt")]  # type: ignore[arg-type]  # what was sent is octets

    def wanteds(self) -> list[Wanted]:
        return [Wanted.decode(octets) for topic, octets in self.happened if topic.endswith("/wanted")]  # type: ignore[arg-type]  # what was sent is octets


class NotingStore(MemoryStore):
    """Notes its commits in the line's list, and fails as often as it is told."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self.line = line
        self.failures = 0

    def append(self, blocks: Sequence[StoredBlock]) -> list[Appended]:
        if self.failures:
            self.failures -= 1
            self.line.happened.append(("failed", len(blocks)))
            raise StoreError("full", "the disk is full")
        outcomes = super().append(blocks)
        self.line.happened.append(("committed", len(blocks)))
        return outcomes


@dataclass
class Bench:
    """Ingest with everything around it."""

    line: Line
    store: NotingStore
    known: Known
    ingest: Ingest

    def step(self) -> int:
        return self.ingest.step(NOT_STOPPED, 0)


@pytest.fixture
def bench() -> Bench:
    line = Line()
    store, known = NotingStore(line), Known.of(garment())
    return Bench(line, store, known, Ingest(source=line, store=store, registry=known, clock=StoppedClock()))


def outcome(octets: bytes, *, serial: str = SERIAL) -> StoredBlock | RefusedRecord:
    (found,) = check([IncomingRecord("bedside", serial, octets, StoppedClock().ms)], Known.of(garment()))
    return found


def reason(octets: bytes, *, serial: str = SERIAL) -> str:
    found = outcome(octets, serial=serial)
    assert isinstance(found, RefusedRecord), "it was let through"
    assert found.digest == digest(octets)
    return found.reason.value


# --- checks -----------------------------------------------------------------------------------------------------------


def test_a_good_record_becomes_the_block_it_is() -> None:
    found = outcome(payload(4))
    assert found == replace(stored(4), received_ms=StoppedClock().ms)


@pytest.mark.parametrize("octets", [b"", b"1234", b"12345", bytes(877), payload(1)[:-1], payload(1) + b"0"])
def test_what_is_no_minute_block_is_malformed(octets: bytes) -> None:
    assert reason(octets) == "malformed"


def test_a_stocking_nobody_registered_is_unknown() -> None:
    assert reason(payload(1, of=garment("CALZA-0009")), serial="CALZA-0009") == "unknown_stocking"


def test_every_octet_counts() -> None:
    """One bit of any octet of a record changed: refused, as malformed or forged, and never let through."""
    octets = payload(3, minutes=block(3, minutes=5))
    reasons = set()
    for place in range(len(octets)):
        for bit in (1, 128):
            damaged = bytearray(octets)
            damaged[place] ^= bit
            reasons.add(reason(bytes(damaged)))
    assert reasons == {"malformed", "forged"}


def test_a_record_of_another_stocking_or_under_another_number_is_forged() -> None:
    assert reason(payload(1, of=garment("CALZA-0002"))) == "forged"
    assert reason(encode_record(2, body(1))) == "forged"


@given(st.binary(max_size=1_200))
@settings(max_examples=300)
def test_any_octets_at_all_are_refused_with_a_reason(octets: bytes) -> None:
    assert reason(octets) == "malformed"


def beyond(**changed: object) -> MinuteBlock:
    return replace(block(1, minutes=2), **changed)  # type: ignore[arg-type]  # handed through as it is


NOW_S = StoppedClock().ms // 1000


@pytest.mark.parametrize(
    ("number", "minutes"),
    [
        (0, block(0)),
        (LAST_RECORD + 1, block(1)),
        (1, block(1, start_s=NOW_S + 86_401)),
        (1, beyond(ankle=(200, 3_001))),
        (1, beyond(ripple=(3_001, 0))),
        (1, beyond(skin=(12_001, 7_000))),
        # The fault of one site does not excuse another.
        (1, beyond(calf=(3_001, 0), flags=(MinuteFlag.ANKLE_FAULT, 0))),
    ],
)
def test_what_was_sealed_but_cannot_be_true_is_out_of_range(number: int, minutes: MinuteBlock) -> None:
    assert reason(payload(number, minutes=minutes)) == "out_of_range"


@pytest.mark.parametrize(
    ("number", "minutes"),
    [
        (LAST_RECORD, block(1)),
        (1, block(1, start_s=NOW_S + 86_400)),
        (1, block(1, start_s=NOW_S + 10**8, source=TimeSource.NOT_SYNCHRONISED)),
        (1, block(1, start_s=946_684_800, source=TimeSource.NOT_SYNCHRONISED)),
        (1, beyond(ankle=(3_000, 0), skin=(12_000, 0))),
        (1, beyond(ankle=(32_767, 0), flags=(MinuteFlag.ANKLE_FAULT, 0))),
        (1, beyond(ripple=(32_767, 0), flags=(MinuteFlag.THIGH_FAULT, 0))),
        (1, beyond(skin=(32_767, 0), flags=(MinuteFlag.SKIN_FAULT, 0))),
    ],
)
def test_what_is_only_just_possible_is_kept(number: int, minutes: MinuteBlock) -> None:
    assert not isinstance(outcome(payload(number, minutes=minutes)), RefusedRecord)


# --- one group after another ------------------------------------------------------------------------------------------


def test_commit_then_receipt_then_acknowledgement(bench: Bench) -> None:
    bench.line.give(f"{UP}/record/{SERIAL}", payload(1))
    bench.line.give(f"{UP}/record/{SERIAL}", payload(2))
    assert bench.step() == 2
    assert [what for what, _ in bench.line.happened] == ["committed", "calza/v1/down/bedside/receipt", "acknowledged"]
    (receipt,) = bench.line.receipts()
    assert receipt.serial == SERIAL
    assert [(each.log_id, each.ranges) for each in receipt.stored] == [(LOG_ID.hex(), (RecordRange(1, 2),))]
    assert receipt.refused == ()


def test_bad_records_harm_nothing_beside_them(bench: Bench) -> None:
    bench.store.append([stored(5)])
    conflicting = payload(5, minutes=block(5, seed=9))
    bad = {"malformed": b"rubbish", "forged": encode_record(9, body(8)), "out_of_range": payload(0)}
    for number, octets in enumerate([*bad.values(), conflicting], 1):
        bench.line.give(f"{UP}/record/{SERIAL}", octets)
        bench.line.give(f"{UP}/record/{SERIAL}", payload(number))
    bench.step()
    (receipt,) = bench.line.receipts()
    assert receipt.stored[0].ranges == (RecordRange(1, 4),)
    expected = {**{name: digest(octets) for name, octets in bad.items()}, "conflict": digest(conflicting)}
    assert {each.reason.value: each.digest for each in receipt.refused} == expected
    assert {each.reason: each.payload for each in bench.store.quarantined()} == bad
    assert [each.body for each in bench.store.evidence(SERIAL)] == [conflicting[4:]]
    assert bench.store.count(SERIAL) == 5
    health = bench.ingest.health()
    assert (health.stored, health.refused, health.conflicts, health.duplicates) == (4, 3, 1, 0)
    assert bench.line.waiting == []


def test_what_the_engine_behind_the_store_does_not_take_is_told_and_harms_nothing_beside_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_no_second(blocks: Sequence[StoredBlock]) -> list[Appended]:
        MemoryStore.append(bench.store, [block for block in blocks if block.record != 2])
        return [Appended.REFUSED if block.record == 2 else Appended.STORED for block in blocks]

    monkeypatch.setattr(bench.store, "append", takes_no_second)
    for number in (1, 2, 3):
        bench.line.give(f"{UP}/record/{SERIAL}", payload(number))
    bench.step()
    (receipt,) = bench.line.receipts()
    assert receipt.stored[0].ranges == (RecordRange(1, 1), RecordRange(3, 3))
    (refusal,) = receipt.refused
    assert (refusal.record, refusal.reason.value, refusal.digest) == (2, "out_of_range", digest(payload(2)))
    health = bench.ingest.health()
    assert (health.stored, health.refused) == (2, 1)
    assert bench.line.waiting == []


def test_each_gateway_gets_receipts_for_its_own_and_in_pieces_that_fit(bench: Bench) -> None:
    for number in range(250):
        bench.line.give(f"{UP}/record/{SERIAL}", b"rubbish %d" % number)
    bench.line.give(f"calza/v1/up/other/record/{SERIAL}", payload(1))
    bench.step()
    topics = [topic for topic, _ in bench.line.happened if topic.endswith("/receipt")]
    assert sorted(topics) == ["calza/v1/down/bedside/receipt"] * 3 + ["calza/v1/down/other/receipt"]
    assert sum(len(receipt.refused) for receipt in bench.line.receipts()) == 250
    assert all(len(octets) < 65_536 for _, octets in bench.line.happened if isinstance(octets, bytes))


def test_a_failing_store_sends_nothing_acknowledges_nothing_and_is_asked_again(bench: Bench) -> None:
    bench.line.give(f"{UP}/record/{SERIAL}", payload(1))
    bench.store.failures = 2
    stop = threading.Event()
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        health = bench.ingest.health()
        assert not health.ok
        assert health.problem == "the disk is full"
        return False

    stop.wait = wait  # type: ignore[method-assign,assignment]  # looks in at every pause instead of pausing
    bench.ingest.step(stop, 0)
    assert [what for what, _ in bench.line.happened][:3] == ["failed", "failed", "committed"]
    assert waits == sorted(waits)
    assert waits[1] > waits[0]
    assert bench.ingest.health().ok
    assert len(bench.line.receipts()) == 1


def test_stopped_while_the_store_fails_it_leaves_everything_unacknowledged(bench: Bench) -> None:
    bench.line.give(f"{UP}/record/{SERIAL}", payload(1))
    bench.store.failures = 10**9
    stop = threading.Event()
    stop.set()
    bench.ingest.step(stop, 0)
    assert [what for what, _ in bench.line.happened] == ["failed"]
    assert len(bench.line.waiting) == 1


@pytest.mark.parametrize(
    ("topic", "octets"),
    [
        ("", b""),
        ("calza/v2/up/bedside/hello", b"{}"),
        ("calza/v1/down/bedside/receipt", Receipt(SERIAL).encode()),
        (f"{UP}/hello", b"\xff\xfe"),
        (f"{UP}/hello", Hello("other", "1", 0, ()).encode()),
        (f"{UP}/sync/CALZA-0002", sync(1).encode()),
        (f"{UP}/live/{SERIAL}", b"rubbish"),
        (f"{UP}/status", b"[]"),
    ],
)
def test_messages_that_cannot_be_meant_are_put_aside_and_acknowledged(
    bench: Bench, topic: str, octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bench.line.give(topic, octets)
    bench.line.give(f"{UP}/record/{SERIAL}", payload(1))
    bench.step()
    assert bench.line.waiting == []
    assert bench.store.count(SERIAL) == 1
    assert bench.line.wanteds() == []
    assert SERIAL not in caplog.text


# --- hello, sync, live, status ----------------------------------------------------------------------------------------


def hello(*serials: str) -> bytes:
    return Hello("bedside", "gateway 1", START_MS, serials).encode()


def test_hello_is_answered_with_what_is_held_and_what_is_missing(bench: Bench) -> None:
    bench.known.garments["CALZA-0002"] = garment("CALZA-0002")
    bench.store.append([stored(n) for n in (3, 4, 8)])
    bench.line.give(f"{UP}/record/{SERIAL}", payload(9))
    bench.line.give(f"{UP}/hello", hello(SERIAL, "CALZA-0002", "CALZA-0003"))
    bench.step()
    (wanted,) = bench.line.wanteds()
    assert wanted.logs == (
        WantedLog(SERIAL, LOG_ID.hex(), 9, (RecordRange(1, 2), RecordRange(5, 7))),
        WantedLog("CALZA-0002", None, None),
    )
    assert wanted.unknown == ("CALZA-0003",)


def test_a_log_full_of_holes_is_told_as_far_as_a_message_reaches(bench: Bench) -> None:
    """Better to be sent some records again than to call one held that is not."""
    bench.store.append([stored(n, minutes=block(n, minutes=1)) for n in range(2, 14_000, 2)])
    bench.line.give(f"{UP}/hello", hello(SERIAL))
    bench.step()
    (wanted,) = bench.line.wanteds()
    (log,) = wanted.logs
    assert log.through is not None
    held = bench.store.held(SERIAL)[0].held
    missing = {n for each in log.missing for n in range(each.first, each.last + 1)}
    assert {n for n in range(1, log.through + 1) if n not in held} == missing
    assert len(wanted.encode()) < 65_536


def test_a_stocking_registered_later_is_asked_for_by_itself(bench: Bench) -> None:
    bench.line.give(f"{UP}/hello", hello(SERIAL, "CALZA-0002"))
    bench.step()
    bench.step()
    assert [each.unknown for each in bench.line.wanteds()] == [("CALZA-0002",)]
    bench.known.garments["CALZA-0002"] = garment("CALZA-0002")
    bench.step()
    bench.step()
    assert [each.unknown for each in bench.line.wanteds()] == [("CALZA-0002",), ()]


def test_sync_reports_of_known_stockings_are_kept(bench: Bench) -> None:
    bench.line.give(f"{UP}/sync/{SERIAL}", sync(1).encode())
    bench.line.give(f"{UP}/sync/CALZA-0009", replace(sync(1), serial="CALZA-0009").encode())
    bench.step()
    assert bench.store.syncs(SERIAL) == [sync(1)]
    assert bench.store.syncs("CALZA-0009") == []


def test_a_sync_report_is_receipted_by_its_digest_once_it_is_durable(bench: Bench) -> None:
    """Apart from the receipt of records, which a gateway from before would not read otherwise."""
    octets = sync(1).encode()
    bench.line.give(f"{UP}/sync/{SERIAL}", octets)
    bench.line.give(f"{UP}/record/{SERIAL}", payload(1))
    bench.step()
    records, reports = bench.line.receipts()
    assert (len(records.stored), records.reports) == (1, ())
    assert reports == Receipt(SERIAL, reports=(digest(octets),))
    bench.line.give(f"{UP}/sync/{SERIAL}", octets)
    bench.step()
    assert bench.line.receipts()[-1] == reports, "sent again, it is confirmed again"
    assert len(bench.store.syncs(SERIAL)) == 1


@pytest.mark.parametrize(
    ("serial", "octets", "reason"),
    [
        ("CALZA-0009", replace(sync(1), serial="CALZA-0009").encode(), "unknown_stocking"),
        (SERIAL, replace(sync(1), serial="CALZA-0009").encode(), "malformed"),
        (SERIAL, b"{}", "malformed"),
    ],
)
def test_a_sync_report_that_is_not_kept_is_refused_so_that_it_is_not_sent_for_ever(
    bench: Bench, serial: str, octets: bytes, reason: str
) -> None:
    bench.line.give(f"{UP}/sync/{serial}", octets)
    bench.step()
    (receipt,) = bench.line.receipts()
    (refusal,) = receipt.refused
    assert (receipt.serial, receipt.reports) == (serial, ())
    assert (refusal.digest, refusal.record, refusal.reason.value) == (digest(octets), None, reason)
    assert bench.store.syncs(SERIAL) == bench.store.syncs("CALZA-0009") == []
    assert bench.line.waiting == []


def test_a_live_minute_is_shown_and_never_kept(bench: Bench) -> None:
    minute = LiveMinute.of_raw(TimeStamp.at(START_S, source=TimeSource.CELLULAR), 200, 150, 90, 10, 7_200, 0)
    bench.line.give(f"{UP}/live/{SERIAL}", minute.encode())
    bench.line.give(f"{UP}/live/CALZA-0009", minute.encode())
    bench.step()
    seen = bench.ingest.live(SERIAL)
    assert seen is not None
    assert (seen.minute, seen.gateway) == (minute, "bedside")
    assert bench.ingest.live("CALZA-0009") is None
    assert bench.store.count(SERIAL) == 0


def test_gateways_come_and_go(bench: Bench) -> None:
    bench.line.give(f"{UP}/hello", hello())
    bench.step()
    assert [(each.gateway, each.state) for each in bench.ingest.health().gateways] == [("bedside", "online")]
    bench.line.give(f"{UP}/status", GatewayStatus("offline", "gateway 1").encode())
    bench.line.give(f"{UP}/status", b"")
    bench.step()
    assert [(each.gateway, each.state) for each in bench.ingest.health().gateways] == [("bedside", "offline")]


def test_the_last_report_of_a_gateway_stays_with_the_time_it_came(bench: Bench) -> None:
    report = GatewayReport(1, "stuck", 2, 1, 5, 7, 0, GatewayClock.UNKNOWN, ("stack_stuck",))
    bench.line.give(f"{UP}/status", GatewayStatus("online", "gateway 1", report).encode())
    bench.step()
    (first,) = bench.ingest.health().gateways
    assert first.report == report
    assert first.reported_ms is not None
    for bare in (GatewayStatus("offline", "gateway 1"), GatewayStatus("online", "gateway 2")):
        bench.line.give(f"{UP}/status", bare.encode())
        bench.step()
        (seen,) = bench.ingest.health().gateways
        assert (seen.report, seen.reported_ms) == (report, first.reported_ms)
    assert (seen.state, seen.software) == ("online", "gateway 2")
    better = replace(report, health="ok", codes=())
    bench.line.give(f"{UP}/status", GatewayStatus("online", "gateway 2", better).encode())
    bench.step()
    assert bench.ingest.health().gateways[0].report == better


def test_without_a_broker_nothing_is_well(bench: Bench) -> None:
    bench.line.connected = False
    health = bench.ingest.health()
    assert not health.ok
    assert "broker" in health.problem
