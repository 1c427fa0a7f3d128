"""Time stamps of the Elapsed Time Service: the nine octets in every observation and the eleven of the clock itself.

Knows no clock: times are arguments. Source: Bluetooth SIG Elapsed Time Service 1.0, section 3.1.
"""

import math
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final, Self

from calza_wire.errors import WireError
from calza_wire.octets import Octets, Reader, Writer

ETS_EPOCH_UNIX_S: Final = 946_684_800  # 2000-01-01T00:00:00Z
QUARTER_S: Final = 900  # the offset counts quarter hours
TIME_STAMP_OCTETS: Final = 9
VALUE_MAX: Final = 2**48 - 1


class ClockFlag(IntFlag):
    """Flags of a time stamp; bits 2 and 3 are the resolution: 0 = 1 s, 1 = 100 ms, 2 = 1 ms, 3 = 100 us."""

    TICK_COUNTER = 0x01
    UTC = 0x02
    OFFSET_IN_USE = 0x10
    CURRENT_TIMELINE = 0x20


RESOLUTION_MASK: Final = 0x0C
UNITS_PER_SECOND: Final = (1, 10, 1_000, 10_000)  # indexed by the two resolution bits
RESERVED_FLAGS: Final = 0xC0
STOCKING_CLOCK_FLAGS: Final = 0x32  # UTC, 1 s, offset in use, current timeline: fixed for the stocking


class TimeSource(IntEnum):
    """Where the clock was last set from."""

    UNKNOWN = 0
    NTP = 1
    GPS = 2
    RADIO = 3
    MANUAL = 4
    ATOMIC = 5
    CELLULAR = 6
    NOT_SYNCHRONISED = 7


_SOURCES = tuple(TimeSource)
NO_SOURCES: Final = (TimeSource.UNKNOWN, TimeSource.NOT_SYNCHRONISED)
"""Nobody set the clock, or a gateway that does not know whether its own is right: it counts seconds, and no more."""


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A point in time by the device's clock: `value` counts units of its resolution since 2000, or ticks.

    `offset_quarters` is the time zone and daylight saving offset in quarter hours, valid if its flag is set.
    """

    flags: int
    value: int
    source: TimeSource
    offset_quarters: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.flags <= 0xFF or self.flags & RESERVED_FLAGS:
            raise ValueError(f"time stamp flags {self.flags:#04x} set a reserved bit")
        if not 0 <= self.value <= VALUE_MAX:
            raise ValueError(f"time value {self.value} is outside 0..2^48 - 1")
        if not -128 <= self.offset_quarters <= 127:
            raise ValueError(f"time zone offset of {self.offset_quarters} quarter hours is outside -128..127")

    @classmethod
    def at(cls, unix_s: float, *, source: TimeSource, offset_quarters: int = 0) -> Self:
        """The stocking's stamp (flags 0x32) for a Unix time in seconds, rounded down to a whole one."""
        return cls(STOCKING_CLOCK_FLAGS, math.floor(unix_s) - ETS_EPOCH_UNIX_S, source, offset_quarters)

    @property
    def unix_s(self) -> int:
        """Unix time in whole seconds, rounded down; `ValueError` for a tick counter, which has no epoch."""
        if self.flags & ClockFlag.TICK_COUNTER:
            raise ValueError("a tick counter has no Unix time")
        seconds = self.value // UNITS_PER_SECOND[(self.flags & RESOLUTION_MASK) >> 2] + ETS_EPOCH_UNIX_S
        if not self.flags & ClockFlag.UTC and self.flags & ClockFlag.OFFSET_IN_USE:
            seconds -= self.offset_quarters * QUARTER_S
        return seconds

    @property
    def synchronised(self) -> bool:
        """Whether the clock had been set by somebody who vouched for the time (source other than 0 and 7)."""
        return self.source not in NO_SOURCES

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take nine octets off a reader."""
        start = reader.offset
        flags, value, source, offset = reader.u8(), reader.u48(), reader.u8(), reader.s8()
        if flags & RESERVED_FLAGS:
            raise WireError("bad_flags", f"time stamp flags {flags:#04x} set a reserved bit", start)
        if source >= len(_SOURCES):
            raise WireError("bad_value", f"time source {source} does not exist", start + 7)
        return cls(flags, value, _SOURCES[source], offset)

    def write(self, writer: Writer) -> None:
        """Append nine octets to a writer."""
        writer.u8(self.flags)
        writer.u48(self.value)
        writer.u8(self.source)
        writer.s8(self.offset_quarters)

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """The stamp in exactly nine octets (what a client writes to set the clock)."""
        reader = Reader(octets)
        stamp = cls.read(reader)
        reader.finish()
        return stamp

    def encode(self) -> bytes:
        """Its nine octets."""
        writer = Writer()
        self.write(writer)
        return writer.getvalue()


@dataclass(frozen=True, slots=True)
class CurrentElapsedTime:
    """The Current Elapsed Time characteristic (0x2BF2): the clock, whether it wants setting, what it can do.

    `capabilities`: bit 0 applies daylight saving itself, bit 1 manages time zone changes.
    Reserved bits of the clock status are ignored when read and sent as 0.
    """

    stamp: TimeStamp
    needs_set: bool
    capabilities: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.capabilities <= 0xFF:
            raise ValueError(f"clock capabilities {self.capabilities} are outside 0..255")

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """The value in exactly eleven octets."""
        reader = Reader(octets)
        stamp = TimeStamp.read(reader)
        status, capabilities = reader.u8(), reader.u8()
        reader.finish()
        return cls(stamp, bool(status & 1), capabilities)

    def encode(self) -> bytes:
        """Its eleven octets."""
        writer = Writer()
        self.stamp.write(writer)
        writer.u8(int(self.needs_set))
        writer.u8(self.capabilities)
        return writer.getvalue()
