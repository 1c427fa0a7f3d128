"""The series store in one SQLite file: a row per block, octets as they came. Next file to read: `sqlite_schema`.

One connection writes and one reads. In WAL mode a reader sees the last commit and never waits for the writer. A single
writing process is assumed only for `held`, which is kept in memory; the tables guard themselves.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.adapters.block_starts import block_starts
from calza_server.adapters.sqlite_schema import open_reader, open_writer, store_error
from calza_server.domain.recording.readings import Readings
from calza_server.domain.recording.readings_blocks import LONGEST_BLOCK_S, readings_of
from calza_server.ports import Appended, HeldLog, QuarantinedRecord, StoredBlock, StoreError, Visit
from calza_wire.messages import SyncReport
from calza_wire.ranges import RangeSet
from calza_wire.records import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# So many rows go to SQLite in one statement. Each statement lets go of Python's lock and has to win it back from the
# thread that receives; row by row, that hand-over costs more than the insert.
ROWS_AT_ONCE: Final = 100
SELECT_SPAN: Final = """
SELECT log, record, body FROM block
WHERE log IN (SELECT key FROM log WHERE serial = ?) AND start_s > ? AND start_s < ? ORDER BY log, record
"""


class SqliteStore:
    """Keeps `calza_server.ports.SeriesStore` in the file at `path`. Raises StoreError if that cannot be had."""

    def __init__(self, path: Path) -> None:
        self._writer = open_writer(path)
        self._writing = threading.Lock()
        self._reader = open_reader(path)
        self._reading = threading.Lock()
        self._closed = False
        self._log_keys: dict[tuple[str, bytes], int] = {}
        self._gateway_keys: dict[str, int] = {}
        self._held: dict[str, dict[bytes, RangeSet]] = {}
        self._remembering = threading.Lock()  # never held during a commit, so `held` does not wait for the disk
        with self._reads() as reader:
            self._recall(reader)

    def _recall(self, reader: sqlite3.Connection) -> None:
        """Fill the memory from the index: logs in the order first seen, and the record numbers held of each."""
        self._gateway_keys = {name: int(key) for key, name in reader.execute("SELECT key, name FROM gateway")}
        logs = reader.execute("SELECT key, serial, log_id FROM log ORDER BY key").fetchall()
        for key, serial, log_id in logs:
            self._log_keys[serial, log_id] = key
            numbers = reader.execute("SELECT record FROM block WHERE log = ? ORDER BY record", (key,))
            self._held.setdefault(serial, {})[log_id] = RangeSet.from_numbers(number for (number,) in numbers)

    def append(self, blocks: Sequence[StoredBlock]) -> list[Appended]:
        """See the port."""
        starts = block_starts(blocks)
        with self._writes() as writer:
            outcomes: list[Appended] = []
            for at in range(0, len(blocks), ROWS_AT_ONCE):
                until = at + ROWS_AT_ONCE
                outcomes += self._insert(writer, blocks[at:until], starts[at:until])
            writer.execute("COMMIT")
            self._remember(blocks, outcomes)
        return outcomes

    def _insert(
        self, writer: sqlite3.Connection, blocks: Sequence[StoredBlock], starts: Sequence[int]
    ) -> list[Appended]:
        """The blocks as rows where their number is free. The transaction keeps every other writer out meanwhile."""
        logs = [self._log_key(writer, block) for block in blocks]
        held = _bodies(writer, [(log, block.record) for log, block in zip(logs, blocks, strict=True)])
        outcomes: list[Appended] = []
        rows: list[object] = []
        for log, block, start_s in zip(logs, blocks, starts, strict=True):
            key, gateway = (log, block.record), self._gateway_key(writer, block.gateway)
            if key not in held:
                held[key] = block.body
                outcomes.append(Appended.STORED)
                rows += (log, block.record, start_s, gateway, block.received_ms, block.body)
            elif held[key] == block.body:
                outcomes.append(Appended.DUPLICATE)
            else:
                outcomes.append(Appended.CONFLICT)
                writer.execute(
                    """INSERT OR IGNORE INTO evidence (log, record, gateway, received_ms, digest, body)
                    VALUES (?, ?, ?, ?, ?, ?)""",
                    (log, block.record, gateway, block.received_ms, digest(block.body), block.body),
                )
        if rows:
            places = ", ".join(["(?, ?, ?, ?, ?, ?)"] * outcomes.count(Appended.STORED))
            writer.execute(
                f"INSERT INTO block (log, record, start_s, gateway, received_ms, body) "  # noqa: S608 - nothing but question marks is put in
                f"VALUES {places}",
                rows,
            )
        return outcomes

    def _log_key(self, writer: sqlite3.Connection, block: StoredBlock) -> int:
        known = self._log_keys.get((block.serial, block.log_id))
        if known is None:
            row = (block.serial, block.log_id)
            writer.execute("INSERT OR IGNORE INTO log (serial, log_id) VALUES (?, ?)", row)
            known = int(writer.execute("SELECT key FROM log WHERE serial = ? AND log_id = ?", row).fetchone()[0])
            self._log_keys[row] = known
        return known

    def _gateway_key(self, writer: sqlite3.Connection, name: str) -> int:
        known = self._gateway_keys.get(name)
        if known is None:
            writer.execute("INSERT OR IGNORE INTO gateway (name) VALUES (?)", (name,))
            known = int(writer.execute("SELECT key FROM gateway WHERE name = ?", (name,)).fetchone()[0])
            self._gateway_keys[name] = known
        return known

    def _remember(self, blocks: Sequence[StoredBlock], outcomes: Sequence[Appended]) -> None:
        fresh: dict[tuple[str, bytes], list[int]] = {}
        for block, outcome in zip(blocks, outcomes, strict=True):
            if outcome is not Appended.CONFLICT:
                fresh.setdefault((block.serial, block.log_id), []).append(block.record)
        with self._remembering:
            for (serial, log_id), numbers in fresh.items():
                logs = self._held.setdefault(serial, {})
                logs[log_id] = logs.get(log_id, RangeSet()).add(RangeSet.from_numbers(numbers))

    def evidence(self, serial: str) -> list[StoredBlock]:
        """See the port."""
        with self._reads() as reader:
            rows = reader.execute(
                """SELECT log_id, record, body, name, received_ms FROM evidence JOIN log ON log.key = evidence.log
                JOIN gateway ON gateway.key = evidence.gateway WHERE serial = ? ORDER BY evidence.key""",
                (serial,),
            ).fetchall()
        return [StoredBlock(serial, *row) for row in rows]

    def quarantine(self, items: Sequence[QuarantinedRecord]) -> None:
        """See the port."""
        kept = [item.bounded() for item in items]
        with self._writes() as writer:
            writer.executemany(
                """INSERT OR IGNORE INTO quarantine (gateway, serial, payload, digest, reason, detail, received_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                [(i.gateway, i.serial, i.payload, i.digest, i.reason, i.detail, i.received_ms) for i in kept],
            )
            writer.execute("COMMIT")

    def held(self, serial: str) -> list[HeldLog]:
        """See the port."""
        with self._remembering:
            return [HeldLog(log_id, held) for log_id, held in self._held.get(serial, {}).items()]

    def read(self, serial: str, from_device_s: int, to_device_s: int) -> Readings:
        """See the port."""
        with self._reads() as reader:
            logs = reader.execute("SELECT key, log_id FROM log WHERE serial = ? ORDER BY key", (serial,)).fetchall()
            rows = reader.execute(SELECT_SPAN, (serial, from_device_s - LONGEST_BLOCK_S, to_device_s)).fetchall()
        names = tuple(log_id for _, log_id in logs)
        index = {key: place for place, (key, _) in enumerate(logs)}
        record = np.array([number for _, number, _ in rows], np.int64)
        log = np.array([index[key] for key, _, _ in rows], np.int16)
        return readings_of([body for *_, body in rows], record, log, names).between(from_device_s, to_device_s)

    def count(self, serial: str) -> int:
        """See the port."""
        return sum(log.held.count for log in self.held(serial))

    def add_sync(self, report: SyncReport, received_ms: int) -> None:
        """See the port."""
        with self._writes() as writer:
            writer.execute(
                "INSERT OR IGNORE INTO sync (serial, received_ms, report) VALUES (?, ?, ?)",
                (report.serial, received_ms, report.encode()),
            )
            writer.execute("COMMIT")

    def syncs(self, serial: str) -> list[SyncReport]:
        """See the port."""
        return [visit.report for visit in self.visits(serial)]

    def visits(self, serial: str) -> list[Visit]:
        """See the port."""
        with self._reads() as reader:
            rows = reader.execute(
                "SELECT report, received_ms FROM sync WHERE serial = ? ORDER BY key", (serial,)
            ).fetchall()
        return [Visit(SyncReport.decode(report), received_ms) for report, received_ms in rows]

    def quarantined(self, serial: str | None = None) -> list[QuarantinedRecord]:
        """See the port."""
        with self._reads() as reader:
            rows = reader.execute(
                """SELECT gateway, serial, payload, digest, reason, detail, received_ms FROM quarantine
                WHERE ?1 IS NULL OR serial = ?1 ORDER BY key""",
                (serial,),
            ).fetchall()
        return [QuarantinedRecord(*row) for row in rows]

    def close(self) -> None:
        """See the port."""
        with self._writing, self._reading:
            self._closed = True
            self._reader.close()  # first, so that the writer's close is the last and tidies the log away
            self._writer.close()

    @contextmanager
    def _writes(self) -> Iterator[sqlite3.Connection]:
        """A transaction the caller commits; whatever is not committed at the end is undone, in memory too."""
        with self._writing:
            self._check_open()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
            except sqlite3.DatabaseError as error:
                raise store_error(error) from error
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                    self._forget_keys()

    def _forget_keys(self) -> None:
        """Keys drawn in a transaction that was undone mean nothing; the next append asks for them again."""
        self._log_keys.clear()
        self._gateway_keys.clear()

    @contextmanager
    def _reads(self) -> Iterator[sqlite3.Connection]:
        with self._reading:
            self._check_open()
            try:
                yield self._reader
            except sqlite3.DatabaseError as error:
                raise store_error(error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("broken", "the store has been closed")


def _bodies(writer: sqlite3.Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """What is held under these (log, record)."""
    places = ", ".join(["(?, ?)"] * len(keys))
    found = writer.execute(
        f"WITH asked (log, record) AS (VALUES {places}) "  # noqa: S608 - question marks only
        "SELECT block.log, block.record, body FROM asked CROSS JOIN block USING (log, record)",
        [part for key in keys for part in key],
    )
    return {(log, record): body for log, record, body in found}
