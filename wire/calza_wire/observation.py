"""A Generic Health Sensor observation: the header with its optional fields, the value, and bundles of them.

Decodes all nine classes and encodes all but class 6. Parses by flags and class, never by the Length field, because
implementations disagree about what Length counts. Source: Bluetooth SIG Generic Health Sensor Service 1.0;
byte tables in `wire/README.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import ClassVar, Final, TypeAlias, TypeVar

from calza_wire.elapsed_time import TimeStamp
from calza_wire.errors import WireError
from calza_wire.medfloat import MedFloat
from calza_wire.observation_values import (
    Component,
    ComponentValue,
    Compound,
    Discrete,
    DiscreteEvents,
    Numeric,
    SampleArray,
    StateEvents,
    Text,
    Tlv,
    TlvValues,
    read_component_value,
    write_component_value,
)
from calza_wire.octets import Octets, Reader, Writer

__all__ = [
    "LENGTH_CONVENTION",
    "Bundle",
    "Component",
    "ComponentValue",
    "Compound",
    "DecodedObservation",
    "Discrete",
    "DiscreteEvents",
    "LengthConvention",
    "Numeric",
    "Observation",
    "ObservationFlag",
    "SampleArray",
    "StateEvents",
    "Status",
    "Text",
    "Tlv",
    "TlvValues",
    "Value",
    "decode_observation",
    "encode_observation",
    "read_observation",
]

MAX_BODY_OCTETS: Final = 65_535  # what a u16 Length can tell
_FIXED_OCTETS: Final = 5  # class, Length, flags


class LengthConvention(Enum):
    """What the Length field counts; the value is how many octets of the body it leaves out."""

    WHOLE_BODY = 0
    AFTER_LENGTH = 3  # class (1) and Length (2) themselves


LENGTH_CONVENTION: Final = LengthConvention.WHOLE_BODY
"""What we write. The one place to change, should the specification turn out to mean the other."""


class ObservationFlag(IntFlag):
    """Which optional fields follow, in the order of the wire."""

    TYPE = 0x0001
    TIME_STAMP = 0x0002
    DURATION = 0x0004
    STATUS = 0x0008
    OBSERVATION_ID = 0x0010
    PATIENT = 0x0020
    SUPPLEMENTAL = 0x0040
    DERIVED_FROM = 0x0080
    MEMBER_OF = 0x0100
    TLVS = 0x0200


_RESERVED_FLAGS: Final = 0xFC00


class Status(IntFlag):
    """Bits of the measurement status; bits 8..13 are reserved."""

    INVALID = 0x0001
    QUESTIONABLE = 0x0002
    NOT_AVAILABLE = 0x0004
    CALIBRATING = 0x0008
    TEST_DATA = 0x0010
    EARLY_ESTIMATE = 0x0020
    MANUALLY_ENTERED = 0x0040
    SETTING = 0x0080
    THRESHOLD_ERROR = 0x4000
    THRESHOLDING_DISABLED = 0x8000


@dataclass(frozen=True, slots=True)
class Bundle:
    """Class 0xFF: whole observations sharing the header fields of the one that holds them; bundles do not nest."""

    CLASS: ClassVar[int] = 0xFF
    members: "tuple[Observation, ...]"


Value: TypeAlias = ComponentValue | Compound | TlvValues | Bundle


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation; a field that is None (or an empty tuple) is not on the wire.

    `type` and `supplemental` are MDC codes, `duration` seconds, `status` the bits of `Status`, `patient` a user index.
    """

    value: Value
    type: int | None = None
    time_stamp: TimeStamp | None = None
    duration: MedFloat | None = None
    status: int | None = None
    observation_id: int | None = None
    patient: int | None = None
    supplemental: tuple[int, ...] = ()
    derived_from: tuple[int, ...] = ()
    member_of: tuple[int, ...] = ()
    tlvs: tuple[Tlv, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedObservation:
    """An observation with how it was written: its Length convention and where its value begins (octet)."""

    observation: Observation
    convention: LengthConvention
    value_offset: int


def decode_observation(octets: Octets) -> Observation:
    """The observation in exactly these octets, Length in either convention; raises `WireError` only."""
    return read_observation(octets).observation


def read_observation(octets: Octets) -> DecodedObservation:
    """The same, and how it was written."""
    if len(octets) > MAX_BODY_OCTETS:
        raise WireError("too_long", f"an observation has at most {MAX_BODY_OCTETS} octets", MAX_BODY_OCTETS)
    reader = Reader(octets)
    decoded = _read(reader, may_bundle=True)
    reader.finish()
    return decoded


def encode_observation(observation: Observation, convention: LengthConvention = LENGTH_CONVENTION) -> bytes:
    """The octets of an observation; `ValueError` for a field that does not fit, class 6 or more than 65,535 octets."""
    writer = Writer()
    flags = _write_header(writer, observation)
    value = observation.value
    match value:
        case Bundle(members):
            writer.u8(len(members))
            for member in members:
                if isinstance(member.value, Bundle):
                    raise ValueError("a bundle cannot hold a bundle")  # noqa: TRY004 - a known type, not encodable here
                writer.raw(encode_observation(member, convention))
        case Compound() | TlvValues():
            value.write(writer)
        case _:
            write_component_value(writer, value)
    rest = writer.getvalue()
    total = _FIXED_OCTETS + len(rest)
    if total > MAX_BODY_OCTETS:
        raise ValueError(f"an observation has at most {MAX_BODY_OCTETS} octets, not {total}")
    whole = Writer()
    whole.u8(value.CLASS)
    whole.u16(total - convention.value)
    whole.u16(flags)
    whole.raw(rest)
    return whole.getvalue()


def _write_header(writer: Writer, observation: Observation) -> ObservationFlag:
    flags = ObservationFlag(0)
    if observation.type is not None:
        flags |= ObservationFlag.TYPE
        writer.u32(observation.type)
    if observation.time_stamp is not None:
        flags |= ObservationFlag.TIME_STAMP
        observation.time_stamp.write(writer)
    if observation.duration is not None:
        flags |= ObservationFlag.DURATION
        observation.duration.write(writer)
    if observation.status is not None:
        flags |= ObservationFlag.STATUS
        writer.u16(observation.status)
    if observation.observation_id is not None:
        flags |= ObservationFlag.OBSERVATION_ID
        writer.u32(observation.observation_id)
    if observation.patient is not None:
        flags |= ObservationFlag.PATIENT
        writer.u8(observation.patient)
    for flag, codes in (
        (ObservationFlag.SUPPLEMENTAL, observation.supplemental),
        (ObservationFlag.DERIVED_FROM, observation.derived_from),
        (ObservationFlag.MEMBER_OF, observation.member_of),
    ):
        if codes:
            flags |= flag
            writer.u8(len(codes))
            for code in codes:
                writer.u32(code)
    if observation.tlvs:
        flags |= ObservationFlag.TLVS
        writer.u8(len(observation.tlvs))
        for tlv in observation.tlvs:
            tlv.write(writer)
    return flags


_Field = TypeVar("_Field")


def _read(reader: Reader, *, may_bundle: bool) -> DecodedObservation:
    start = reader.offset
    value_class, length, flags = reader.u8(), reader.u16(), reader.u16()
    if flags & _RESERVED_FLAGS:
        raise WireError("bad_flags", f"observation flags {flags:#06x} set a reserved bit", start + 3)

    def optional(flag: ObservationFlag, read: Callable[[], _Field]) -> _Field | None:
        return read() if flags & flag else None

    def several(flag: ObservationFlag, read: Callable[[], _Field]) -> tuple[_Field, ...]:
        if not flags & flag:
            return ()
        count = reader.u8()
        if count == 0:
            raise WireError("bad_value", f"{flag.name} is flagged, but empty", reader.offset - 1)
        return tuple(read() for _ in range(count))

    header = (
        optional(ObservationFlag.TYPE, reader.u32),
        optional(ObservationFlag.TIME_STAMP, lambda: TimeStamp.read(reader)),
        optional(ObservationFlag.DURATION, lambda: MedFloat.read(reader)),
        optional(ObservationFlag.STATUS, reader.u16),
        optional(ObservationFlag.OBSERVATION_ID, reader.u32),
        optional(ObservationFlag.PATIENT, reader.u8),
        several(ObservationFlag.SUPPLEMENTAL, reader.u32),
        several(ObservationFlag.DERIVED_FROM, reader.u32),
        several(ObservationFlag.MEMBER_OF, reader.u32),
        several(ObservationFlag.TLVS, lambda: Tlv.read(reader)),
    )
    value_offset = reader.offset
    value: Value
    if value_class == Compound.CLASS:
        value = Compound.read(reader)
    elif value_class == TlvValues.CLASS:
        value = TlvValues.read(reader)
    elif value_class == Bundle.CLASS and may_bundle:
        value = Bundle(tuple(_read(reader, may_bundle=False).observation for _ in range(reader.u8())))
    else:
        value = read_component_value(reader, value_class, start)
    left_out = reader.offset - start - length
    if left_out not in _CONVENTIONS:
        raise WireError("bad_length", f"Length is {length} for {reader.offset - start} octets", start + 1)
    return DecodedObservation(Observation(value, *header), _CONVENTIONS[left_out], value_offset)


_CONVENTIONS: Final = {convention.value: convention for convention in LengthConvention}
