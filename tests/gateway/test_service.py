"""Runner, rounds and relay together: scripted stockings on one side, a broker in memory on the other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from calza_gateway import service
from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.adapters.system_clock import SystemClock
from calza_gateway.forwarding.outbox_limit import OutboxLimit
from calza_gateway.ports import Outbox, OutboxFullError, RadioError, RadioReason
from calza_gateway.recovery.budget import Budget
from calza_gateway.reporting.events import (
    AdapterChanged,
    Connected,
    Drained,
    Problem,
    ReceiptCame,
    SyncBegan,
    SyncEnded,
)
from calza_gateway.state.bonds import PairedStocking
from calza_gateway.sync import fetch, runner
from calza_gateway.sync.runner import Runner
from calza_gateway.sync.session import SessionFacts
from calza_gateway.sync.steps import Failed
from calza_wire.channels import Side
from calza_wire.messages import Receipt, StoredRanges, SyncReport, Wanted, WantedLog
from calza_wire.ranges import RangeSet
from calza_wire.records import Record, decode_record, digest
from calza_wire.segments import split
from calza_wire.topics import Kind, down, parse, up
from calza_wire.uuids import LIVE_OBSERVATIONS
from tests.gateway.fake_mqtt import FakeMqttLink
from tests.gateway.scripted_radio import ScriptedRadio
from tests.gateway.scripted_stocking import LOG_ID, SERIAL, Faults, ScriptedStocking
from tests.gateway.test_relay import Heard

LEFT = PairedStocking(SERIAL, "AA:AA", Side.LEFT)
RIGHT = PairedStocking("CZ-TEST-2", "BB:BB", Side.RIGHT)
QUICK = Budget(
    connect_pause_s=0.001,
    absent_pause_min_s=0.001,
    absent_pause_max_s=0.01,
    trouble_pause_min_s=0.001,
    trouble_pause_max_s=0.01,
    fault_pause_s=0.01,
)
"""Pauses short enough for tests; their lengths are not what is tested here."""


class Server(FakeMqttLink):
    """Answers like a server: every record is kept and receipted, every hello answered with what is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, dict[int, bytes]] = {SERIAL: {}, RIGHT.serial: {}}
        self.reports: list[SyncReport] = []
        self.live: list[bytes] = []

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        if not super().publish(topic, payload, qos=qos, retain=retain):
            return False
        found = parse(topic)
        if found.kind is Kind.SYNC:
            report = SyncReport.decode(payload)
            self.reports.append(report)
            self.say(down("home", Kind.RECEIPT), Receipt(report.serial, reports=(digest(payload),)).encode())
        elif found.kind is Kind.LIVE:
            self.live.append(payload)
        elif found.kind is Kind.HELLO:
            logs = [self.wanted(serial) for serial in self.kept]
            self.say(down("home", Kind.WANTED), Wanted(tuple(logs)).encode())
        elif found.kind is Kind.RECORD and found.serial:
            record = decode_record(payload)
            self.kept[found.serial][record.number] = record.body
            ranges = RangeSet.from_numbers([record.number]).ranges
            receipt = Receipt(found.serial, (StoredRanges(LOG_ID.hex(), ranges),))
            self.say(down("home", Kind.RECEIPT), receipt.encode())
        return True

    def wanted(self, serial: str) -> WantedLog:
        stored = RangeSet.from_numbers(self.kept[serial])
        if stored.last is None:
            return WantedLog(serial, None, None)
        return WantedLog(serial, LOG_ID.hex(), stored.last, stored.missing_between(0, stored.last).ranges)


@dataclass
class Gateway:
    """A gateway of fakes, and its stockings."""

    left: ScriptedStocking = field(default_factory=lambda: stocking(1, SERIAL))
    right: ScriptedStocking = field(default_factory=lambda: stocking(2, RIGHT.serial))
    outbox: Outbox = field(default_factory=MemoryOutbox)
    server: Server = field(default_factory=Server)
    heard: Heard = field(default_factory=Heard)
    paired: list[PairedStocking] = field(default_factory=lambda: [LEFT, RIGHT])
    interval_s: float = 60.0

    def __post_init__(self) -> None:
        self.radio = ScriptedRadio({LEFT.address: self.left, RIGHT.address: self.right})

    @property
    def parts(self) -> service.Parts:
        return service.Parts(
            gateway="home",
            software="test",
            stockings=self.paired,
            radios={"scripted": self.radio},
            outbox=self.outbox,
            link=self.server,
            clock=SystemClock(),
            tell=self.heard,
            interval_s=self.interval_s,
            budget=QUICK,
        )

    @asynccontextmanager
    async def serving(self, *, live: bool = False) -> AsyncIterator[None]:
        task = asyncio.create_task(service.serve(self.parts, live=live))
        try:
            yield
        finally:
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended

    def problems(self) -> list[str]:
        return [event.reason for event in self.heard.events if isinstance(event, Problem)]


