"""Segments: the golden ones, losses of every kind, and the bound on what a peer may make us hold."""

import json
import random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_wire.errors import WireError
from calza_wire.records import encode_record
from calza_wire.segments import MAX_PAYLOAD_OCTETS, Reassembler, split
from tests.wire.golden import VECTORS

ITEMS = cast("list[dict[str, object]]", json.loads((VECTORS / "segments.json").read_text(encoding="utf-8"))["vectors"])


def octets_of(item: dict[str, object], key: str) -> list[bytes]:
    return [bytes.fromhex(text) for text in cast("list[str]", item[key])]


@pytest.mark.parametrize("item", [i for i in ITEMS if i["kind"] == "segments"], ids=lambda i: str(i["name"]))
def test_split_makes_the_golden_segments(item: dict[str, object]) -> None:
    payload = bytes.fromhex(cast("str", item["payload"]))
    made = split(payload, cast("int", item["att_mtu"]), cast("int", item["counter"]))
    assert made == (octets_of(item, "segments"), item["next_counter"])
    receiver = Reassembler()
    assert [receiver.feed(segment) for segment in made[0]][-1] == payload


@pytest.mark.parametrize("item", [i for i in ITEMS if i["kind"] == "segments-received"], ids=lambda i: str(i["name"]))
def test_receiving_the_golden_losses(item: dict[str, object]) -> None:
    receiver = Reassembler()
    received = [receiver.feed(segment) for segment in octets_of(item, "segments")]
    assert [payload for payload in received if payload is not None] == octets_of(item, "payloads")
    assert receiver.gaps == item["gaps"]


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    lost=st.sets(st.integers(0, 40), max_size=6),
    counter=st.integers(0, 63),
)
def test_losses_never_give_a_payload_that_was_not_sent(lengths: list[int], lost: set[int], counter: int) -> None:
    payloads = [encode_record(number, bytes([number]) * length) for number, length in enumerate(lengths)]
    sent: list[tuple[int, bytes]] = []
    for number, payload in enumerate(payloads):
        segments, counter = split(payload, 23, counter)
        sent += [(number, segment) for segment in segments]
    receiver = Reassembler()
    received = [receiver.feed(segment) for place, (_, segment) in enumerate(sent) if place not in lost]
    whole = [payload for payload in received if payload is not None]
    hurt = {number for place, (number, _) in enumerate(sent) if place in lost}
    assert whole == [payload for number, payload in enumerate(payloads) if number not in hurt]
    heard = [place for place in range(len(sent)) if place not in lost]
    lost_between = bool(heard) and len(heard) < heard[-1] - heard[0] + 1
    begun_in_the_middle = bool(heard) and not sent[heard[0]][1][0] & 1
    assert bool(receiver.gaps) == (lost_between or begun_in_the_middle)


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=12), times=st.lists(st.integers(1, 3), min_size=60))
def test_what_a_host_hands_over_several_times_is_taken_once(lengths: list[int], times: list[int]) -> None:
    payloads = [encode_record(number, bytes([number]) * length) for number, length in enumerate(lengths)]
    counter, sent = 0, list[bytes]()
    for payload in payloads:
        segments, counter = split(payload, 23, counter)
        sent += segments
    repeated = [segment for place, segment in enumerate(sent) for _ in range(times[place % len(times)])]
    receiver = Reassembler()
    received = [receiver.feed(segment) for segment in repeated]
    assert [payload for payload in received if payload is not None] == payloads
    assert receiver.gaps == 0


def test_on_a_new_connection_the_same_segment_is_another_one() -> None:
    receiver = Reassembler()
    assert receiver.feed(b"\x03one") == b"one"
    receiver.reset()
    assert receiver.feed(b"\x03one") == b"one"


def test_a_disconnect_in_the_middle_is_forgotten_by_reset() -> None:
    receiver = Reassembler()
    assert receiver.feed(b"\x01half") is None
    receiver.reset()
    assert receiver.feed(b"\x03whole") == b"whole"
    assert receiver.gaps == 0


def test_a_payload_beyond_64_kib_is_dropped_and_the_next_one_arrives() -> None:
    receiver = Reassembler()
    fragment = bytes(4_096)
    for place in range(16):
        assert receiver.feed(bytes([place << 2 | (place == 0)]) + fragment) is None
    with pytest.raises(WireError) as caught:
        receiver.feed(bytes([16 << 2]) + b"\x00")
    assert caught.value.code == "too_long"
    assert receiver.feed(bytes([17 << 2]) + fragment) is None
    assert receiver.feed(bytes([18 << 2 | 3]) + b"next") == b"next"
    assert receiver.gaps == 0, "the error has told it already"


def test_exactly_64_kib_passes() -> None:
    payload = random.Random(1).randbytes(MAX_PAYLOAD_OCTETS)
    segments, _ = split(payload, 517, 60)
    receiver = Reassembler()
    assert [receiver.feed(segment) for segment in segments][-1] == payload


@pytest.mark.parametrize(
    ("payload", "att_mtu", "counter"),
    [(b"", 23, 0), (bytes(MAX_PAYLOAD_OCTETS + 1), 23, 0), (b"a", 22, 0), (b"a", 23, 64), (b"a", 23, -1)],
)
def test_split_refuses_what_it_cannot_cut(payload: bytes, att_mtu: int, counter: int) -> None:
    with pytest.raises(ValueError, match="not"):
        split(payload, att_mtu, counter)
