"""What people type after `calza verdict`, turned into values: files, a moment, a day. Knows no answer's arithmetic.

Imports the domain only when asked for a value of it, so that help is there at once.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from calza_server.files.file_fault import shown
from calza_server.files.whole_file import read_file

if TYPE_CHECKING:
    from pathlib import Path

    from calza_server.documents.minutes_csv import MinuteTable
    from calza_server.documents.minutes_verdict import Answer
    from calza_server.domain.orders.prescription import Prescription

MINUTE_MS: Final = 60_000


class Misuse(Exception):
    """The words of the command make no sense together or by themselves."""


def order_in(path: Path) -> Prescription:
    """The order in a file. Raises FileFault."""
    from calza_server.documents.order_file import read_order

    return read_order(read_file(path), name_of(path))


def table_in(path: Path) -> MinuteTable:
    """The minutes in a file. Raises FileFault."""
    from calza_server.documents.minutes_csv import read_minutes

    return read_minutes(read_file(path), name_of(path))


def name_of(path: Path) -> str:
    """What a file is called in sentences and as a source: its name alone, for its folder is nobody's business."""
    return shown(path.name, quoted=False)


def as_of_minute(text: str | None) -> int:
    """The minute since 1970-01-01T00:00Z that was asked for, or the one it is. Raises Misuse."""
    from calza_server.adapters.system_clock import SystemClock
    from calza_server.domain.orders.prescription import minute_of

    if text is None:
        return SystemClock().now_ms() // MINUTE_MS
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and 1970 < moment.year < 9000:
            return minute_of(moment)
    except ValueError:
        pass  # answered below, like a moment without its offset
    raise Misuse(f"--as-of {shown(text)} must be an ISO 8601 moment with its offset, like 2026-03-09T08:00Z")


def day_of(text: str) -> date:
    """The day that was asked for. Raises Misuse."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Misuse(f"--day {shown(text)} must be a date, like 2026-03-04") from None


def must_be_ordered(day: date | None, answer: Answer) -> None:
    """Raises Misuse for a day the order does not have."""
    days = [each.date for each in answer.report.days]
    if day is not None and day not in days:
        known = f"{days[0]} to {days[-1]}" if days else "it has none"
        raise Misuse(f"--day {day} must be a day of the order: {known}")
