"""From the outbox to the server and back: publish, wait for the receipt, empty.

Knows no MQTT library and no database; both are ports. The rules:

* A record leaves the outbox by receipt only. The broker's acknowledgement says nothing about it: it may have handed
  the record to a server that is dead by now.
* At most `WINDOW` records are published and not receipted, so a server that is away does not fill the broker. What got
  no receipt is published again after `RESEND_MIN_S`, doubling to `RESEND_MAX_S` while none comes at all.
* A request for live minutes becomes a lease for a stocking of ours; any other is told, and changes nothing.
* A sync report leaves by receipt as well, at most `REPORTS_AT_ONCE` are under way, and the same clock rules over them.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from calza_gateway.forwarding.live_leases import LiveLeases
from calza_gateway.ports import (
    BrokerDown,
    BrokerEvent,
    BrokerMessage,
    BrokerRefused,
    BrokerUp,
    Clock,
    MqttLink,
    Outbox,
    OutboxError,
    OutboxRecord,
    OutboxReport,
)
from calza_gateway.recovery.pulse import Pulse
from calza_gateway.reporting.events import Broker, Drained, Problem, ReceiptCame, Tell
from calza_wire.errors import WireError
from calza_wire.live_request import LiveRequest
from calza_wire.messages import Hello, Receipt, Wanted
from calza_wire.topics import Kind, parse, up

WINDOW: Final = 400  # records under way: at 20 ms from publish to receipt this still carries 20,000 a second
REPORTS_AT_ONCE: Final = 50  # under way; two come from a sync, and a backlog of them has no hurry
RESEND_MIN_S: Final = 10.0
RESEND_MAX_S: Final = 300.0
REMIND_S: Final = 300.0  # what `standing_book` takes for over when it was not told for three times as long
REFUSED_PAUSE_S: Final = 30.0  # a broker that refuses our publishes is not asked again at full speed
OUTBOX_PAUSE_S: Final = 5.0  # after the outbox failed (disk full): what is lost by waiting is nothing
DRAINED_AFTER_S: Final = 1.0  # a fetch fills the outbox as fast as it empties; that is not worth telling each time
QOS_RELIABLE: Final = 1

_T = TypeVar("_T")


@dataclass(slots=True)
class _UnderWay:
    topic: str
    payload: bytes
    sent_tick_s: float


class Relay:
    """Run `run` for as long as the gateway lives; `poke` it when the outbox has grown."""

    def __init__(
        self,
        *,
        gateway: str,
        software: str,
        stockings: Sequence[str],
        outbox: Outbox,
        link: MqttLink,
        clock: Clock,
        tell: Tell,
        leases: LiveLeases | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        """`leases` is where requests for live minutes are written down; None: this gateway serves none. `pulse` is told
        that the relay moves."""
        self._gateway = gateway
        self._software = software
        self._stockings = tuple(stockings)
        self._outbox = outbox
        self._link = link
        self._clock = clock
        self._tell = tell
        self._leases = leases
        self._pulse = pulse if pulse is not None else Pulse()
        self._live_refused: tuple[str, str] | None = None  # told last: a server asks again every few seconds
        self._inbox: deque[BrokerEvent] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._grown = 0  # counts pokes, so that a look at the outbox can tell whether it is out of date
        self._drained_due: float | None = None  # when to tell that the outbox has stayed empty
        self._reports_waiting = True  # whether a look for reports can be worth it
        self._answers: list[asyncio.Future[Wanted | None]] = []
        self._up = False
        self._broker_code: str | None = None
        self._hello_due = False
        self._paused_until = 0.0
        self._resend_s = RESEND_MIN_S
        self._reminded: dict[str, float] = {}  # by code, when what lasts was last told
        self._under_way: dict[int, _UnderWay] = {}  # records by key, in order of sending
        self._cursor = 0  # records with a key up to here have been published on this connection
        self._reports: dict[int, _UnderWay] = {}  # the same for reports
        self._reports_cursor = 0

    async def run(self) -> None:
        """Keep the broker connection and move records until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run(self._on_broker_event))
            group.create_task(self._work())

    def poke(self) -> None:
        """The outbox has something new."""
        self._grown += 1
        self._reports_waiting = True
        self._empty.clear()
        self._drained_due = None
        self._wake.set()

    def publish_live(self, serial: str, payload: bytes) -> None:
        """Forward a live minute as it came: at most once, never kept, never counted."""
        self._link.publish(up(self._gateway, Kind.LIVE, serial), payload, qos=0)

    async def ask_wanted(self, limit_s: float) -> Wanted | None:
        """What the server lacks, asked anew; None if it cannot be reached or does not answer in time."""
        if not self._up:
            return None
        answer: asyncio.Future[Wanted | None] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._hello_due = True
        self.poke()
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                return await answer
        return None

    async def drained(self) -> None:
        """Wait until nothing waits: every record and every report receipted."""
        self.poke()
        await self._empty.wait()
        await self._tell_drained()

    # --- the loop -----------------------------------------------------------------------------------------------------

    def _on_broker_event(self, event: BrokerEvent) -> None:
        self._inbox.append(event)
        self._wake.set()

    async def _work(self) -> None:
        while True:
            patience_s = self._patience_s()
            self._pulse.beat("relay", self._clock.now().tick_s, patience_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):  # `wait_for` of 3.11 can swallow a cancellation
                    await self._wake.wait()
            self._wake.clear()
            try:
                while self._inbox:
                    await self._on_event(self._inbox[0])
                    self._inbox.popleft()
                if self._up and self._clock.now().tick_s >= self._paused_until:
                    await self._publish()
                await self._look_whether_empty()
            except OutboxError as error:
                self._remind(error.code, str(error))
                await asyncio.sleep(OUTBOX_PAUSE_S)
                self._wake.set()

    def _remind(self, code: str, sentence: str) -> None:
        """Tell what lasts: at once, then every five minutes. A server away for a night is one fact, not a thousand."""
        tick_s = self._clock.now().tick_s
        if tick_s - self._reminded.get(code, -math.inf) >= REMIND_S:
            self._reminded[code] = tick_s
            self._tell(Problem(code, sentence))

    def _patience_s(self) -> float:
        """How long nothing needs doing unless something happens."""
        now = self._clock.now().tick_s
        dues = [self._paused_until] if self._up and self._paused_until > now else []
        queues = (self._under_way, self._reports) if self._up else ()
        dues += [next(iter(queue.values())).sent_tick_s + self._resend_s for queue in queues if queue]
        if self._drained_due is not None:
            dues.append(self._drained_due)
        return max(0.0, min(dues) - now) if dues else RESEND_MAX_S

    async def _on_event(self, event: BrokerEvent) -> None:
        match event:
            case BrokerUp(protocol):
                self._up, self._hello_due, self._paused_until = True, True, 0.0
                self._start_over()
                self._tell(Broker(True, "up", f"connected to the broker, MQTT {protocol}"))
            case BrokerDown(code, sentence):
                news = self._up or code != self._broker_code
                self._up, self._broker_code = False, code
                self._answer(None)
                if news:
                    self._tell(Broker(False, code, sentence))
            case BrokerRefused(code, sentence):
                pausing = self._clock.now().tick_s < self._paused_until
                self._paused_until = self._clock.now().tick_s + REFUSED_PAUSE_S
                if not pausing:
                    self._tell(Problem(code, sentence))
            case BrokerMessage(topic, payload):
                await self._on_message(topic, payload)

    def _start_over(self) -> None:
        """Nothing is under way on a new connection."""
        self._under_way.clear()
        self._reports.clear()
        self._send_from_the_start()

    def _send_from_the_start(self) -> None:
        self._cursor = self._reports_cursor = 0
        self._reports_waiting = True

    async def _on_message(self, topic: str, payload: bytes) -> None:
        try:
            kind = parse(topic).kind
            if kind is Kind.RECEIPT:
                await self._on_receipt(Receipt.decode(payload))
            elif kind is Kind.WANTED:
                await self._on_wanted(Wanted.decode(payload))
            elif kind is Kind.LIVE:
                self._on_live(LiveRequest.decode(payload))
        except WireError as error:
            self._tell(Problem(error.code, f"the server sent a message that cannot be read: {error}"))

    async def _on_receipt(self, receipt: Receipt) -> None:
        now = self._clock.now()
        settled = await self._in_thread(lambda: self._outbox.settle(receipt, now.unix_ms))
        self._resend_s = RESEND_MIN_S
        self._reminded.pop("no_receipt", None)
        for key in settled.stored | settled.refused:
            self._under_way.pop(key, None)
        for key in settled.reports:
            self._reports.pop(key, None)
        self._reports_waiting |= bool(settled.reports)  # there is room for more
        pending = await self._in_thread(self._outbox.waiting)
        stored, refused, reports = (len(each) for each in (settled.stored, settled.refused, settled.reports))
        self._tell(ReceiptCame(receipt.serial, stored, refused, pending, reports))

    async def _on_wanted(self, wanted: Wanted) -> None:
        released = 0
        for serial in {log.serial for log in wanted.logs} - set(wanted.unknown):
            released += await self._in_thread(partial(self._outbox.release, serial))
        if released:
            self._send_from_the_start()
            self.poke()
        for serial in wanted.unknown:
            sentence = f"the server does not know stocking {serial}: its records are kept here until it does"
            self._tell(Problem("unknown_stocking", sentence, serial))
        self._answer(wanted)

    def _on_live(self, request: LiveRequest) -> None:
        if self._leases is None:
            self._refuse_live("live_not_served", request.serial, "this gateway was started to sync once")
        elif request.serial not in self._stockings:
            self._refuse_live("live_unknown_stocking", request.serial, "it is not paired with this gateway")
        else:
            self._live_refused = None
            self._leases.renew(request.serial, request.seconds, self._clock.now().tick_s)

    def _refuse_live(self, code: str, serial: str, why: str) -> None:
        if self._live_refused != (code, serial):
            self._live_refused = (code, serial)
            self._tell(Problem(code, f"no live minutes of stocking {serial}: {why}", serial))

    def _answer(self, wanted: Wanted | None) -> None:
        for answer in self._answers:
            if not answer.done():
                answer.set_result(wanted)
        self._answers.clear()

    # --- publishing ---------------------------------------------------------------------------------------------------

    async def _publish(self) -> None:
        """Reports first, so that an answer to the hello knows of them; then what is overdue; then what is new."""
        await self._publish_reports()
        if self._hello_due:
            hello = Hello(self._gateway, self._software, self._clock.now().unix_ms, self._stockings)
            self._hello_due = not self._link.publish(up(self._gateway, Kind.HELLO), hello.encode(), qos=QOS_RELIABLE)
        self._publish_overdue()
        room = WINDOW - len(self._under_way)
        if room > 0:
            cursor = self._cursor
            for record in await self._in_thread(lambda: self._outbox.pending(room, cursor)):
                topic = up(self._gateway, Kind.RECORD, record.serial)
                if record.key not in self._under_way and not self._send(self._under_way, record, topic):
                    return
                self._cursor = record.key

    def _send(self, under_way: dict[int, _UnderWay], item: OutboxRecord | OutboxReport, topic: str) -> bool:
        if not self._link.publish(topic, item.payload, qos=QOS_RELIABLE):
            return False
        under_way[item.key] = _UnderWay(topic, item.payload, self._clock.now().tick_s)
        return True

    def _publish_overdue(self) -> None:
        now = self._clock.now().tick_s
        overdue = [
            (under_way, key)
            for under_way in (self._reports, self._under_way)
            for key, one in under_way.items()
            if one.sent_tick_s + self._resend_s <= now
        ]
        if not overdue:
            return
        records = sum(under_way is self._under_way for under_way, _ in overdue)
        sentence = (
            f"no receipt in {self._resend_s:g} s for {records} records and {len(overdue) - records} sync reports;"
            " nothing is lost, they are sent again"
        )
        self._remind("no_receipt", sentence)
        self._resend_s = min(RESEND_MAX_S, self._resend_s * 2)
        for under_way, key in overdue:
            one = under_way[key]
            if not self._link.publish(one.topic, one.payload, qos=QOS_RELIABLE):
                return
            one.sent_tick_s = now
            under_way[key] = under_way.pop(key)  # so that the dictionary stays in order of sending

    async def _publish_reports(self) -> None:
        room = REPORTS_AT_ONCE - len(self._reports)
        if not self._reports_waiting or room <= 0:
            return
        cursor = self._reports_cursor
        waiting = await self._in_thread(lambda: self._outbox.reports(room, cursor))
        self._reports_waiting = len(waiting) == room
        for report in waiting:
            topic = up(self._gateway, Kind.SYNC, report.serial)
            if report.key not in self._reports and not self._send(self._reports, report, topic):
                return
            self._reports_cursor = report.key

    async def _look_whether_empty(self) -> None:
        if self._drained_due is not None and self._clock.now().tick_s >= self._drained_due:
            await self._tell_drained()
        if self._empty.is_set() or self._under_way or self._reports:
            return
        grown = self._grown
        if await self._in_thread(lambda: bool(self._outbox.pending(1) or self._outbox.reports(1))):
            return
        if grown == self._grown:
            self._drained_due = self._clock.now().tick_s + DRAINED_AFTER_S
            self._empty.set()

    async def _tell_drained(self) -> None:
        self._drained_due = None
        self._tell(Drained(len(await self._in_thread(self._outbox.refused))))

    async def _in_thread(self, call: Callable[[], _T]) -> _T:
        """The outbox waits for the disk; the radio must not wait with it."""
        return await asyncio.to_thread(call)
