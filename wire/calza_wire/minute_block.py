"""The stored record: up to 60 minutes of all channels, with the log they belong to and a tag that proves their origin.

Knows the format and the tag, no files, no clock, and no key but the one it is handed. Values are RAW integers:
pressures and ripple in 0.1 mmHg, skin temperature such that degC = 0.01 x raw - 40. Byte table in `wire/README.md`.
"""

import hmac
import struct
from dataclasses import dataclass
from functools import cache
from typing import Final

from calza_wire.block_layout import (
    BLOCK_HEAD_OCTETS,
    MINUTES_MAX,
    OPAQUE_FORMAT,
    PERIOD_S,
    TAG_OCTETS,
    TLV_HEAD_OCTETS,
    BlockLayout,
    layout,
    minutes_of,
)
from calza_wire.channels import CHANNELS, FLAGS_MAX, RAW_MAX, SIDE_OF_LOWER_LEG, MinuteFlag, Side
from calza_wire.elapsed_time import STOCKING_CLOCK_FLAGS, ClockFlag, TimeStamp
from calza_wire.errors import WireError
from calza_wire.nomenclature import Mdc
from calza_wire.observation import (
    LENGTH_CONVENTION,
    Compound,
    LengthConvention,
    Observation,
    SampleArray,
    read_observation,
)
from calza_wire.octets import BYTE_ORDER, STRUCT_ORDER
from calza_wire.records import LOG_ID_OCTETS, RECORD_NUMBER_MAX, RECORD_NUMBER_OCTETS, SYSTEM_ID_OCTETS

__all__ = [
    "BLOCK_HEAD_OCTETS",
    "KEY_OCTETS",
    "LOG_ID_OCTETS",
    "MINUTES_MAX",
    "PERIOD_S",
    "SYSTEM_ID_OCTETS",
    "TAG_OCTETS",
    "BlockLayout",
    "MinuteBlock",
    "MinuteFlag",
    "ParsedBlock",
    "Side",
    "compute_tag",
    "layout",
    "minutes_of",
    "open_sealed",
    "parse_block",
    "seal",
]

KEY_OCTETS: Final = 32
_ACCEPTED_CLOCK_FLAGS: Final = (STOCKING_CLOCK_FLAGS, STOCKING_CLOCK_FLAGS & ~ClockFlag.CURRENT_TIMELINE)


@dataclass(frozen=True, slots=True)
class MinuteBlock:
    """1..60 consecutive minutes; `start` is the beginning of the first one.

    Pressures, ripple and skin are raw 0..0x7FFF, flags 0..0x7F; anything else is a `ValueError`.
    """

    start: TimeStamp
    side: Side
    ankle: tuple[int, ...]
    calf: tuple[int, ...]
    thigh: tuple[int, ...]
    ripple: tuple[int, ...]
    skin: tuple[int, ...]
    flags: tuple[int, ...]

    def __post_init__(self) -> None:
        minutes = len(self.ankle)
        if not 1 <= minutes <= MINUTES_MAX:
            raise ValueError(f"a block has 1..{MINUTES_MAX} minutes, not {minutes}")
        if self.start.flags not in _ACCEPTED_CLOCK_FLAGS:
            raise ValueError(f"clock flags {self.start.flags:#04x} are not those of a stocking")
        words = (self.ankle, self.calf, self.thigh, self.ripple, self.skin)
        if any(len(values) != minutes for values in (*words, self.flags)):
            raise ValueError(f"every channel of this block must have {minutes} minutes")
        if any(min(values) < 0 or max(values) > RAW_MAX for values in words):
            raise ValueError(f"a raw sample is outside 0..{RAW_MAX}")
        if min(self.flags) < 0 or max(self.flags) > FLAGS_MAX:
            raise ValueError(f"minute flags are outside 0..{FLAGS_MAX}")

    @property
    def minutes(self) -> int:
        """How many minutes it holds."""
        return len(self.ankle)


