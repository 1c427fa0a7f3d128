"""From the broker into the store: decode, check, commit, receipt, acknowledge, in that order and no other.

Knows only ports. A record is receipted after it is durable, and a message acknowledged after it was receipted, so
whatever dies in between is sent again and found to be a duplicate. Runs in one thread of its own; `health` and `live`
may be asked from any.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from calza_server.ingest.gateways import GATEWAYS_MAX
from calza_server.ingest.ingest_checks import IncomingRecord, RefusedRecord, check
from calza_server.ingest.metrics import NoMeter, Settled
from calza_server.ingest.presence import Presence, parse_topic, read_hello
from calza_server.ingest.receipts import IncomingReport, ReceiptBook, read_report, wanted
from calza_server.ports import Appended, Health, QuarantinedRecord, StoreError
from calza_wire.errors import WireError
from calza_wire.messages import RefusalReason
from calza_wire.records import encode_record
from calza_wire.topics import Direction, Kind, Topic, down

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from calza_server.ingest.metrics import IngestMeter
    from calza_server.live.live_feed import LiveAudience
    from calza_server.ports import Clock, Delivery, LiveSeen, MessageSource, Registry, SeriesStore, StoredBlock
    from calza_wire.messages import Hello, SyncReport

GROUP_MAX: Final = 500  # one commit for so many: larger groups gain nothing measurable, smaller ones pay more fsyncs
GROUP_WAIT_S: Final = 0.02  # what a lone record waits for company; a gateway re-sends after seconds, not milliseconds
IDLE_WAIT_S: Final = 0.5  # how soon the thread notices that it should stop
RETRY_MIN_S: Final = 0.25
RETRY_MAX_S: Final = 10.0  # a disk that was freed is noticed within this

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Group:
    """One lot of messages, sorted by what they ask for."""

    records: list[IncomingRecord] = field(default_factory=list)
    reports: list[IncomingReport] = field(default_factory=list)
    hellos: dict[str, Hello] = field(default_factory=dict)


class Ingest:
    """Moves messages from `source` into `store`; see `run`. `audience` is told what matters to who watches live,
    `meter` what there is to count.
    """

    def __init__(
        self,
        *,
        source: MessageSource,
        store: SeriesStore,
        registry: Registry,
        clock: Clock,
        audience: LiveAudience | None = None,
        meter: IngestMeter | None = None,
    ) -> None:
        self._source = source
        self._store = store
        self._registry = registry
        self._clock = clock
        self._meter: IngestMeter = meter or NoMeter()
        self._presence = Presence(registry, audience, meter)
        self._lock = threading.Lock()  # guards what other threads look at
        self._health = Health(broker_connected=False, store_ok=True)
        self._waiting: dict[str, tuple[Hello, tuple[str, ...]]] = {}  # gateways, and the stockings not known here

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. What was taken and not committed then is not acknowledged, so it comes again."""
        while not stop.is_set():
            self.step(stop)

    def step(self, stop: threading.Event, wait_s: float = IDLE_WAIT_S) -> int:
        """Take one group through all its steps; returns how many messages that were."""
        deliveries = self._source.take(GROUP_MAX, GROUP_WAIT_S, wait_s)
        if not deliveries:
            self._greet_again()
            return 0
        now_ms = self._clock.now_ms()
        self._meter.took(now_ms)
        group = self._sort(deliveries, now_ms)
        retry_s = RETRY_MIN_S
        while True:
            try:
                answers = self._settle(group, now_ms)
                break
            except StoreError as error:
                self._store_failed(error)
                if stop.wait(retry_s):
                    return 0
                retry_s = min(2 * retry_s, RETRY_MAX_S)
        for topic, payload in answers:
            self._source.send(topic, payload)
        self._source.acknowledge(deliveries)
        self._meter.answered(self._clock.now_ms())
        return len(deliveries)

    def health(self) -> Health:
        """How it is doing at this moment."""
        connected = self._source.connected
        with self._lock:
            problem = self._health.problem or ("" if connected else "the broker cannot be reached; it is tried again")
            found = replace(self._health, broker_connected=connected, problem=problem)
        return replace(found, gateways=self._presence.gateways())

    def live(self, serial: str) -> LiveSeen | None:
        """The newest live minute of a stocking since this process started, if any."""
        return self._presence.live(serial)

    # --- one group ----------------------------------------------------------------------------------------------------

    def _sort(self, deliveries: Sequence[Delivery], now_ms: int) -> _Group:
        group = _Group()
        for delivery in deliveries:
            try:
                topic = parse_topic(delivery.topic)
                if topic.direction is Direction.UP:
                    self._sort_one(group, topic, delivery.payload, now_ms)
            except WireError as error:
                self._meter.unreadable()
                # Neither the topic nor the payload is shown: both may name a stocking, and a stranger wrote them.
                _log.warning("a message that cannot be read was put aside: %s", error.code)
        return group

    def _sort_one(self, group: _Group, topic: Topic, payload: bytes, now_ms: int) -> None:
        if topic.kind is Kind.RECORD and topic.serial is not None:
            group.records.append(IncomingRecord(topic.gateway, topic.serial, payload, now_ms))
        elif topic.kind is Kind.SYNC and topic.serial is not None:
            group.reports.append(IncomingReport(topic.gateway, topic.serial, payload))
            self._presence.hear(topic, payload, now_ms)
        else:
            self._presence.hear(topic, payload, now_ms)
            if topic.kind is Kind.HELLO:
                group.hellos[topic.gateway] = read_hello(topic, payload)

    def _settle(self, group: _Group, now_ms: int) -> list[tuple[str, bytes]]:
        """Make the group durable; returns the answers that may now be sent. Raises StoreError, and may be repeated."""
        checked = check(group.records, self._registry)
        blocks = [item for item in checked if not isinstance(item, RefusedRecord)]
        refused = [item for item in checked if isinstance(item, RefusedRecord)]
        outcomes = self._store.append(blocks) if blocks else []
        if refused:
            self._store.quarantine([_quarantined(record) for record in refused])
        book = ReceiptBook()
        reports = [self._settle_report(report, book, now_ms) for report in group.reports]
        for block, outcome in zip(blocks, outcomes, strict=True):
            if outcome is Appended.CONFLICT:
                book.refused(_conflict(block))
            elif outcome is Appended.REFUSED:
                book.refused(_not_taken(block))
            else:
                book.stored(block)
        for record in refused:
            book.refused(record)
        self._count(outcomes, len(refused), now_ms)
        self._meter.settled(Settled(self._clock.now_ms(), blocks, outcomes, refused, reports))
        return [*book.messages(), *(self._greet(hello) for hello in group.hellos.values())]

    def _settle_report(self, incoming: IncomingReport, book: ReceiptBook, now_ms: int) -> SyncReport | RefusalReason:
        """Keep a sync report or refuse it, so that no gateway sends one for ever. A refused one stays with its gateway:
        without its stocking it can be read by nobody, and once that is registered it is sent again."""
        try:
            report = read_report(incoming)
        except WireError as error:
            _log.warning("a sync report that cannot be read was refused: %s", error.code)
            book.report_refused(incoming, RefusalReason.MALFORMED, str(error))
            return RefusalReason.MALFORMED
        if self._registry.stocking(report.serial) is None:
            detail = "no stocking with this serial is registered here"
            book.report_refused(incoming, RefusalReason.UNKNOWN_STOCKING, detail)
            return RefusalReason.UNKNOWN_STOCKING
        self._store.add_sync(report, now_ms)
        book.report_stored(incoming)
        return report

    def _greet(self, hello: Hello) -> tuple[str, bytes]:
        answer = wanted(hello.stockings, self._registry, self._store)
        self._waiting.pop(hello.gateway, None)
        if answer.unknown and len(self._waiting) < GATEWAYS_MAX:
            self._waiting[hello.gateway] = (hello, answer.unknown)
        return down(hello.gateway, Kind.WANTED), answer.encode()

    def _greet_again(self) -> None:
        """Tell gateways that one of the stockings they were told is unknown has been registered meanwhile."""
        for hello, unknown in list(self._waiting.values()):
            if any(self._registry.stocking(serial) is not None for serial in unknown):
                self._source.send(*self._greet(hello))

    # --- what others may look at --------------------------------------------------------------------------------------

    def _count(self, outcomes: Iterable[Appended], refused: int, now_ms: int) -> None:
        tally = dict.fromkeys(Appended, 0)
        for outcome in outcomes:
            tally[outcome] += 1
        with self._lock:
            before = self._health
            self._health = replace(
                before,
                store_ok=True,
                problem="",
                stored=before.stored + tally[Appended.STORED],
                duplicates=before.duplicates + tally[Appended.DUPLICATE],
                conflicts=before.conflicts + tally[Appended.CONFLICT],
                refused=before.refused + refused + tally[Appended.REFUSED],
                last_stored_ms=now_ms if tally[Appended.STORED] else before.last_stored_ms,
            )

    def _store_failed(self, error: StoreError) -> None:
        self._meter.store_failed(error.code)
        with self._lock:
            already = self._health.problem == str(error)
            self._health = replace(self._health, store_ok=False, problem=str(error))
        if not already:
            _log.error("nothing is stored for now (%s): %s", error.code, error)


def _quarantined(record: RefusedRecord) -> QuarantinedRecord:
    came = record.incoming
    return QuarantinedRecord(
        gateway=came.gateway,
        serial=came.serial,
        payload=came.payload,
        digest=record.digest,
        reason=record.reason.value,
        detail=record.detail,
        received_ms=came.received_ms,
    )


def _conflict(block: StoredBlock) -> RefusedRecord:
    came = IncomingRecord(block.gateway, block.serial, encode_record(block.record, block.body), block.received_ms)
    detail = "another record of this log and number is stored already; both are kept"
    return RefusedRecord.of(came, block.record, RefusalReason.CONFLICT, detail)


def _not_taken(block: StoredBlock) -> RefusedRecord:
    came = IncomingRecord(block.gateway, block.serial, encode_record(block.record, block.body), block.received_ms)
    detail = "the engine behind the store does not take it; it is kept in quarantine"
    return RefusedRecord.of(came, block.record, RefusalReason.OUT_OF_RANGE, detail)
