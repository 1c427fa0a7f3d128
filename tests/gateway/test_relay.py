"""From outbox to receipt: the relay's rules with a connection in memory, then the same against a real Mosquitto."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.adapters.paho_link import PahoLink, Presence
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.adapters.system_clock import SystemClock
from calza_gateway.forwarding import relay as relay_module
from calza_gateway.forwarding.relay import WINDOW, Relay
from calza_gateway.ports import BrokerRefused, MqttLink, Outbox, OutboxFullError, Settled
from calza_gateway.reporting.events import Broker, Drained, GatewayEvent, Problem, ReceiptCame
from calza_gateway.settings.broker_spec import parse_broker
from calza_wire.messages import Hello, Receipt, Refusal, RefusalReason, StoredRanges, Wanted, WantedLog
from calza_wire.ranges import RecordRange
from calza_wire.records import Record, decode_record, digest, encode_record
from calza_wire.topics import Kind, down, parse, up
from tests.gateway.fake_mqtt import FakeMqttLink
from tests.gateway.mosquitto import Mosquitto, Server

HOME, SERIAL, LOG = "home", "CZ-0001", bytes(8)
RECORDS, HELLO, SYNC = up(HOME, Kind.RECORD, SERIAL), up(HOME, Kind.HELLO), up(HOME, Kind.SYNC, SERIAL)
RECEIPTS, WANTED = down(HOME, Kind.RECEIPT), down(HOME, Kind.WANTED)


@dataclass
class Heard:
    """What the relay told."""

    events: list[GatewayEvent] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: GatewayEvent) -> None:
        self.events.append(event)
        self.news.set()

    async def until(self, enough: Callable[[list[GatewayEvent]], bool]) -> None:
        async with asyncio.timeout(20):
            while not enough(self.events):
                self.news.clear()
                await self.news.wait()

    async def wait_for(self, kind: type[GatewayEvent]) -> GatewayEvent:
        await self.until(lambda events: any(isinstance(event, kind) for event in events))
        return next(event for event in self.events if isinstance(event, kind))


@asynccontextmanager
async def relaying(outbox: Outbox, link: MqttLink, heard: Heard) -> AsyncIterator[Relay]:
    relay = Relay(
        gateway=HOME,
        software="test",
        stockings=[SERIAL],
        outbox=outbox,
        link=link,
        clock=SystemClock(),
        tell=heard,
    )
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended


def filled(*numbers: int) -> MemoryOutbox:
    outbox = MemoryOutbox()
    outbox.put(SERIAL, LOG, [Record(number, b"body %d" % number) for number in numbers], 0)
    return outbox


def stored(*ranges: tuple[int, int]) -> bytes:
    return Receipt(SERIAL, (StoredRanges(LOG.hex(), tuple(RecordRange(*one) for one in ranges)),)).encode()


def published(link: FakeMqttLink, topic: str) -> list[bytes]:
    return [payload for name, payload, _ in link.published if name == topic]


def numbers(link: FakeMqttLink) -> list[int]:
    return [decode_record(payload).number for payload in published(link, RECORDS)]


async def test_it_says_hello_and_sends_what_waits() -> None:
    link, heard = FakeMqttLink(), Heard()
    outbox = filled(1, 2)
    async with relaying(outbox, link, heard) as relay:
        await link.until(lambda: len(published(link, RECORDS)) == 2)
        hello = Hello.decode(published(link, HELLO)[0])
        assert (hello.gateway, hello.stockings) == (HOME, (SERIAL,))
        assert published(link, RECORDS) == [encode_record(n, b"body %d" % n) for n in (1, 2)]
        assert {qos for _, _, qos in link.published} == {1}
        outbox.put(SERIAL, LOG, [Record(3, b"later")], 0)
        relay.poke()
        await link.until(lambda: numbers(link) == [1, 2, 3])
        assert outbox.waiting() == 3, "publishing alone must not empty the outbox"


async def test_only_a_receipt_empties_the_outbox() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled(1, 2, 3)
    async with relaying(outbox, link, heard) as relay:
        await link.until(lambda: len(numbers(link)) == 3)
        link.say(RECEIPTS, stored((1, 2)))
        assert await heard.wait_for(ReceiptCame) == ReceiptCame(SERIAL, 2, 0, 1)
        assert [item.number for item in outbox.pending(10)] == [3]
        link.say(RECEIPTS, stored((3, 3)))
        async with asyncio.timeout(5):
            await relay.drained()
        assert isinstance(heard.events[-1], Drained)


async def test_a_refused_record_goes_to_quarantine_and_is_not_sent_again() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled(1, 2)
    name = digest(encode_record(1, b"body 1"))
    refusal = Receipt(SERIAL, (), (Refusal(name, 1, RefusalReason.FORGED, "tag"),))
    async with relaying(outbox, link, heard):
        await link.until(lambda: len(numbers(link)) == 2)
        link.say(RECEIPTS, refusal.encode())
        assert await heard.wait_for(ReceiptCame) == ReceiptCame(SERIAL, 0, 1, 1)
        link.down()
        link.up()
        await link.until(lambda: numbers(link) == [1, 2, 2])
    assert [one.number for one in outbox.refused()] == [1]


async def test_a_new_connection_sends_everything_unreceipted_again() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled(1, 2)
    async with relaying(outbox, link, heard):
        await link.until(lambda: numbers(link) == [1, 2])
        link.down()
        link.up()
        await link.until(lambda: numbers(link) == [1, 2, 1, 2])


async def test_without_a_receipt_records_are_sent_again_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "RESEND_MIN_S", 0.05)
    monkeypatch.setattr(relay_module, "RESEND_MAX_S", 0.2)
    monkeypatch.setattr(relay_module, "REMIND_S", 0.0)
    link, heard, outbox = FakeMqttLink(), Heard(), filled(1)
    async with relaying(outbox, link, heard):
        await link.until(lambda: len(numbers(link)) == 4)
        waits = [float(e.sentence.split(" in ")[1].split(" s")[0]) for e in heard.events if isinstance(e, Problem)]
    assert waits == [0.05, 0.1, 0.2]
    assert outbox.waiting() == 1


async def test_a_server_that_confirms_nothing_is_told_of_once_until_it_confirms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "RESEND_MIN_S", 0.02)
    monkeypatch.setattr(relay_module, "RESEND_MAX_S", 0.04)
    heard, link, outbox = Heard(), FakeMqttLink(), filled(0, 1)

    def told() -> int:
        return sum(isinstance(event, Problem) and event.reason == "no_receipt" for event in heard.events)

    async with relaying(outbox, link, heard):
        await link.until(lambda: len(published(link, RECORDS)) >= 8)
        assert told() == 1
        link.say(RECEIPTS, stored((0, 0)))
        again = len(published(link, RECORDS)) + 4
        await link.until(lambda: len(published(link, RECORDS)) >= again)
        assert told() == 2


async def test_no_more_than_the_window_is_under_way() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled(*range(WINDOW + 50))
    async with relaying(outbox, link, heard) as relay:
        await link.until(lambda: len(numbers(link)) == WINDOW)
        for _ in range(5):
            relay.poke()
            await asyncio.to_thread(outbox.waiting)
        assert len(numbers(link)) == WINDOW
        link.say(RECEIPTS, stored((0, 9)))
        await link.until(lambda: len(numbers(link)) == WINDOW + 10)


def taken(*payloads: bytes) -> bytes:
    return Receipt(SERIAL, reports=tuple(digest(payload) for payload in payloads)).encode()


async def test_reports_go_before_the_hello_and_leave_by_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broker acknowledges may be in the hands of a server that dies with it."""
    monkeypatch.setattr(relay_module, "RESEND_MIN_S", 0.05)
    link, heard, outbox = FakeMqttLink(), Heard(), filled()
    outbox.put_report(SERIAL, b"began")
    outbox.put_report(SERIAL, b"ended")
    async with relaying(outbox, link, heard) as relay:
        await link.until(lambda: published(link, SYNC) == [b"began", b"ended"] * 2)
        assert [topic for topic, _, _ in link.published[:3]] == [SYNC, SYNC, HELLO]
        assert len(outbox.reports(10)) == 2
        link.say(RECEIPTS, taken(b"began"))
        assert await heard.wait_for(ReceiptCame) == ReceiptCame(SERIAL, 0, 0, 0, 1)
        assert [one.payload for one in outbox.reports(10)] == [b"ended"]
        link.say(RECEIPTS, taken(b"ended"))
        async with asyncio.timeout(5):
            await relay.drained()
    assert outbox.reports(10) == []


