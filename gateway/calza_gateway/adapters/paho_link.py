"""The connection to the broker, by paho-mqtt: MQTT 5, or 3.1.1 with a broker that knows no better.

Every connection is a new paho client with a clean session: what was on its way when a connection broke is published
again by the relay, because only a receipt counts. paho's thread does nothing here but post to the event loop; an
exception in one of its callbacks would end that thread silently.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from calza_gateway.ports import BrokerDown, BrokerEvent, BrokerMessage, BrokerRefused, BrokerUp
from calza_gateway.settings.broker_spec import BrokerSpec, Protocol
from calza_wire.tls import refusal, trusting

KEEPALIVE_S: Final = 30
TCP_LIMIT_S: Final = 5.0
CONNACK_LIMIT_S: Final = 4.0  # amqtt never answers a version 5 CONNECT
SUBACK_LIMIT_S: Final = 10.0
OFFLINE_LIMIT_S: Final = 2.0  # a goodbye that the broker does not take is told by the will instead
BACKOFF_MIN_S: Final = 1.0
BACKOFF_MAX_S: Final = 30.0
IN_FLIGHT: Final = 200  # publishes without acknowledgement, unless the broker allows less
NOT_AUTHORISED: Final = 0x87
QUOTA_EXCEEDED: Final = 0x97
BAD_LOGIN: Final = frozenset({0x86, NOT_AUTHORISED})  # bad user name or password; not authorised
HUNG_UP: Final = (ssl.SSLEOFError, ConnectionResetError)
MUTE: Final = frozenset({"no_answer", "disconnected"})  # what a broker without version 5 does to our first CONNECT

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Presence:
    """The retained status: its topic, and what it says while connected and after (also as the will)."""

    topic: str
    online: bytes
    offline: bytes


class _BrokerError(Exception):
    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class PahoLink:
    """See `calza_gateway.ports.MqttLink`. `jitter` draws from 0..1 and keeps gateways from coming back in step.

    With TLS only what `ca_file` (PEM) vouches for is believed, or, without one, what the system's authorities do.
    Raises `OSError` when the file cannot be used.
    """

    def __init__(
        self,
        spec: BrokerSpec,
        *,
        client_id: str,
        subscriptions: Sequence[str],
        presence: Presence,
        jitter: Callable[[], float],
        ca_file: Path | None = None,
    ) -> None:
        self._spec = spec
        self._client_id = client_id
        self._subscriptions = tuple(subscriptions)
        self._presence = presence
        self._jitter = jitter
        self._tls = trusting(ca_file) if spec.tls else None
        self._in_flight = IN_FLIGHT
        self._connection: _Connection | None = None

    async def run(self, on_event: Callable[[BrokerEvent], None]) -> None:
        """Stay connected until cancelled; come back after 1 s, 2 s, ... 30 s, each less a random part of it."""
        version = MQTTProtocolVersion.MQTTv5
        if self._spec.protocol is Protocol.V311:
            version = MQTTProtocolVersion.MQTTv311
        delay_s = BACKOFF_MIN_S
        while True:
            connection = _Connection(self._client(version), on_event)
            came_up = False
            try:
                await connection.open(self._spec, self._subscriptions, self._presence.topic, self._presence.online)
                if (allowed := connection.receive_maximum) < self._in_flight:
                    self._in_flight = allowed  # paho takes it before connecting only
                    continue
                came_up, delay_s = True, BACKOFF_MIN_S
                self._connection = connection
                on_event(BrokerUp("5" if version is MQTTProtocolVersion.MQTTv5 else "3.1.1"))
                await asyncio.shield(connection.ended)  # a cancellation must not look like the end of the connection
            except _BrokerError as error:
                if self._spec.protocol is Protocol.AUTO:
                    mute = not came_up and error.code in MUTE and version is MQTTProtocolVersion.MQTTv5
                    version = MQTTProtocolVersion.MQTTv311 if mute else MQTTProtocolVersion.MQTTv5
                    if mute:
                        continue
                on_event(BrokerDown(error.code, str(error)))
            finally:
                self._connection = None
                await asyncio.shield(connection.close(self._presence if came_up else None))
            await asyncio.sleep(delay_s * (1 - self._jitter() / 2))
            delay_s = min(BACKOFF_MAX_S, delay_s * 2)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        return self._connection is not None and self._connection.publish(topic, payload, qos, retain=retain)

    def _client(self, version: MQTTProtocolVersion) -> Client:
        five = version is MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if five else True,
            protocol=version,
            reconnect_on_failure=False,
        )
        client.suppress_exceptions = True  # paho then logs what a callback raises instead of ending its thread
        log = logging.getLogger(f"{__name__}.paho")
        log.addFilter(_worth_telling)
        client.enable_logger(log)
        client.connect_timeout = TCP_LIMIT_S
        client.max_inflight_messages_set(self._in_flight)
        if self._spec.username is not None:
            client.username_pw_set(self._spec.username, self._spec.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(self._presence.topic, self._presence.offline, qos=1, retain=True)
        return client


class _Connection:
    """One connection from CONNECT to its end. All but the callbacks runs in the event loop."""

    def __init__(self, client: Client, on_event: Callable[[BrokerEvent], None]) -> None:
        self._client = client
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._subscribed: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._farewell: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.receive_maximum = IN_FLIGHT
        self._farewell_mid: int | None = None
        self._leaving = False  # only then anybody waits for an acknowledgement: spares a wake-up for each record
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    async def open(self, spec: BrokerSpec, subscriptions: Sequence[str], topic: str, online: bytes) -> None:
        """Connect, subscribe, say online. Raises `_BrokerError`."""
        try:
            await asyncio.to_thread(self._client.connect, spec.host, spec.port, KEEPALIVE_S)
        except HUNG_UP as error:  # a broker that is just being started again, or one that knows no TLS
            sentence = f"{spec.place} hung up before it proved who it is: is it a broker with TLS?"
            raise _BrokerError("unreachable", sentence) from error
        except ssl.SSLError as error:
            refused = refusal(error, f"the broker at {spec.place}")
            raise _BrokerError(refused.code, refused.sentence) from error
        except OSError as error:
            raise _BrokerError("unreachable", f"the broker at {spec.place} cannot be reached: {error}") from error
        self._client.loop_start()
        reason = await self._reply(self._connected, CONNACK_LIMIT_S, f"the broker at {spec.place} does not answer")
        if reason.is_failure:
            if reason.value in BAD_LOGIN:
                raise _BrokerError("bad_login", f"the broker at {spec.place} refused this gateway's user or password")
            raise _BrokerError("refused", f"the broker at {spec.place} refused the connection: {reason.getName()}")
        self._client.subscribe([(name, 1) for name in subscriptions])
        granted = await self._reply(self._subscribed, SUBACK_LIMIT_S, f"the broker at {spec.place} fell silent")
        if any(code.is_failure for code in granted):
            raise _BrokerError(
                "not_authorised", f"the broker at {spec.place} does not let this gateway read its topics"
            )
        self._client.publish(topic, online, qos=1, retain=True)

    async def _reply(self, reply: "asyncio.Future[_T]", limit_s: float, sentence: str) -> _T:
        either: set[asyncio.Future[Any]] = {reply, self.ended}
        await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if reply.done():
            return reply.result()
        if self.ended.done():
            self.ended.result()
        raise _BrokerError("no_answer", sentence)

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> bool:
        if self.ended.done():
            return False
        return self._client.publish(topic, payload, qos, retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    async def close(self, presence: Presence | None) -> None:
        """Say offline if there is somebody to say it to, disconnect, end paho's thread."""
        if presence is not None and not self.ended.done():
            self._leaving = True
            self._farewell_mid = self._client.publish(presence.topic, presence.offline, qos=1, retain=True).mid
            await asyncio.wait({self._farewell, self.ended}, timeout=OFFLINE_LIMIT_S, return_when="FIRST_COMPLETED")
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        for future in (self._connected, self._subscribed, self._farewell, self.ended):
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                future.exception()  # looked at, so that asyncio does not report it as forgotten

    # --- in the event loop --------------------------------------------------------------------------------------------

    def _acknowledged(self, mid: int, code: int) -> None:
        if mid == self._farewell_mid and not self._farewell.done():
            self._farewell.set_result(None)
        if code >= 0x80:
            self._on_event(_refusal(code))

    def _over(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(_BrokerError("disconnected", f"the connection to the broker ended: {reason}"))

    def _settle(self, future: "asyncio.Future[_T]", value: _T) -> None:
        if not future.done():
            future.set_result(value)

    # --- in paho's thread ---------------------------------------------------------------------------------------------

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self.receive_maximum = min(IN_FLIGHT, getattr(properties, "ReceiveMaximum", IN_FLIGHT))
        self._loop.call_soon_threadsafe(self._settle, self._connected, reason)

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over, reason.getName())

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, codes: list[ReasonCode], _more: Properties | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._settle, self._subscribed, codes)

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if self._leaving or reason.value >= 0x80:
            self._loop.call_soon_threadsafe(self._acknowledged, mid, reason.value)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        event = BrokerMessage(message.topic, bytes(message.payload))
        self._loop.call_soon_threadsafe(self._on_event, event)


def _worth_telling(entry: logging.LogRecord) -> bool:
    """Whenever we disconnect, paho finds its own socket closed and calls that an error."""
    return not str(entry.msg).startswith("Client is not connected")


def _refusal(code: int) -> BrokerRefused:
    if code == NOT_AUTHORISED:
        return BrokerRefused("not_authorised", "the broker does not let this gateway publish: check its user name")
    if code == QUOTA_EXCEEDED:
        return BrokerRefused("quota_exceeded", "the broker has no room for more messages at the moment")
    return BrokerRefused("refused", f"the broker refused a message (reason {code:#04x})")
