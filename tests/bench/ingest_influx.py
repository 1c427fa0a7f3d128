"""From Mosquitto into a real InfluxDB: our ingest beside the bridge most people write. Same data, same minute.

The records wait in the broker's session before a consumer starts, so that nobody's publisher takes part in the race.
Then each consumer is killed half-way and started again, and the engine is asked which records it never got.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.adapters.influx_query import select
from calza_server.adapters.influx_store import InfluxStore
from calza_server.adapters.mosquitto_broker import MosquittoBroker
from calza_sim.manufacture import manufacture
from calza_wire.minute_block import Side, minutes_of, parse_block
from calza_wire.records import encode_record
from tests.bench.bridge import read_rows
from tests.bench.consumers import Taken, Task
from tests.bench.engine import own_engine, settled
from tests.bench.store import blocks_of
from tests.server.conftest import free_port
from tests.server.gateway_double import GatewayDouble
from tests.server.influx_engine import OwnEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from calza_server.ports import StoredBlock
    from calza_server.store_spec import InfluxSpec

Who = Literal["ours", "bridge"]

LEGS = 8
KILLED_LEGS = 4
KILL_AT = 0.4  # of the minutes are in the engine
READS = 11
GATEWAY = "bench"
ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one of the two did: `engine_cpu_s` is influxd's part, `lost` is of `sent` records after one kill."""

    taken: Taken
    minutes: int
    engine_cpu_s: float
    octets_per_minute: float
    read_s: float
    lost: int
    sent: int


def measure() -> dict[Who, Figures]:
    """Both, one straight after the other on one engine, a bucket each."""
    blocks = blocks_of("CALZA-0000")
    minutes = sum(minutes_of(len(block.body)) or 0 for block in blocks)
    found: dict[Who, Figures] = {}
    with own_engine() as own, ExitStack() as buckets:
        specs: dict[Who, InfluxSpec] = {}
        taken: dict[Who, tuple[Taken, float]] = {}
        who: Who
        for who in ("ours", "bridge"):
            specs[who] = buckets.enter_context(own.bucket())
            began = _engine_cpu_s(own)
            with _queued(own, specs[who], who, blocks, LEGS) as task:
                one = _finish(_start(who, task))
            taken[who] = one, _engine_cpu_s(own) - began
            stored = own.points(specs[who], "minute", "ankle")
            assert (one.records, stored) == (LEGS * len(blocks), LEGS * minutes), (who, one, stored)
        lost = {who: _lost(own, who, blocks) for who in specs}
        for who, spec in specs.items():
            octets = settled(own.folder, spec)
            one, cpu_s = taken[who]
            read_s, sent = _read_s(own, spec, who), KILLED_LEGS * len(blocks)
            found[who] = Figures(one, LEGS * minutes, cpu_s, octets / (LEGS * minutes), read_s, lost[who], sent)
    return found


@contextmanager
def _queued(own: OwnEngine, spec: InfluxSpec, who: Who, blocks: list[StoredBlock], legs: int) -> Iterator[Task]:
    """A broker in whose session for the consumer all records wait, leg by leg in order of time."""
    made = manufacture(1, "CALZA-0000", Side.LEFT)
    serials = tuple(f"CALZA-{number:04d}" for number in range(legs))
    with tempfile.TemporaryDirectory(prefix="calza-bench-") as name:
        credentials = Credentials(Path(name), secrets.token_bytes)
        password = credentials.add(GATEWAY)
        broker = MosquittoBroker(Path(name), free_port(), credentials)
        address = broker.start()
        try:
            task = Task(
                address.port,
                SERVER_USER,
                address.password,
                own.url,
                spec.bucket,
                0,
                serials,
                made.system_id.hex(),
                made.key.hex(),
            )
            _finish(_start(who, task))
            with GatewayDouble(address.port, GATEWAY, password) as gateway:
                for block in blocks:
                    payload = encode_record(block.record, block.body)
                    for serial in serials:
                        gateway.record(serial, payload)
                gateway.until(lambda: len(gateway.acknowledged) == len(blocks) * legs, LIMIT_S)
            yield dataclasses.replace(task, records=len(blocks) * legs)
        finally:
            broker.stop()


def _start(who: Who, task: Task) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.consumers", who]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(dataclasses.asdict(task)))
    process.stdin.close()
    return process


def _finish(process: subprocess.Popen[str]) -> Taken:
    assert process.stdout is not None
    with process.stdout as said:
        text = said.read()
    assert process.wait(LIMIT_S) == 0
    return Taken(**json.loads(text))


