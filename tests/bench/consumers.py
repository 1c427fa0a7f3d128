"""Two ways from a broker into InfluxDB, each a process of its own: ours, and the bridge most people write.

`python -m tests.bench.consumers ours|bridge` reads a `Task` from standard input, ends when all its records came or none
come any longer, and prints what it took. Told to take no records it only leaves a session behind that the broker fills.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import WriteApi
from influxdb_client.domain.write_precision import WritePrecision
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from calza_server.adapters.influx_store import InfluxStore
from calza_server.adapters.paho_source import PahoSource
from calza_server.adapters.system_clock import SystemClock
from calza_server.ingest.ingest import Ingest
from calza_server.ports import BrokerAddress, Leg, RegisteredStocking
from calza_server.store_spec import InfluxSpec
from calza_wire.minute_block import parse_block
from calza_wire.records import decode_record
from tests.bench.bridge import options, points_of

QUIET_S = 3.0  # nothing for so long: everything the broker had has come
SUBSCRIBE_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Task:
    """From which broker into which bucket, how many records; and the one key that all the stockings have here."""

    port: int
    username: str
    password: str
    url: str
    bucket: str
    records: int
    serials: tuple[str, ...]
    system_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Taken:
    """How many records came, in how many seconds and with how much of the processor until they were in the engine."""

    records: int
    seconds: float
    cpu_s: float


class _Known:
    """A registry of as many stockings as there are serials, all with one key, so that one body serves for all."""

    def __init__(self, task: Task) -> None:
        octets = bytes.fromhex(task.system_id), bytes.fromhex(task.key)
        self._stockings = {serial: RegisteredStocking(serial, *octets, "leg") for serial in task.serials}

    def stocking(self, serial: str) -> RegisteredStocking | None:
        return self._stockings.get(serial)

    def stockings(self, leg: str) -> tuple[RegisteredStocking, ...]:
        return tuple(self._stockings.values())

    def leg(self, leg_id: str) -> Leg | None:
        return None

    def legs(self) -> tuple[Leg, ...]:
        return ()


def ours(task: Task) -> int:
    """Ingest as the server runs it: tags checked, what is held looked up, receipts sent, and only then acknowledged."""
    source = PahoSource(BrokerAddress("127.0.0.1", task.port, task.username, task.password), task.username)
    store = InfluxStore(InfluxSpec(task.url, "", task.bucket), None)
    ingest = Ingest(source=source, store=store, registry=_Known(task), clock=SystemClock())
    source.start()
    assert task.records or source.wait_subscribed(SUBSCRIBE_LIMIT_S)
    taken, stop, came = 0, threading.Event(), time.monotonic()
    while taken < task.records and time.monotonic() - came < QUIET_S:
        if now := ingest.step(stop, 0.1):
            taken, came = taken + now, time.monotonic()
    source.close()
    store.close()
    return taken


def bridge(task: Task) -> int:
    """What tutorials show: paho's callback, a `Point` for every row, the library's batching writer.

    paho acknowledges when the callback returns. The session is kept, which most tutorials leave out: without it, all
    that comes while the bridge is down would be lost before the question is even asked.
    """
    subscribed, done = threading.Event(), threading.Event()
    came_s, came = 0.0, 0

    def on_connect(client: Client, *_: object) -> None:
        client.subscribe("calza/v1/up/+/record/+", qos=1)

    def on_message(_client: Client, writer: WriteApi, message: MQTTMessage) -> None:
        body = decode_record(message.payload).body
        for point in points_of(message.topic.rpartition("/")[2], parse_block(body).log_id, body):
            writer.write(task.bucket, "", point, WritePrecision.S)  # type: ignore[arg-type]  # its constants are bare texts
        nonlocal came_s, came
        came_s, came = time.monotonic(), came + 1
        if came >= task.records:
            done.set()

    with InfluxDBClient(task.url, token="", org="", enable_gzip=True) as influx:
        with influx.write_api(write_options=options()) as writer:
            client = Client(CallbackAPIVersion.VERSION2, client_id=task.username, clean_session=False, userdata=writer)
            client.username_pw_set(task.username, task.password)
            client.on_connect, client.on_message = on_connect, on_message
            client.on_subscribe = lambda *_: subscribed.set()
            client.connect("127.0.0.1", task.port)
            client.loop_start()
            assert task.records or subscribed.wait(SUBSCRIBE_LIMIT_S)
            came_s = time.monotonic()
            while task.records and not done.wait(0.1) and time.monotonic() - came_s < QUIET_S:
                pass
            client.disconnect()
            client.loop_stop()
    return came


def main() -> None:
    """Take the records and print what it took."""
    fields: dict[str, Any] = json.load(sys.stdin)
    task = Task(**{**fields, "serials": tuple(fields["serials"])})
    began, cpu = time.perf_counter(), time.process_time()
    records = {"ours": ours, "bridge": bridge}[sys.argv[1]](task)
    taken = Taken(records, time.perf_counter() - began, time.process_time() - cpu)
    sys.stdout.write(json.dumps(dataclasses.asdict(taken)) + "\n")


if __name__ == "__main__":
    main()
