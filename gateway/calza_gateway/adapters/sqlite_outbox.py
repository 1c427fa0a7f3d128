"""The outbox in one SQLite file: WAL, `synchronous=FULL`, mode 0600. Knows nothing of radio or broker.

One connection behind one lock, so that any thread may call. A reader beside a running gateway (`calza gateway status`)
opens the same file read-only.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from calza_gateway.ports import (
    Contact,
    OutboxCounts,
    OutboxError,
    OutboxFullError,
    OutboxRecord,
    OutboxReport,
    RefusedRecord,
    Settled,
    StockingCounts,
)
from calza_wire.messages import Receipt, RefusalReason
from calza_wire.ranges import RangeSet, RecordRange
from calza_wire.records import Record, digest, encode_record

SCHEMA_VERSION: Final = 1
BUSY_LIMIT_MS: Final = 5_000  # how long to wait for a reader's lock before it is an error
FILE_MODE: Final = 0o600  # readings are health data
SPOILT: Final = (RefusalReason.MALFORMED.value, RefusalReason.FORGED.value)  # what a second reading might cure

# AUTOINCREMENT: a key must never be used again, because the relay remembers keys that are under way.
SCHEMA: Final = """
create table record (
    key integer primary key autoincrement, serial text not null, log_id blob not null, number integer not null,
    digest text not null, payload blob not null, put_ms integer not null,
    reason text, detail text, refused_ms integer, readings integer not null default 1,
    unique (serial, log_id, number, digest)
) strict;
create index record_waiting on record (key) where reason is null;
create index record_by_digest on record (serial, digest);
create table receipted (
    serial text not null, log_id blob not null, first integer not null, last integer not null,
    primary key (serial, log_id, first)
) strict, without rowid;
create table report (key integer primary key autoincrement, serial text not null, payload blob not null) strict;
create table contact (serial text primary key, tried_ms integer not null, outcome text not null, synced_ms integer)
    strict, without rowid;
