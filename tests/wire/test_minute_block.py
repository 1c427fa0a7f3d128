"""The minute block: one layout for each length, a tag that covers every octet, and strictness about what it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from calza_wire.channels import CHANNELS, FLAGS_MAX, RAW_MAX
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.errors import WireError
from calza_wire.minute_block import (
    BLOCK_HEAD_OCTETS,
    MinuteBlock,
    Side,
    layout,
    minutes_of,
    open_sealed,
    parse_block,
    seal,
)
from calza_wire.nomenclature import Mdc
from calza_wire.observation import (
    Component,
    Compound,
    LengthConvention,
    Observation,
    SampleArray,
    decode_observation,
    encode_observation,
)

KEY, SYSTEM_ID, LOG_ID = bytes(range(32)), b"\xc0\xa1\x2a\x00\x00\x00\x00\x01", b"log-0001"
START = TimeStamp.at(1_767_225_600, source=TimeSource.NTP, offset_quarters=4)
LENGTHS = range(1, 61)


def block_of(minutes: int, side: Side = Side.LEFT) -> MinuteBlock:
    ankle, calf, thigh, ripple, skin = (
        tuple((7 * place + 1000 * channel) % 2**15 for place in range(minutes)) for channel in range(5)
    )
    return MinuteBlock(START, side, ankle, calf, thigh, ripple, skin, tuple(place % 128 for place in range(minutes)))


def sealed(minutes: int, convention: LengthConvention = LengthConvention.WHOLE_BODY, number: int = 7) -> bytes:
    return seal(
        block_of(minutes), key=KEY, system_id=SYSTEM_ID, log_id=LOG_ID, record_number=number, convention=convention
    )


def open_it(body: bytes, number: int = 7) -> MinuteBlock:
    return open_sealed(body, key=KEY, system_id=SYSTEM_ID, record_number=number).block


@pytest.mark.parametrize("convention", LengthConvention)
@pytest.mark.parametrize("minutes", LENGTHS)
def test_the_layout_says_where_everything_is(minutes: int, convention: LengthConvention) -> None:
    where, body = layout(minutes, convention), sealed(minutes, convention)
    assert len(body) == where.total == BLOCK_HEAD_OCTETS + 11 * minutes
    assert minutes_of(len(body)) == minutes
    assert bytes(octet & keep for octet, keep in zip(body, where.mask, strict=True)) == where.template
    block = block_of(minutes)
    for offset, values in zip(
        where.pressures, (block.ankle, block.calf, block.thigh, block.ripple, block.skin), strict=True
    ):
        found = [int.from_bytes(body[offset + 2 * i : offset + 2 * i + 2], "little") for i in range(minutes)]
        assert tuple(found) == values
    assert tuple(body[where.flags : where.flags + minutes]) == block.flags
    assert int.from_bytes(body[where.time_value : where.time_value + 6], "little") == block.start.value
    assert (body[where.time_source], body[where.time_offset]) == (block.start.source, 4)
    assert body[where.side : where.side + 4] == int(Mdc.MDC_LOEXT_LEG_L).to_bytes(4, "little")
    assert body[where.log_id : where.log_id + 8] == LOG_ID
    assert body[slice(*where.tag_tlv)][7:] == body[where.tag : where.tag + 16]
    assert open_it(body) == block


@pytest.mark.parametrize("minutes", LENGTHS)
def test_the_quick_way_and_the_general_decoder_read_the_same(minutes: int) -> None:
    """The quick way knows offsets, the general decoder knows the format; neither may know better."""
    body = sealed(minutes)
    value = decode_observation(body).value
    assert isinstance(value, Compound)
    arrays = [component.value for component in value.components]
    block = parse_block(body).block
    assert [array.samples for array in arrays if isinstance(array, SampleArray)] == [
        block.ankle, block.calf, block.thigh, block.ripple, block.skin, block.flags,
    ]  # fmt: skip
    again = parse_block(sealed(minutes, LengthConvention.AFTER_LENGTH))
    assert again.block == block


def test_a_full_hour_has_873_octets() -> None:
    assert layout(60).total == 873


@pytest.mark.parametrize("total", [0, 1, 212, 213, 223, 225, 872, 874, 884])
def test_no_block_is_that_long(total: int) -> None:
    assert minutes_of(total) is None


@pytest.mark.parametrize("convention", LengthConvention)
@pytest.mark.parametrize("minutes", [1, 2, 60])
def test_any_flipped_bit_is_refused(minutes: int, convention: LengthConvention) -> None:
    body = sealed(minutes, convention)
    codes = set()
    for place in range(len(body)):
        for bit in range(8):
            changed = body[:place] + bytes((body[place] ^ 1 << bit,)) + body[place + 1 :]
            with pytest.raises(WireError) as caught:
                open_it(changed)
            codes.add(caught.value.code)
    assert "forged" in codes


def test_octets_moved_between_body_and_tag_or_cut_are_refused() -> None:
    body = sealed(2)
    for length in range(len(body)):
        with pytest.raises(WireError):
            open_it(body[:length])
    with pytest.raises(WireError):
        open_it(body + b"\x00")


@pytest.mark.parametrize(
    ("key", "system_id", "number"),
    [(bytes(32), SYSTEM_ID, 7), (KEY, bytes(8), 7), (KEY, SYSTEM_ID, 8)],
    ids=["key", "system id", "record number"],
)
def test_a_tag_belongs_to_one_stocking_and_record(key: bytes, system_id: bytes, number: int) -> None:
    with pytest.raises(WireError) as caught:
        open_sealed(sealed(2), key=key, system_id=system_id, record_number=number)
    assert caught.value.code == "forged"


def test_a_block_of_another_log_is_another_tag() -> None:
    """A record replayed under another log id would count twice: the id is inside the body and inside the tag."""
    body, at = sealed(2), layout(2).log_id
    with pytest.raises(WireError) as caught:
        open_it(body[:at] + b"log-0002" + body[at + 8 :])
    assert caught.value.code == "forged"


def changed_component(place: int, change: Callable[[SampleArray], SampleArray]) -> bytes:
    observation = decode_observation(sealed(2))
    assert isinstance(observation.value, Compound)
    components = list(observation.value.components)
    array = components[place].value
    assert isinstance(array, SampleArray)
    components[place] = replace(components[place], value=change(array))
    return encode_observation(replace(observation, value=Compound(tuple(components))))


def changed_header(change: Callable[[Observation], Observation]) -> bytes:
    return encode_observation(change(decode_observation(sealed(2))))


def turned_round() -> bytes:
    observation = decode_observation(sealed(2))
    assert isinstance(observation.value, Compound)
    return encode_observation(replace(observation, value=Compound(observation.value.components[::-1])))


@pytest.mark.parametrize(
    "body",
    [
        *(changed_component(place, lambda array: replace(array, unit=0x0F03)) for place in range(6)),
        *(changed_component(place, lambda array: replace(array, samples_per_period=2)) for place in range(6)),
        *(changed_component(place, lambda array: replace(array, scale=array.period)) for place in range(6)),
        *(changed_component(place, lambda array: replace(array, period=array.scale)) for place in range(6)),
        *(changed_component(place, lambda array: replace(array, offset=array.period)) for place in range(6)),
        *(changed_component(place, lambda array: replace(array, data=array.data * 2)) for place in range(6)),
        *(changed_component(place, lambda array: replace(array, data=b"")) for place in range(6)),
        changed_component(0, lambda array: replace(array, sample_octets=1)),
        changed_component(5, lambda array: replace(array, sample_octets=2)),
        changed_component(0, lambda array: replace(array, data=b"\xff\xff\xff\xff")),
        changed_component(5, lambda array: replace(array, data=b"\x80\x80")),
        changed_header(lambda obs: replace(obs, type=None)),
        changed_header(lambda obs: replace(obs, type=Mdc.MDCX_STOCKING_MINUTE)),
        changed_header(lambda obs: replace(obs, time_stamp=None)),
        changed_header(lambda obs: replace(obs, time_stamp=replace(START, flags=0x33))),
        changed_header(lambda obs: replace(obs, time_stamp=replace(START, flags=0x36))),
        changed_header(lambda obs: replace(obs, supplemental=())),
        changed_header(lambda obs: replace(obs, supplemental=(*obs.supplemental, *obs.supplemental))),
        changed_header(lambda obs: replace(obs, supplemental=(Mdc.MDC_LOEXT_THIGH_L,))),
        changed_header(lambda obs: replace(obs, tlvs=())),
        changed_header(lambda obs: replace(obs, tlvs=obs.tlvs[::-1])),
        changed_header(lambda obs: replace(obs, tlvs=(*obs.tlvs, obs.tlvs[0]))),
        changed_header(lambda obs: replace(obs, tlvs=(obs.tlvs[0], replace(obs.tlvs[1], value=bytes(15))))),
        changed_header(lambda obs: replace(obs, value=Compound(()))),
        turned_round(),
    ],
)
def test_other_observations_are_no_minute_blocks(body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        parse_block(body)
    assert caught.value.code == "not_a_minute_block"


def test_a_block_from_before_a_clock_set_may_lack_the_current_timeline_flag() -> None:
    """The stocking never rewrites a sealed record, but another implementation may, and its tag then covers that."""
    body = changed_header(lambda obs: replace(obs, time_stamp=replace(START, flags=0x12)))
    assert parse_block(body).block.start.flags == 0x12


GOOD = block_of(2)


@pytest.mark.parametrize("field", ["ankle", "calf", "thigh", "ripple", "skin"])
@pytest.mark.parametrize("values", [(0,), (0, 0, 0), (-1, 0), (0, RAW_MAX + 1), ()])
def test_a_channel_out_of_range_or_step_is_our_mistake(field: str, values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"minutes|raw sample"):
        replace(GOOD, **{field: values})  # type: ignore[arg-type]  # mypy cannot follow a field name at run time


@pytest.mark.parametrize("values", [(0,), (-1, 0), (0, FLAGS_MAX + 1)])
def test_flags_out_of_range_are_our_mistake(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="minute"):
        replace(GOOD, flags=values)


@pytest.mark.parametrize("minutes", [0, 61])
def test_a_block_has_one_to_sixty_minutes(minutes: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.60"):
        block_of(minutes)
    with pytest.raises(ValueError, match=r"1\.\.60"):
        layout(minutes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": bytes(31)},
        {"key": bytes(33)},
        {"system_id": bytes(7)},
        {"log_id": bytes(7)},
        {"log_id": bytes(9)},
        {"record_number": -1},
        {"record_number": 2**32},
        {"block": replace(GOOD, start=replace(START, flags=0x12))},
        {"block": replace(GOOD, ankle=cast("tuple[int, ...]", (1.5, 2.5)))},
        {"block": replace(GOOD, flags=cast("tuple[int, ...]", (1.0, 2.0)))},
    ],
    ids=str,
)
def test_sealing_with_a_wrong_argument_is_our_mistake(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {
        "block": GOOD, "key": KEY, "system_id": SYSTEM_ID, "log_id": LOG_ID, "record_number": 7, **wrong,
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"octets|record number|clock flags|whole number"):
        seal(**arguments)  # type: ignore[arg-type]  # wrong types on purpose


def test_channels_are_in_the_order_of_the_fields() -> None:
    assert [channel.name for channel in CHANNELS] == ["ankle", "calf", "thigh", "ripple", "skin", "flags"]
    value = decode_observation(sealed(1)).value
    assert isinstance(value, Compound)
    assert all(isinstance(component, Component) for component in value.components)
    assert [component.type for component in value.components] == [channel.type for channel in CHANNELS]