def _lost(own: OwnEngine, who: Who, blocks: list[StoredBlock]) -> int:
    """Records the engine has not, or not whole, after its consumer was killed half-way and started again."""
    minutes = KILLED_LEGS * sum(minutes_of(len(block.body)) or 0 for block in blocks)
    with own.bucket() as spec, _queued(own, spec, who, blocks, KILLED_LEGS) as task:
        process, until = _start(who, task), time.monotonic() + LIMIT_S
        while own.points(spec, "minute", "ankle") < KILL_AT * minutes:
            assert time.monotonic() < until, "it never came half-way"
            assert process.poll() is None, "it was done before it could be killed"
            time.sleep(0.05)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        _finish(_start(who, task))
        tables = own.query(select("ankle", "minute", {}, by="serial"), spec)
    held = {table["tags"]["serial"]: {row[0] // 10**9 for row in table["values"]} for table in tables}
    spans = [parse_block(block.body).block for block in blocks]
    expected = [[one.start.unix_s + 60 * minute for minute in range(one.minutes)] for one in spans]
    return sum(not seen.issuperset(one) for seen in held.values() for one in expected) + len(blocks) * (
        KILLED_LEGS - len(held)
    )


def _read_s(own: OwnEngine, spec: InfluxSpec, who: Who) -> float:
    serial = "CALZA-0007"
    if who == "bridge":
        return _median_s(lambda: read_rows(own, spec, serial))
    store = InfluxStore(spec, None)
    try:
        return _median_s(lambda: _all(store, serial))
    finally:
        store.close()


def _median_s(work: Callable[[], None]) -> float:
    times = []
    for _ in range(READS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _all(store: InfluxStore, serial: str) -> None:
    assert len(store.read(serial, 0, 2**40).device_s)


def _engine_cpu_s(own: OwnEngine) -> float:
    """Processor seconds influxd has taken so far."""
    (process,) = (
        each
        for each in psutil.Process().children(recursive=True)
        if str(own.folder) in " ".join(each.cmdline()) and each.name() == "influxd"
    )
    times = process.cpu_times()
    return times.user + times.system


def page(found: dict[Who, Figures]) -> str:
    """The section of docs/benchmarks.md."""
    ours, bridge = found["ours"], found["bridge"]

    def row(what: str, spell: Callable[[Figures], str]) -> str:
        return f"| {what} | {spell(ours)} | {spell(bridge)} |"

    table = [
        row("records a second", lambda f: f"{f.taken.records / f.taken.seconds:,.0f}"),
        row("minutes a second", lambda f: f"{f.minutes / f.taken.seconds:,.0f}"),
        row("processor of the consumer, a record", lambda f: f"{f.taken.cpu_s / f.taken.records * 1e3:.2f} ms"),
        row("processor of influxd, a record", lambda f: f"{f.engine_cpu_s / f.taken.records * 1e3:.2f} ms"),
        row("octets a minute on disk, compacted", lambda f: f"{f.octets_per_minute:.1f}"),
        row("14 days of one leg into numpy, p50", lambda f: f"{f.read_s * 1e3:.0f} ms"),
        row("**records lost when killed once**", lambda f: f"**{f.lost:,} of {f.sent:,}**"),
    ]
    lines = "\n".join(table)
    return f"""\
Mosquitto 2.0.11, Debian's influxd 1.6.7 behind a door that speaks the newer write API, {LEGS} legs of 14 days
({ours.taken.records:,} records, {ours.minutes:,} minutes) that wait in the broker's session. Then one consumer and
straight after it the other, on one engine: our ingest, and the bridge most people write (paho's callback, a `Point` for
every row, influxdb-client's batching writer with 5,000 rows or 1 s; paho acknowledges when the callback returns).

| | our ingest | the common bridge |
|---|---|---|
{lines}

Killed (SIGKILL) when the engine had {KILL_AT:.0%} of the minutes of {KILLED_LEGS} legs, and started again. What the
bridge loses had been acknowledged and lay in the writer's memory; the broker has forgotten it, and nobody is told. Ours
acknowledges after the engine has answered, so the broker hands out again what was under way.

Unfair to ours: it checks each record's tag, looks up what is held already, keeps the sealed block beside the minutes
(so that a tag can be checked for ever), and answers each record with a receipt; the bridge does none of that. Unfair to
the bridge: it could write its own lines, or acknowledge by hand after a synchronous write, and few do. In its favour it
has a kept session, which most tutorials leave out, our decoder, and MQTT 3.1.1, which costs paho less than 5 does.
Neither is at its best: door, broker, engine and consumer share this machine's cores, and the engine is an old one."""


def main() -> None:
    """Print the section."""
    sys.stdout.write(page(measure()) + "\n")


if __name__ == "__main__":
    main()