@dataclass(frozen=True, slots=True)
class ParsedBlock:
    """A block as received: its log, its tag (not yet verified) and where the tag's TLV is in the body (start, end)."""

    block: MinuteBlock
    log_id: bytes
    tag: bytes
    tag_span: tuple[int, int]


def compute_tag(
    body: bytes, tag_span: tuple[int, int], *, key: bytes, system_id: bytes, log_id: bytes, record_number: int
) -> bytes:
    """HMAC-SHA-256, first 16 octets, over system id, log id, record number (u32) and the body without its tag TLV."""
    start, end = tag_span
    if len(key) != KEY_OCTETS or len(system_id) != SYSTEM_ID_OCTETS or len(log_id) != LOG_ID_OCTETS:
        raise ValueError(f"a key has {KEY_OCTETS}, a system id {SYSTEM_ID_OCTETS}, a log id {LOG_ID_OCTETS} octets")
    if not 0 <= record_number <= RECORD_NUMBER_MAX:
        raise ValueError(f"a record number is 0..2^32 - 1, not {record_number}")
    number = record_number.to_bytes(RECORD_NUMBER_OCTETS, BYTE_ORDER)
    covered = b"".join((system_id, log_id, number, body[:start], body[end:]))
    return hmac.digest(key, covered, "sha256")[:TAG_OCTETS]


def seal(
    block: MinuteBlock,
    *,
    key: bytes,
    system_id: bytes,
    log_id: bytes,
    record_number: int,
    convention: LengthConvention = LENGTH_CONVENTION,
) -> bytes:
    """The body of a record in the canonical layout, tagged.

    `ValueError` for a key or id of the wrong length, a sample that is no whole number, or clock flags other than
    0x32: a block is sealed in the timeline it was measured in.
    """
    if block.start.flags != STOCKING_CLOCK_FLAGS:
        raise ValueError(
            f"a block is sealed with clock flags {STOCKING_CLOCK_FLAGS:#04x}, not {block.start.flags:#04x}"
        )
    where = layout(block.minutes, convention)
    body = bytearray(where.template)
    value = block.start.value.to_bytes(where.time_source - where.time_value, BYTE_ORDER)
    body[where.time_value : where.time_source] = value
    body[where.time_source] = block.start.source
    body[where.time_offset] = block.start.offset_quarters % 256
    body[where.side] = block.side.lower_leg % 256
    body[where.log_id : where.log_id + LOG_ID_OCTETS] = log_id
    words = _words(block.minutes)
    channels = (block.ankle, block.calf, block.thigh, block.ripple, block.skin)
    try:
        for offset, values in zip(where.pressures, channels, strict=True):
            words.pack_into(body, offset, *values)
        body[where.flags :] = bytes(block.flags)
    except (struct.error, TypeError) as error:
        raise ValueError("a raw sample is no whole number") from error
    tag = compute_tag(
        bytes(body), where.tag_tlv, key=key, system_id=system_id, log_id=log_id, record_number=record_number
    )
    body[where.tag : where.tag + TAG_OCTETS] = tag
    return bytes(body)


def parse_block(body: bytes) -> ParsedBlock:
    """The block in a body, tag unverified; `WireError` "not_a_minute_block" for any other observation."""
    minutes = minutes_of(len(body))
    if minutes is not None:
        where = layout(minutes)
        mask, template = _masks(minutes)
        if int.from_bytes(body, BYTE_ORDER) & mask == template:
            side = _SIDE_OF_OCTET.get(body[where.side])
            if side is not None:
                return _parse_canonical(body, where, side)
    return _parse_general(body)


def open_sealed(body: bytes, *, key: bytes, system_id: bytes, record_number: int) -> ParsedBlock:
    """The same with its tag verified; `WireError` "forged" if key, system id, record number or any octet differ."""
    parsed = parse_block(body)
    tag = compute_tag(
        body, parsed.tag_span, key=key, system_id=system_id, log_id=parsed.log_id, record_number=record_number
    )
    if not hmac.compare_digest(tag, parsed.tag):
        raise WireError("forged", "the tag does not fit this stocking, log and record number", parsed.tag_span[0])
    return parsed


