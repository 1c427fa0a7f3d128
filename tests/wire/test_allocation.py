"""No peer makes us allocate: a count of four thousand million octets is refused before anything is set aside."""

import tracemalloc
from collections.abc import Callable

import pytest

from calza_wire.errors import WireError
from calza_wire.json_fields import MESSAGE_OCTETS_MAX
from calza_wire.messages import Hello
from calza_wire.observation import MAX_BODY_OCTETS, Observation, Tlv, TlvValues, decode_observation, encode_observation
from calza_wire.records import decode_record
from calza_wire.segments import MAX_PAYLOAD_OCTETS
from tests.wire.golden import Vector, vectors

ALLOWANCE_OCTETS = 65_536


def peak_of(attempt: Callable[[], object]) -> int:
    """The most octets held at once while it ran and raised WireError."""
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            attempt()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("vector", [v for v in vectors() if v.error == "truncated"], ids=str)
def test_a_claim_beyond_the_octets_allocates_nothing(vector: Vector) -> None:
    assert peak_of(lambda: vector.decode(vector.octets)) < ALLOWANCE_OCTETS


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("count", [0xFFFFFFFF, 0x7FFFFFFF, 0x40000000, 0x10000])
def test_a_sample_count_beyond_the_octets(width: int, count: int) -> None:
    value = bytes.fromhex("200f010000ff000000003c00000001") + bytes((width,)) + count.to_bytes(4, "little") + bytes(8)
    body = b"\x04" + (len(value) + 5).to_bytes(2, "little") + b"\x00\x00" + value
    assert peak_of(lambda: decode_observation(body)) < ALLOWANCE_OCTETS


def test_a_body_beyond_64_kib_is_refused_unread() -> None:
    longest = encode_observation(Observation(TlvValues((Tlv(1, 1, bytes(65_522)),))))
    assert len(longest) == MAX_BODY_OCTETS
    assert decode_observation(longest)
    body = bytes(MAX_BODY_OCTETS + 1)
    with pytest.raises(WireError) as caught:
        decode_observation(body)
    assert caught.value.code == "too_long"


def test_a_record_beyond_64_kib_is_refused() -> None:
    assert decode_record(bytes(MAX_PAYLOAD_OCTETS)).number == 0
    with pytest.raises(WireError) as caught:
        decode_record(bytes(MAX_PAYLOAD_OCTETS + 1))
    assert caught.value.code == "too_long"


def test_a_message_beyond_64_kib_is_refused_unread() -> None:
    octets = b"[" * (MESSAGE_OCTETS_MAX + 1)
    with pytest.raises(WireError) as caught:
        Hello.decode(octets)
    assert caught.value.code == "too_long"


def test_nesting_to_the_limit_of_a_message_is_a_wire_error() -> None:
    with pytest.raises(WireError) as caught:
        Hello.decode(b"[" * MESSAGE_OCTETS_MAX)
    assert caught.value.code == "bad_message"
