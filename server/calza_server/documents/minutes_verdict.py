"""From a table of minutes and an order to ledger and verdict, without any store. Knows no files and no clock.

The same domain as behind the server, so the same minutes get the same answer here and there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.documents.minutes_csv import EXTENT_AT_MOST_DAYS
from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.ledgers.leg import ledger_of_grids
from calza_server.domain.recording.completeness import Completeness
from calza_server.domain.verdicts.verdict import judge
from calza_server.files.file_fault import FileFault

if TYPE_CHECKING:
    from calza_server.documents.minutes_csv import MinuteTable
    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.verdicts.verdict import VerdictReport

DAY_MINUTES: Final = 1440
APART_AT_MOST_DAYS: Final = 2 * EXTENT_AT_MOST_DAYS  # the longest table and the longest order, side by side


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A verdict with all it rests on. `notes` are sentences about what of the input had no say."""

    order: Prescription
    report: VerdictReport
    ledger: Ledger
    completeness: Completeness
    detector_version: str = DETECTOR_VERSION
    notes: tuple[str, ...] = ()


def judge_table(table: MinuteTable, order: Prescription, as_of_minute: int) -> Answer:
    """The verdict at the start of `as_of_minute` (since 1970-01-01T00:00Z). Raises FileFault if years lie between."""
    ledger = ledger_of_table(table, order, as_of_minute)
    return Answer(
        order=order,
        report=judge(order, ledger, as_of_minute),
        ledger=ledger,
        completeness=_held(table, order, as_of_minute),
        notes=tuple(_notes(table, order, as_of_minute)),
    )


def ledger_of_table(table: MinuteTable, order: Prescription, as_of_minute: int, *, later_rows: bool = False) -> Ledger:
    """The ledger over all rows and the order, both up to `as_of_minute`; with `later_rows` over all rows all the same.

    What lies after the moment judged is cut off before the detector sees it, so that the answer for a moment never
    depends on what came later.
    """
    start, end = order.start_minute, min(as_of_minute, order.end_minute)
    if table.span is not None:
        first, after = table.span
        if not order.phases:
            start = end = first
        after = after if later_rows else min(after, as_of_minute)
        start, end = min(start, first), max(end, after)
        if end - start > APART_AT_MOST_DAYS * DAY_MINUTES:
            what = f"the rows lie years from the order, which starts {order.start:%Y-%m-%d}; check the year in both"
            raise FileFault("minutes_invalid", table.file, what, line=int(table.line[0]), column=1, name="time")
    return ledger_of_grids([(table.file, table.grid(start, max(start, end)))], order)


def _held(table: MinuteTable, order: Prescription, as_of_minute: int) -> Completeness:
    """Of a table every minute is a record: from the order's start to its end or the moment judged."""
    start, end = order.start_minute, max(order.start_minute, min(as_of_minute, order.end_minute))
    held = int(table.grid(start, end).present.sum())
    return Completeness(end - start, held, end - start - held)


def _notes(table: MinuteTable, order: Prescription, as_of_minute: int) -> list[str]:
    notes = []
    later = int(np.count_nonzero(table.minute >= as_of_minute))
    if later:
        rows = "1 row lies" if later == 1 else f"{later} rows lie"
        notes.append(f"{rows} after the moment judged and had no say.")
    if len(table) and order.phases and not _within(table, order):
        notes.append("No row lies within the days of the order; check the dates in both.")
    if table.named and table.absent:
        notes.append(f"Not in the table: {', '.join(table.absent)}.{_what_is_lost(table)}")
    return notes


def _what_is_lost(table: MinuteTable) -> str:
    """Wear begins with pressure at two sites, warmth and life together: our proposal, see `detector`.

    Without `ripple` life still shows in how the pressures differ from minute to minute.
    """
    sites = sum(site in table.named for site in ("ankle", "calf", "thigh"))
    if sites < 2 or "skin" not in table.named:
        return " No minute can be called worn without skin and the pressure at two sites."
    return "" if "ripple" in table.named else " Life shows only in pressures that move; more may stay unknown."


def _within(table: MinuteTable, order: Prescription) -> bool:
    return bool(((table.minute >= order.start_minute) & (table.minute < order.end_minute)).any())
