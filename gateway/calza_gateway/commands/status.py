"""What a state folder says about its gateway: how it stands, what waits, how each stocking is. Changes nothing.

What the supervisors believe is the present only while a gateway runs; of one that does not it is history, and is given
with the time it was written.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.ports import Contact, OutboxCounts, RefusedRecord, StockingCounts
from calza_gateway.reporting.standing import AdapterStanding, Health, StockingStanding
from calza_gateway.reporting.standing_book import KnownProblem, health
from calza_gateway.reporting.standing_file import SavedStanding, read_standing
from calza_gateway.state.bonds import PairedStocking, StateError
from calza_gateway.state.lock import is_running
from calza_wire.messages import GatewayClock

OUTBOX_FILE: Final = "outbox.db"
EMPTY: Final = OutboxCounts(0, 0, 0, None, ())


@dataclass(frozen=True, slots=True)
class StockingStatus:
    """One stocking. Counts of records; last try and last full sync (Unix milliseconds), outcome ("ok" or a code);
    `backlog`, `clock_error_ms` and `battery_percent` as the last visit found them. `standing` is what the supervisor
    believed at `Status.standing_ms`."""

    serial: str
    side: str | None
    pending: int
    refused: int
    receipted: int
    tried_ms: int | None
    outcome: str | None
    synced_ms: int | None
    backlog: int | None
    clock_error_ms: int | None
    battery_percent: int | None
    standing: StockingStanding | None


@dataclass(frozen=True, slots=True)
class Status:
    """The gateway as its folder tells. `oldest_ms`: since when the oldest record waits (Unix milliseconds).

    `standing_ms` is when `health`, `adapters`, `problems` and the stockings' `standing` were written, None if they
    never were: with `running` they are the present. `clock` is of this machine, now.
    """

    running: bool
    clock: GatewayClock
    standing_ms: int | None
    health: Health | None
    adapters: tuple[AdapterStanding, ...]
    problems: tuple[KnownProblem, ...]
    pending: int
    oldest_ms: int | None
    refused: int
    reports: int
    stockings: tuple[StockingStatus, ...]
    refusals: tuple[RefusedRecord, ...]

    def document(self) -> dict[str, object]:
        """For `--json`."""
        refusals = [{**asdict(one), "log_id": one.log_id.hex()} for one in self.refusals]
        return {**asdict(self), "refusals": refusals}


def read_status(state: Path, paired: tuple[PairedStocking, ...], clock: GatewayClock, now_ms: int) -> Status:
    """Look into the folder. Raises `OutboxError`; a folder without an outbox is a gateway that has not run yet."""
    counts, contacts, refusals = EMPTY, list[Contact](), list[RefusedRecord]()
    if (state / OUTBOX_FILE).exists():
        outbox = SqliteOutbox.open_readonly(state / OUTBOX_FILE)
        try:
            counts, contacts, refusals = outbox.counts(), outbox.contacts(), outbox.refused()
        finally:
            outbox.close()
    saved, problems = _standing(state, now_ms)
    return Status(
        running=is_running(state),
        clock=clock,
        standing_ms=saved.written_ms if saved else None,
        health=health(saved.standing, problems) if saved else None,
        adapters=saved.standing.adapters if saved else (),
        problems=problems,
        pending=counts.pending,
        oldest_ms=counts.oldest_ms,
        refused=counts.refused,
        reports=counts.reports,
        stockings=_stockings(paired, counts, contacts, saved),
        refusals=tuple(refusals),
    )


def _standing(state: Path, now_ms: int) -> tuple[SavedStanding | None, tuple[KnownProblem, ...]]:
    """What was saved; that it cannot be read is a problem like others, and must not hide the rest."""
    try:
        saved = read_standing(state)
    except StateError as error:
        return None, (KnownProblem(error.code, str(error), None, now_ms, now_ms),)
    return saved, saved.problems if saved else ()


def _stockings(
    paired: tuple[PairedStocking, ...], counts: OutboxCounts, contacts: list[Contact], saved: SavedStanding | None
) -> tuple[StockingStatus, ...]:
    sides = {stocking.serial: stocking.side.value for stocking in paired}
    held = {one.serial: one for one in counts.stockings}
    met = {contact.serial: contact for contact in contacts}
    stands = {one.serial: one for one in saved.standing.stockings} if saved else {}
    return tuple(_stocking(serial, sides, held, met, stands) for serial in sorted({*sides, *held, *met}))


def _stocking(
    serial: str,
    sides: Mapping[str, str],
    held: Mapping[str, StockingCounts],
    met: Mapping[str, Contact],
    stands: Mapping[str, StockingStanding],
) -> StockingStatus:
    count = held.get(serial, StockingCounts(serial, 0, 0, 0))
    contact = met.get(serial)
    return StockingStatus(
        serial=serial,
        side=sides.get(serial),
        pending=count.pending,
        refused=count.refused,
        receipted=count.receipted,
        tried_ms=contact.tried_ms if contact else None,
        outcome=contact.outcome if contact else None,
        synced_ms=contact.synced_ms if contact else None,
        backlog=contact.backlog if contact else None,
        clock_error_ms=contact.clock_error_ms if contact else None,
        battery_percent=contact.battery_percent if contact else None,
        standing=stands.get(serial),
    )
