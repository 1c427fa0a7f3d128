"""Freezes verdicts whose days of grace are over, and amends those that late data changed. Composes; decides nothing.

What is frozen is `domain.finality`'s affair and where it is kept the book's. Done again and again it changes nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from calza_server.domain.verdicts.finality import grace_end_minute, next_version
from calza_server.domain.verdicts.finality_document import version_document
from calza_server.domain.verdicts.verdict_document_fields import DocumentError
from calza_server.ports import StoreError, VerdictBookError
from calza_server.views import MINUTE_MS, UnreadableOrderError, leg_report, order_key, order_of, versions_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from calza_server.ports import Clock, Leg, Registry, SeriesStore, VerdictBook

EVERY_S: Final = 600.0  # a verdict is frozen days after its order: ten minutes more are nothing

_log = logging.getLogger(__name__)


def freeze_for_ever(
    store: SeriesStore,
    registry: Registry,
    book: VerdictBook,
    clock: Clock,
    stop: threading.Event,
    frozen: Callable[[int], None] = lambda _versions: None,
) -> None:
    """Freeze what is due, every so often, until `stop` is set; `frozen` is told how many each time."""
    while not stop.is_set():
        frozen(freeze_due(store, registry, book, clock.now_ms()))
        stop.wait(EVERY_S)


def freeze_due(store: SeriesStore, registry: Registry, book: VerdictBook, now_ms: int) -> int:
    """Add every version that is due to the book; returns how many. A fault in one leg keeps no other from its turn."""
    frozen = 0
    for leg in registry.legs():
        for number in range(1, len(leg.orders) + 1):
            try:
                frozen += _freeze(store, registry, book, leg, number, now_ms)
            except (UnreadableOrderError, DocumentError, StoreError, VerdictBookError) as error:
                _log.warning("order %d of a leg could not be looked at for freezing: %s", number, error)
    return frozen


def _freeze(store: SeriesStore, registry: Registry, book: VerdictBook, leg: Leg, number: int, now_ms: int) -> bool:
    order = order_of(leg, number)
    if not order.phases or now_ms // MINUTE_MS < grace_end_minute(order):
        return False
    report = leg_report(store, registry, leg.id, now_ms, number)
    version = next_version(versions_of(book, report), order, report.verdict, report.as_of_minute)
    if version is None:
        return False
    book.append(leg.id, order_key(order), version_document(version))
    return True
