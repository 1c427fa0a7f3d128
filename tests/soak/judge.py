"""Watches a soak and says what it came to: recovery after every outage, every record stored once, nothing growing.

Hears the weather (what was done to the world) and the gateway's events (what it made of it), and looks into the store.
Keeps figures only: what it remembers must not look like a leak.
"""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256

from calza_gateway.forwarding.relay import RESEND_MAX_S
from calza_gateway.recovery.budget import Budget
from calza_gateway.reporting.events import AdapterChanged, Drained, GatewayEvent, Problem, ReceiptCame, SyncEnded
from tests.soak.flash_journal import journal
from tests.soak.forecast import Fault, Kind
from tests.soak.outages import Service
from tests.soak.vitals import Vitals, vitals
from tests.soak.world import DAY_S, World

LOOK_EVERY_S = 60.0
# What the gateway itself may take on purpose: a fault that struck between two visits shows in the next one, and that
# may fail as well (the adapter has to be found out first), with the longest back-off of a stocking in trouble after it.
INTERVALS = 1
TRIES = 2
# From the end of the fault: the broker is tried again within 30 s, what has no receipt is sent again within 300 s.
DELIVERY_BOUND_S = 2 * RESEND_MAX_S
SOON_S = 1.0
NO_HINDRANCE = frozenset({Kind.CLOCK_JUMPS, Kind.ZONE_CHANGES})
TO_DELIVERY = frozenset(
    {
        Kind.BROKER_GONE,
        Kind.BROKER_KICKS,
        Kind.BROKER_FORGETS,
        Kind.SERVER_STOPS,
        Kind.SERVER_DIES,
        Kind.RECEIPTS_LOST,
        Kind.DISK_FULL,
    }
)
TO_CONTACT = frozenset(Kind) - NO_HINDRANCE - TO_DELIVERY | {Kind.DISK_FULL}


@dataclass(slots=True)
class Records:
    """What became of the records: of one stocking, or of all."""

    sealed: int = 0
    stored: int = 0
    missing: int = 0
    altered: int = 0
    extra: int = 0


@dataclass(slots=True)
class Judge:
    """One soak's judge: the weather's `Witness`, and the one the gateway tells."""

    world: World
    interval_s: float
    struck: Counter[Kind] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    looks: list[Vitals] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    remedies: int = 0  # resets of the adapter and restarts of its service, by the gateway itself
    contact: dict[str, Service] = field(default_factory=dict)
    delivery: Service = field(default_factory=lambda: Service("delivery", DELIVERY_BOUND_S))
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _begun_s: float = 0.0

    def __post_init__(self) -> None:
        self._begun_s = self._loop.time()
        bound_s = INTERVALS * self.interval_s + TRIES * Budget().trouble_pause_max_s
        self.contact = {serial: Service(f"contact to {serial}", bound_s) for serial in self.world.legs}

    @property
    def now_s(self) -> float:
        """Seconds of the soak."""
        return self._loop.time() - self._begun_s

    @property
    def services(self) -> list[Service]:
        """Everything that has to work again after each outage."""
        return [*self.contact.values(), self.delivery]

    # --- what it hears ------------------------------------------------------------------------------------------------

    def began(self, fault: Fault) -> None:
        """See `Witness`."""
        self.struck[fault.kind] += 1
        for service in self._hindered_by(fault):
            service.began(fault)

    def ended(self, fault: Fault) -> None:
        """See `Witness`."""
        for service in self._hindered_by(fault):
            service.ended(fault, self.now_s)

    def _hindered_by(self, fault: Fault) -> list[Service]:
        contact = list(self.contact.values()) if fault.serial is None else [self.contact[fault.serial]]
        return [
            *(contact if fault.kind in TO_CONTACT else []),
            *([self.delivery] if fault.kind in TO_DELIVERY else []),
        ]

    def tell(self, event: GatewayEvent) -> None:
        """An event of the gateway."""
        self.told[type(event).__name__] += 1
        match event:
            case SyncEnded(serial=serial):
                self.contact[serial].proved(self.now_s)
            case ReceiptCame() | Drained():
                self.delivery.proved(self.now_s)
            case AdapterChanged(standing):
                self.remedies = standing.resets + standing.restarts
            case Problem(reason=reason):
                self.problems[reason] += 1

    async def watch(self) -> None:
        """Look round every minute, and at the process once a day, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(self._nothing_waits):
                self.delivery.proved(self.now_s)
            self.complaints += filter(None, (service.check(self.now_s) for service in self.services))
            if self.now_s >= len(self.looks) * DAY_S and not any(
                leg.server.connected for leg in self.world.legs.values()
            ):
                self.looks.append(vitals(self.now_s / DAY_S))

    def _nothing_waits(self) -> bool:
        return not self.world.outbox.waiting() and not self.world.outbox.reports(1)

    # --- what it finds ------------------------------------------------------------------------------------------------

    async def all_arrived(self, limit_s: float) -> bool:
        """Wait until a moment at which everything that was ever sealed is stored and nothing waits in the outbox."""
        until_s = self.now_s + limit_s
        while self.now_s < until_s:
            held = {serial: self.world.store.count(serial) for serial in self.world.legs}
            if self._nothing_waits() and all(leg.flash.sealed == held[leg.serial] for leg in self.world.legs.values()):
                return True
            await asyncio.sleep(SOON_S)
        return False

    def records(self) -> dict[str, Records]:
        """Every record the flash ever sealed against every record in the store, octet by octet."""
        return {serial: self._records(serial) for serial in self.world.legs}

    def _records(self, serial: str) -> Records:
        sealed = {(log, number): digest for log, number, digest in journal(self.world.legs[serial].flash_path)}
        found = Records(sealed=len(sealed))
        seen: Counter[tuple[bytes, int]] = Counter()
        with closing(sqlite3.connect(self.world.folder / "server" / "series.db")) as database:
            rows = database.execute(
                "select log_id, record, body from block join log on log.key = block.log where serial = ?", (serial,)
            )
            for log_id, number, body in rows:
                seen[log_id, number] += 1
                found.stored += 1
                if (log_id, number) in sealed and sha256(body).digest() != sealed[log_id, number]:
                    found.altered += 1
        found.missing = len(sealed.keys() - seen.keys())
        found.extra = found.stored - len(sealed.keys() & seen.keys())
        return found
