"""Ingest workers at a real Mosquitto: they share, a slow store fills no memory, a dead one loses nothing."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from calza_server.access.credentials import Credentials
from calza_server.adapters import paho_source
from calza_server.adapters.amqtt_broker import AmqttBroker
from calza_server.adapters.memory_store import MemoryStore
from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto
from calza_server.adapters.paho_source import PRESENCE, QUEUE_MAX, WORKER, PahoSource
from calza_server.errors import RunError
from calza_server.ingest.ingest import GROUP_MAX, Ingest
from calza_server.ingest.presence import Overhearing, Presence
from calza_server.live.live_hub import LiveHub
from calza_server.ports import StoreError
from calza_server.running.run_apart import ApartSettings, serve_ingest
from calza_server.running.run_broker import BrokerWords
from calza_wire.gateway_status import GatewayStatus
from calza_wire.messages import Hello, Receipt, Wanted
from calza_wire.ranges import RangeSet
from tests.server.conftest import free_port
from tests.server.gateway_double import LIMIT_S, GatewayDouble
from tests.server.ingesting import at_work
from tests.server.sealed import START_MS, Known, StoppedClock, block, garment, payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from calza_server.ports import Appended, BrokerAddress, StoredBlock
    from calza_server.running.run_apart import WorkerReady

SERIAL = "CALZA-0001"


@dataclass
class Place:
    """A Mosquitto with a door for gateways and one for the server's own processes, which is `address`."""

    address: BrokerAddress
    port: int
    password: str

    def gateway(self) -> GatewayDouble:
        return GatewayDouble(self.port, "bedside", self.password)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    credentials = Credentials(tmp_path / "state", secrets.token_bytes)
    password = credentials.add("bedside")
    port = free_port()
    broker = MosquittoBroker(tmp_path / "state", port, credentials, servers_port=free_port())
    yield Place(broker.start(), port, password)
    broker.stop()


class Gated(MemoryStore):
    """Lets one group through for each `release`; fails while `dead`."""

    def __init__(self) -> None:
        super().__init__()
        self.dead = False
        self._gate = threading.Semaphore(0)

    def release(self, groups: int) -> None:
        self._gate.release(groups)

    def append(self, blocks: Sequence[StoredBlock]) -> list[Appended]:
        if self.dead:
            raise StoreError("broken", "the store is gone")
        if not self._gate.acquire(timeout=1):
            raise StoreError("busy", "the store is slow")
        return super().append(blocks)


@contextmanager
def working(address: BrokerAddress, store: MemoryStore, name: str) -> Iterator[tuple[Ingest, PahoSource]]:
    source = PahoSource(address, name, WORKER)
    ingest = Ingest(source=source, store=store, registry=Known.of(garment()), clock=StoppedClock())
    with at_work(ingest, source):
        yield ingest, source


def until(condition: Callable[[], bool], limit_s: float = 30) -> None:
    limit = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def receipted(gateway: GatewayDouble) -> RangeSet:
    found = RangeSet()
    for octets in gateway.received("receipt"):
        for log in Receipt.decode(octets).stored:
            found = found.add(RangeSet(log.ranges))
    return found


def test_two_workers_share_what_comes_and_both_answer(place: Place) -> None:
    store = MemoryStore()
    with (
        working(place.address, store, "one") as (one, _),
        working(place.address, store, "two") as (two, _),
        place.gateway() as gateway,
    ):
        for number in range(1, 201):
            gateway.record(SERIAL, payload(number, minutes=block(number, minutes=1)))
        gateway.until(lambda: receipted(gateway).count == 200)
        counts = [each.health().stored for each in (one, two)]
        assert sum(counts) == 200, "each record went to one of them"
        assert min(counts) > 0
        for asked in range(1, 5):
            gateway.publish("calza/v1/up/bedside/hello", Hello("bedside", "1", START_MS, (SERIAL,)).encode())
            gateway.until(lambda asked=asked: len(gateway.received("wanted")) == asked)
        answers = {Wanted.decode(octets).logs[0].through for octets in gateway.received("wanted")}
        assert answers == {200}, "whoever answers asks the store"


