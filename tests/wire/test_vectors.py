"""Every golden vector, parsed four ways: whole, octet by octet, with a tail, cut short at every length."""

import json
from collections import Counter

import pytest

from calza_wire.describe import describe
from calza_wire.errors import CODES, WireError
from calza_wire.observation import (
    Bundle,
    LengthConvention,
    StateEvents,
    decode_observation,
    encode_observation,
    read_observation,
)
from calza_wire.segments import Reassembler
from tests.wire.golden import (
    DECODERS,
    KINDS_WHOSE_PREFIX_MAY_BE_WHOLE,
    SEALED,
    VECTORS,
    Decode,
    Vector,
    encode_again,
    vectors,
)

ALL = vectors()
GOOD = [vector for vector in ALL if vector.error is None]
BAD = [vector for vector in ALL if vector.error is not None]
READ_AND_NEVER_WRITTEN = {
    "reserved clock status bits are ignored",
    "sync from before gateways told of their clock",
    "receipt: reports there and empty",
}
GOOD_OBSERVATIONS = [vector for vector in GOOD if vector.kind == "observation"]


def outcome(decode: Decode, octets: bytes) -> object:
    """What came out: the described value, or the code of the error."""
    try:
        return describe(decode(octets))
    except WireError as error:
        return error.code


def octet_by_octet(octets: bytes) -> bytes:
    """The octets after a passage in segments of one octet each."""
    receiver = Reassembler()
    for place, octet in enumerate(octets):
        header = place % 64 << 2 | (place == 0) | (place == len(octets) - 1) << 1
        payload = receiver.feed(bytes((header, octet)))
        assert (payload is None) == (place < len(octets) - 1)
    assert receiver.gaps == 0
    return b"" if payload is None else payload


@pytest.mark.parametrize("vector", ALL, ids=str)
def test_whole(vector: Vector) -> None:
    assert outcome(vector.decode, vector.octets) == (vector.decoded if vector.error is None else vector.error)


@pytest.mark.parametrize("vector", [vector for vector in ALL if vector.octets], ids=str)
def test_octet_by_octet(vector: Vector) -> None:
    received = octet_by_octet(vector.octets)
    assert outcome(vector.decode, received) == (vector.decoded if vector.error is None else vector.error)


@pytest.mark.parametrize("vector", GOOD, ids=str)
def test_with_a_tail(vector: Vector) -> None:
    if vector.kind == "record":  # its body runs to the end, and judging it is another decoder's work
        assert vector.decode(vector.octets) != vector.decode(vector.octets + b"\x00")
        return
    with pytest.raises(WireError):
        vector.decode(vector.octets + b"\x00")


@pytest.mark.parametrize("vector", GOOD, ids=str)
def test_cut_short_at_every_length(vector: Vector) -> None:
    whole = vector.decode(vector.octets)
    for length in range(len(vector.octets)):
        try:
            value = vector.decode(vector.octets[:length])
        except WireError:
            continue
        assert vector.kind in KINDS_WHOSE_PREFIX_MAY_BE_WHOLE, f"{length} octets passed for the whole"
        assert value != whole


@pytest.mark.parametrize("vector", BAD, ids=str)
def test_bad_ones_cut_short_still_raise_nothing_else(vector: Vector) -> None:
    for length in range(len(vector.octets)):
        outcome(vector.decode, vector.octets[:length])


@pytest.mark.parametrize("vector", [v for v in GOOD if v.kind != SEALED], ids=str)
def test_encoding_again_gives_the_same_octets(vector: Vector) -> None:
    if vector.kind == "observation" and isinstance(decode_observation(vector.octets).value, StateEvents):
        with pytest.raises(ValueError, match="class 6"):
            encode_again(vector.kind, vector.octets)
        return
    if vector.name in READ_AND_NEVER_WRITTEN:
        again = encode_again(vector.kind, vector.octets)
        assert again is not None
        assert outcome(vector.decode, again) == vector.decoded
        return
    assert encode_again(vector.kind, vector.octets) in (vector.octets, None)


@pytest.mark.parametrize("convention", LengthConvention)
@pytest.mark.parametrize("vector", GOOD_OBSERVATIONS, ids=str)
def test_every_observation_reads_the_same_in_both_length_conventions(
    vector: Vector, convention: LengthConvention
) -> None:
    observation = decode_observation(vector.octets)
    if isinstance(observation.value, StateEvents):
        octets = bytearray(vector.octets)
        octets[1:3] = (len(octets) - convention.value).to_bytes(2, "little")
        again = bytes(octets)
    else:
        again = encode_observation(observation, convention)
    decoded = read_observation(again)
    assert decoded.observation == observation
    assert decoded.convention is convention
    assert int.from_bytes(again[1:3], "little") == len(again) - convention.value
    off_by_one = again[:1] + (len(again) - convention.value + 1).to_bytes(2, "little") + again[3:]
    with pytest.raises(WireError) as caught:
        decode_observation(off_by_one)
    assert caught.value.code == "bad_length"


def test_the_set_is_complete() -> None:
    """Every kind has good and bad ones, every class of observation is met, every error code is shown or explained."""
    assert {vector.kind for vector in GOOD} == {*DECODERS, SEALED}
    assert {vector.kind for vector in BAD} >= {*DECODERS, SEALED} - {"time-stamp", "schedule", "sampling-settings"}
    values = [decode_observation(vector.octets).value for vector in GOOD_OBSERVATIONS]
    assert {value.CLASS for value in values} == {1, 2, 3, 4, 5, 6, 7, 8, 0xFF}
    assert any(isinstance(value, Bundle) and len(value.members) == 2 for value in values)
    # 64 KiB do not belong into a vector file, and a mismatch of logs is found by those who know which one they asked.
    assert {vector.error for vector in BAD} == set(CODES) - {"too_long", "log_mismatch"}
    assert not [name for name, count in Counter(map(str, ALL)).items() if count > 1]


def test_every_vector_says_where_it_comes_from() -> None:
    for path in VECTORS.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["about"]
        for item in content["vectors"]:
            assert item["origin"].startswith(("own", "third-party: ")), item["name"]
            assert ("decoded" in item) != ("error" in item) or item["kind"].startswith("segments")
            if "text" in item:
                assert item["text"].encode().hex() == item["hex"]
    assert sum(vector.origin.startswith("third-party: ") for vector in ALL) >= 30
