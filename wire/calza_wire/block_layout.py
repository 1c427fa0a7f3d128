"""Where everything is in a minute block of n minutes: every offset depends on n alone.

Because of that, thousands of equal-length bodies can be compared with one template and sliced as columns. Knows
no keys and no clock. Byte table in `wire/README.md`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from calza_wire.channels import CHANNELS, Side
from calza_wire.elapsed_time import ETS_EPOCH_UNIX_S, TimeSource, TimeStamp
from calza_wire.medfloat import MedFloat
from calza_wire.nomenclature import Mdc
from calza_wire.observation import (
    LENGTH_CONVENTION,
    Component,
    Compound,
    LengthConvention,
    Observation,
    SampleArray,
    Tlv,
    encode_observation,
)
from calza_wire.octets import BYTE_ORDER
from calza_wire.records import LOG_ID_OCTETS

MINUTES_MAX: Final = 60  # a block is closed at the hour at the latest
PERIOD_S: Final = 60
TAG_OCTETS: Final = 16
OPAQUE_FORMAT: Final = 0x1B  # Bluetooth presentation format "struct"
TLV_HEAD_OCTETS: Final = 7  # type, length, format

_TIME_VALUE_AT, _TIME_SOURCE_AT, _TIME_OFFSET_AT = 10, 16, 17
_SIDE_AT: Final = 19
_LOG_ID_AT: Final = 31
_TAG_AT: Final = 46
_COMPONENTS_AT: Final = 63
_COMPONENT_HEAD_OCTETS: Final = 25  # type, class and the sample array's fields ahead of its data
_MINUTE_OCTETS: Final = sum(channel.octets for channel in CHANNELS)
BLOCK_HEAD_OCTETS: Final = _COMPONENTS_AT + len(CHANNELS) * _COMPONENT_HEAD_OCTETS


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """Offsets (octets from the start of the body) in a block of `minutes`, and what is the same in all of them.

    A body of `total` octets is canonical exactly if `(body & mask) == template`, octet by octet, and the octet at
    `side` is the low octet of a lower leg's code (0x45 left, 0x46 right). The mask covers the clock's flags, time
    sources that do not exist and the top bit of every sample, so what passes needs no further range check.
    """

    minutes: int
    total: int
    time_value: int  # u48
    time_source: int  # u8
    time_offset: int  # s8
    side: int  # low octet of the u32 lower-leg code
    log_id: int
    tag: int
    tag_tlv: tuple[int, int]  # what the tag does not cover: start and end of its whole TLV
    ankle: int
    calf: int
    thigh: int
    ripple: int
    skin: int
    flags: int
    template: bytes
    mask: bytes

    @property
    def pressures(self) -> tuple[int, int, int, int, int]:
        """Offsets of the five two-octet channels in the order of the wire."""
        return self.ankle, self.calf, self.thigh, self.ripple, self.skin


def minutes_of(total: int) -> int | None:
    """How many minutes a canonical body of `total` octets holds, or None if no block is that long."""
    minutes, rest = divmod(total - BLOCK_HEAD_OCTETS, _MINUTE_OCTETS)
    return minutes if rest == 0 and 1 <= minutes <= MINUTES_MAX else None


@cache
def layout(minutes: int, convention: LengthConvention = LENGTH_CONVENTION) -> BlockLayout:
    """The layout of a block of 1..60 minutes; `ValueError` otherwise."""
    if not 1 <= minutes <= MINUTES_MAX:
        raise ValueError(f"a block has 1..{MINUTES_MAX} minutes, not {minutes}")
    template = bytearray(encode_observation(_blank(minutes), convention))
    mask = bytearray(b"\xff" * len(template))
    at = _COMPONENTS_AT
    data = []
    for channel in CHANNELS:
        at += _COMPONENT_HEAD_OCTETS
        data.append(at)
        sample_mask = (~channel.raw_max % 256**channel.octets).to_bytes(channel.octets, BYTE_ORDER)
        mask[at : at + minutes * channel.octets] = sample_mask * minutes
        at += minutes * channel.octets
    mask[_TIME_VALUE_AT:_TIME_SOURCE_AT] = bytes(_TIME_SOURCE_AT - _TIME_VALUE_AT)
    mask[_TIME_SOURCE_AT] = ~max(TimeSource) % 256
    mask[_TIME_OFFSET_AT] = 0
    mask[_SIDE_AT] = 0
    mask[_LOG_ID_AT : _LOG_ID_AT + LOG_ID_OCTETS] = bytes(LOG_ID_OCTETS)
    mask[_TAG_AT : _TAG_AT + TAG_OCTETS] = bytes(TAG_OCTETS)
    template[_SIDE_AT] = 0
    ankle, calf, thigh, ripple, skin, flags = data
    return BlockLayout(
        minutes=minutes,
        total=len(template),
        time_value=_TIME_VALUE_AT,
        time_source=_TIME_SOURCE_AT,
        time_offset=_TIME_OFFSET_AT,
        side=_SIDE_AT,
        log_id=_LOG_ID_AT,
        tag=_TAG_AT,
        tag_tlv=(_TAG_AT - TLV_HEAD_OCTETS, _TAG_AT + TAG_OCTETS),
        ankle=ankle,
        calf=calf,
        thigh=thigh,
        ripple=ripple,
        skin=skin,
        flags=flags,
        template=bytes(template),
        mask=bytes(mask),
    )


def _blank(minutes: int) -> Observation:
    """A block in which everything that varies is zero, made by the general encoder so that the two cannot differ."""
    period = MedFloat(PERIOD_S)
    return Observation(
        value=Compound(
            tuple(
                Component(
                    channel.type,
                    SampleArray(
                        unit=channel.unit,
                        scale=MedFloat.of(channel.scale),
                        offset=MedFloat.of(channel.offset),
                        period=period,
                        samples_per_period=1,
                        sample_octets=channel.octets,
                        data=bytes(minutes * channel.octets),
                    ),
                )
                for channel in CHANNELS
            )
        ),
        type=Mdc.MDCX_STOCKING_MINUTE_BLOCK,
        time_stamp=TimeStamp.at(ETS_EPOCH_UNIX_S, source=TimeSource.UNKNOWN),
        supplemental=(Side.LEFT.lower_leg,),
        tlvs=(
            Tlv(Mdc.MDCX_ATTR_LOG_ID, OPAQUE_FORMAT, bytes(LOG_ID_OCTETS)),
            Tlv(Mdc.MDCX_ATTR_TAG, OPAQUE_FORMAT, bytes(TAG_OCTETS)),
        ),
    )
