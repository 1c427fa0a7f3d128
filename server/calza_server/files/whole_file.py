"""Files people name on the command line: read with a plain sentence, written whole or not at all. Knows no format."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from calza_server.files.file_fault import FileFault, shown

STANDARD_OUTPUT: Final = "-"
OCTETS_AT_MOST: Final = 256 * 1024 * 1024  # two years of minutes take 50 MB; more is another file named by mistake
ORDINARY_FILE: Final = 0o666  # less what the user's own mask takes away


class CannotWrite(OSError):
    """The file cannot be written; whatever was there before is as it was. `code` is stable."""

    code: Final = "cannot_write"


def read_file(path: Path) -> bytes:
    """All of a file. Raises FileFault."""
    try:
        with path.open("rb") as file:
            octets = file.read(OCTETS_AT_MOST + 1)
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileFault("file_unreadable", str(path), f"cannot be read: {why}") from error
    if len(octets) > OCTETS_AT_MOST:
        what = f"is larger than {OCTETS_AT_MOST // 1024 // 1024} MB, which no table of minutes is; name another file"
        raise FileFault("file_unreadable", str(path), what)
    return octets


def write_whole(target: str, text: str) -> None:
    """Write a file: whoever looks sees the old one or the new one, whole. `-`: standard output. Raises CannotWrite."""
    if target == STANDARD_OUTPUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    path = Path(target).resolve()  # what a link leads to is replaced, not the link
    try:
        if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced; a folder says so itself
            path.write_text(text, encoding="utf-8", newline="")
        else:
            _replace(path, text)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotWrite(f"{shown(target, quoted=False)}: cannot be written: {why}; name another --out") from error


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ORDINARY_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            if path.exists():
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))  # what was private stays so
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
