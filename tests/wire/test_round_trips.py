"""Every codec, both ways, on random valid values; and any octets at all: they decode or raise WireError."""

import json
from collections.abc import Callable
from typing import Protocol, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_wire.describe import describe
from calza_wire.errors import WireError
from calza_wire.medfloat import MedFloat
from calza_wire.minute_block import MinuteBlock, open_sealed, parse_block, seal
from calza_wire.observation import (
    LengthConvention,
    Observation,
    decode_observation,
    encode_observation,
    read_observation,
)
from calza_wire.racp import (
    Request,
    Response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    refusal,
)
from calza_wire.records import Record, decode_record, digest, encode_record
from calza_wire.segments import Reassembler, split
from calza_wire.topics import down, parse, up
from tests.wire import strategies
from tests.wire.golden import DECODERS, decode_topic

KEY, SYSTEM_ID = bytes(range(32)), bytes(8)
conventions = st.sampled_from(LengthConvention)


class Encodes(Protocol):
    def encode(self) -> bytes: ...


@pytest.mark.parametrize(("kind", "values"), strategies.WITH_METHODS, ids=[kind for kind, _ in strategies.WITH_METHODS])
@given(data=st.data())
def test_value(kind: str, values: st.SearchStrategy[object], data: st.DataObject) -> None:
    value = data.draw(values)
    octets = cast("Encodes", value).encode()
    assert DECODERS[kind](octets) == value
    assert json.loads(json.dumps(describe(value))) == describe(DECODERS[kind](octets))


@given(observation=strategies.observations, convention=conventions)
def test_observation(observation: Observation, convention: LengthConvention) -> None:
    octets = encode_observation(observation, convention)
    decoded = read_observation(octets)
    assert (decoded.observation, decoded.convention) == (observation, convention)
    assert json.loads(json.dumps(describe(observation))) == describe(decoded.observation)


@given(observation=strategies.observations, tail=st.binary(min_size=1, max_size=8))
def test_observation_with_a_tail(observation: Observation, tail: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode_observation(encode_observation(observation) + tail)
    assert caught.value.code in {"trailing", "bad_length"}


@given(request=strategies.racp_requests)
def test_racp_request(request: Request) -> None:
    assert decode_request(encode_request(request)) == request


@given(response=strategies.racp_responses)
def test_racp_response(response: Response) -> None:
    assert decode_response(encode_response(response)) == response


@given(octets=st.binary(max_size=16))
def test_every_refused_racp_request_has_an_answer(octets: bytes) -> None:
    try:
        decode_request(octets)
    except WireError as error:
        answer = refusal(octets, error)
        assert decode_response(encode_response(answer)) == answer


@given(
    block=strategies.minute_blocks(),
    convention=conventions,
    number=strategies.u32,
    log_id=strategies.eight,
)
def test_minute_block(block: MinuteBlock, convention: LengthConvention, number: int, log_id: bytes) -> None:
    body = seal(block, key=KEY, system_id=SYSTEM_ID, log_id=log_id, record_number=number, convention=convention)
    opened = open_sealed(body, key=KEY, system_id=SYSTEM_ID, record_number=number)
    assert (opened.block, opened.log_id) == (block, log_id)
    assert parse_block(body) == opened
    assert encode_observation(decode_observation(body), convention) == body


@given(number=strategies.u32, body=st.binary(min_size=1, max_size=50))
def test_record(number: int, body: bytes) -> None:
    payload = encode_record(number, body)
    assert decode_record(payload) == Record(number, body)
    assert len(digest(payload)) == 32


@given(
    payload=st.binary(min_size=1, max_size=2_000),
    att_mtu=st.integers(23, 517),
    counter=st.integers(0, 63),
)
def test_segments(payload: bytes, att_mtu: int, counter: int) -> None:
    segments, following = split(payload, att_mtu, counter)
    assert all(len(segment) <= att_mtu - 3 for segment in segments)
    assert following == (counter + len(segments)) % 64
    receiver = Reassembler()
    received = [receiver.feed(segment) for segment in segments]
    assert received == [None] * (len(segments) - 1) + [payload]
    assert receiver.gaps == 0


@given(gateway=strategies.gateways, serial=strategies.serials)
def test_topic(gateway: str, serial: str) -> None:
    for topic in (up(gateway, "hello"), up(gateway, "record", serial), down(gateway, "receipt"), down(gateway, "live")):
        parsed = parse(topic)
        assert parsed.gateway == gateway
        assert parsed.serial in (serial, None)
        build = up if parsed.direction == "up" else lambda g, k, _: down(g, k)
        assert build(parsed.gateway, parsed.kind, parsed.serial) == topic


@given(value=strategies.floats.filter(lambda each: each.special is None))
def test_float_from_its_own_text(value: MedFloat) -> None:
    assert MedFloat.of(value.decimal) == value
    assert MedFloat.of(str(value)) == value


def code_of(decode: Callable[[], object]) -> str | None:
    try:
        decode()
    except WireError as error:
        return error.code
    return None


def decodes_or_raises_wire_error(kind: str, octets: bytes) -> None:
    try:
        value = DECODERS[kind](octets)
    except WireError:
        return
    json.dumps(describe(value), ensure_ascii=False).encode()


@pytest.mark.parametrize("kind", DECODERS)
@given(octets=st.binary(max_size=300))
def test_any_octets_decode_or_raise_wire_error(kind: str, octets: bytes) -> None:
    decodes_or_raises_wire_error(kind, octets)


@given(octets=st.binary(max_size=20), lead=st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 0xFF]), flags=st.integers(0, 0x3FF))
def test_any_octets_after_a_likely_header(octets: bytes, lead: int, flags: int) -> None:
    body = bytes((lead,)) + (len(octets) + 5).to_bytes(2, "little") + flags.to_bytes(2, "little") + octets
    decodes_or_raises_wire_error("observation", body)


json_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("kind", "good"),
    [(k, s) for k, s in strategies.WITH_METHODS if k in {"hello", "wanted", "sync", "receipt", "live-request"}],
)
@given(data=st.data())
def test_any_json_in_any_place_of_a_message(kind: str, good: st.SearchStrategy[object], data: st.DataObject) -> None:
    tree = json.loads(cast("Encodes", data.draw(good)).encode())
    tree[data.draw(st.sampled_from(sorted(tree)))] = data.draw(json_trees)
    decodes_or_raises_wire_error(kind, json.dumps(tree).encode())


@given(topic=st.text(max_size=60))
def test_any_text_as_a_topic(topic: str) -> None:
    octets = topic.encode("utf-8", errors="replace")
    assert code_of(lambda: decode_topic(octets)) in {None, "bad_topic"}


@given(pdus=st.lists(st.binary(max_size=8), max_size=30))
def test_any_segments_give_payloads_or_wire_errors(pdus: list[bytes]) -> None:
    receiver = Reassembler()
    for pdu in pdus:
        if pdu:
            assert receiver.feed(pdu) is None or pdu[0] & 2
        else:
            assert code_of(lambda: receiver.feed(b"")) == "truncated"