def stocking(seed: int, serial: str, records: int = 30) -> ScriptedStocking:
    made = ScriptedStocking(Random(seed), serial=serial)
    for _ in range(records):
        made.add_record()
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits short enough for tests; their lengths are not what is tested here."""
    monkeypatch.setattr(fetch, "IDLE_LIMIT_S", 0.02)
    monkeypatch.setattr(fetch, "ABORT_LIMIT_S", 0.02)
    monkeypatch.setattr(runner, "WANTED_LIMIT_S", 0.5)


async def test_once_brings_everything_to_the_server() -> None:
    gateway = Gateway()
    outcome = await service.once(gateway.parts, 20)
    assert outcome.sentence is None
    assert gateway.server.kept == {SERIAL: gateway.left.made, RIGHT.serial: gateway.right.made}
    assert gateway.outbox.counts().pending == 0
    assert [(r.serial, r.phase) for r in gateway.server.reports] == [
        (SERIAL, "began"),
        (SERIAL, "ended"),
        (RIGHT.serial, "began"),
        (RIGHT.serial, "ended"),
    ]
    kinds = [type(event) for event in gateway.heard.events]
    for kind in (Connected, SyncBegan, SyncEnded):
        assert kinds.count(kind) == 2
    assert sum(event.stored for event in gateway.heard.events if isinstance(event, ReceiptCame)) == 60
    assert kinds[-1] is Drained
    assert gateway.server.ended
    assert all(link.closed.is_set() for link in gateway.radio.links)
    assert [(contact.serial, contact.outcome) for contact in gateway.outbox.contacts()] == [
        (SERIAL, "ok"),
        (RIGHT.serial, "ok"),
    ]


@pytest.mark.parametrize("seed", range(5))
async def test_once_over_a_bad_radio(seed: int, tmp_path: Path) -> None:
    """Disconnects and losses, again and again, with the real outbox; the server ends with exactly the flash."""
    outbox = SqliteOutbox.open(tmp_path / "outbox.db")
    gateway = Gateway(left=stocking(seed, SERIAL, 200), right=stocking(seed + 100, RIGHT.serial, 3), outbox=outbox)
    for one in (gateway.left, gateway.right):
        one.faults = Faults(lose_segment=0.02, lose_indication=0.1, duplicate=0.02, disconnect=0.002, stall=0.1)
    outcome = await service.once(gateway.parts, 60)
    assert outcome.sentence is None
    assert gateway.server.kept == {SERIAL: gateway.left.made, RIGHT.serial: gateway.right.made}
    assert outbox.counts().pending == 0
    outbox.close()


async def test_failures_that_trying_again_can_cure_are_tried_again() -> None:
    gateway = Gateway()
    gateway.radio.failures = [
        RadioError(RadioReason.NOT_FOUND, "not heard"),
        RadioError(RadioReason.CONNECT_FAILED, "no luck"),
    ]
    assert (await service.once(gateway.parts, 20)).sentence is None
    assert gateway.problems() == ["not_found"], "what a second attempt of the same visit cures is not worth telling"


async def test_a_lost_bond_fails_at_once_and_spoils_nothing_else() -> None:
    gateway = Gateway()
    gateway.radio.failures = [RadioError(RadioReason.BOND_LOST, "pair again")]
    outcome = await service.once(gateway.parts, 20)
    assert outcome.failed == {SERIAL: "bond_lost"}
    assert outcome.sentence == "not synced: CZ-TEST-1 (bond_lost)"
    assert gateway.server.kept == {SERIAL: {}, RIGHT.serial: gateway.right.made}


async def test_without_a_server_everything_is_fetched_and_kept() -> None:
    gateway = Gateway()
    gateway.server.comes_up = False
    outcome = await service.once(gateway.parts, 0.5)
    assert (outcome.failed, outcome.drained) == ({}, False)
    assert outcome.sentence is not None
    assert gateway.outbox.waiting() == 60


async def test_it_comes_back_every_interval_and_closes_a_block_only_now_and_then() -> None:
    gateway = Gateway(paired=[LEFT], interval_s=0.01)
    gateway.left.open_minutes = 5
    async with gateway.serving():
        await gateway.heard.until(lambda events: sum(isinstance(event, SyncEnded) for event in events) == 1)
        gateway.left.add_record()
        gateway.left.open_minutes = 5
        await gateway.heard.until(lambda events: sum(isinstance(event, SyncEnded) for event in events) == 4)
        await gateway.server.until(lambda: gateway.server.kept[SERIAL] == gateway.left.made)
    assert len(gateway.left.made) == 32, "30 at the beginning, one closed, one added, none closed again so soon"


async def test_live_minutes_are_forwarded_as_they_came_and_syncs_go_on() -> None:
    gateway = Gateway(paired=[LEFT], interval_s=0.05)
    async with gateway.serving(live=True):
        await gateway.heard.wait_for(SyncEnded)
        link = gateway.radio.links[0]
        await asyncio.wait_for(link.live_started.wait(), 5)
        payload = bytes(range(100))
        for pdu in split(payload, 40, 5)[0]:
            link.notify(LIVE_OBSERVATIONS, pdu)
        link.notify(LIVE_OBSERVATIONS, b"")
        gateway.left.add_record()
        await gateway.heard.until(lambda events: sum(isinstance(event, SyncEnded) for event in events) == 2)
        await gateway.server.until(lambda: gateway.server.kept[SERIAL] == gateway.left.made)
        assert len(gateway.radio.links) == 1, "it stayed connected"
    assert gateway.server.live == [payload]
    assert [qos for topic, _, qos in gateway.server.published if topic == up("home", Kind.LIVE, SERIAL)] == [0]
    assert link.live_writes[:2] == [b"\x01", b"\x02"], "live sending stops for the sync, which it would refuse"


async def test_a_full_disk_is_told_and_the_stocking_keeps_the_rest() -> None:
    class Full(MemoryOutbox):
        full = True

        def put(self, serial: str, log_id: bytes, records: Sequence[Record], now_ms: int) -> int:
            if self.full:
                raise OutboxFullError("the disk is full")
            return super().put(serial, log_id, records, now_ms)

    outbox = Full()
    gateway = Gateway(outbox=outbox, paired=[LEFT])
    async with gateway.serving():
        await gateway.heard.until(lambda events: gateway.problems().count("disk_full") >= 2)
        outbox.full = False
        await gateway.heard.until(lambda events: any(isinstance(event, SyncEnded) for event in events))
    assert gateway.left.made.keys() == gateway.server.kept[SERIAL].keys() | {i.number for i in outbox.pending(99)}


async def test_while_nothing_could_be_kept_no_stocking_is_connected_to() -> None:
    """It is listened for, which costs it nothing; and the adapter is blamed for nothing."""
    outbox = MemoryOutbox(OutboxLimit(1, 0, lambda: 0))
    outbox.put(RIGHT.serial, LOG_ID, [Record(1, b"waits")], 0)
    gateway = Gateway(outbox=outbox, paired=[LEFT])
    gateway.server.comes_up = False
    async with gateway.serving():
        await gateway.heard.until(lambda events: gateway.problems().count("outbox_full") >= 6)
        assert gateway.radio.links == []
        outbox.settle(Receipt(RIGHT.serial, (StoredRanges(LOG_ID.hex(), RangeSet.from_numbers([1]).ranges),)), 0)
        await gateway.heard.until(lambda events: any(isinstance(event, Connected) for event in events))
    assert [event.standing.resets for event in gateway.heard.events if isinstance(event, AdapterChanged)][-1] == 0


async def test_cancelled_in_mid_fetch_what_arrived_is_committed() -> None:
    """The stocking stalls after some records; they are durable although the group was not full."""
    gateway = Gateway(paired=[LEFT])
    gateway.server.comes_up = False
    gateway.left.faults = Faults(stall=1.0)
    course = Runner(gateway.outbox, _Alone(), SystemClock(), gateway.heard)
    link = await gateway.radio.connect(LEFT.address, 1)
    task = asyncio.create_task(course.sync(link, SessionFacts(SERIAL, 40, None)))
    await gateway.heard.wait_for(SyncBegan)
    gateway.radio.links[0].transmitted.clear()
    await gateway.radio.links[0].transmitted.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    held = {item.number: decode_record(item.payload).body for item in gateway.outbox.pending(100)}
    assert held
    assert held.items() <= gateway.left.made.items()


async def test_all_records_are_durable_before_the_sync_says_it_ended() -> None:
    class Watching(MemoryOutbox):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []

        def put(self, serial: str, log_id: bytes, records: Sequence[Record], now_ms: int) -> int:
            self.calls += ["put"] * len(records)
            return super().put(serial, log_id, records, now_ms)

        def put_report(self, serial: str, payload: bytes) -> None:
            self.calls.append(SyncReport.decode(payload).phase)
            super().put_report(serial, payload)

    outbox = Watching()
    gateway = Gateway(paired=[LEFT], outbox=outbox)
    assert (await service.once(gateway.parts, 20)).sentence is None
    assert outbox.calls == ["began", *["put"] * 30, "ended"]


async def test_a_fault_in_the_background_ends_the_session_at_once() -> None:
    class Broken(_Alone):
        async def ask_wanted(self, limit_s: float) -> Wanted | None:
            raise ZeroDivisionError

    gateway = Gateway(paired=[LEFT])
    link = await gateway.radio.connect(LEFT.address, 1)
    course = Runner(gateway.outbox, Broken(), SystemClock(), gateway.heard)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await course.sync(link, SessionFacts(SERIAL, 40, None))


async def test_a_link_that_ends_ends_the_session() -> None:
    gateway = Gateway(paired=[LEFT])
    link = await gateway.radio.connect(LEFT.address, 1)
    link.closed.set()
    course = Runner(gateway.outbox, _Alone(), SystemClock(), gateway.heard)
    outcome = await course.sync(link, SessionFacts(SERIAL, 40, None))
    assert isinstance(outcome, Failed)
    assert outcome.code == "disconnected"


class _Alone:
    """No server."""

    async def ask_wanted(self, limit_s: float) -> Wanted | None:
        return None

    def poke(self) -> None:
        """Nobody to tell."""
