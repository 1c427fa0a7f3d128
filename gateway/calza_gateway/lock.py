"""One gateway per state folder: a lock that the system takes back when its holder dies, however it dies.

On Unix by flock(2), on Windows by a locked octet of the same file. Two functions know which; nothing else does.
"""

import os
import sys
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


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int, *, shared: bool) -> bool:
        """Lock without waiting; whether it worked. Windows has no shared lock here, so a look is as good as a hold."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:  # it tells a lock held by others and a file it cannot lock alike
            return False
        if shared:
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return True

    LOOK_FLAGS: Final = os.O_RDWR | os.O_BINARY | os.O_NOINHERIT
else:
    import fcntl

    def _take(descriptor: int, *, shared: bool) -> bool:
        """Lock without waiting, to the end of the descriptor; whether it worked."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    LOOK_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC  # who may only read the folder may look, too


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the folder's lock (created with the folder if need be). Raises `LockedError`."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        descriptor = os.open(state / LOCK_FILE, LOOK_FLAGS | os.O_RDWR | os.O_CREAT, FILE_MODE)
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
        descriptor = os.open(state / LOCK_FILE, LOOK_FLAGS)
    except OSError:
        return False
    try:
        return not _take(descriptor, shared=True)
    finally:
        os.close(descriptor)