"""


class SqliteOutbox:
    """See `calza_gateway.ports.Outbox`; `open` or `open_readonly` makes one."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> "SqliteOutbox":
        """Open or create the file. Raises `OutboxError` ("outbox_unusable", "outbox_too_new") or `OutboxFullError`."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE))  # SQLite's own files inherit this mode
        except OSError as error:
            raise _translated(error, path) from error
        outbox = cls(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        try:
            outbox._prepare(path)
        except BaseException:
            outbox.close()
            raise
        return outbox

    @classmethod
    def open_readonly(cls, path: Path) -> "SqliteOutbox":
        """Look into the outbox of a gateway, running or not. Raises `OutboxError` ("outbox_unusable")."""
        try:
            database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        outbox = cls(database)
        try:
            outbox._check_version(path)
        except BaseException:
            outbox.close()
            raise
        return outbox

    def _prepare(self, path: Path) -> None:
        try:
            self._database.execute(f"pragma busy_timeout = {BUSY_LIMIT_MS}")
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = full")
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        if self._check_version(path) == 0:
            with self._transaction() as database:
                for statement in SCHEMA.split(";"):
                    database.execute(statement)
                database.execute(f"pragma user_version = {SCHEMA_VERSION}")

    def _check_version(self, path: Path) -> int:
        try:
            version = int(self._database.execute("pragma user_version").fetchone()[0])
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        if version > SCHEMA_VERSION:
            raise OutboxError("outbox_too_new", f"{path} was written by a newer version of calza; update this one")
        return version

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk when it ends."""
        with self._lock:
            try:
                self._database.execute("begin immediate")
                try:
                    yield self._database
                except BaseException:
                    if self._database.in_transaction:  # SQLite itself has rolled back when the disk was full
                        self._database.execute("rollback")
                    raise
                try:
                    self._database.execute("commit")
                except sqlite3.Error:
                    if self._database.in_transaction:
                        self._database.execute("rollback")
                    raise
            except sqlite3.Error as error:
                raise _translated(error) from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise _translated(error) from error

    # --- records ------------------------------------------------------------------------------------------------------

    def put(self, serial: str, log_id: bytes, records: Sequence[Record], now_ms: int) -> int:
        payloads = [(record.number, encode_record(record.number, record.body)) for record in records]
        rows = [(serial, log_id, number, digest(payload), payload, now_ms) for number, payload in payloads]
        new = 0
        with self._transaction() as database:
            for row in rows:
                new += database.execute(
                    "insert into record (serial, log_id, number, digest, payload, put_ms) values (?, ?, ?, ?, ?, ?)"
                    " on conflict do update set readings = readings + 1 where reason is not null"
                    " returning readings = 1",
                    row,
                ).fetchall() == [(1,)]
        return new

    def pending(self, limit: int, after: int = 0) -> list[OutboxRecord]:
        with self._reading() as database:
            rows = database.execute(
                "select key, serial, log_id, number, payload from record indexed by record_waiting"
                " where reason is null and key > ? order by key limit ?",
                (after, limit),
            ).fetchall()
        return [OutboxRecord(*row) for row in rows]

    def waiting(self) -> int:
        with self._reading() as database:
            query = "select count(*) from record indexed by record_waiting where reason is null"
            return int(database.execute(query).fetchone()[0])

    def settle(self, receipt: Receipt, now_ms: int) -> Settled:
        stored: set[int] = set()
        refused: set[int] = set()
        with self._transaction() as database:
            for log in receipt.stored:
                log_id = bytes.fromhex(log.log_id)
                for item in log.ranges:
                    rows = database.execute(
                        "delete from record where serial = ? and log_id = ? and number between ? and ?"
                        " and reason is null returning key",
                        (receipt.serial, log_id, item.first, item.last),
                    )
                    stored.update(key for (key,) in rows)
                self._extend_receipted(database, receipt.serial, log_id, log.ranges)
            for refusal in receipt.refused:
                rows = database.execute(
                    "update record set reason = ?, detail = ?, refused_ms = ?"
                    " where serial = ? and digest = ? and reason is null returning key",
                    (refusal.reason.value, refusal.detail, now_ms, receipt.serial, refusal.digest),
                )
                refused.update(key for (key,) in rows)
        return Settled(frozenset(stored), frozenset(refused))

    def _extend_receipted(
        self, database: sqlite3.Connection, serial: str, log_id: bytes, ranges: Sequence[RecordRange]
    ) -> None:
        known = _ranges(database, serial, log_id)
        grown = known.add(RangeSet(ranges))
        if grown != known:
            database.execute("delete from receipted where serial = ? and log_id = ?", (serial, log_id))
            rows = [(serial, log_id, item.first, item.last) for item in grown]
            database.executemany("insert into receipted values (?, ?, ?, ?)", rows)

    def release(self, serial: str) -> int:
        with self._transaction() as database:
            return database.execute(
                "update record set reason = null, detail = null, refused_ms = null where serial = ? and reason = ?",
                (serial, RefusalReason.UNKNOWN_STOCKING.value),
            ).rowcount

    def held(self, serial: str, log_id: bytes) -> RangeSet:
        with self._reading() as database:
            rows = database.execute(
                "select number from record where serial = ? and log_id = ?"
                " and (reason is null or reason not in (?, ?) or readings > 1)",
                (serial, log_id, *SPOILT),
            ).fetchall()
        return RangeSet.from_numbers(number for (number,) in rows)

    def receipted(self, serial: str, log_id: bytes) -> RangeSet:
        with self._reading() as database:
            return _ranges(database, serial, log_id)

    def refused(self) -> list[RefusedRecord]:
        with self._reading() as database:
            rows = database.execute(
                "select serial, log_id, number, digest, reason, detail, refused_ms from record"
                " where reason is not null order by key"
            ).fetchall()
        return [RefusedRecord(*row) for row in rows]

    # --- reports and contacts -----------------------------------------------------------------------------------------

    def put_report(self, serial: str, payload: bytes) -> None:
        with self._transaction() as database:
            database.execute("insert into report (serial, payload) values (?, ?)", (serial, payload))

    def reports(self, limit: int, after: int = 0) -> list[OutboxReport]:
        with self._reading() as database:
            rows = database.execute(
                "select key, serial, payload from report where key > ? order by key limit ?", (after, limit)
            ).fetchall()
        return [OutboxReport(*row) for row in rows]

    def drop_report(self, key: int) -> None:
        with self._transaction() as database:
            database.execute("delete from report where key = ?", (key,))

    def note_contact(self, contact: Contact) -> None:
        with self._transaction() as database:
            database.execute(
                "insert into contact values (?, ?, ?, ?) on conflict do update set tried_ms = excluded.tried_ms,"
                " outcome = excluded.outcome, synced_ms = coalesce(excluded.synced_ms, synced_ms)",
                (contact.serial, contact.tried_ms, contact.outcome, contact.synced_ms),
            )

    def contacts(self) -> list[Contact]:
        with self._reading() as database:
            return [Contact(*row) for row in database.execute("select * from contact order by serial").fetchall()]

    def counts(self) -> OutboxCounts:
        with self._reading() as database:
            rows = database.execute(
                "select serial, sum(pending), sum(refused), sum(receipted) from ("
                "select serial, reason is null as pending, reason is not null as refused, 0 as receipted from record"
                " union all select serial, 0, 0, last - first + 1 from receipted) group by serial order by serial"
            ).fetchall()
            reports = database.execute("select count(*) from report").fetchone()[0]
            oldest = database.execute("select min(put_ms) from record where reason is null").fetchone()[0]
        stockings = tuple(StockingCounts(*row) for row in rows)
        pending, refused = sum(one.pending for one in stockings), sum(one.refused for one in stockings)
        return OutboxCounts(pending, refused, reports, oldest, stockings)

    def close(self) -> None:
        with self._lock:
            self._database.close()


def _ranges(database: sqlite3.Connection, serial: str, log_id: bytes) -> RangeSet:
    rows = database.execute("select first, last from receipted where serial = ? and log_id = ?", (serial, log_id))
    return RangeSet([RecordRange(*row) for row in rows.fetchall()])


def _translated(error: sqlite3.Error | OSError, path: Path | None = None) -> OutboxError:
    """What went wrong as one of the outbox's own errors, in a sentence for the person who must act."""
    where = f"the outbox {path}" if path else "the outbox"
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in {28, 122}):
        return OutboxFullError(f"{where} cannot grow, the disk is full: free some space; the stocking keeps its log")
    if code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return OutboxError("outbox_damaged", f"{where} is damaged ({error}): move the file away and sync again")
    return OutboxError("outbox_unusable", f"{where} cannot be used: {error}")
