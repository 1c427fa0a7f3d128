"""What a clinician may do to a running order: shorten it, pause it, or replace it by the next treatment's order.

Pure edits: each gives a new order, read as strictly as one from a file, and leaves the old value as it was. All raise
RuleError for what makes no sense.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from calza_server.domain.orders.prescription import Ended, EndedWhy, Pause, Prescription, minute_of
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.orders.rx_document_fields import RuleError

if TYPE_CHECKING:
    from datetime import datetime


def superseded_by(old: Prescription, new_start: datetime) -> Prescription:
    """The old order, closed where the next treatment's order starts; unchanged when it is over by then.

    It keeps its own verdict, on the days it had. Our proposal: treatments lie about a month apart (seed B), so an order
    of four to six weeks overlaps the next one. Raises RuleError unless the next one starts at least a minute later.
    """
    _aware(new_start)
    if minute_of(new_start) <= old.start_minute:
        raise RuleError("/start", "the next treatment's order must start after the one it replaces")
    if minute_of(new_start) >= old.end_minute:
        return old
    return _checked(replace(old, ended=Ended(new_start, EndedWhy.SUPERSEDED)))


def shortened(order: Prescription, at: datetime, note: str) -> Prescription:
    """The order, closed by the clinician at a moment, who says why. Raises RuleError.

    It can be closed again at an earlier moment, never at a later one: what was given up cannot be asked for afterwards.
    """
    _aware(at)
    if not note.strip():
        raise RuleError("/ended/note", "say why the order is shortened")
    if minute_of(at) >= order.end_minute:
        raise RuleError("/ended/at", "the order is over by then; shortening can only make it end earlier")
    return _checked(replace(order, ended=Ended(at, EndedWhy.SHORTENED, note)))


def paused(order: Prescription, start: datetime, end: datetime, reason: str) -> Prescription:
    """The order with a further pause, [start, end). Raises RuleError, also when it overlaps a pause that is there."""
    _aware(start)
    _aware(end)
    if minute_of(start) >= order.end_minute:
        raise RuleError("/pauses", "the order is over before this pause begins")
    return _checked(replace(order, pauses=(*order.pauses, Pause(start, end, reason))))


def _aware(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise RuleError("", "a moment must come with its offset from UTC, or nobody knows when it is")


def _checked(order: Prescription) -> Prescription:
    return read_prescription(order.document())
