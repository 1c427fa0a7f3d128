"""The embedded store: octets a minute, fourteen days of one leg into numpy, and the verdict on them."""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calza_demo.prescription import order_beginning_at
from calza_server.adapters.sqlite_store import SqliteStore
from calza_server.domain.ledgers.leg import Recorded, ledger_of_leg
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.verdicts.verdict import judge
from calza_server.ports import StoredBlock
from calza_sim.firmware.flash import MemoryFlash
from calza_sim.manufacture import manufacture
from calza_sim.scenarios import scenario
from calza_sim.stocking import SimulatedStocking
from calza_wire.minute_block import Side, minutes_of

LEGS = 50
DAYS = 14
DAY_S = 86_400
START_S = 1_772_409_600  # 2 March 2026, 00:00 UTC
REPEATS = 50
GROUP = 100


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """Octets a minute with indexes; median seconds to read a leg, to judge it from the store; blocks a second in."""

    octets_per_minute: float
    read_s: float
    verdict_s: float
    appended_per_s: float


def blocks_of(serial: str) -> list[StoredBlock]:
    """Fourteen days of a stocking as the server would be given them."""
    flash = MemoryFlash()
    made = manufacture(1, serial, Side.LEFT)
    stocking = SimulatedStocking.create(made, scenario("perfect"), seed=1, start_s=START_S, flash=flash)
    stocking.advance(START_S + DAYS * DAY_S)
    log = stocking.log_status(START_S + DAYS * DAY_S)
    numbers = range(log.first_record, log.next_record)
    bodies = ((number, flash.body(number)) for number in numbers)
    return [
        StoredBlock(serial, log.log_id, number, body, "bench", START_S * 1000)
        for number, body in bodies
        if body is not None
    ]


def measure() -> StoreFigures:
    """Fill a store with `LEGS` legs in order of time, then read and judge one of them."""
    serials = [f"CALZA-{number:04d}" for number in range(LEGS)]
    one = blocks_of(serials[0])
    rows = [
        StoredBlock(serial, b.log_id, b.record, b.body, b.gateway, b.received_ms) for b in one for serial in serials
    ]
    with tempfile.TemporaryDirectory(prefix="calza-bench-") as name:
        store = SqliteStore(Path(name) / "series.db")
        began = time.perf_counter()
        for at in range(0, len(rows), GROUP):
            store.append(rows[at : at + GROUP])
        appended_s = time.perf_counter() - began
        order = read_prescription(dict(order_beginning_at(START_S)))
        first, last = START_S // 60, START_S // 60 + DAYS * 1440

        def read() -> None:
            store.read(serials[7], 0, 2**40)

        def verdict() -> None:
            recorded = [Recorded(serials[7], store.read(serials[7], 0, 2**40), ())]
            judge(order, ledger_of_leg(recorded, order, first, last).ledger, last)

        read_s, verdict_s = median(read), median(verdict)
        minutes = len(serials) * sum(minutes_of(len(block.body)) or 0 for block in one)
        store.close()
        octets = sum(path.stat().st_size for path in Path(name).iterdir())
    return StoreFigures(octets / minutes, read_s, verdict_s, len(rows) / appended_s)


def median(work: Callable[[], None]) -> float:
    """Seconds `work` takes, in the middle of `REPEATS` runs."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
