"""Runs a program nearly as a hardened container would: another user, no capability, few places to write on.

    python contained.py WRITABLE... -- PROGRAM ARGUMENTS

Needs Linux and user namespaces for ordinary users. Standard library alone, so that any Python can run it.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

UID = 10001  # that of our images
CLONE_NEWNS, CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x4_0000
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY = 1
MOUNT_SETATTR = 442  # the system call, the same on every architecture; the C library of Debian 12 has no name for it
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38

libc = ctypes.CDLL(None, use_errno=True)


class MountAttr(ctypes.Structure):
    """`struct mount_attr` of mount_setattr(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def main(words: list[str]) -> None:
    """Shut the doors, then become the program."""
    at = words.index("--")
    writable, program = words[:at], words[at + 1 :]
    own_namespaces()
    _done(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    _set(b"/", MountAttr(attr_set=MOUNT_ATTR_RDONLY), AT_RECURSIVE)
    for folder in map(os.fsencode, writable):
        _done(libc.mount(folder, folder, None, MS_BIND, None))
        _set(folder, MountAttr(attr_clr=MOUNT_ATTR_RDONLY), 0)
    _done(libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0))  # whoever started us is killed: so are we
    _done(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.execvp(program[0], program)  # noqa: S606 - no shell is meant; not root any more, so every capability ends here


def own_namespaces() -> None:
    """Mounts of one's own, seen by nobody else, as the user of our images. Raises OSError where that is forbidden."""
    uid, gid = os.getuid(), os.getgid()
    _done(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{UID} {uid} 1"), ("gid_map", f"{UID} {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def _set(path: bytes, attributes: MountAttr, flags: int) -> None:
    size = ctypes.sizeof(attributes)
    _done(libc.syscall(MOUNT_SETATTR, AT_FDCWD, path, flags, ctypes.byref(attributes), size))


def _done(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
