"""IEEE 11073-10101 terms used on the wire, and our private ones.

A code is partition x 65,536 + term; units travel as the term alone (partition 4). Terms 0xF000..0xFFFF of any
partition and the whole of partition 1024 are free for private use; their names start with MDCX_.
"""

from enum import IntEnum


class Mdc(IntEnum):
    """32-bit codes. Source: ISO/IEEE 11073-10101 for MDC_, this project for MDCX_."""

    # Partition 2: metrics
    MDC_TEMP_BODY = 0x00024B5C
    MDC_TEMP_SKIN = 0x00024B74
    MDC_PRESS_BLD_NONINV = 0x00024A04
    MDC_PRESS_BLD_NONINV_SYS = 0x00024A05
    MDC_PRESS_BLD_NONINV_DIA = 0x00024A06
    MDC_PRESS_BLD_NONINV_MEAN = 0x00024A07
    MDC_PULS_OXIM_PULS_RATE = 0x0002481A
    MDC_PULS_OXIM_SAT_O2 = 0x00024BB8
    MDC_MODALITY_SPOT = 0x00024C3C
    # One private type per site: a component of a compound has no room for a body site of its own.
    MDCX_PRESS_INTERFACE_ANKLE = 0x0002F001
    MDCX_PRESS_INTERFACE_CALF = 0x0002F002
    MDCX_PRESS_INTERFACE_THIGH = 0x0002F003
    MDCX_PRESS_INTERFACE_RIPPLE = 0x0002F004  # standard deviation within the minute
    MDCX_STOCKING_MINUTE = 0x0002F008
    MDCX_STOCKING_MINUTE_BLOCK = 0x0002F009
    MDCX_STOCKING_WEAR_STATE = 0x0002F010
    MDCX_STOCKING_MINUTE_FLAGS = 0x0002F011
    # Partition 7: body sites
    MDC_LOEXT_LEG_L = 0x00070645  # lower leg, left (460357)
    MDC_LOEXT_LEG_R = 0x00070646  # lower leg, right (460358)
    MDC_LOEXT_THIGH_L = 0x0007064D
    MDC_LOEXT_THIGH_R = 0x0007064E
    # Partition 8: device specializations
    MDC_DEV_SPEC_PROFILE_HYDRA = 0x00081000  # any device without a specialization of its own
    # Partition 1024: private
    MDCX_WEAR_NOT_WORN = 0x04000010
    MDCX_WEAR_WORN = 0x04000011
    MDCX_WEAR_DONNING = 0x04000012
    MDCX_WEAR_SLIPPED = 0x04000013
    MDCX_WEAR_UNKNOWN = 0x04000014
    MDCX_ATTR_LOG_ID = 0x04000101
    MDCX_ATTR_TAG = 0x04000102


class Unit(IntEnum):
    """16-bit unit terms of partition 4."""

    MDC_DIM_DIMLESS = 0x0200
    MDC_DIM_PERCENT = 0x0220
    MDC_DIM_X_SEC = 0x0880
    MDC_DIM_MIN = 0x08A0
    MDC_DIM_HECTO_PASCAL = 0x0F02
    MDC_DIM_KILO_PASCAL = 0x0F03
    MDC_DIM_MMHG = 0x0F20
    MDC_DIM_MILLI_VOLT = 0x10B2
    MDC_DIM_DEGC = 0x17A0


UCUM = {
    Unit.MDC_DIM_DIMLESS: "1",
    Unit.MDC_DIM_PERCENT: "%",
    Unit.MDC_DIM_X_SEC: "s",
    Unit.MDC_DIM_MIN: "min",
    Unit.MDC_DIM_HECTO_PASCAL: "hPa",
    Unit.MDC_DIM_KILO_PASCAL: "kPa",
    Unit.MDC_DIM_MMHG: "mm[Hg]",
    Unit.MDC_DIM_MILLI_VOLT: "mV",
    Unit.MDC_DIM_DEGC: "Cel",
}
"""UCUM code of each unit."""


def term_name(code: int) -> str | None:
    """The reference id of a 32-bit code, or None if it is not one of ours."""
    return Mdc(code).name if code in _CODES else None


def unit_name(term: int) -> str | None:
    """The reference id of a 16-bit unit term, or None if it is not one of ours."""
    return Unit(term).name if term in _UNITS else None


_CODES = frozenset(Mdc)
_UNITS = frozenset(Unit)
