"""The flash log: a ring of sealed records that survives power loss. This module has the port, the ring and a memory.

A record is dropped only when the records after it hold as many minutes as the ring promises, so the promise is kept
however short the blocks are. The chip this stands for has 16 MiB: 32 days of single-minute records need 10 MB.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

MINUTES_PER_DAY: Final = 1_440
FLASH_DAYS: Final = 32  # promised are 30
FIRST_RECORD: Final = 1  # a log's first record number


class FlashError(Exception):
    """The flash cannot be read or written. `code` is stable: "flash_unusable" or "flash_not_formatted"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A body ready for flash and how many minutes it holds."""

    body: bytes
    minutes: int


@dataclass(frozen=True, slots=True)
class LogHead:
    """Which log this is, and from which record on its times belong to the clock's current timeline."""

    log_id: bytes
    timeline_first_record: int


class Flash(Protocol):
    """Persistent memory. Each change is complete or has not happened, whenever the power goes."""

    @property
    def head(self) -> LogHead | None:
        """The log's head, None for a blank chip."""

    @property
    def first_record(self) -> int:
        """Number of the oldest record held; equal to `next_record` when none is."""

    @property
    def next_record(self) -> int:
        """Number the next record gets."""

    def format(self, log_id: bytes) -> None:
        """Erase everything and begin a new log at its first record."""

    def begin_timeline(self) -> None:
        """From the next record on, times belong to a new timeline."""

    def append(self, records: Sequence[SealedRecord]) -> None:
        """Write records under the next numbers and drop the oldest beyond the ring's length."""

    def body(self, number: int) -> bytes | None:
        """A record's body, None when it is not held."""

    def close(self) -> None:
        """Let go of whatever backs it."""


class Ring:
    """Which record numbers are held, and how many minutes each has. Pure bookkeeping for every kind of flash."""

    def __init__(self, capacity_minutes: int, *, first_record: int = FIRST_RECORD, minutes: Iterable[int] = ()) -> None:
        self._capacity = capacity_minutes
        self._minutes = deque(minutes)
        self._total = sum(self._minutes)
        self.first_record = first_record

    @property
    def next_record(self) -> int:
        """Number the next record gets."""
        return self.first_record + len(self._minutes)

    def first_after(self, added: Sequence[int]) -> int:
        """Which record would be the oldest after adding records of so many minutes each; changes nothing."""
        spare = self._total + sum(added) - self._capacity
        first = self.first_record
        for minutes in chain(self._minutes, added):
            if minutes > spare:
                break
            spare -= minutes
            first += 1
        return first

    def push(self, added: Sequence[int]) -> None:
        """Add records of so many minutes each and forget the oldest."""
        first = self.first_after(added)
        self._minutes.extend(added)
        self._total += sum(added)
        while self.first_record < first:
            self._total -= self._minutes.popleft()
            self.first_record += 1


class MemoryFlash:
    """A flash chip in memory: it survives a simulated power loss, not the end of the process."""

    def __init__(self, *, days: float = FLASH_DAYS) -> None:
        self._capacity = int(days * MINUTES_PER_DAY)
        self._ring = Ring(self._capacity)
        self._bodies: dict[int, bytes] = {}
        self._head: LogHead | None = None

    @property
    def head(self) -> LogHead | None:
        """See `Flash`."""
        return self._head

    @property
    def first_record(self) -> int:
        """See `Flash`."""
        return self._ring.first_record

    @property
    def next_record(self) -> int:
        """See `Flash`."""
        return self._ring.next_record

    def format(self, log_id: bytes) -> None:
        """See `Flash`."""
        self._ring = Ring(self._capacity)
        self._bodies.clear()
        self._head = LogHead(log_id, FIRST_RECORD)

    def begin_timeline(self) -> None:
        """See `Flash`."""
        self._head = LogHead(formatted(self._head).log_id, self.next_record)

    def append(self, records: Sequence[SealedRecord]) -> None:
        """See `Flash`."""
        formatted(self._head)
        was_first = self._ring.first_record
        self._bodies.update(enumerate((each.body for each in records), start=self._ring.next_record))
        self._ring.push([each.minutes for each in records])
        for number in range(was_first, self._ring.first_record):
            del self._bodies[number]

    def body(self, number: int) -> bytes | None:
        """See `Flash`."""
        return self._bodies.get(number)

    def close(self) -> None:
        """See `Flash`."""


def formatted(head: LogHead | None) -> LogHead:
    """The head of a log that must exist. Raises FlashError when the chip is blank."""
    if head is None:
        raise FlashError("flash_not_formatted", "this flash holds no log yet: format it first")
    return head
