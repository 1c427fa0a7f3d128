"""A stored record: its number and its body. The same octets travel in Stored Health Observations and over MQTT.

Knows nothing of what the body holds.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from calza_wire.errors import WireError
from calza_wire.octets import BYTE_ORDER, Octets
from calza_wire.segments import MAX_PAYLOAD_OCTETS

SYSTEM_ID_OCTETS: Final = 8  # names the stocking in the tag
LOG_ID_OCTETS: Final = 8  # names the log: drawn anew at a factory reset
RECORD_NUMBER_OCTETS: Final = 4
RECORD_NUMBER_MAX: Final = 2**32 - 1
DIGEST_HEX_DIGITS: Final = 32  # 128 bits: enough that no two payloads ever share a name


@dataclass(frozen=True, slots=True)
class Record:
    """A record number (0..2^32 - 1) and the observation body it belongs to."""

    number: int
    body: bytes


def encode_record(number: int, body: bytes) -> bytes:
    """u32 record number and body, the payload of an SHO segment chain and of an MQTT record message."""
    if not 0 <= number <= RECORD_NUMBER_MAX:
        raise ValueError(f"a record number is 0..2^32 - 1, not {number}")
    if not 0 < len(body) <= MAX_PAYLOAD_OCTETS - RECORD_NUMBER_OCTETS:
        raise ValueError(f"a record body has 1..{MAX_PAYLOAD_OCTETS - RECORD_NUMBER_OCTETS} octets, not {len(body)}")
    return number.to_bytes(RECORD_NUMBER_OCTETS, BYTE_ORDER) + body


def decode_record(payload: Octets) -> Record:
    """Split a payload into record number and body; the body is not looked into."""
    if len(payload) <= RECORD_NUMBER_OCTETS:
        raise WireError("truncated", "a record has a number and at least one octet of body", len(payload))
    if len(payload) > MAX_PAYLOAD_OCTETS:
        raise WireError("too_long", f"a record exceeds {MAX_PAYLOAD_OCTETS} octets", MAX_PAYLOAD_OCTETS)
    octets = bytes(payload)
    return Record(int.from_bytes(octets[:RECORD_NUMBER_OCTETS], BYTE_ORDER), octets[RECORD_NUMBER_OCTETS:])


def digest(payload: Octets) -> str:
    """The name of a payload in receipts, garbage or not: the first 32 hex digits of its SHA-256."""
    return hashlib.sha256(payload).hexdigest()[:DIGEST_HEX_DIGITS]
