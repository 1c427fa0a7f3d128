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

from calza_gateway.adapters.outbox_schema import SCHEMA_VERSION, statements_from
from calza_gateway.forwarding.outbox_limit import OutboxLimit
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

BUSY_LIMIT_MS: Final = 5_000  # how long to wait for a reader's lock before it is an error
FILE_MODE: Final = 0o600  # readings are health data
SPOILT: Final = (RefusalReason.MALFORMED.value, RefusalReason.FORGED.value)  # what a second reading might cure


class SqliteOutbox:
    """See `calza_gateway.ports.Outbox`; `open` or `open_readonly` makes one."""

    def __init__(self, database: sqlite3.Connection, limit: OutboxLimit | None = None) -> None:
        self._database = database
        self._limit = limit
        self._lock = threading.Lock()
        self._version = 0  # of the file; above `SCHEMA_VERSION` if a newer program wrote it

    @classmethod
    def open(cls, path: Path, limit: OutboxLimit | None = None) -> "SqliteOutbox":
        """Open, create or update the file. Raises `OutboxError` ("outbox_unusable", "outbox_too_new") or
        `OutboxFullError`."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, FILE_MODE))  # SQLite's own files inherit this mode
        except OSError as error:
            raise _translated(error, path) from error
        outbox = cls(sqlite3.connect(path, isolation_level=None, check_same_thread=False), limit)
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
            outbox._version = outbox._look(path)
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
        if self._look(path) < SCHEMA_VERSION:
            with self._transaction() as database:
                for statement in statements_from(self._look(path)):  # looked again: another program may have done it
                    database.execute(statement)
        self._version = self._look(path)

    def _look(self, path: Path) -> int:
        """The version of the file, 0 if it is empty. Raises `OutboxError` if it is not for this program."""
        try:
            (oldest,) = self._database.execute("pragma user_version").fetchone()
            if oldest > SCHEMA_VERSION:
                raise OutboxError("outbox_too_new", f"{path} was written by a newer version of calza; update this one")
            if not self._database.execute("select 1 from sqlite_schema where name = 'about'").fetchone():
                return int(oldest > 0)
            return int(self._database.execute("select version from about").fetchone()[0])
        except sqlite3.Error as error:
            raise _translated(error, path) from error

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
            if new and self._limit is not None:
                self._limit.check_records(_records(database), _reusable(database))
        return new

    def check_room(self) -> None:
        if self._limit is not None:
            with self._reading() as database:
                self._limit.check_records(_records(database) + 1, _reusable(database))

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
            reports = self._settle_reports(database, receipt)
        return Settled(frozenset(stored), frozenset(refused), frozenset(reports))

    def _settle_reports(self, database: sqlite3.Connection, receipt: Receipt) -> set[int]:
        if not receipt.reports and not receipt.refused:
            return set()  # most receipts are about stored records
        query = "select payload, key from report where serial = ? and reason is null"
        waiting = {digest(payload): key for payload, key in database.execute(query, (receipt.serial,))}
        stored = [waiting.pop(name) for name in receipt.reports if name in waiting]
        refused = [(one.reason.value, waiting[one.digest]) for one in receipt.refused if one.digest in waiting]
        database.executemany("delete from report where key = ?", [(key,) for key in stored])
        database.executemany("update report set reason = ? where key = ?", refused)
        return {*stored, *(key for _, key in refused)}

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
        unknown = (serial, RefusalReason.UNKNOWN_STOCKING.value)
        with self._transaction() as database:
            records = database.execute(
                "update record set reason = null, detail = null, refused_ms = null where serial = ? and reason = ?",
                unknown,
            ).rowcount
            query = "update report set reason = null where serial = ? and reason = ?"
            return records + database.execute(query, unknown).rowcount

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
            if self._limit is not None:
                count = database.execute("select count(*) from report").fetchone()[0]
                self._limit.check_reports(count, _reusable(database))

    def reports(self, limit: int, after: int = 0) -> list[OutboxReport]:
        with self._reading() as database:
            rows = database.execute(
                "select key, serial, payload from report where reason is null and key > ? order by key limit ?",
                (after, limit),
            ).fetchall()
        return [OutboxReport(*row) for row in rows]

    def note_contact(self, contact: Contact) -> None:
        with self._transaction() as database:
            database.execute(
                "insert into contact (serial, tried_ms, outcome, synced_ms) values (?, ?, ?, ?)"
                " on conflict do update set tried_ms = excluded.tried_ms,"
                " outcome = excluded.outcome, synced_ms = coalesce(excluded.synced_ms, synced_ms)",
                (contact.serial, contact.tried_ms, contact.outcome, contact.synced_ms),
            )
            database.execute(
                "insert or replace into found (serial, tried_ms, backlog, clock_error_ms, battery_percent)"
                " values (?, ?, ?, ?, ?)",
                (
                    contact.serial,
                    contact.tried_ms,
                    contact.backlog,
                    contact.clock_error_ms,
                    contact.battery_percent,
                ),
            )

    def contacts(self) -> list[Contact]:
        found = "left join found using (serial, tried_ms)"
        columns = "serial, tried_ms, outcome, synced_ms, backlog, clock_error_ms, battery_percent"
        if self._version < 2:  # read only, beside a gateway that was not started again since the update
            found, columns = "", columns.replace("backlog, clock_error_ms, battery_percent", "null, null, null")
        with self._reading() as database:
            rows = database.execute(f"select {columns} from contact {found} order by serial")  # noqa: S608 - both are written above
            return [Contact(*row) for row in rows.fetchall()]

    def counts(self) -> OutboxCounts:
        with self._reading() as database:
            rows = database.execute(
                "select serial, sum(pending), sum(refused), sum(receipted) from ("
                "select serial, reason is null as pending, reason is not null as refused, 0 as receipted from record"
                " union all select serial, 0, 0, last - first + 1 from receipted) group by serial order by serial"
            ).fetchall()
            waiting = "" if self._version < 3 else "where reason is null"  # an older file, read only
            reports = database.execute(f"select count(*) from report {waiting}").fetchone()[0]  # noqa: S608 - both words are written above
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


def _records(database: sqlite3.Connection) -> int:
    """Waiting or refused."""
    return int(database.execute("select count(*) from record").fetchone()[0])


def _reusable(database: sqlite3.Connection) -> int:
    """Octets on disk that are written again before more are taken: free pages of the file, and its log."""
    pages = database.execute("pragma freelist_count").fetchone()[0]
    size = database.execute("pragma page_size").fetchone()[0]
    log = Path(database.execute("pragma database_list").fetchone()[2] + "-wal")
    return int(pages * size) + (log.stat().st_size if log.exists() else 0)


def _translated(error: sqlite3.Error | OSError, path: Path | None = None) -> OutboxError:
    """What went wrong as one of the outbox's own errors, in a sentence for the person who must act."""
    where = f"the outbox {path}" if path else "the outbox"
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in {28, 122}):
        return OutboxFullError(f"{where} cannot grow, the disk is full: free some space; the stocking keeps its log")
    if code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return OutboxError("outbox_damaged", f"{where} is damaged ({error}): move the file away and sync again")
    return OutboxError("outbox_unusable", f"{where} cannot be used: {error}")
