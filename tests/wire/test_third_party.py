"""Octets made by others, against facts written down by hand: what the vectors say must be what their makers meant."""

from decimal import Decimal

import pytest

from calza_wire.elapsed_time import CurrentElapsedTime, TimeSource, TimeStamp
from calza_wire.features import HealthSensorFeatures, Specialization
from calza_wire.medfloat import MedFloat, Special, decode_sfloat
from calza_wire.observation import (
    Bundle,
    Compound,
    Discrete,
    DiscreteEvents,
    LengthConvention,
    Numeric,
    Observation,
    SampleArray,
    StateEvents,
    Text,
    TlvValues,
    decode_observation,
    read_observation,
)
from tests.wire.golden import vectors

BY_NAME = {vector.name.split()[0]: vector.octets for vector in vectors() if vector.origin.startswith("third-party")}
NOON_BEFORE_S = 1_637_409_010  # 2021-11-20T11:50:10Z


def observation(name: str) -> Observation:
    decoded = read_observation(BY_NAME[name])
    assert decoded.convention is LengthConvention.AFTER_LENGTH
    return decoded.observation


def test_t1_numeric() -> None:
    found = observation("T1")
    assert found.value == Numeric(0x0220, MedFloat(98))
    assert (found.type, found.patient, found.supplemental) == (0x24BB8, 1, (0x24C3C,))
    assert found.time_stamp == TimeStamp(0x22, 0x292B9D72, TimeSource.CELLULAR, 0)
    assert found.time_stamp.unix_s == NOON_BEFORE_S


def test_t2_discrete() -> None:
    found = observation("T2")
    assert (found.value, found.type, found.patient, found.supplemental) == (Discrete(0x62), 0x24BB8, None, (0x24C3C,))


def test_t3_string() -> None:
    assert observation("T3") == Observation(Text("Man"))


def test_t4_sample_array() -> None:
    value = observation("T4").value
    assert isinstance(value, SampleArray)
    assert value.unit == 0x10B2
    assert (str(value.scale), str(value.offset), str(value.period)) == ("1612", "2048", "0.010")
    assert (value.samples_per_period, value.sample_octets) == (1, 1)
    assert value.samples == (0xF9, 7, 0xFB, 7, 0xF5, 7, 0xFF, 7, 0x0C, 8)
    assert value.physical[0] == 0xF9 * 1612 + 2048


def test_t5_attributes() -> None:
    value = observation("T5").value
    assert isinstance(value, TlvValues)
    assert [(tlv.type, tlv.format, tlv.value.hex()) for tlv in value.tlvs] == [
        (0x24BB8, 4, "620000"),
        (0x24BB8, 4, "630000"),
        (0x24BB8, 4, "640000"),
    ]


def test_t6_compound() -> None:
    found = observation("T6")
    assert (found.type, found.observation_id) == (0x24A04, 123456)
    assert isinstance(found.value, Compound)
    assert [(c.type, c.value) for c in found.value.components] == [
        (0x24A05, Numeric(0x0F20, MedFloat(100))),
        (0x24A06, Numeric(0x0F20, MedFloat(60))),
        (0x24A07, Numeric(0x0F20, MedFloat(80))),
    ]


def test_t7_discrete_events() -> None:
    found = observation("T7")
    assert (found.type, found.derived_from) == (0x8055F0, (123456,))
    assert found.value == DiscreteEvents((0x300F0, 0x301AE))


def test_t8_states_and_events() -> None:
    found = observation("T8")
    assert found.derived_from == (123456,)
    assert found.value == StateEvents(b"\xff" * 4, b"\xff" * 4, bytes.fromhex("f0000300"))


def test_t9_bundle() -> None:
    found = observation("T9")
    assert (found.type, found.supplemental) == (None, (0x24C3C,))
    assert found.time_stamp is not None
    assert found.time_stamp.unix_s == NOON_BEFORE_S
    assert isinstance(found.value, Bundle)
    assert [(member.type, member.value) for member in found.value.members] == [
        (0x24BB8, Numeric(0x0220, MedFloat(98))),
        (0x2481A, Numeric(0x0AA0, MedFloat(98))),
    ]


def test_t10_features() -> None:
    found = HealthSensorFeatures.decode(bytes.fromhex("0102b84b02001a48020001071001"))
    assert found == HealthSensorFeatures((0x24BB8, 0x2481A), (Specialization(0x1007, 1),))


@pytest.mark.parametrize(
    ("octets", "unix_s", "source", "needs_set", "capabilities"),
    [
        ("22a66a002c000007000101", 1_684_909_606, 7, True, 1),  # 2023-05-24T06:26:46Z
        ("0240420f00000001000000", 946_684_800 + 1_000_000, 1, False, 0),
        ("3080510100000004080000", 946_684_800 + 86_400 - 7_200, 4, False, 0),
        ("1200000000000000ec0000", 946_684_800, 0, False, 0),
        ("3280510100000004080101", 946_684_800 + 86_400, 4, True, 1),
    ],
)
def test_clocks(octets: str, unix_s: int, source: int, needs_set: bool, capabilities: int) -> None:
    found = CurrentElapsedTime.decode(bytes.fromhex(octets))
    assert (found.stamp.unix_s, found.stamp.source) == (unix_s, source)
    assert (found.needs_set, found.capabilities) == (needs_set, capabilities)


@pytest.mark.parametrize(
    ("word", "text"),
    [(0x00000002, "2"), (0xFF000014, "2.0"), (0xFE0000C8, "2.00"), (0x00FFFB2E, "-1234")],
)
def test_floats_keep_their_zeros(word: int, text: str) -> None:
    found = MedFloat.decode(word.to_bytes(4, "little"))
    assert str(found) == text
    assert MedFloat.of(text) == found


def test_float_of_a_positive_exponent() -> None:
    found = MedFloat.decode((0x01000002).to_bytes(4, "little"))
    assert found.decimal == Decimal(20)
    assert (found.mantissa, found.exponent) == (2, 1)


@pytest.mark.parametrize(("word", "text"), [(0xF014, "2.0"), (0x0B2E, "-1234")])
def test_sfloats(word: int, text: str) -> None:
    assert str(decode_sfloat(word.to_bytes(2, "little"))) == text


@pytest.mark.parametrize(
    ("word", "short", "special"),
    [
        (0x007FFFFF, 0x07FF, Special.NAN),
        (0x00800000, 0x0800, Special.NRES),
        (0x007FFFFE, 0x07FE, Special.POSITIVE_INFINITY),
        (0x00800002, 0x0802, Special.NEGATIVE_INFINITY),
        (0x00800001, 0x0801, Special.RESERVED),
    ],
)
def test_special_floats(word: int, short: int, special: Special) -> None:
    assert MedFloat.decode(word.to_bytes(4, "little")) == MedFloat.of_special(special)
    assert decode_sfloat(short.to_bytes(2, "little")) == MedFloat.of_special(special)
    assert MedFloat.of_special(special).encode() == word.to_bytes(4, "little")


def test_malformed_array_of_a_vendor_is_refused_without_reading_on() -> None:
    (octets,) = [v.octets for v in vectors() if v.name == "sample count in one octet instead of four"]
    assert octets[:3] == bytes.fromhex("049700")
    with pytest.raises(Exception, match="octets expected") as caught:
        decode_observation(octets)
    assert getattr(caught.value, "code", None) == "truncated"
