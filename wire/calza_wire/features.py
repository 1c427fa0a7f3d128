"""Health Sensor Features, and the descriptors that say how often and how well each type is measured.

Source: Bluetooth SIG Generic Health Sensor Service 1.0.
"""

from dataclasses import dataclass
from typing import Final, Self

from calza_wire.errors import WireError
from calza_wire.medfloat import FLOAT_OCTETS, MedFloat
from calza_wire.octets import Octets, Reader, Writer

SPECIALIZATIONS_PRESENT: Final = 0x01
RESERVED_FLAGS: Final = 0xFE


@dataclass(frozen=True, slots=True)
class Specialization:
    """A device specialization: its 16-bit term in partition 8, and its version."""

    term: int
    version: int


@dataclass(frozen=True, slots=True)
class HealthSensorFeatures:
    """The Health Sensor Features characteristic (0x2BF3): observation types (MDC) and device specializations."""

    types: tuple[int, ...]
    specializations: tuple[Specialization, ...] = ()

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the characteristic's value."""
        reader = Reader(octets)
        flags = reader.u8()
        if flags & RESERVED_FLAGS:
            raise WireError("bad_flags", f"feature flags {flags:#04x} set a reserved bit", 0)
        types = tuple(reader.u32() for _ in range(reader.u8()))
        count = reader.u8() if flags & SPECIALIZATIONS_PRESENT else 0
        specializations = tuple(Specialization(reader.u16(), reader.u8()) for _ in range(count))
        reader.finish()
        return cls(types, specializations)

    def encode(self) -> bytes:
        """The characteristic's value."""
        writer = Writer()
        writer.u8(SPECIALIZATIONS_PRESENT if self.specializations else 0)
        writer.u8(len(self.types))
        for kind in self.types:
            writer.u32(kind)
        if self.specializations:
            writer.u8(len(self.specializations))
            for each in self.specializations:
                writer.u16(each.term)
                writer.u8(each.version)
        return writer.getvalue()


@dataclass(frozen=True, slots=True)
class ObservationSchedule:
    """The Observation Schedule descriptor (0x2910): length of a measurement, time between results (s)."""

    type: int
    measurement_period_s: MedFloat
    update_interval_s: MedFloat

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the descriptor's twelve octets."""
        reader = Reader(octets)
        schedule = cls(reader.u32(), MedFloat.read(reader), MedFloat.read(reader))
        reader.finish()
        return schedule

    def encode(self) -> bytes:
        """The descriptor's twelve octets."""
        writer = Writer()
        writer.u32(self.type)
        self.measurement_period_s.write(writer)
        self.update_interval_s.write(writer)
        return writer.getvalue()


@dataclass(frozen=True, slots=True)
class ValidRange:
    """The Valid Range and Accuracy descriptor (0x2911): limits in the unit (a 16-bit term), accuracy if stated."""

    type: int
    unit: int
    lower: MedFloat
    upper: MedFloat
    accuracy: MedFloat | None = None

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the descriptor's fourteen or eighteen octets."""
        reader = Reader(octets)
        kind, unit, lower, upper = reader.u32(), reader.u16(), MedFloat.read(reader), MedFloat.read(reader)
        accuracy = MedFloat.read(reader) if reader.remaining >= FLOAT_OCTETS else None
        reader.finish()
        return cls(kind, unit, lower, upper, accuracy)

    def encode(self) -> bytes:
        """The descriptor's octets."""
        writer = Writer()
        writer.u32(self.type)
        writer.u16(self.unit)
        self.lower.write(writer)
        self.upper.write(writer)
        if self.accuracy is not None:
            self.accuracy.write(writer)
        return writer.getvalue()