async def test_a_backlog_of_reports_goes_out_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "REPORTS_AT_ONCE", 3)
    link, heard, outbox = FakeMqttLink(), Heard(), filled()
    payloads = [b"report %d" % number for number in range(8)]
    for payload in payloads:
        outbox.put_report(SERIAL, payload)
    async with relaying(outbox, link, heard) as relay:
        for count in (3, 6, 8):
            await link.until(lambda count=count: len(published(link, SYNC)) >= count)  # type: ignore[misc]
            for _ in range(3):
                relay.poke()
                await asyncio.to_thread(outbox.waiting)
            assert published(link, SYNC) == payloads[:count]
            link.say(RECEIPTS, taken(*payloads[:count]))
        async with asyncio.timeout(5):
            await relay.drained()


async def test_a_report_of_an_unknown_stocking_is_sent_again_once_it_is_known() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled()
    outbox.put_report(SERIAL, b"began")
    refusal = Receipt(SERIAL, (), (Refusal(digest(b"began"), None, RefusalReason.UNKNOWN_STOCKING, "who"),))
    async with relaying(outbox, link, heard) as relay:
        await link.until(lambda: published(link, SYNC) == [b"began"])
        link.say(RECEIPTS, refusal.encode())
        async with asyncio.timeout(5):
            await relay.drained()
        link.say(WANTED, Wanted((WantedLog(SERIAL, None, None),)).encode())
        await link.until(lambda: published(link, SYNC) == [b"began"] * 2)


