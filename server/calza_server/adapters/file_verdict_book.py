"""Frozen verdicts as a file of JSON lines that only ever grows: a line is a version, and no line is written twice.

A file and not a table, because it must be readable with nothing but eyes long after every engine has changed.
"""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Final

from calza_server.ports import VerdictBookError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BOOK_NAME: Final = "verdicts.jsonl"
OWNER_ONLY: Final = 0o600


class FileVerdictBook:
    """Keeps `calza_server.ports.VerdictBook`. One process writes it: the server that holds the state folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._versions: dict[tuple[str, str], list[Mapping[str, object]]] = {}
        self._whole = self._read()

    def versions(self, leg: str, order: str) -> tuple[Mapping[str, object], ...]:
        """See the port."""
        with self._lock:
            return tuple(self._versions.get((leg, order), ()))

    def append(self, leg: str, order: str, version: Mapping[str, object]) -> None:
        """See the port."""
        line = json.dumps({"leg": leg, "order": order, "version": dict(version)}, ensure_ascii=False) + "\n"
        with self._lock:
            try:
                self._write(line.encode())
            except OSError as error:
                sentence = f"a verdict could not be frozen in {self._path.name}: {error.strerror}"
                raise VerdictBookError("book_unwritable", sentence) from error
            self._versions.setdefault((leg, order), []).append(dict(version))

    def _write(self, line: bytes) -> None:
        """Whole or not at all: half a line of a crash before this one, or of this one, is cut off."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, OWNER_ONLY)
        try:
            os.ftruncate(descriptor, self._whole)
            os.lseek(descriptor, self._whole, os.SEEK_SET)
            if os.write(descriptor, line) != len(line):
                raise OSError(0, "the disk is full")
            os.fsync(descriptor)
            self._whole += len(line)
        finally:
            os.close(descriptor)

    def _read(self) -> int:
        """Take in every whole line; returns where the last of them ends."""
        try:
            octets = self._path.read_bytes()
        except FileNotFoundError:
            return 0
        except OSError as error:
            sentence = f"the frozen verdicts in {self._path.name} cannot be read: {error.strerror}"
            raise VerdictBookError("book_broken", sentence) from error
        whole = octets.rfind(b"\n") + 1
        for number, line in enumerate(octets[:whole].splitlines(), start=1):
            try:
                entry = json.loads(line)
                key = (str(entry["leg"]), str(entry["order"]))
                version = dict(entry["version"])
            except (ValueError, KeyError, TypeError) as error:
                sentence = f"line {number} of {self._path.name} is no frozen verdict; put the file back from a backup"
                raise VerdictBookError("book_broken", sentence) from error
            self._versions.setdefault(key, []).append(version)
        return whole
