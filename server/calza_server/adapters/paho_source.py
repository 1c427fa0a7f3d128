"""Messages from the broker by paho-mqtt: acknowledged by us alone, and only on the connection they came by.

paho's network thread runs the callbacks here; they hand over and do nothing else, because an exception in one would end
that thread silently. Packet ids repeat after a reconnect, so every message carries the number of its connection.
"""

from __future__ import annotations

import logging
import queue
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from calza_server.ports import BrokerAddress, Delivery
from calza_wire.tls import refusal, trusting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.reasoncodes import ReasonCode

HELLO: Final = ("calza/v1/up/+/hello", 1)
SYNC: Final = ("calza/v1/up/+/sync/+", 1)
RECORD: Final = ("calza/v1/up/+/record/+", 1)
LIVE: Final = ("calza/v1/up/+/live/+", 0)
STATUS: Final = ("calza/v1/up/+/status", 1)
SHARE: Final = "$share/ingest/"  # the broker gives each message to one of those who share
KEEPALIVE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Listening:
    """What a process asks of the broker; for `session_s` seconds the broker keeps it all when the process is away."""

    topics: tuple[tuple[str, int], ...]
    session_s: int

    @property
    def shared(self) -> bool:
        """Whether others take a part of the messages."""
        return any(topic.startswith(SHARE) for topic, _ in self.topics)


# What gateways say while the only server is down for a week is kept by the broker.
ALONE: Final = Listening((HELLO, SYNC, RECORD, LIVE, STATUS), 7 * 86_400)
# A worker that dies has no session: one that had would be given its share for as long as it stays dead. What it held is
# lost to the broker, and sent again by the gateways.
WORKER: Final = Listening(tuple((SHARE + topic, qos) for topic, qos in (HELLO, SYNC, RECORD)), 0)
PRESENCE: Final = Listening((HELLO, SYNC, LIVE, STATUS), 0)
RECEIVE_MAXIMUM: Final = 1_000  # unacknowledged at once: two groups, so that the next one gathers while one commits
# Mosquitto sends more than the Receive Maximum while acknowledgements come in, so this bound is the real one: from here
# on paho's thread waits, the socket fills, and the broker keeps the rest.
QUEUE_MAX: Final = 2_000
ROOM_WAIT_S: Final = 0.02
OUTGOING_MAX: Final = 10_000  # answers waiting for a connection; what does not fit is asked for again
BACKOFF_MIN_S: Final = 1
BACKOFF_MAX_S: Final = 30
# A broker of 3.1.1 alone may take a connection and leave the CONNECT of version 5 without an answer (amqtt does).
ANSWER_LIMIT_S: Final = 10.0
BAD_VERSION: Final = frozenset({0x01, 0x84})  # of MQTT 3.1.1 and 5
NO_SHARED: Final = 0x9E
NOT_SHARED: Final = (
    "the broker at {url} does not share subscriptions as MQTT 5 does: ingest workers need one that does, such as"
    " Mosquitto; with this one use `calza server run`"
)

_log = logging.getLogger(__name__)


