"""Runs a program that must not outlive its parent: `python with_parent.py PARENT_PID PROGRAM ARGUMENTS...`.

Linux can send a process a signal when its parent dies, but the process must ask for that itself, between fork and
exec. Python code at that point (`preexec_fn`) may hang in a program with threads: another thread may have held a lock
when the process was copied. So this small program is started instead; it has one thread, asks, and becomes the other.

The kernel goes by the *thread* that started the child, so that thread must live as long as the child should. Elsewhere
than on Linux the program is simply run. Imported by nobody.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def main(argv: list[str]) -> None:
    """Ask for SIGTERM at the parent's death, then become the program. Raises OSError if that cannot be run."""
    parent, program = int(argv[0]), argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked, and nobody will tell us any more
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - a fixed program and no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
