"""What a state folder says about its gateway: waiting, refused, last contacts. Looks, and changes nothing."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.bonds import PairedStocking
from calza_gateway.lock import is_running
from calza_gateway.ports import Contact, OutboxCounts, RefusedRecord

OUTBOX_FILE: Final = "outbox.db"
EMPTY: Final = OutboxCounts(0, 0, 0, None, ())
REFUSED_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class StockingStatus:
    """One stocking: counts of records, last try and last full sync (Unix milliseconds), outcome ("ok" or a code)."""

    serial: str
    side: str | None
    pending: int
    refused: int
    receipted: int
    tried_ms: int | None
    outcome: str | None
    synced_ms: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The gateway as its folder tells. `oldest_ms`: since when the oldest record waits (Unix milliseconds)."""

    running: bool
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


def read_status(state: Path, paired: tuple[PairedStocking, ...]) -> Status:
    """Look into the folder. Raises `OutboxError`; a folder without an outbox is a gateway that has not run yet."""
    counts, contacts, refusals = EMPTY, list[Contact](), list[RefusedRecord]()
    if (state / OUTBOX_FILE).exists():
        outbox = SqliteOutbox.open_readonly(state / OUTBOX_FILE)
        try:
            counts, contacts, refusals = outbox.counts(), outbox.contacts(), outbox.refused()
        finally:
            outbox.close()
    sides = {stocking.serial: stocking.side.value for stocking in paired}
    held = {one.serial: one for one in counts.stockings}
    met = {contact.serial: contact for contact in contacts}
    stockings = []
    for serial in sorted(sides.keys() | held.keys() | met.keys()):
        count, contact = held.get(serial), met.get(serial)
        stockings.append(
            StockingStatus(
                serial=serial,
                side=sides.get(serial),
                pending=count.pending if count else 0,
                refused=count.refused if count else 0,
                receipted=count.receipted if count else 0,
                tried_ms=contact.tried_ms if contact else None,
                outcome=contact.outcome if contact else None,
                synced_ms=contact.synced_ms if contact else None,
            )
        )
    return Status(
        running=is_running(state),
        pending=counts.pending,
        oldest_ms=counts.oldest_ms,
        refused=counts.refused,
        reports=counts.reports,
        stockings=tuple(stockings),
        refusals=tuple(refusals),
    )


def show(status: Status, console: Console, now_ms: int) -> None:
    """The status for a person."""
    console.print("running" if status.running else "not running", style="green" if status.running else "yellow")
    waiting = f"{status.pending} records wait for the server"
    if status.oldest_ms is not None:
        waiting += f", the oldest for {ago(now_ms - status.oldest_ms)}"
    console.print(waiting, highlight=False)
    table = Table()
    for heading in ("Stocking", "Leg", "Last sync", "Last try", "Waiting", "Refused", "Stored"):
        table.add_column(heading)
    for one in status.stockings:
        synced = "never" if one.synced_ms is None else f"{ago(now_ms - one.synced_ms)} ago"
        counts = (str(number) for number in (one.pending, one.refused, one.receipted))
        table.add_row(one.serial, one.side or "not paired", synced, one.outcome or "-", *counts)
    console.print(table)
    for refusal in status.refusals[:REFUSED_SHOWN]:
        text = f"refused: {refusal.serial} record {refusal.number}: {refusal.reason} ({refusal.detail})"
        console.print(text, markup=False, highlight=False)
    if len(status.refusals) > REFUSED_SHOWN:
        console.print(f"and {len(status.refusals) - REFUSED_SHOWN} more, see --json", highlight=False)


def ago(milliseconds: int) -> str:
    """A span in the largest unit that fits."""
    seconds = max(0, milliseconds // 1000)
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
