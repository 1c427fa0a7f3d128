"""How long a gateway needs for fourteen days of one leg over the paced radio, beside what the pacing allows at best."""

import asyncio
import tempfile
import time
from pathlib import Path

from calza_demo.processes import Event
from tests.e2e.theatre import theatre

DAYS = 14
SERIAL = "CALZA-0001"
# The pacing of the simulated radio: 6 packets of 251 octets in each connection event of 15 ms.
PACKETS_PER_EVENT = 6
PACKET_OCTETS = 251
EVENT_S = 0.015
ALLOWED = 1.25
"""The figure to reach: at most so many times the limit."""


def limit_s(payload_octets: int) -> float:
    """The least time the pacing lets so many octets of record payload take, with no overhead of any layer."""
    return payload_octets / (PACKETS_PER_EVENT * PACKET_OCTETS) * EVENT_S


async def measure() -> tuple[int, int, float, float]:
    """Records, octets, seconds from the first request to the last record durable, seconds from connected to then."""
    with tempfile.TemporaryDirectory(prefix="calza-bench-") as name:
        async with theatre(Path(name), days=DAYS, seed=1) as here:
            await here.start("gateway")
            seen: list[tuple[float, Event]] = []
            async for event in here.running["gateway"].events():
                seen.append((time.perf_counter(), event))
                if event.get("event") == "sync_ended" and event.get("serial") == SERIAL:
                    break
            mine = [(at, event) for at, event in seen if event.get("serial") == SERIAL]
            connected = next(at for at, event in mine if event["event"] == "connected")
            asked = next(at for at, event in mine if event["event"] == "sync_began")
            done = max(at for at, event in mine if event["event"] == "progress")
            store = Path(name) / "gateway" / "outbox.db"
            octets = _octets(here.folder / "sim" / f"{SERIAL}.flash")
            del store
            records = next(event["fetched"] for _, event in mine if event["event"] == "sync_ended")
            assert isinstance(records, int)
            return records, octets, done - asked, done - connected


def _octets(flash: Path) -> int:
    from calza_sim.firmware.flash_file import FileFlash

    chip = FileFlash(flash)
    try:
        bodies = (chip.body(number) for number in range(chip.first_record, chip.next_record))
        return sum(4 + len(body) for body in bodies if body is not None)
    finally:
        chip.close()


def run() -> tuple[int, int, float, float]:
    """See `measure`."""
    return asyncio.run(measure())
