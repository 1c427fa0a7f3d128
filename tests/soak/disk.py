"""The gateway's outbox on a disk that can be full.

Knows the inside of `SqliteOutbox`: a full disk must come from SQLite itself, on the way it comes in life.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calza_gateway.adapters.sqlite_outbox import SqliteOutbox

MORE_THAN_THERE_IS = 2**24  # octets; far beyond what is free inside the file's own pages
PLENTY_OF_PAGES = 2**20


class FillableOutbox(SqliteOutbox):
    """An outbox whose every change fails for want of space between `fill` and `make_room`."""

    _full = False

    @classmethod
    def made(cls, path: Path) -> "FillableOutbox":
        """A new one at that path."""
        outbox = cls.open(path)
        assert isinstance(outbox, cls)
        return outbox

    def fill(self) -> None:
        """No page more than there is. Small changes would still find room inside the pages, so each has to need one."""
        with self._lock:
            (pages,) = self._database.execute("pragma page_count").fetchone()
            self._database.execute(f"pragma max_page_count = {pages}")
            self._full = True

    def make_room(self) -> None:
        """As much as anybody wants."""
        with self._lock:
            self._database.execute(f"pragma max_page_count = {PLENTY_OF_PAGES}")
            self._full = False

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with super()._transaction() as database:
            if self._full:
                database.execute("insert into report (serial, payload) values ('', zeroblob(?))", (MORE_THAN_THERE_IS,))
            yield database
