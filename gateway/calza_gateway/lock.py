"""One gateway per state folder: a lock that the system takes back when its holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK_FILE: Final = "gateway.lock"
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
GLANCE_S: Final = 0.1  # `is_running` holds the lock for microseconds


class LockedError(Exception):
    """Another gateway works with this state folder, or the folder cannot be used; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the folder's lock (created with the folder if need be). Raises `LockedError`."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        descriptor = os.open(state / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise LockedError("state_unusable", f"the state folder {state} cannot be used: {error.strerror}") from error
    try:
        try:
            _take(descriptor)
        except BlockingIOError as error:
            raise LockedError(
                "already_running", f"another gateway is running with {state}; stop it, or give another --state"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(GLANCE_S)  # it may only have been somebody asking for the status
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_running(state: Path) -> bool:
    """Whether a gateway works with this folder now."""
    try:
        descriptor = os.open(state / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
