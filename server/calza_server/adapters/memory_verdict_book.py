"""Frozen verdicts in memory, for tests and for a server that is asked to keep nothing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class MemoryVerdictBook:
    """Keeps `calza_server.ports.VerdictBook`, until the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[tuple[str, str], list[Mapping[str, object]]] = {}

    def versions(self, leg: str, order: str) -> tuple[Mapping[str, object], ...]:
        """See the port."""
        with self._lock:
            return tuple(self._versions.get((leg, order), ()))

    def append(self, leg: str, order: str, version: Mapping[str, object]) -> None:
        """See the port."""
        with self._lock:
            self._versions.setdefault((leg, order), []).append(dict(version))
