"""IEEE 11073-20601 FLOAT and SFLOAT: decimal numbers that carry their own precision, and five special values.

Never passes through binary floating point: 2.00 stays 2.00. Source: IEEE 11073-20601 annex F.8.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Self

from calza_wire.errors import WireError
from calza_wire.octets import Reader, Writer

FLOAT_OCTETS = 4
MANTISSA_MAX = 2**23 - 3  # beyond it lie the special values
EXPONENT_MIN, EXPONENT_MAX = -128, 127
SFLOAT_MANTISSA_MAX = 2**11 - 3


class Special(StrEnum):
    """What a FLOAT says when it is not a number."""

    NAN = "NaN"
    NRES = "NRes"  # not at this resolution
    POSITIVE_INFINITY = "+INF"
    NEGATIVE_INFINITY = "-INF"
    RESERVED = "reserved"


_SPECIAL_OF_STEP = {  # mantissa - (MANTISSA_MAX + 1), counted round the two's complement circle
    0: Special.POSITIVE_INFINITY,
    1: Special.NAN,
    2: Special.NRES,
    3: Special.RESERVED,
    4: Special.NEGATIVE_INFINITY,
}
_STEP_OF_SPECIAL = {special: step for step, special in _SPECIAL_OF_STEP.items()}


@dataclass(frozen=True, slots=True)
class MedFloat:
    """mantissa x 10^exponent, exactly, or a `special` value (then mantissa and exponent are 0).

    The mantissa lies within +-(2^23 - 3), the exponent within -128..127; anything else is a `ValueError`.
    """

    mantissa: int
    exponent: int = 0
    special: Special | None = None

    def __post_init__(self) -> None:
        if self.special is not None and (self.mantissa or self.exponent):
            raise ValueError("a special FLOAT has neither mantissa nor exponent")
        if not -MANTISSA_MAX <= self.mantissa <= MANTISSA_MAX:
            raise ValueError(f"FLOAT mantissa {self.mantissa} is outside +-{MANTISSA_MAX}")
        if not EXPONENT_MIN <= self.exponent <= EXPONENT_MAX:
            raise ValueError(f"FLOAT exponent {self.exponent} is outside {EXPONENT_MIN}..{EXPONENT_MAX}")

    @classmethod
    def of(cls, number: Decimal | int | str) -> Self:
        """The FLOAT with exactly this value and these decimals; `ValueError` if there is none."""
        try:
            decimal = Decimal(number)
        except InvalidOperation as error:
            raise ValueError(f"{number!r} is no number") from error
        sign, digits, exponent = decimal.as_tuple()
        if not isinstance(exponent, int):
            raise ValueError(f"{number} is not finite; use a special value")  # noqa: TRY004 - the type is right, the value is not
        mantissa = int("".join(map(str, digits)))
        return cls(-mantissa if sign else mantissa, exponent)

    @classmethod
    def of_special(cls, special: Special) -> Self:
        """NaN, NRes, an infinity or the reserved value."""
        return cls(0, 0, special)

    @property
    def decimal(self) -> Decimal:
        """The exact value with its trailing zeros; `ValueError` for a special one."""
        if self.special is not None:
            raise ValueError(f"{self.special} has no decimal value")
        return Decimal(self.mantissa).scaleb(self.exponent)

    def __str__(self) -> str:
        return self.special.value if self.special is not None else str(self.decimal)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take four octets off a reader."""
        start = reader.offset
        mantissa, exponent = reader.signed(3), reader.s8()
        if -MANTISSA_MAX <= mantissa <= MANTISSA_MAX:
            return cls(mantissa, exponent)
        if exponent:
            raise WireError("bad_value", "a special FLOAT with an exponent", start)
        return cls.of_special(_SPECIAL_OF_STEP[(mantissa - MANTISSA_MAX - 1) % 2**24])

    def write(self, writer: Writer) -> None:
        """Append four octets to a writer."""
        if self.special is None:
            writer.signed(self.mantissa, 3)
            writer.s8(self.exponent)
        else:
            writer.u32(MANTISSA_MAX + 1 + _STEP_OF_SPECIAL[self.special])

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The FLOAT in exactly four octets."""
        reader = Reader(octets)
        value = cls.read(reader)
        reader.finish()
        return value

    def encode(self) -> bytes:
        """Its four octets."""
        writer = Writer()
        self.write(writer)
        return writer.getvalue()


def decode_sfloat(octets: bytes) -> MedFloat:
    """The 16-bit SFLOAT in exactly two octets (12-bit mantissa, 4-bit exponent), as an equal `MedFloat`."""
    reader = Reader(octets)
    word = reader.u16()
    reader.finish()
    mantissa = (word & 0xFFF) - ((word & 0x800) << 1)
    exponent = (word >> 12) - ((word >> 15) << 4)
    if -SFLOAT_MANTISSA_MAX <= mantissa <= SFLOAT_MANTISSA_MAX:
        return MedFloat(mantissa, exponent)
    if exponent:
        raise WireError("bad_value", "a special SFLOAT with an exponent", 0)
    return MedFloat.of_special(_SPECIAL_OF_STEP[(mantissa - SFLOAT_MANTISSA_MAX - 1) % 2**12])
