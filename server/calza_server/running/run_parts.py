"""Turns the words of the command line into parts: which store, which port. Brokers are in `run_broker`.

Adapters are imported only when they are asked for. Next file to read: `run`.
"""

from __future__ import annotations

import errno
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calza_server.access.tls_files import refuse_in_clear
from calza_server.errors import RunError, SpecError
from calza_server.files.folder_lock import locked
from calza_server.store_spec import (
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLE,
    InfluxSpec,
    MemorySpec,
    SqliteSpec,
    check_token,
    parse_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from calza_server.ports import SeriesStore
    from calza_server.store_spec import StoreSpec

LOOPBACK: Final = "127.0.0.1"
STORE_NAME: Final = "series.db"


# --- the store --------------------------------------------------------------------------------------------------------


def open_store(spec: str, token: str | None = None) -> SeriesStore:
    """The store a spec names; `token` is for one behind a network. Raises SpecError, StoreError."""
    found = _parsed(spec)
    if isinstance(found, SqliteSpec):
        from calza_server.adapters.sqlite_store import SqliteStore

        return SqliteStore(found.path)
    if isinstance(found, InfluxSpec):
        from calza_server.adapters.influx_store import InfluxStore

        try:
            return InfluxStore(found, token)
        except ValueError as error:
            raise SpecError(str(error)) from error
    from calza_server.adapters.memory_store import MemoryStore

    return MemoryStore()


def default_store(state: Path) -> str:
    """The store when none is asked for: a file in the state folder."""
    return f"sqlite:{state / STORE_NAME}"


def store_token(variables: Mapping[str, str]) -> str | None:
    """The store's token, from the file or the variable the environment names. Raises SpecError, without the token."""
    path = variables.get(TOKEN_FILE_VARIABLE)
    try:
        token = variables.get(TOKEN_VARIABLE) if path is None else Path(path).read_text(encoding="utf-8").strip()
        return None if token is None else check_token(token)
    except OSError as error:
        raise SpecError(f"the file of {TOKEN_FILE_VARIABLE} cannot be read: {error.strerror}") from error
    except ValueError:  # what could not be decoded may be half a token: it goes no further
        raise SpecError(f"{TOKEN_FILE_VARIABLE} or {TOKEN_VARIABLE} holds no token: it is empty or damaged") from None


def refuse_memory(spec: str) -> None:
    """For a process that is one of several. Raises SpecError for a store that only its own process can see."""
    if isinstance(_parsed(spec), MemorySpec):
        raise SpecError("a store in memory is seen by one process alone: give a database that all of them reach")


@contextmanager
def only_writer(spec: str) -> Iterator[None]:
    """Holds the store for the one process that may write to it; a database for many needs no such thing.

    Raises SpecError; RunError if another process holds it.
    """
    found = _parsed(spec)
    if not isinstance(found, SqliteSpec):
        yield
        return
    taken = (
        f"another process of the server writes to {found.path}, and SQLite takes one at a time: stop it, or give all of"
        " them a database with --store"
    )
    with locked(found.path.with_name(f"{found.path.name}.lock"), taken):
        yield


def _parsed(spec: str) -> StoreSpec:
    try:
        return parse_store(spec)
    except ValueError as error:
        raise SpecError(str(error)) from error


# --- ports ------------------------------------------------------------------------------------------------


def listen(port: int, host: str = LOOPBACK, *, tls: bool = False) -> socket.socket:
    """A socket that takes HTTP connections; port 0 is any free one.

    Raises RunError, and TlsError for an address that other machines reach without TLS.
    """
    refuse_in_clear(host, "--http-host", tls=tls)
    # Named as TCP, or asyncio leaves Nagle's algorithm on: 40 ms for every answer on a connection that is kept.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise RunError(f"port {port} is taken by another program; give another --http-port") from error
        raise RunError(f"nobody can listen on {host}, port {port}: {error.strerror}") from error
    return listener
