"""How long a gateway needs for fourteen days of one leg over the paced radio, beside what the pacing allows at best."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from calza_demo.processes import Event
from calza_sim.firmware.flash_file import FileFlash
from calza_wire.records import encode_record
from tests.e2e.theatre import Theatre, theatre

DAYS = 14
SERIALS = ("CALZA-0001", "CALZA-0002")
# The pacing of the simulated radio: 6 packets of 251 octets in each connection event of 15 ms.
PACKETS_PER_EVENT = 6
PACKET_OCTETS = 251
EVENT_S = 0.015
ALLOWED = 1.25
"""The figure to reach: at most so many times the limit."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """One leg's log fetched: `fetch_s` from the request to the last record durable in the outbox, `visit_s` from the
    connection to then. `resident_octets`: the gateway's memory at the end."""

    records: int
    octets: int
    fetch_s: float
    visit_s: float
    resident_octets: int

    @property
    def limit_s(self) -> float:
        """The least time the pacing lets so many octets take, with no overhead of any layer."""
        return self.octets / (PACKETS_PER_EVENT * PACKET_OCTETS) * EVENT_S


async def fetch() -> list[Backlog]:
    """Both legs, one after the other, by a gateway that also forwards to a running server."""
    with tempfile.TemporaryDirectory(prefix="calza-bench-") as name:
        async with theatre(Path(name), Theatre, days=DAYS, seed=1) as here:
            await here.start("gateway")
            gateway = here.running["gateway"]
            seen: list[tuple[float, Event]] = []
            waiting = set(SERIALS)
            async for event in gateway.events():
                seen.append((time.perf_counter(), event))
                if event.get("event") == "sync_ended":
                    waiting.discard(str(event["serial"]))
                if not waiting:
                    break
            resident = int(psutil.Process(gateway.process.pid).memory_info().rss)
            return [_of_leg(here.folder / "sim", serial, seen, resident) for serial in SERIALS]


def _of_leg(folder: Path, serial: str, seen: list[tuple[float, Event]], resident: int) -> Backlog:
    mine = [(at, str(event["event"]), event) for at, event in seen if event.get("serial") == serial]
    at = {kind: when for when, kind, _ in reversed(mine)}  # the first of each kind
    last = max(when for when, kind, _ in mine if kind == "progress")
    fetched = next(event["fetched"] for _, kind, event in mine if kind == "sync_ended")
    assert isinstance(fetched, int)
    octets = _octets(folder / f"{serial}.flash")
    return Backlog(fetched, octets, last - at["sync_began"], last - at["connected"], resident)


def _octets(flash: Path) -> int:
    """Payload octets of every record in flash."""
    chip = FileFlash(flash)
    try:
        bodies = ((number, chip.body(number)) for number in range(chip.first_record, chip.next_record))
        return sum(len(encode_record(number, body)) for number, body in bodies if body is not None)
    finally:
        chip.close()
