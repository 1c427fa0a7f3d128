"""A lock on an open file that the system takes back when its holder dies, however it dies; on POSIX and on Windows.

Must not know what the file is for. The libraries are imported when a lock is taken: neither exists on every system.
"""

import sys


def lock_file(descriptor: int, *, shared: bool = False) -> None:
    """Take the lock at once. Raises BlockingIOError when another process holds it.

    `shared` locks exclude only exclusive ones; Windows knows none, and there they are exclusive too.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # one octet, which need not be there
        except OSError as error:
            raise BlockingIOError(error.errno, "another process holds the lock") from error
    else:
        import fcntl

        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
