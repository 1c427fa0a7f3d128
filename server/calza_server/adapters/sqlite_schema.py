"""The tables of the SQLite store, and how its file is opened. Knows nothing of what a body holds."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from calza_server.ports import StoreError

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID: Final = 0x43414C5A  # "CALZ", so that `file` and we know our own
SCHEMA_VERSION: Final = 1

# A full block takes 906 octets as a row. With 4096-octet pages four of them leave a tenth of every page empty (17.5
# octets a minute, measured over 134,400 blocks of 400 legs); from 8192 on the waste is 2 to 6 % (15.5). 16384 keeps it
# small for blocks of odd lengths too (16.0 with one block in ten cut short, against 16.2 and 17.7), and a commit of one
# record still writes two pages only.
PAGE_OCTETS: Final = 16_384
# A leg's rows lie scattered among those of all legs, one per page. Mapped, a read touches only the rows; copied through
# the page cache it moves every page (14 days of one leg: 1.0 ms against 1.9 ms). The file never shrinks, so a mapped
# page never disappears under a reader.
MAP_OCTETS: Final = 2**31 - 1
BUSY_MS: Final = 5_000  # a checkpoint or a backup may hold the lock for a moment
WAL_PAGES: Final = 512  # 8 MiB: a checkpoint every ten thousand records or so, not every few groups

# Rows are appended in the order they arrive, so pages fill to the brim. The index finds a record (log, record) and, as
# it carries the start second too, the records of a time span without touching a row. That (log, record) is unique is
# kept by append inside its transaction, because a unique index over all three columns would let a second start pass.
SCHEMA: Final = """
CREATE TABLE log (
    key INTEGER PRIMARY KEY, serial TEXT NOT NULL, log_id BLOB NOT NULL, UNIQUE (serial, log_id)
) STRICT;
CREATE TABLE gateway (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE block (
    key INTEGER PRIMARY KEY, log INTEGER NOT NULL, record INTEGER NOT NULL, start_s INTEGER NOT NULL,
    gateway INTEGER NOT NULL, received_ms INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX block_by_record ON block (log, record, start_s);
CREATE TABLE evidence (
    key INTEGER PRIMARY KEY, log INTEGER NOT NULL, record INTEGER NOT NULL, gateway INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, digest TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (log, record, digest)
) STRICT;
CREATE TABLE quarantine (
    key INTEGER PRIMARY KEY, gateway TEXT NOT NULL, serial TEXT NOT NULL, digest TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, received_ms INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (digest, serial, reason)
) STRICT;
CREATE TABLE sync (
    key INTEGER PRIMARY KEY, serial TEXT NOT NULL, received_ms INTEGER NOT NULL, report BLOB NOT NULL,
    UNIQUE (serial, report)
) STRICT;
"""


def open_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes; makes the file and its tables. Raises StoreError for a file that is not ours."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # 0600 before SQLite makes it: the log files beside it take the mode of the file.
        path.touch(mode=0o600, exist_ok=True)
        connection = _connect(path)
        try:
            _check_ours(connection, path)  # before anything is changed in a file that may be somebody else's
            connection.execute(f"PRAGMA page_size = {PAGE_OCTETS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # every commit reaches the disk before a receipt is sent
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            _make_tables(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise store_error(error) from error
    except OSError as error:
        raise StoreError("broken", f"the store {path} cannot be opened: {error.strerror}") from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads; it never waits for the writer. Raises StoreError."""
    try:
        connection = _connect(path)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.DatabaseError as error:
        raise store_error(error) from error
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    # One thread at a time uses a connection, under a lock of the store's; SQLite itself needs no thread check for that.
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA mmap_size = {MAP_OCTETS}")
    return connection


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    if _is_empty(connection):
        return
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if int(connection.execute("PRAGMA application_id").fetchone()[0]) != APPLICATION_ID:
        raise StoreError("broken", f"{path} is a SQLite file of something else; give another --store")
    if version != SCHEMA_VERSION:
        raise StoreError("broken", f"{path} has schema {version}, this server needs {SCHEMA_VERSION}: update it")


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")  # two servers starting at once must not both make the tables
    try:
        if _is_empty(connection):
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _is_empty(connection: sqlite3.Connection) -> bool:
    return int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]) == 0


def store_error(error: sqlite3.DatabaseError) -> StoreError:
    """What SQLite complained of, in the words of the port."""
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return StoreError("full", "the disk of the store is full: free some space, nothing is lost meanwhile")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError("busy", "another program keeps the store locked; it is tried again")
    return StoreError("broken", f"the store cannot be used: {error}")
