"""The vendor service: what Generic Health Sensor does not cover. Byte tables in `wire/README.md`.

Both ends of every characteristic are here. Each value begins with a format version, so that a field can be added.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self, TypeVar

from calza_wire.channels import Side
from calza_wire.errors import WireError
from calza_wire.medfloat import MedFloat
from calza_wire.octets import Octets, Reader, Writer
from calza_wire.records import LOG_ID_OCTETS, SYSTEM_ID_OCTETS
from calza_wire.topics import check_serial

VERSION: Final = 1
TEXT_OCTETS_MAX: Final = 64  # keeps every value far below the 512 octets an attribute may have
REPLY_OP: Final = 0x80

_T = TypeVar("_T", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which stocking this is: serial (4..32 of A-Z, 0-9, hyphen) and the 8-octet system id its tags are made with."""

    serial: str
    system_id: bytes

    def __post_init__(self) -> None:
        check_serial(self.serial)
        if len(self.system_id) != SYSTEM_ID_OCTETS:
            raise ValueError(f"a system id has {SYSTEM_ID_OCTETS} octets")

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the characteristic's value."""
        reader = _open(octets)
        system_id = reader.take(SYSTEM_ID_OCTETS)
        serial = _text(reader)
        reader.finish()
        return _checked(cls, serial, system_id)

    def encode(self) -> bytes:
        """The characteristic's value."""
        writer = _new()
        writer.raw(self.system_id)
        _put_text(writer, self.serial)
        return writer.getvalue()


_SIDES: Final = (Side.LEFT, Side.RIGHT)


@dataclass(frozen=True, slots=True)
class Label:
    """What is printed on the garment. Class is a standard plus its range at the ankle in mmHg, never a bare class.

    `ankle_max_mmhg` is None for a class without an upper limit.
    """

    side: Side
    size: str
    standard: str
    class_label: str
    ankle_min_mmhg: int
    ankle_max_mmhg: int | None

    def __post_init__(self) -> None:
        top = 255 if self.ankle_max_mmhg is None else self.ankle_max_mmhg
        if not 0 < self.ankle_min_mmhg <= top <= 255 or self.ankle_max_mmhg == 255:
            raise ValueError("the ankle range is 1..254 mmHg, lower before upper")

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the characteristic's value."""
        reader = _open(octets)
        side, low, high = reader.u8(), reader.u8(), reader.u8()
        if side >= len(_SIDES):
            raise WireError("bad_value", f"side {side} is neither 0 (left) nor 1 (right)", 1)
        size, standard, class_label = _text(reader), _text(reader), _text(reader)
        reader.finish()
        return _checked(cls, _SIDES[side], size, standard, class_label, low, None if high == 255 else high)

    def encode(self) -> bytes:
        """The characteristic's value."""
        writer = _new()
        writer.u8(_SIDES.index(self.side))
        writer.u8(self.ankle_min_mmhg)
        writer.u8(255 if self.ankle_max_mmhg is None else self.ankle_max_mmhg)
        for text in (self.size, self.standard, self.class_label):
            _put_text(writer, text)
        return writer.getvalue()


@dataclass(frozen=True, slots=True)
class LogStatus:
    """The log now: records [first_record, next_record) are in flash; equal means empty.

    `timeline_first_record` is the first record of the clock's current timeline: a clock set or a power loss begins a
    new one at `next_record`. `open_minutes` are complete but not in a record yet.
    """

    log_id: bytes
    first_record: int
    next_record: int
    timeline_first_record: int
    open_minutes: int

    def __post_init__(self) -> None:
        if len(self.log_id) != LOG_ID_OCTETS:
            raise ValueError(f"a log id has {LOG_ID_OCTETS} octets")
        if not 0 <= self.first_record <= self.next_record or self.timeline_first_record > self.next_record:
            raise ValueError("record numbers of a log rise: first, then next; a timeline begins at next at the latest")

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the characteristic's value."""
        reader = _open(octets)
        log_id = reader.take(LOG_ID_OCTETS)
        first, following, timeline, minutes = reader.u32(), reader.u32(), reader.u32(), reader.u8()
        reader.finish()
        return _checked(cls, log_id, first, following, timeline, minutes)

    def encode(self) -> bytes:
        """The characteristic's value."""
        writer = _new()
        writer.raw(self.log_id)
        for number in (self.first_record, self.next_record, self.timeline_first_record):
            writer.u32(number)
        writer.u8(self.open_minutes)
        return writer.getvalue()


