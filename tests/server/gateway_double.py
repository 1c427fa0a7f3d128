"""A gateway for tests: a paho client under a gateway's credential that publishes what it is told and collects answers.

Run as a program it is a load generator of its own process: `python gateway_double.py PORT USER PASSWORD < payloads`.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from calza_wire.tls import trusting

if TYPE_CHECKING:
    from pathlib import Path

    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

LIMIT_S = 10.0  # generous: two cores run everything


class GatewayDouble:
    """Connects at once; `with` closes it. `answers` are (topic, payload) of everything that came."""

    def __init__(
        self,
        port: int,
        name: str,
        password: str,
        *,
        protocol: int = 5,
        username: str | None = None,
        reads: str = "",
        will: str = "",
        ca_file: Path | None = None,
    ) -> None:
        self.name = name
        self.answers: list[tuple[str, bytes]] = []
        self.acknowledged: dict[int, str] = {}
        self.granted: list[str] = []
        self.connack = ""
        self._changed = threading.Condition()
        self._reads = reads or f"calza/v1/down/{name}/#"
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=None if protocol == 5 else True,
            protocol=MQTTProtocolVersion(protocol),
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(username or name, password)
        if ca_file is not None:
            self._client.tls_set_context(trusting(ca_file))
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self.ended = False
        if will:
            self._client.will_set(will, b"last words", qos=1)
        self._client.max_inflight_messages_set(400)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.until(lambda: bool(self.connack) or self.ended)
        if self.connack == "Success":
            self._client.subscribe(self._reads, qos=1)
            self.until(lambda: bool(self.granted) or self.ended)

    def __enter__(self) -> GatewayDouble:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        if (left := self._client.socket()) is not None:
            left.close()
        for callback in ("on_connect", "on_disconnect", "on_subscribe", "on_publish", "on_message"):
            setattr(self._client, callback, None)  # out of the cycle, so that it closes its sockets when dropped

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Hand it to the broker; the packet id."""
        return self._client.publish(topic, payload, qos=qos, retain=retain).mid

    def record(self, serial: str, payload: bytes) -> int:
        return self.publish(f"calza/v1/up/{self.name}/record/{serial}", payload)

    def puback(self, packet_id: int) -> str:
        """The broker's word on a publish."""
        self.until(lambda: packet_id in self.acknowledged)
        return self.acknowledged[packet_id]

    def received(self, kind: str) -> list[bytes]:
        return [payload for topic, payload in list(self.answers) if topic.endswith(f"/{kind}")]

    def until(self, condition: object, limit_s: float = LIMIT_S) -> None:
        """Wait until something that arrived makes the condition true."""
        assert callable(condition)
        with self._changed:
            assert self._changed.wait_for(condition, limit_s), "what was waited for did not arrive"

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _on_connect(self, _c: Client, _d: object, _f: ConnectFlags, reason: ReasonCode, _p: Properties | None) -> None:
        self.connack = str(reason)
        self._tell()

    def _on_disconnect(
        self, _c: Client, _d: object, _f: DisconnectFlags, _reason: ReasonCode, _p: Properties | None
    ) -> None:
        self.ended = True
        self._tell()

    def _on_subscribe(
        self, _c: Client, _d: object, _mid: int, reasons: list[ReasonCode], _p: Properties | None
    ) -> None:
        self.granted = [str(reason) for reason in reasons]
        self._tell()

    def _on_publish(self, _c: Client, _d: object, mid: int, reason: ReasonCode, _p: Properties | None) -> None:
        self.acknowledged[mid] = str(reason)
        self._tell()

    def _on_message(self, _c: Client, _d: object, message: MQTTMessage) -> None:
        self.answers.append((message.topic, bytes(message.payload)))
        self._tell()


def main(argv: list[str]) -> None:
    """Publish records read from standard input (topic line, hex line) as fast as the broker takes them."""
    port, user, password = int(argv[0]), argv[1], argv[2]
    lines = sys.stdin.read().splitlines()
    messages = [(topic, bytes.fromhex(octets)) for topic, octets in zip(lines[::2], lines[1::2], strict=True)]
    with GatewayDouble(port, user, password) as gateway:
        print("ready", flush=True)  # noqa: T201 - the line the test waits for
        began = time.monotonic()
        last = 0
        for topic, octets in messages:
            last = gateway.publish(topic, octets)
        gateway.until(lambda: last in gateway.acknowledged and len(gateway.acknowledged) >= len(messages) % 65535, 60)
        print(f"published {len(messages) / (time.monotonic() - began):.0f}/s", flush=True)  # noqa: T201 - the same


if __name__ == "__main__":
    main(sys.argv[1:])
