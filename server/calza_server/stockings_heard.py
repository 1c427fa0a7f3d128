"""How long ago each stocking in use was heard: for counting, never for naming one. Knows ports alone.

When a stocking was heard stands in the store's sync reports. Reading them for every scrape would cost too much, so a
thread looks now and then, and only at stockings whose last word is old enough to have been followed by another.
"""

from __future__ import annotations

import logging
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from calza_server.ports import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from calza_server.ports import Clock, Registry, SeriesStore, Visit

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
EVERY_S: Final = 60.0  # how late a newly registered stocking is counted
# A little less than the first step, so that a stocking that is heard every quarter of an hour never leaves it.
OLD_ENOUGH_MS: Final = 50 * 60_000
AGAIN_MS: Final = 10 * 60_000  # a silent stocking is not asked about more often: its reports are read whole each time

_log = logging.getLogger(__name__)


class Since(StrEnum):
    """The steps, each without those before it; the words are labels and stay."""

    HOUR = "1h"
    DAY = "24h"
    THREE_DAYS = "3d"  # from here on somebody should ask: three days of a treatment are not known
    LONGER = "longer"
    NEVER = "never"


LIMITS_MS: Final = {Since.HOUR: HOUR_MS, Since.DAY: DAY_MS, Since.THREE_DAYS: 3 * DAY_MS}


class StockingsHeard:
    """Looks in one thread (`run` or `look`); `spread` may be asked from any."""

    def __init__(self, store: SeriesStore, registry: Registry, clock: Clock) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._heard: Mapping[str, int | None] | None = None  # replaced whole, never changed
        self._looked: dict[str, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Look every so often until `stop` is set."""
        while not stop.is_set():
            try:
                self.look(stop)
            except StoreError as error:  # ingest says it aloud; here the figures stay as they were
                _log.info("when stockings were heard could not be looked up: %s", error)
            stop.wait(EVERY_S)

    def look(self, stop: threading.Event | None = None) -> None:
        """Find out what may have changed. Raises StoreError, and then nothing has."""
        before, heard = self._heard or {}, dict[str, int | None]()
        in_use = [
            each.serial
            for leg in self._registry.legs()
            for each in self._registry.stockings(leg.id)
            if each.retired_minute is None
        ]
        for serial in in_use:
            if stop is not None and stop.is_set():
                return
            now_ms, known = self._clock.now_ms(), before.get(serial)
            fresh = known is not None and now_ms - known < OLD_ENOUGH_MS
            if serial not in before or (not fresh and now_ms - self._looked[serial] >= AGAIN_MS):
                known = last_heard_ms(self._store.visits(serial))
                self._looked[serial] = now_ms
            heard[serial] = known
        self._heard = heard
        self._looked = {serial: self._looked[serial] for serial in heard}

    def spread(self) -> Mapping[Since, int] | None:
        """How many stockings in use were heard how long ago; None before the first look is done."""
        if self._heard is None:
            return None
        counts = dict.fromkeys(Since, 0)
        now_ms = self._clock.now_ms()
        for at_ms in self._heard.values():
            counts[_since(at_ms, now_ms)] += 1
        return counts


def last_heard_ms(visits: Sequence[Visit]) -> int | None:
    """By the gateway's clock, which may be wrong; but nobody has spoken after it was reported."""
    return max((min(visit.report.gateway_ms, visit.received_ms) for visit in visits), default=None)


def _since(at_ms: int | None, now_ms: int) -> Since:
    if at_ms is None:
        return Since.NEVER
    return next((since for since, limit in LIMITS_MS.items() if now_ms - at_ms <= limit), Since.LONGER)