def test_a_worker_without_a_store_that_answers_keeps_a_bounded_queue_and_the_broker_the_rest(place: Place) -> None:
    """Nothing is sent twice here: what arrives in the end was kept by the broker."""
    count = 6_000
    store = Gated()
    same = block(1)
    with working(place.address, store, "one") as (ingest, source), place.gateway() as gateway:
        for number in range(1, count + 1):
            last = gateway.record(SERIAL, payload(number, minutes=same))
        gateway.until(lambda: last in gateway.acknowledged, 60)
        until(lambda: source._messages.qsize() >= GROUP_MAX)
        assert source.connected
        highest = source._messages.qsize()
        while ingest.health().stored < count:
            before = ingest.health().stored
            store.release(1)
            until(lambda before=before: ingest.health().stored > before)  # type: ignore[misc]
            highest = max(highest, source._messages.qsize())
        assert highest <= QUEUE_MAX + 1
        gateway.until(lambda: receipted(gateway).count == count)
        assert (ingest.health().duplicates, store.count(SERIAL)) == (0, count)


def test_while_the_store_is_dead_nothing_is_confirmed_and_afterwards_everything_is(place: Place) -> None:
    """A hello waits too: what is held cannot be told without the store, and a gateway goes by its own receipts then."""
    store = Gated()
    store.release(100)
    with working(place.address, store, "one") as (ingest, _), place.gateway() as gateway:
        gateway.record(SERIAL, payload(1))
        gateway.until(lambda: receipted(gateway).count == 1)
        store.dead = True
        gateway.record(SERIAL, payload(2))
        gateway.publish("calza/v1/up/bedside/hello", Hello("bedside", "1", START_MS, (SERIAL,)).encode())
        until(lambda: not ingest.health().store_ok)
        assert store.count(SERIAL) == 1, "what is stored can be read meanwhile"
        assert (receipted(gateway).count, gateway.received("wanted")) == (1, [])
        store.dead = False
        gateway.until(lambda: receipted(gateway).count == 2 and bool(gateway.received("wanted")))
        assert ingest.health().ok


def test_a_worker_leaves_no_session_that_would_be_given_a_share(place: Place) -> None:
    store = MemoryStore()
    with working(place.address, store, "one"):
        pass
    with working(place.address, store, "two") as (two, _), place.gateway() as gateway:
        for number in range(1, 41):
            gateway.record(SERIAL, payload(number, minutes=block(number, minutes=1)))
        gateway.until(lambda: receipted(gateway).count == 40)
        assert two.health().stored == 40


def test_pages_hear_who_is_there_and_acknowledge_what_they_cannot_read(place: Place) -> None:
    source = PahoSource(place.address, "pages", PRESENCE)
    presence = Presence(Known.of(garment()), LiveHub(source.send_at_most_once, time.monotonic))
    hearing = Overhearing(source=source, presence=presence, store=MemoryStore(), clock=StoppedClock())
    assert not hearing.health().ok
    source.start()
    assert source.wait_subscribed(LIMIT_S)
    with working(place.address, MemoryStore(), "one") as (ingest, _), place.gateway() as gateway:
        gateway.publish("calza/v1/up/bedside/hello", b"rubbish")
        gateway.publish("calza/v1/up/bedside/status", GatewayStatus("online", "2").encode(), retain=True)
        gateway.publish("calza/v1/up/bedside/hello", Hello("bedside", "1", START_MS, (SERIAL,)).encode())
        until(lambda: hearing.step(0.1) == 0 and len(presence.gateways()) == 1)
        assert presence.gateways()[0].state == "online"
        gateway.until(lambda: bool(gateway.received("wanted")))
        assert ingest.health().gateways[0].software == "1", "what pages hear is not taken from the workers"
    assert hearing.health().ok
    source.close()


def test_a_worker_that_is_not_let_in_ends_with_a_sentence(place: Place, tmp_path: Path) -> None:
    """It reads its password once: whoever starts it again gives it another chance."""
    words = BrokerWords(place.address.url, password="wrong")
    settings = ApartSettings(tmp_path, words, f"sqlite:{tmp_path / 'series.db'}", None)
    with pytest.raises(RunError, match="refuses the server: Not authorized"):
        serve_ingest(settings, None, StoppedClock(), secrets.token_bytes, lambda _ready: None)


def test_a_broker_that_does_not_share_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback broker never answers a CONNECT of version 5."""
    monkeypatch.setattr(paho_source, "ANSWER_LIMIT_S", 0.3)
    broker = AmqttBroker(free_port(), Credentials(tmp_path, secrets.token_bytes))
    address = replace(broker.start(), protocol=5)
    told: list[WorkerReady] = []
    settings = ApartSettings(tmp_path, BrokerWords(address.url), f"sqlite:{tmp_path / 'series.db'}", None)
    with ExitStack() as parts:
        parts.callback(broker.stop)
        with pytest.raises(RunError, match="use `calza server run`"):
            serve_ingest(settings, None, StoppedClock(), secrets.token_bytes, told.append)
    assert told == []