async def test_the_server_s_answer_reaches_who_asked() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled()
    wanted = Wanted((WantedLog(SERIAL, LOG.hex(), 5, ()),))
    async with relaying(outbox, link, heard) as relay:
        await link.until(lambda: len(published(link, HELLO)) == 1)
        asking = asyncio.create_task(relay.ask_wanted(5))
        await link.until(lambda: len(published(link, HELLO)) == 2)
        link.say(WANTED, wanted.encode())
        assert await asking == wanted
        assert await relay.ask_wanted(0.01) is None, "no answer in time"
        link.down()
        assert await relay.ask_wanted(60) is None, "no connection: not worth waiting"


async def test_records_refused_as_unknown_are_sent_again_once_the_stocking_is_known() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled(1)
    name = digest(encode_record(1, b"body 1"))
    refusal = Receipt(SERIAL, (), (Refusal(name, 1, RefusalReason.UNKNOWN_STOCKING, "who"),))
    async with relaying(outbox, link, heard):
        await link.until(lambda: numbers(link) == [1])
        link.say(RECEIPTS, refusal.encode())
        await heard.wait_for(ReceiptCame)
        link.say(WANTED, Wanted((), (SERIAL,)).encode())
        await heard.until(lambda events: any(isinstance(e, Problem) and e.reason == "unknown_stocking" for e in events))
        assert numbers(link) == [1]
        link.say(WANTED, Wanted((WantedLog(SERIAL, None, None),)).encode())
        await link.until(lambda: numbers(link) == [1, 1])


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b'{"v":1,"serial":"x"}', stored((1, 1))[:-3]])
async def test_a_message_that_cannot_be_read_changes_nothing(payload: bytes) -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled(1)
    async with relaying(outbox, link, heard):
        await link.until(lambda: numbers(link) == [1])
        link.say(RECEIPTS, payload)
        link.say("calza/v1/nonsense", b"")
        await heard.until(lambda events: sum(isinstance(event, Problem) for event in events) == 2)
        assert outbox.waiting() == 1
        link.say(RECEIPTS, stored((1, 1)))
        await heard.wait_for(ReceiptCame)


async def test_a_broker_that_refuses_is_left_alone_for_a_while() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled(1)
    async with relaying(outbox, link, heard) as relay:
        await link.until(lambda: numbers(link) == [1])
        for _ in range(3):
            link.tell(BrokerRefused("not_authorised", "no"))
        await heard.wait_for(Problem)
        outbox.put(SERIAL, LOG, [Record(2, b"x")], 0)
        relay.poke()
        await asyncio.to_thread(outbox.waiting)
        assert numbers(link) == [1]
        assert sum(isinstance(event, Problem) for event in heard.events) == 1
        link.down()
        link.up()
        await link.until(lambda: numbers(link) == [1, 1, 2])


async def test_a_receipt_that_cannot_be_written_down_is_applied_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "OUTBOX_PAUSE_S", 0.01)

    class Full(MemoryOutbox):
        failures = 2

        def settle(self, receipt: Receipt, now_ms: int) -> Settled:
            if self.failures:
                self.failures -= 1
                raise OutboxFullError("the disk is full")
            return super().settle(receipt, now_ms)

    outbox, link, heard = Full(), FakeMqttLink(), Heard()
    outbox.put(SERIAL, LOG, [Record(1, b"x")], 0)
    async with relaying(outbox, link, heard):
        await link.until(lambda: numbers(link) == [1])
        link.say(RECEIPTS, stored((1, 1)))
        await heard.wait_for(ReceiptCame)
    assert [event.reason for event in heard.events if isinstance(event, Problem)] == ["disk_full"]
    assert outbox.waiting() == 0


