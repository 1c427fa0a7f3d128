"""What a stocking measures each minute: the channels, their units and scales, the flags, the leg.

One table from which the minute block and the live minute are built. Knows nothing of octets.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntFlag, StrEnum
from typing import Final

from calza_wire.nomenclature import Mdc, Unit

RAW_MAX: Final = 0x7FFF  # two-octet samples read the same signed or unsigned
FLAGS_MAX: Final = 0x7F  # so do one-octet samples


class Side(StrEnum):
    """The leg a stocking is made for."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def lower_leg(self) -> Mdc:
        """The MDC code of this lower leg, sent as supplemental information."""
        return Mdc.MDC_LOEXT_LEG_L if self is Side.LEFT else Mdc.MDC_LOEXT_LEG_R


SIDE_OF_LOWER_LEG: Final = {side.lower_leg.value: side for side in Side}


class MinuteFlag(IntFlag):
    """Status of one minute; bit 7 stays 0."""

    WORN_GUESS = 1  # the firmware's own opinion, never the verdict's ground
    CHARGING = 2
    MOVING = 4
    ANKLE_FAULT = 8
    CALF_FAULT = 16
    THIGH_FAULT = 32
    SKIN_FAULT = 64


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: physical value = scale x raw + offset, in `unit`; a raw sample takes `octets`, 0..`raw_max`."""

    name: str
    type: Mdc
    unit: Unit
    scale: Decimal
    offset: Decimal
    octets: int
    raw_max: int

    def physical(self, raw: int) -> Decimal:
        """The exact physical value of a raw sample, with the decimals of the scale."""
        return self.scale * raw + self.offset


_TENTH_MMHG = (Unit.MDC_DIM_MMHG, Decimal("0.1"), Decimal(0), 2, RAW_MAX)
ANKLE: Final = Channel("ankle", Mdc.MDCX_PRESS_INTERFACE_ANKLE, *_TENTH_MMHG)
CALF: Final = Channel("calf", Mdc.MDCX_PRESS_INTERFACE_CALF, *_TENTH_MMHG)
THIGH: Final = Channel("thigh", Mdc.MDCX_PRESS_INTERFACE_THIGH, *_TENTH_MMHG)
RIPPLE: Final = Channel("ripple", Mdc.MDCX_PRESS_INTERFACE_RIPPLE, *_TENTH_MMHG)
# 40 degC below zero as origin keeps every temperature a stocking can meet (a car in winter) at or above raw 0.
SKIN: Final = Channel("skin", Mdc.MDC_TEMP_SKIN, Unit.MDC_DIM_DEGC, Decimal("0.01"), Decimal(-40), 2, RAW_MAX)
FLAGS: Final = Channel(
    "flags", Mdc.MDCX_STOCKING_MINUTE_FLAGS, Unit.MDC_DIM_DIMLESS, Decimal(1), Decimal(0), 1, FLAGS_MAX
)
CHANNELS: Final = (ANKLE, CALF, THIGH, RIPPLE, SKIN, FLAGS)
"""In the order of the wire."""
