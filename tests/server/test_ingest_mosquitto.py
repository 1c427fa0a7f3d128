"""Ingest through a real Mosquitto into a real store: what arrives, what survives a restart, how fast it goes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calza_server.access.credentials import SERVER_USER
from calza_server.adapters.paho_source import PahoSource
from calza_server.adapters.sqlite_store import SqliteStore
from calza_server.ingest.ingest import Ingest
from calza_wire.messages import Hello, Receipt, Wanted
from calza_wire.ranges import RangeSet
from calza_wire.records import digest, encode_record
from tests.server import gateway_double
from tests.server.gateway_double import LIMIT_S
from tests.server.ingesting import at_work
from tests.server.sealed import START_MS, Known, StoppedClock, block, garment, payload, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from calza_server.ports import BrokerAddress, Delivery
    from tests.server.conftest import RunningBroker

SERIAL = "CALZA-0001"


@dataclass
class Running:
    """An ingest at work."""

    ingest: Ingest
    source: PahoSource
    store: SqliteStore

    def until(self, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        limit = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < limit, f"not within {limit_s} s: {self.ingest.health()}"
            time.sleep(0.005)


@contextmanager
def ingesting(address: BrokerAddress, path: Path, known: Known) -> Iterator[Running]:
    store = SqliteStore(path)
    source = PahoSource(address, SERVER_USER)
    ingest = Ingest(source=source, store=store, registry=known, clock=StoppedClock())
    with closing(store), at_work(ingest, source):
        yield Running(ingest, source, store)


def stored_numbers(receipts: list[bytes]) -> RangeSet:
    found = RangeSet()
    for octets in receipts:
        for each in Receipt.decode(octets).stored:
            found = found.add(RangeSet(each.ranges))
    return found


def test_only_the_bad_ones_are_refused(mosquitto: RunningBroker, tmp_path: Path) -> None:
    """Seed 7: two hundred records with damage of every kind among them, and one gateway that says it all."""
    rng = random.Random(7)
    good = [payload(n, minutes=block(n, minutes=n % 60 + 1)) for n in range(1, 151)]
    forged = []
    for octets in rng.sample(good, 30):
        damaged = bytearray(octets)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        forged.append(bytes(damaged))
    garbage = [rng.randbytes(rng.randrange(0, 900)) for _ in range(20)]
    conflict = payload(1, minutes=block(1, seed=5))
    future = payload(151, minutes=block(151, start_s=StoppedClock().ms // 1000 + 90_000))
    messages = [(SERIAL, octets) for octets in [*good[1:], *forged, *garbage, *rng.sample(good, 10), future]]
    messages.append(("CALZA-0404", payload(1, of=garment("CALZA-0404"))))
    rng.shuffle(messages)
    with (
        ingesting(mosquitto.address, tmp_path / "series.db", Known.of(garment())) as running,
        mosquitto.gateway("bedside") as gateway,
    ):
        gateway.record(SERIAL, good[0])
        gateway.until(lambda: bool(gateway.received("receipt")))
        for serial, octets in [*messages, (SERIAL, conflict)]:
            gateway.record(serial, octets)
        bad = {digest(octets) for octets in [*forged, *garbage, conflict, future, payload(1, of=garment("CALZA-0404"))]}

        def refused() -> dict[str, str]:
            receipts = [Receipt.decode(octets) for octets in gateway.received("receipt")]
            return {each.digest: each.reason.value for receipt in receipts for each in receipt.refused}

        gateway.until(lambda: stored_numbers(gateway.received("receipt")).count == 150 and len(refused()) == len(bad))
        assert set(refused()) == bad
        assert set(refused().values()) == {"malformed", "forged", "unknown_stocking", "out_of_range", "conflict"}
        assert running.store.held(SERIAL)[0].held == RangeSet.from_numbers(range(1, 151))
        assert {each.digest for each in running.store.quarantined()} == bad - {digest(conflict)}
        assert [encode_record(each.record, each.body) for each in running.store.evidence(SERIAL)] == [conflict]
        assert running.ingest.health().ok


def test_hello_and_sync_over_the_broker(mosquitto: RunningBroker, tmp_path: Path) -> None:
    with (
        ingesting(mosquitto.address, tmp_path / "series.db", Known.of(garment())) as running,
        mosquitto.gateway("bedside") as gateway,
    ):
        gateway.publish(f"calza/v1/up/bedside/sync/{SERIAL}", sync(4).encode())
        gateway.publish("calza/v1/up/bedside/hello", Hello("bedside", "1", START_MS, (SERIAL,)).encode())
        gateway.until(lambda: bool(gateway.received("wanted")))
        (log,) = Wanted.decode(gateway.received("wanted")[0]).logs
        assert (log.serial, log.log_id) == (SERIAL, None)
        assert running.store.syncs(SERIAL) == [sync(4)]


def test_a_gateway_cannot_speak_for_another(mosquitto: RunningBroker, tmp_path: Path) -> None:
    with (
        ingesting(mosquitto.address, tmp_path / "series.db", Known.of(garment())) as running,
        mosquitto.gateway("bedside") as gateway,
    ):
        assert gateway.puback(gateway.publish(f"calza/v1/up/other/record/{SERIAL}", payload(1))) == "Not authorized"
        assert gateway.puback(gateway.record(SERIAL, payload(2))) == "Success"
        gateway.until(lambda: bool(gateway.received("receipt")))
        assert running.store.held(SERIAL)[0].held == RangeSet.from_numbers([2])


def test_what_was_not_acknowledged_comes_again_and_is_stored_once(mosquitto: RunningBroker, tmp_path: Path) -> None:
    """The server takes messages, commits some, and dies before acknowledging any; the next one gets them all again."""
    source = PahoSource(mosquitto.address, SERVER_USER)
    source.start()
    assert source.wait_subscribed(LIMIT_S)
    store = SqliteStore(tmp_path / "series.db")
    with mosquitto.gateway("bedside") as gateway:
        for number in range(1, 21):
            gateway.record(SERIAL, payload(number, minutes=block(number, minutes=2)))
        taken: list[Delivery] = []
        while len(taken) < 20:
            taken += source.take(500, 0.02, LIMIT_S)
        Ingest(  # commits and "receipts" what it was given, but its acknowledgements go nowhere
            source=_Deaf(taken[:12]), store=store, registry=Known.of(garment()), clock=StoppedClock()
        ).step(threading.Event(), 0)
        assert store.count(SERIAL) == 12
        source.close()
        store.close()
        with ingesting(mosquitto.address, tmp_path / "series.db", Known.of(garment())) as running:
            gateway.until(lambda: stored_numbers(gateway.received("receipt")).count == 20)
            running.until(lambda: running.ingest.health().stored + running.ingest.health().duplicates == 20)
            assert (running.ingest.health().stored, running.ingest.health().duplicates) == (8, 12)
            assert running.store.count(SERIAL) == 20
        with ingesting(mosquitto.address, tmp_path / "series.db", Known.of(garment())) as running:
            gateway.record(SERIAL, payload(21))
            running.until(lambda: running.store.count(SERIAL) == 21)
            assert running.ingest.health().duplicates == 0, "acknowledged messages do not come again"


class _Deaf:
    """A source that hands out what it has and forgets every answer."""

    connected = True

    def __init__(self, deliveries: list[Delivery]) -> None:
        self._deliveries = deliveries

    def take(self, limit: int, linger_s: float, wait_s: float) -> list[Delivery]:
        return self._deliveries

    def acknowledge(self, deliveries: object) -> None:
        pass

    def send(self, topic: str, payload: bytes) -> None:
        pass


def test_a_broker_that_dies_is_found_again(mosquitto: RunningBroker, tmp_path: Path) -> None:
    with ingesting(mosquitto.address, tmp_path / "series.db", Known.of(garment())) as running:
        child = mosquitto.broker.pid
        assert child is not None
        os.kill(child, signal.SIGKILL)
        running.until(lambda: not running.source.connected)
        assert not running.ingest.health().ok
        running.until(lambda: running.source.connected, 20)
        with mosquitto.gateway("bedside") as gateway:
            gateway.record(SERIAL, payload(1))
            gateway.until(lambda: bool(gateway.received("receipt")))


def test_the_rate_through_mosquitto(
    mosquitto: RunningBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every record decoded, tag-checked, committed with fsync and receipted, while two gateways publish flat out."""
    count = 6_000
    garments = {"bedside": garment("CALZA-0001"), "other": garment("CALZA-0002")}
    same = block(1)  # the minutes do not matter here, and drawing six thousand hours takes longer than storing them
    with ingesting(mosquitto.address, tmp_path / "series.db", Known.of(*garments.values())) as running:
        senders = []
        for name, who in garments.items():
            sender = subprocess.Popen(
                [sys.executable, gateway_double.__file__, str(mosquitto.address.port), name, mosquitto.passwords[name]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            lines = [
                f"calza/v1/up/{name}/record/{who.serial}\n{payload(n, of=who, minutes=same).hex()}\n"
                for n in range(1, count // 2 + 1)
            ]
            senders.append((sender, "".join(lines)))
        for sender, lines_text in senders:
            assert sender.stdin is not None
            sender.stdin.write(lines_text)
            sender.stdin.close()
        began = time.perf_counter()
        running.until(lambda: running.ingest.health().stored == count, 60)
        took = time.perf_counter() - began
        for sender, _ in senders:
            assert sender.stdout is not None
            sender.stdout.read()
            sender.stdout.close()
            assert sender.wait(LIMIT_S) == 0
    octets = Path(tmp_path / "series.db").stat().st_size / (count * 60)
    with capsys.disabled():
        print(  # noqa: T201 - a figure for the log of the test run
            f"\ningest through Mosquitto: {count / took:,.0f} records/s, {count * 60 / took:,.0f} minutes/s with two "
            f"gateways publishing on the same cores; {octets:.2f} octets a minute"
        )
    assert count / took > 500, "an order of magnitude below the figure: not noise"