_SIDE_OF_OCTET: Final = {code % 256: side for code, side in SIDE_OF_LOWER_LEG.items()}


@cache
def _words(minutes: int) -> struct.Struct:
    return struct.Struct(f"{STRUCT_ORDER}{minutes}H")


@cache
def _masks(minutes: int) -> tuple[int, int]:
    """Mask and template as integers: one comparison for the whole body."""
    where = layout(minutes)
    return int.from_bytes(where.mask, BYTE_ORDER), int.from_bytes(where.template, BYTE_ORDER)


def _parse_canonical(body: bytes, where: BlockLayout, side: Side) -> ParsedBlock:
    words = _words(where.minutes)
    ankle, calf, thigh, ripple, skin = (words.unpack_from(body, offset) for offset in where.pressures)
    stamp = TimeStamp.decode(body[where.time_value - 1 : where.time_offset + 1])
    block = MinuteBlock(stamp, side, ankle, calf, thigh, ripple, skin, tuple(body[where.flags :]))
    log_id = body[where.log_id : where.log_id + LOG_ID_OCTETS]
    return ParsedBlock(block, log_id, body[where.tag : where.tag + TAG_OCTETS], where.tag_tlv)


def _parse_general(body: bytes) -> ParsedBlock:
    """A block laid out differently: the other Length convention or other lengths, the same content."""
    decoded = read_observation(body)
    observation = decoded.observation
    stamp = observation.time_stamp
    side = SIDE_OF_LOWER_LEG.get(observation.supplemental[0]) if len(observation.supplemental) == 1 else None
    if observation.type != Mdc.MDCX_STOCKING_MINUTE_BLOCK or stamp is None or side is None:
        raise WireError("not_a_minute_block", "an observation, but no minute block of one leg")
    log_id, tag = _attributes(observation)
    tag_end = decoded.value_offset  # the attributes are the last field of the header, and the tag the last of them
    channels = _channels(observation)
    try:
        block = MinuteBlock(stamp, side, *channels)
    except ValueError as error:
        raise WireError("not_a_minute_block", f"no minute block: {error}") from error
    return ParsedBlock(block, log_id, tag, (tag_end - TLV_HEAD_OCTETS - TAG_OCTETS, tag_end))


def _attributes(observation: Observation) -> tuple[bytes, bytes]:
    expected = [
        (Mdc.MDCX_ATTR_LOG_ID, OPAQUE_FORMAT, LOG_ID_OCTETS),
        (Mdc.MDCX_ATTR_TAG, OPAQUE_FORMAT, TAG_OCTETS),
    ]
    if [(tlv.type, tlv.format, len(tlv.value)) for tlv in observation.tlvs] != expected:
        raise WireError("not_a_minute_block", "a minute block carries a log id and, after it, a tag")
    return observation.tlvs[0].value, observation.tlvs[1].value


def _channels(observation: Observation) -> list[tuple[int, ...]]:
    """The six columns of raw samples, each of the type, unit, scale and period it must have."""
    value = observation.value
    if not isinstance(value, Compound) or [c.type for c in value.components] != [c.type for c in CHANNELS]:
        raise WireError("not_a_minute_block", "a minute block has the six channels of a stocking in their order")
    columns = []
    for component, channel in zip(value.components, CHANNELS, strict=True):
        array = component.value
        if (
            not isinstance(array, SampleArray)
            or array.unit != channel.unit
            or array.sample_octets != channel.octets
            or array.samples_per_period != 1
            or any(each.special is not None for each in (array.scale, array.offset, array.period))
            or (array.scale.decimal, array.offset.decimal) != (channel.scale, channel.offset)
            or array.period.decimal != PERIOD_S
        ):
            raise WireError("not_a_minute_block", f"{channel.name} is not a sample array in its unit and scale")
        columns.append(array.samples)
    return columns
