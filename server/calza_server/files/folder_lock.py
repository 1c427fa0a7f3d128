"""One process at a time for a folder or a file, by locks that end with their holder, however it ends."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from calza_server.errors import RunError
from calza_server.files.private_files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_one(state: Path, what: str) -> Iterator[None]:
    """Holds the state folder for `what` (server, broker) while the block runs. Raises RunError if another does."""
    try:
        make_private_folder(state)
    except OSError as error:
        raise _unusable(state, error) from error
    taken = f"another {what} is running with the state folder {state}; stop it or give another --state"
    with locked(state / f"{what}.lock", taken):
        yield


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Holds a lock file while the block runs. Raises RunError, with the sentence `taken` if another process does."""
    try:
        lock = path.open("w")
    except OSError as error:
        raise _unusable(path.parent, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(taken) from error
        yield


def _unusable(folder: Path, error: OSError) -> RunError:
    return RunError(f"the folder {folder} cannot be used: {error.strerror}")
