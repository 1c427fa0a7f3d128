"""What gateways say of themselves and of this minute: who is there, what they report, the newest live minutes.

In memory only, and never counted: whoever starts later has heard less and says so. Ingest keeps one beside its own
work; where pages are served without ingest, `Overhearing` does nothing else.
"""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from calza_server.ingest.gateways import GatewayBook
from calza_server.ingest.metrics import NoMeter
from calza_server.ports import GatewaySeen, Health, LiveSeen, StoreError
from calza_wire.errors import WireError
from calza_wire.gateway_status import GatewayStatus
from calza_wire.live_minute import LiveMinute
from calza_wire.messages import Hello
from calza_wire.topics import Direction, Kind, Topic, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.ingest.metrics import IngestMeter
    from calza_server.live.live_feed import LiveAudience
    from calza_server.ports import Clock, MessageSource, Registry, SeriesStore

TOPICS_CACHED: Final = 4_096
TAKEN_AT_ONCE: Final = 500
LINGER_S: Final = 0.0  # a live minute is looked at by somebody
IDLE_WAIT_S: Final = 0.5  # how soon the thread notices that it should stop
NOBODY: Final = ""  # the serial of no stocking: the cheapest question a store can be asked

_log = logging.getLogger(__name__)
parse_topic = lru_cache(TOPICS_CACHED)(parse)  # a gateway uses the same few topics for ever


def read_hello(topic: Topic, payload: bytes) -> Hello:
    """A hello, said in its gateway's own name. Raises WireError."""
    hello = Hello.decode(payload)
    if hello.gateway != topic.gateway:
        raise WireError("bad_message", "a hello in the name of another gateway")
    return hello


class Presence:
    """Told by one thread, asked from any.

    `audience` is told what matters to who watches live, `meter` what the clocks of gateways say.
    """

    def __init__(
        self, registry: Registry, audience: LiveAudience | None = None, meter: IngestMeter | None = None
    ) -> None:
        self._registry = registry
        self._audience = audience
        self._meter: IngestMeter = meter or NoMeter()
        self._lock = threading.Lock()
        self._gateways = GatewayBook()
        self._live: dict[str, LiveSeen] = {}

    def gateways(self) -> tuple[GatewaySeen, ...]:
        """Every gateway heard since this process started, by name."""
        with self._lock:
            return self._gateways.all()

    def live(self, serial: str) -> LiveSeen | None:
        """The newest live minute of a stocking since this process started, if any."""
        with self._lock:
            return self._live.get(serial)

    def hear(self, topic: Topic, payload: bytes, now_ms: int) -> None:
        """Take in one message that is no record. Raises WireError for one that cannot be read."""
        if topic.kind is Kind.HELLO:
            hello = read_hello(topic, payload)
            self._meter.gateway_said(topic.gateway, hello.sent_ms, now_ms)
            self._heard(GatewaySeen(topic.gateway, "online", hello.software, now_ms), hello.stockings)
        elif topic.kind is Kind.STATUS and payload:  # an empty one only takes the retained status back
            status = GatewayStatus.decode(payload)
            reported_ms = None if status.report is None else now_ms
            if status.report is not None:
                self._meter.gateway_said(topic.gateway, status.report.sent_ms, now_ms)
            self._heard(GatewaySeen(topic.gateway, status.state, status.software, now_ms, status.report, reported_ms))
        elif topic.serial is not None and self._registry.stocking(topic.serial) is not None:
            if topic.kind is Kind.LIVE:
                self._live_minute(LiveSeen(topic.serial, topic.gateway, LiveMinute.decode(payload), now_ms))
            elif topic.kind is Kind.SYNC and self._audience is not None:
                self._audience.stocking_synced(topic.gateway, topic.serial)

    def _heard(self, seen: GatewaySeen, stockings: Sequence[str] | None = None) -> None:
        with self._lock:
            self._gateways.heard(seen)
        if self._audience is not None:
            self._audience.gateway_heard(seen.gateway, online=seen.state == "online", stockings=stockings)

    def _live_minute(self, seen: LiveSeen) -> None:
        with self._lock:
            self._live[seen.serial] = seen  # bounded by the registry
        if self._audience is not None:
            self._audience.live_minute(seen)


class Overhearing:
    """Moves messages from `source` into `presence` and keeps none: they are acknowledged whatever becomes of them."""

    def __init__(self, *, source: MessageSource, presence: Presence, store: SeriesStore, clock: Clock) -> None:
        self._source = source
        self._presence = presence
        self._store = store
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            self.step()

    def step(self, wait_s: float = IDLE_WAIT_S) -> int:
        """Take in what is there; returns how many messages that were."""
        deliveries = self._source.take(TAKEN_AT_ONCE, LINGER_S, wait_s)
        now_ms = self._clock.now_ms()
        for delivery in deliveries:
            try:
                topic = parse_topic(delivery.topic)
                if topic.direction is Direction.UP:
                    self._presence.hear(topic, delivery.payload, now_ms)
            except WireError as error:
                # Neither the topic nor the payload is shown: both may name a stocking, and a stranger wrote them.
                _log.warning("a message that cannot be read was passed over: %s", error.code)
        self._source.acknowledge(deliveries)
        return len(deliveries)

    def health(self) -> Health:
        """Whether broker and store answer. How storing goes is known to the workers: what is counted here is 0."""
        connected = self._source.connected
        problem = "" if connected else "the broker cannot be reached; it is tried again"
        store_ok = True
        try:
            self._store.count(NOBODY)
        except StoreError as error:
            problem, store_ok = str(error), False
        return Health(connected, store_ok, problem, gateways=self._presence.gateways())
