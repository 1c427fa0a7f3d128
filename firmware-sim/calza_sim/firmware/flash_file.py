"""The flash log in a file, so that a killed simulator goes on with the same log. Only this module knows sqlite3.

Every change is one transaction: a process killed at any moment leaves the change whole or undone.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from calza_sim.firmware.flash import (
    FIRST_RECORD,
    FLASH_DAYS,
    MINUTES_PER_DAY,
    FlashError,
    LogHead,
    Ring,
    SealedRecord,
    formatted,
)

# NORMAL with a write-ahead log: a killed process loses nothing; a machine without power may lose the last moments.
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS head (
  only INTEGER PRIMARY KEY CHECK (only = 0), log_id BLOB NOT NULL, first INTEGER NOT NULL, timeline INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS record (number INTEGER PRIMARY KEY, minutes INTEGER NOT NULL, body BLOB NOT NULL);
"""


class FileFlash:
    """A flash chip in one SQLite file; see `Flash`. Raises FlashError when the file cannot be used."""

    def __init__(self, path: Path, *, days: float = FLASH_DAYS) -> None:
        self._path = path
        self._capacity = int(days * MINUTES_PER_DAY)
        with self._explained():
            self._file = sqlite3.connect(path, isolation_level=None)
        try:
            with self._explained():
                self._file.executescript(_SCHEMA)
                row = self._file.execute("SELECT log_id, first, timeline FROM head").fetchone()
                minutes = [held for (held,) in self._file.execute("SELECT minutes FROM record ORDER BY number")]
        except FlashError:
            self._file.close()
            raise
        self._head = None if row is None else LogHead(row[0], row[2])
        self._ring = Ring(self._capacity, first_record=FIRST_RECORD if row is None else row[1], minutes=minutes)

    @property
    def head(self) -> LogHead | None:
        """See `Flash`."""
        return self._head

    @property
    def first_record(self) -> int:
        """See `Flash`."""
        return self._ring.first_record

    @property
    def next_record(self) -> int:
        """See `Flash`."""
        return self._ring.next_record

    def format(self, log_id: bytes) -> None:
        """See `Flash`."""
        with self._transaction():
            self._file.execute("DELETE FROM record")
            self._file.execute("REPLACE INTO head VALUES (0, ?, ?, ?)", (log_id, FIRST_RECORD, FIRST_RECORD))
        self._ring = Ring(self._capacity)
        self._head = LogHead(log_id, FIRST_RECORD)

    def begin_timeline(self) -> None:
        """See `Flash`."""
        head = LogHead(formatted(self._head).log_id, self.next_record)
        with self._transaction():
            self._file.execute("UPDATE head SET timeline = ?", (head.timeline_first_record,))
        self._head = head

    def append(self, records: Sequence[SealedRecord]) -> None:
        """See `Flash`."""
        formatted(self._head)
        minutes = [each.minutes for each in records]
        first = self._ring.first_after(minutes)
        rows = [(number, each.minutes, each.body) for number, each in enumerate(records, start=self.next_record)]
        with self._transaction():
            self._file.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)
            self._file.execute("DELETE FROM record WHERE number < ?", (first,))
            self._file.execute("UPDATE head SET first = ?", (first,))
        self._ring.push(minutes)

    def body(self, number: int) -> bytes | None:
        """See `Flash`."""
        with self._explained():
            row = self._file.execute("SELECT body FROM record WHERE number = ?", (number,)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """See `Flash`."""
        self._file.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._explained():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._file.execute("COMMIT")
            finally:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise FlashError("flash_unusable", f"the flash file {self._path} cannot be used: {error}") from error
