"""A small clinic for tests of API and page: two legs with an order, one without, one whose order cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from calza_server.adapters.memory_store import MemoryStore
from calza_server.adapters.memory_verdict_book import MemoryVerdictBook
from calza_server.app import create_app
from calza_server.ports import Health, Leg
from tests.server.recorded import ALL_WELL, FixedClock, MemoryRegistry, blocks_of, heard
from tests.server.wear_days import DAY, every_day, grid_of, without

if TYPE_CHECKING:
    from calza_server.domain.recording.grid import MinuteGrid
    from calza_server.ingest.metrics import Scrape
    from calza_server.ports import LiveSeen, SeriesStore, VerdictBook

ORDER = {
    "start": "2026-03-02T00:00:00+00:00",
    "timezone": "Europe/London",
    "phases": [{"days": 4, "mode": "daytime", "hours": 10, "ankle_floor_mmhg": 18, "days_required": 3}],
    "pauses": [{"start": "2026-03-03T01:00:00Z", "end": "2026-03-03T03:00:00Z", "reason": "skin check"}],
}
START = int(datetime.fromisoformat("2026-03-02T00:00:00+00:00").timestamp()) // 60
HOSTILE = "<script>alert(\"x\")</script> & 'Ana'"
LEFT, RIGHT, FREE, BROKEN = "p1-left", "p1-right", "p2-left", "p3-right"


@dataclass
class Clinic:
    """The parts, so that a test can change one, and a browser."""

    store: MemoryStore
    clock: FixedClock
    registry: MemoryRegistry
    health: Health = ALL_WELL
    book: VerdictBook = field(default_factory=MemoryVerdictBook)

    def browser(
        self, *, store: SeriesStore | None = None, live: LiveSeen | None = None, scrape: Scrape | None = None
    ) -> TestClient:
        app = create_app(
            store=store or self.store,
            registry=self.registry,
            book=self.book,
            clock=self.clock,
            health=lambda: self.health,
            live=lambda serial: live if live is not None and live.serial == serial else None,
            scrape=scrape,
        )
        return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


def worn_as_ordered() -> MinuteGrid:
    """Four days, worn from seven to nineteen."""
    return replace(grid_of(every_day(4, 420, 1140)), start_minute=START)


def open_clinic(*, days: float = 5) -> Clinic:
    """The clinic so many days after the orders began: the left leg worn as ordered, the right silent for two days."""
    worn = worn_as_ordered()
    silent = without(worn, (DAY + 300, 3 * DAY))
    now_ms = round((START + days * DAY) * 60_000)
    store = MemoryStore()
    for serial, grid in (("CZ-0001", worn), ("CZ-0002", silent)):
        store.append(blocks_of(grid, serial))
        store.add_sync(heard(serial, b"log-one.", 96, now_ms - 180_000), now_ms)
    registry = MemoryRegistry(
        [
            (Leg(LEFT, "left", HOSTILE, ORDER), ("CZ-0001",)),
            (Leg(RIGHT, "right", "Ana", ORDER), ("CZ-0002",)),
            (Leg(FREE, "left", "Bea", None), ("CZ-0003",)),
            (Leg(BROKEN, "right", "Cem", {"start": "soon"}), ()),
        ]
    )
    return Clinic(store, FixedClock(now_ms), registry)