class PahoSource:
    """Keeps `calza_server.ports.MessageSource`. Connects in the background from `start` on, again and again, for ever.

    `client_id` names the session the broker keeps for us; two processes must never share one.
    """

    def __init__(self, address: BrokerAddress, client_id: str, listening: Listening = ALONE) -> None:
        self._address = address
        self._listening = listening
        self._told: str | None = None  # the last failure of TLS: the same one every few seconds is no news
        self._unanswered_since: float | None = None
        self._cannot_share = False
        self._refused = ""
        self._messages: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._acknowledging = threading.Lock()  # guards the pair (connection number, sending an acknowledgement)
        self._connection = 0
        self._subscribed = threading.Event()
        self._closing = False
        self._client = self._make_client(address, client_id)

    def _make_client(self, address: BrokerAddress, client_id: str) -> Client:
        version5 = address.protocol == 5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            # The fallback broker loses what a kept session should keep, so with 3.1.1 nothing is asked of it.
            clean_session=None if version5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set_context(trusting(address.ca_file))
        client.max_queued_messages_set(OUTGOING_MAX)
        client.max_inflight_messages_set(RECEIVE_MAXIMUM)
        client.reconnect_delay_set(BACKOFF_MIN_S, BACKOFF_MAX_S)
        client.on_socket_open = self._on_socket_open
        client.on_connect_fail = self._on_connect_fail
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        if version5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it bare
            properties.SessionExpiryInterval = self._listening.session_s
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
            clean = not self._listening.session_s
            client.connect_async(address.host, address.port, KEEPALIVE_S, clean_start=clean, properties=properties)
        else:
            client.connect_async(address.host, address.port, KEEPALIVE_S)
        return client

    def start(self) -> None:
        """Begin connecting; returns at once."""
        self._client.loop_start()

    def wait_subscribed(self, limit_s: float) -> bool:
        """Whether messages can arrive, waiting for that at most `limit_s`."""
        return self._subscribed.wait(limit_s)

    @property
    def url(self) -> str:
        """Where the broker is, without any secret."""
        return self._address.url

    @property
    def unusable(self) -> str | None:
        """Why no message comes from this broker as it is, in a sentence; None while one may."""
        since = self._unanswered_since
        silent = since is not None and time.monotonic() - since > ANSWER_LIMIT_S
        if self._listening.shared and (self._cannot_share or silent):
            return NOT_SHARED.format(url=self._address.url)
        return f"the broker at {self._address.url} refuses the server: {self._refused}" if self._refused else None

    def close(self) -> None:
        """Say goodbye and end paho's thread; the broker keeps what was not acknowledged."""
        self._closing = True
        self._client.disconnect()
        self._client.loop_stop()
        if (left := self._client.socket()) is not None:
            left.close()  # its thread was just connecting again, and ended without closing what it had opened
        # Without us in its callbacks the client is no part of a cycle: it closes its inner sockets when we are dropped.
        names = ("socket_open", "connect_fail", "connect", "subscribe", "disconnect", "message")
        for name in names:
            setattr(self._client, f"on_{name}", None)

    @property
    def connected(self) -> bool:
        """See the port."""
        return self._subscribed.is_set()

    def take(self, limit: int, linger_s: float, wait_s: float) -> list[Delivery]:
        """See the port."""
        try:
            taken = [self._messages.get(timeout=wait_s)]
        except queue.Empty:
            return []
        until = time.monotonic() + linger_s
        while len(taken) < limit:
            try:
                taken.append(self._messages.get_nowait())
            except queue.Empty:
                left = until - time.monotonic()
                if left <= 0:
                    break
                time.sleep(min(left, linger_s / 4))  # in a few steps: waking up for each message costs more than it
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See the port."""
        with self._acknowledging:
            for delivery in deliveries:
                if isinstance(delivery.handle, tuple):
                    connection, packet_id = delivery.handle
                    if connection == self._connection:
                        self._client.ack(packet_id, 1)

    def send(self, topic: str, payload: bytes) -> None:
        """See the port."""
        self._client.publish(topic, payload, qos=1)

    def send_at_most_once(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0, never retained; forgotten at once when there is no connection. From any thread."""
        self._client.publish(topic, payload, qos=0)

    # --- in paho's thread ---------------------------------------------------------------------------------------------

    def _on_socket_open(self, _client: Client, _data: object, _socket: object) -> None:
        self._unanswered_since = time.monotonic()

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        error = sys.exc_info()[1]  # paho calls this while it handles the exception, and does not hand it over
        if isinstance(error, ssl.SSLError):
            found = refusal(error, self._address.url)
            if self._told != found.code:
                _log.error("%s", found.sentence)
            self._told = found.code

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, more: Properties | None
    ) -> None:
        self._next_connection()
        self._unanswered_since = self._told = None
        self._cannot_share = reason.value in BAD_VERSION or getattr(more, "SharedSubscriptionAvailable", 1) == 0
        self._refused = str(reason) if reason.is_failure else ""
        if reason.is_failure:
            _log.error("the broker refuses the server: %s", reason)
            return
        if client.protocol == MQTTProtocolVersion.MQTTv5:
            # What is retained is a status as old as its sender; still wanted after our own restart.
            client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in self._listening.topics])
        else:
            client.subscribe(list(self._listening.topics))

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._cannot_share |= any(reason.value == NO_SHARED for reason in reasons)
            _log.error("the broker does not let the server read what gateways send: check its access rules")
            return
        _log.info("connected to the broker")
        self._subscribed.set()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._next_connection()
        self._unanswered_since = None
        self._subscribed.clear()
        if not self._closing:
            _log.warning("the connection to the broker is gone (%s); it is tried again", reason)

    def _next_connection(self) -> None:
        with self._acknowledging:
            self._connection += 1

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no topic of ours: ingest puts it aside and acknowledges it like any other it cannot read
        payload = bytes(message.payload)
        if message.qos == 0:
            if self._messages.qsize() < QUEUE_MAX:  # a live minute is worth nothing late
                self._messages.put(Delivery(topic, payload))
            return
        while self._messages.qsize() >= QUEUE_MAX and not self._closing:
            time.sleep(ROOM_WAIT_S)
        self._messages.put(Delivery(topic, payload, (self._connection, message.mid)))
