"""The nine kinds of observation value, each with its class code, its reading and its writing.

Knows nothing of the header in front of them (`observation.py`). Source: Bluetooth SIG Generic Health Sensor
Service 1.0, observation classes; layouts in `wire/README.md`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final, Self, TypeAlias

from calza_wire.errors import WireError
from calza_wire.medfloat import MedFloat
from calza_wire.octets import BYTE_ORDER, Reader, Writer

SAMPLE_WIDTHS: Final = (1, 2, 4)  # octets; no other width is in use


@dataclass(frozen=True, slots=True)
class Tlv:
    """A typed attribute: MDC type, presentation format (a Bluetooth format code, such as 0x1B opaque), octets."""

    type: int
    format: int
    value: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader; the length on the wire counts the value alone, not the format octet."""
        kind, length, presentation = reader.u32(), reader.u16(), reader.u8()
        return cls(kind, presentation, reader.take(length))

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        writer.u32(self.type)
        writer.u16(len(self.value))
        writer.u8(self.format)
        writer.raw(self.value)


@dataclass(frozen=True, slots=True)
class Numeric:
    """Class 1: one number with its unit (term of partition 4)."""

    CLASS: ClassVar[int] = 0x01
    unit: int
    value: MedFloat

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        return cls(reader.u16(), MedFloat.read(reader))

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        writer.u16(self.unit)
        self.value.write(writer)


@dataclass(frozen=True, slots=True)
class Discrete:
    """Class 2: one MDC code."""

    CLASS: ClassVar[int] = 0x02
    code: int

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        return cls(reader.u32())

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        writer.u32(self.code)


@dataclass(frozen=True, slots=True)
class Text:
    """Class 3: UTF-8 text."""

    CLASS: ClassVar[int] = 0x03
    text: str

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        return cls(reader.text(reader.u16()))

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        octets = self.text.encode("utf-8")
        writer.u16(len(octets))
        writer.raw(octets)


@dataclass(frozen=True, slots=True)
class SampleArray:
    """Class 4: equidistant samples; physical value = scale x raw + offset, the first one at the time stamp.

    `period` is in seconds; `data` holds the samples as sent, `sample_octets` (1, 2 or 4) each.
    """

    CLASS: ClassVar[int] = 0x04
    unit: int
    scale: MedFloat
    offset: MedFloat
    period: MedFloat
    samples_per_period: int
    sample_octets: int
    data: bytes

    def __post_init__(self) -> None:
        if self.sample_octets not in SAMPLE_WIDTHS:
            raise ValueError(f"samples of {self.sample_octets} octets are not in use")
        if len(self.data) % self.sample_octets:
            raise ValueError(f"{len(self.data)} octets are no whole number of {self.sample_octets}-octet samples")

    @property
    def samples(self) -> tuple[int, ...]:
        """The raw samples, read unsigned."""
        width = self.sample_octets
        return tuple(
            int.from_bytes(self.data[start : start + width], BYTE_ORDER) for start in range(0, len(self.data), width)
        )

    @property
    def physical(self) -> tuple[Decimal, ...]:
        """The exact physical values; `ValueError` if scale or offset is a special FLOAT."""
        scale, offset = self.scale.decimal, self.offset.decimal
        return tuple(scale * raw + offset for raw in self.samples)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        unit = reader.u16()
        scale, offset, period = MedFloat.read(reader), MedFloat.read(reader), MedFloat.read(reader)
        per_period = reader.u8()
        width = reader.u8()
        if width not in SAMPLE_WIDTHS:
            raise WireError("bad_value", f"samples of {width} octets are not in use", reader.offset - 1)
        return cls(unit, scale, offset, period, per_period, width, reader.take(reader.u32() * width))

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        writer.u16(self.unit)
        self.scale.write(writer)
        self.offset.write(writer)
        self.period.write(writer)
        writer.u8(self.samples_per_period)
        writer.u8(self.sample_octets)
        writer.u32(len(self.data) // self.sample_octets)
        writer.raw(self.data)


@dataclass(frozen=True, slots=True)
class DiscreteEvents:
    """Class 5: several MDC codes."""

    CLASS: ClassVar[int] = 0x05
    codes: tuple[int, ...]

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        return cls(tuple(reader.u32() for _ in range(reader.u8())))

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        writer.u8(len(self.codes))
        for code in self.codes:
            writer.u32(code)


@dataclass(frozen=True, slots=True)
class StateEvents:
    """Class 6: three equally long bit fields, as sent; decoded only, because no source numbers the bits."""

    CLASS: ClassVar[int] = 0x06
    supported: bytes
    states: bytes  # 1 = state, 0 = event
    current: bytes

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        size = reader.u8()
        return cls(reader.take(size), reader.take(size), reader.take(size))


ComponentValue: TypeAlias = Numeric | Discrete | Text | SampleArray | DiscreteEvents | StateEvents


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a compound: its MDC type and a value of class 1..6."""

    type: int
    value: ComponentValue


_COMPONENT_KINDS: Final[dict[int, type[ComponentValue]]] = {
    kind.CLASS: kind for kind in (Numeric, Discrete, Text, SampleArray, DiscreteEvents, StateEvents)
}


def read_component_value(reader: Reader, value_class: int, at: int) -> ComponentValue:
    """Take a value of class 1..6 off a reader; `at` is where its class octet stood."""
    kind = _COMPONENT_KINDS.get(value_class)
    if kind is None:
        raise WireError("bad_class", f"observation class {value_class:#04x} does not belong here", at)
    return kind.read(reader)


def write_component_value(writer: Writer, value: ComponentValue) -> None:
    """Append a value of class 1..5 to a writer."""
    if isinstance(value, StateEvents):
        raise ValueError("class 6 is decoded only: no source numbers its bits")  # noqa: TRY004 - a known type, not encodable
    value.write(writer)


@dataclass(frozen=True, slots=True)
class Compound:
    """Class 7: several values measured together."""

    CLASS: ClassVar[int] = 0x07
    components: tuple[Component, ...]

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        components = []
        for _ in range(reader.u8()):
            kind, at = reader.u32(), reader.offset
            components.append(Component(kind, read_component_value(reader, reader.u8(), at)))
        return cls(tuple(components))

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        writer.u8(len(self.components))
        for component in self.components:
            writer.u32(component.type)
            writer.u8(component.value.CLASS)
            write_component_value(writer, component.value)


@dataclass(frozen=True, slots=True)
class TlvValues:
    """Class 8: attributes only."""

    CLASS: ClassVar[int] = 0x08
    tlvs: tuple[Tlv, ...]

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take one off a reader."""
        return cls(tuple(Tlv.read(reader) for _ in range(reader.u8())))

    def write(self, writer: Writer) -> None:
        """Append it to a writer."""
        writer.u8(len(self.tlvs))
        for tlv in self.tlvs:
            tlv.write(writer)
