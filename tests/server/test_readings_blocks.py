"""The fast reading of many bodies against the general decoder of the wire format: the same verdict, the same facts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.recording.readings import Readings, joined
from calza_server.domain.recording.readings_blocks import facts_of, readings_of
from calza_wire.elapsed_time import TimeSource
from calza_wire.errors import WireError
from calza_wire.minute_block import Side, layout, parse_block
from calza_wire.observation import LengthConvention
from tests.server.sealed import LOG_ID, OTHER_LOG_ID, block, body


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Sealed bodies of any length and both conventions, most of them damaged in a few octets."""
    number = draw(st.integers(1, 50))
    made = bytearray(
        body(
            number,
            log_id=draw(st.sampled_from([LOG_ID, OTHER_LOG_ID])),
            minutes=block(number, minutes=draw(st.integers(1, 60)), source=draw(st.sampled_from(TimeSource))),
            convention=draw(st.sampled_from(LengthConvention)),
        )
    )
    for _ in range(draw(st.integers(0, 2))):
        made[draw(st.integers(0, min(240, len(made) - 1)))] = draw(st.integers(0, 255))
    return bytes(made[: draw(st.sampled_from([len(made), len(made) - 1, 40]))])


@given(st.lists(bodies(), max_size=12))
@settings(max_examples=200)
def test_many_at_once_are_judged_as_one_by_one(many: list[bytes]) -> None:
    for octets, facts in zip(many, facts_of(many), strict=True):
        if isinstance(facts, WireError):
            with pytest.raises(WireError) as caught:
                parse_block(octets)
            assert caught.value.code == facts.code
            continue
        parsed = parse_block(octets)
        start = parsed.block.start
        assert (facts.start_s, facts.synchronised) == (start.unix_s, start.synchronised)
        assert (facts.minutes, facts.log_id) == (parsed.block.minutes, parsed.log_id)
        assert (facts.tag, facts.tag_span) == (parsed.tag, parsed.tag_span)


@given(st.lists(bodies(), max_size=12))
@settings(max_examples=100)
def test_columns_are_what_the_decoder_reads(many: list[bytes]) -> None:
    good = [octets for octets, facts in zip(many, facts_of(many), strict=True) if not isinstance(facts, WireError)]
    record, log = np.arange(len(good), dtype=np.int64), np.zeros(len(good), np.int16)
    found = readings_of(good, record, log, (LOG_ID,))
    parsed = [parse_block(octets).block for octets in good]
    assert found.record.tolist() == [i for i, each in enumerate(parsed) for _ in range(each.minutes)]
    assert found.device_s.tolist() == [each.start.unix_s + 60 * m for each in parsed for m in range(each.minutes)]
    rows = [
        row for each in parsed for row in zip(each.ankle, each.calf, each.thigh, each.ripple, each.skin, strict=True)
    ]
    assert found.values.tolist() == [list(row) for row in rows]
    assert found.flags.tolist() == [flag for each in parsed for flag in each.flags]
    assert found.synchronised.tolist() == [each.start.synchronised for each in parsed for _ in range(each.minutes)]


def test_a_block_of_no_leg_is_no_minute_block() -> None:
    """The side is the one octet no template can judge."""
    octets = bytearray(body(1))
    for value in range(256):
        octets[layout(60).side] = value
        (facts,) = facts_of([bytes(octets)])
        assert isinstance(facts, WireError) is (value not in {side.lower_leg % 256 for side in Side})


def test_a_body_that_was_changed_in_the_store_is_an_error_not_a_reading() -> None:
    with pytest.raises(WireError):
        readings_of([b"changed"], np.array([1], np.int64), np.array([0], np.int16), (LOG_ID,))


def test_readings_are_picked_and_joined_with_their_logs() -> None:
    one = readings_of([body(1)], np.array([1], np.int64), np.array([0], np.int16), (LOG_ID,))
    part = one.between(int(one.device_s[10]), int(one.device_s[20]))
    assert part.device_s.tolist() == one.device_s[10:20].tolist()
    assert len(joined([part, part])) == 20
    assert len(joined([])) == len(Readings.none()) == 0
    with pytest.raises(ValueError, match="different logs"):
        joined([one, Readings.none()])
