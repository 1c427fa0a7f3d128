"""One gateway per state folder: a lock that the system takes back when its holder dies, however it dies.

How a file is locked on which system, `file_lock` knows.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from calza_gateway.state.file_lock import lock_file

LOCK_FILE: Final = "gateway.lock"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
GLANCE_S: Final = 0.1  # `is_running` holds the lock for microseconds


class LockedError(Exception):
    """Another gateway works with this state folder, or the folder cannot be used; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _look_flags() -> int:
    """How to open the file for a look: who may only read the folder may look, too, except on Windows."""
    if sys.platform == "win32":
        return os.O_RDWR | os.O_BINARY | os.O_NOINHERIT
    return os.O_RDONLY | os.O_CLOEXEC


def _take(descriptor: int, *, shared: bool) -> bool:
    """Lock without waiting, to the end of the descriptor; whether it worked."""
    try:
        lock_file(descriptor, shared=shared)
    except BlockingIOError:
        return False
    return True


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the folder's lock (created with the folder if need be). Raises `LockedError`."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        descriptor = os.open(state / LOCK_FILE, _look_flags() | os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        raise LockedError("state_unusable", f"the state folder {state} cannot be used: {error.strerror}") from error
    try:
        if not _take(descriptor, shared=False):
            time.sleep(GLANCE_S)  # it may only have been somebody asking for the status
            if not _take(descriptor, shared=False):
                raise LockedError(
                    "already_running", f"another gateway is running with {state}; stop it, or give another --state"
                )
        yield
    finally:
        os.close(descriptor)


def is_running(state: Path) -> bool:
    """Whether a gateway works with this folder now."""
    try:
        descriptor = os.open(state / LOCK_FILE, _look_flags())
    except OSError:
        return False
    try:
        return not _take(descriptor, shared=True)
    finally:
        os.close(descriptor)