@dataclass(frozen=True, slots=True)
class SiteCalibration:
    """What was corrected at the factory for one site: mmHg = gain x measured + offset_mmhg."""

    gain: MedFloat
    offset_mmhg: MedFloat


@dataclass(frozen=True, slots=True)
class Calibration:
    """The factory calibration: when (Unix seconds) and the correction of each site, already applied to every record."""

    calibrated_unix_s: int
    ankle: SiteCalibration
    calf: SiteCalibration
    thigh: SiteCalibration

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the characteristic's value."""
        reader = _open(octets)
        at = reader.u32()
        sites = [SiteCalibration(MedFloat.read(reader), MedFloat.read(reader)) for _ in range(3)]
        reader.finish()
        return cls(at, *sites)

    def encode(self) -> bytes:
        """The characteristic's value."""
        writer = _new()
        writer.u32(self.calibrated_unix_s)
        for site in (self.ankle, self.calf, self.thigh):
            site.gain.write(writer)
            site.offset_mmhg.write(writer)
        return writer.getvalue()


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How it samples: readings a second inside, minutes in a full block, days the log reaches back."""

    sample_hz: int
    block_minutes: int
    flash_days: int

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the characteristic's value."""
        reader = _open(octets)
        settings = cls(reader.u8(), reader.u8(), reader.u16())
        reader.finish()
        return settings

    def encode(self) -> bytes:
        """The characteristic's value."""
        writer = _new()
        writer.u8(self.sample_hz)
        writer.u8(self.block_minutes)
        writer.u16(self.flash_days)
        return writer.getvalue()


class ControlOp(IntEnum):
    """What can be asked on the control point: one octet."""

    CLOSE_BLOCK = 1  # seal the complete minutes into a record, so that they can be fetched
    HANG_UP = 2  # end the connection: a browser cannot do so by itself on a paired link


class ControlResult(IntEnum):
    """How it went. Travels in the reply, because browsers hide ATT error codes."""

    SUCCESS = 1
    UNSUPPORTED = 2
    INVALID = 3
    BUSY = 4
    FAILED = 5


@dataclass(frozen=True, slots=True)
class ControlReply:
    """The indication that answers a control point write: 0x80, what was asked (any octet), the result."""

    op: int
    result: ControlResult

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the indication's value."""
        reader = Reader(octets)
        head, op = reader.u8(), reader.u8()
        if head != REPLY_OP:
            raise WireError("bad_value", f"a reply begins with {REPLY_OP:#04x}, not {head:#04x}", 0)
        result = _member(ControlResult, reader.u8(), "control result")
        reader.finish()
        return cls(op, result)

    def encode(self) -> bytes:
        """The indication's value."""
        writer = Writer()
        writer.u8(REPLY_OP)
        writer.u8(self.op)
        writer.u8(self.result)
        return writer.getvalue()


def decode_control(octets: Octets) -> ControlOp:
    """What a control point write asks for; `WireError` "bad_value" for an op this version does not know."""
    reader = Reader(octets)
    op = _member(ControlOp, reader.u8(), "control op")
    reader.finish()
    return op


def _open(octets: Octets) -> Reader:
    reader = Reader(octets)
    version = reader.u8()
    if version != VERSION:
        raise WireError("unsupported_version", f"format version {version}, known is {VERSION}", 0)
    return reader


def _new() -> Writer:
    writer = Writer()
    writer.u8(VERSION)
    return writer


def _text(reader: Reader) -> str:
    return reader.text(reader.u8())


def _put_text(writer: Writer, text: str) -> None:
    octets = text.encode()
    if len(octets) > TEXT_OCTETS_MAX:
        raise ValueError(f"a text here has at most {TEXT_OCTETS_MAX} octets")
    writer.u8(len(octets))
    writer.raw(octets)


def _member(kind: type[_T], value: int, name: str) -> _T:
    try:
        return kind(value)
    except ValueError as error:
        raise WireError("bad_value", f"{name} {value} does not exist") from error


_V = TypeVar("_V")


def _checked(kind: Callable[..., _V], *fields: object) -> _V:
    """Build a value from the peer's octets: what would be our mistake in a constructor is the peer's here."""
    try:
        return kind(*fields)
    except ValueError as error:
        raise WireError("bad_value", str(error)) from error