async def test_a_broker_that_stays_away_is_told_of_once() -> None:
    link, heard, outbox = FakeMqttLink(), Heard(), filled()
    async with relaying(outbox, link, heard):
        await heard.wait_for(Broker)
        for _ in range(3):
            link.down()
        link.up()
        await heard.until(lambda events: sum(isinstance(event, Broker) for event in events) == 3)
    assert [event.up for event in heard.events if isinstance(event, Broker)] == [True, False, True]


# --- against a real broker --------------------------------------------------------------------------------------------


@dataclass
class Ingest(Server):
    """Keeps what it hears and answers with receipts in groups; forgets to answer with a chance of `forgetful`."""

    kept: dict[int, bytes] = field(default_factory=dict)
    times: int = 0
    forgetful: float = 0.0
    random: Random = field(default_factory=lambda: Random(1))
    group: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    answer_due: bool = False

    def on_heard(self, topic: str, payload: bytes) -> None:
        if parse(topic).kind is not Kind.RECORD:
            return
        record = decode_record(payload)
        with self.lock:
            self.times += 1
            assert self.kept.setdefault(record.number, record.body) == record.body
            self.group.append(record.number)
            if not self.answer_due:
                self.answer_due = True
                threading.Timer(0.005, self.answer).start()

    def wait_until_kept(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.kept) >= count, 20)

    def answer(self) -> None:
        with self.lock:
            group, self.group, self.answer_due = self.group, [], False
            forgets = self.random.random() < self.forgetful
        if group and not forgets:
            self.publish(RECEIPTS, stored(*((number, number) for number in group)))


def paho_to(broker: Mosquitto) -> PahoLink:
    return PahoLink(
        parse_broker(broker.url(), HOME),
        client_id=HOME,
        subscriptions=[WANTED, RECEIPTS],
        presence=Presence(up(HOME, Kind.STATUS), b"online", b"offline"),
        jitter=lambda: 1.0,
    )


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto.prepare(tmp_path)
    broker.start()
    yield broker
    broker.kill()


async def test_everything_arrives_through_broker_kills_and_lost_receipts(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mosquitto keeps nothing on disk here and is killed three times; some receipts are never sent."""
    monkeypatch.setattr(relay_module, "RESEND_MIN_S", 0.5)
    outbox = SqliteOutbox.open(tmp_path / "outbox.db")
    bodies = {number: number.to_bytes(4, "big") * 50 for number in range(3000)}
    heard = Heard()
    with Ingest(mosquitto.port) as ingest:
        ingest.forgetful = 0.3
        async with relaying(outbox, paho_to(mosquitto), heard) as relay:
            for part in range(3):
                chunk = [Record(n, bodies[n]) for n in range(part * 1000, part * 1000 + 1000)]
                outbox.put(SERIAL, LOG, chunk, 0)
                relay.poke()
                await asyncio.to_thread(ingest.wait_until_kept, part * 1000 + 200)
                await asyncio.to_thread(mosquitto.kill)
                await asyncio.to_thread(mosquitto.start)
            async with asyncio.timeout(60):
                await relay.drained()
    assert ingest.kept == bodies
    assert (outbox.waiting(), outbox.receipted(SERIAL, LOG).ranges) == (0, (RecordRange(0, 2999),))
    outbox.close()


async def test_publish_rate(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Printed for the record: from the outbox through Mosquitto to a receipting server and out of the outbox again."""
    outbox = SqliteOutbox.open(tmp_path / "outbox.db")
    count = 5000
    for base in range(0, count, 500):
        outbox.put(SERIAL, LOG, [Record(n, bytes(873)) for n in range(base, base + 500)], 0)
    heard = Heard()
    with Ingest(mosquitto.port) as ingest:
        began = time.perf_counter()
        async with relaying(outbox, paho_to(mosquitto), heard) as relay:
            async with asyncio.timeout(60):
                await relay.drained()
            rate = count / (time.perf_counter() - began)
    assert len(ingest.kept) == count
    sys.stdout.write(f"\nrelay: {rate:,.0f} records/s receipted, {ingest.times - count} of {count} sent again\n")
    assert ingest.times == count, "with every receipt given nothing is sent twice"
    assert rate > 100
    outbox.close()
