"""wire/README.md is normative, so it must be true: its example, offsets, codes and names are those of the code."""

import dataclasses
import re
from pathlib import Path

import pytest

from calza_wire import uuids
from calza_wire.channels import CHANNELS, MinuteFlag
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.errors import CODES
from calza_wire.gateway_status import GatewayReport, GatewayStatus
from calza_wire.live_request import LEASE_MAX_S, LiveRequest
from calza_wire.messages import (
    GatewayClock,
    Hello,
    Receipt,
    Refusal,
    RefusalReason,
    StoredRanges,
    SyncReport,
    Wanted,
    WantedLog,
)
from calza_wire.minute_block import MinuteBlock, Side, layout, open_sealed, seal
from calza_wire.nomenclature import Mdc
from calza_wire.observation import ObservationFlag
from calza_wire.topics import DOWNWARDS, OF_A_STOCKING, UPWARDS, Kind, down, up

README = (Path(__file__).parents[2] / "wire" / "README.md").read_text(encoding="utf-8")
KEY, SYSTEM_ID, LOG_ID = bytes(range(32)), bytes.fromhex("c0a12a0000000001"), b"log-0001"
EXAMPLE = MinuteBlock(
    start=TimeStamp.at(1_767_225_600, source=TimeSource.NTP, offset_quarters=4),
    side=Side.LEFT,
    ankle=(281, 283),
    calf=(234, 235),
    thigh=(152, 151),
    ripple=(12, 9),
    skin=(7325, 7330),
    flags=(1, 5),
)


def section(number: int) -> str:
    """The text of one section."""
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"section {number} is missing"
    return found[0]


def test_the_worked_example_is_what_the_code_seals() -> None:
    rows = re.findall(r"^ *(\d+)  ([0-9a-f]{2,}) +\S", section(5).split("```text\n")[1], re.MULTILINE)
    octets = b""
    for offset, text in rows:
        assert int(offset) == len(octets)
        octets += bytes.fromhex(text)
    assert octets == seal(EXAMPLE, key=KEY, system_id=SYSTEM_ID, log_id=LOG_ID, record_number=7)
    assert open_sealed(octets, key=KEY, system_id=SYSTEM_ID, record_number=7).block == EXAMPLE
    for said in (KEY.hex(), SYSTEM_ID.hex(), LOG_ID.hex()):
        assert said in section(5)


@pytest.mark.parametrize("minutes", [1, 2, 59, 60])
def test_the_offset_table_is_the_layout(minutes: int) -> None:
    def offset_of(field: str) -> int:
        found = re.search(rf"^\| ([\d+n ]+) \|[^|]*\| {field}", section(5), re.MULTILINE)
        assert found, f"no row for {field}"
        constant, _, slope = found[1].partition(" + ")
        return int(constant) + (int(slope.removesuffix("n") or 1) * minutes if slope else 0)

    where = layout(minutes)
    for channel in CHANNELS:
        assert offset_of(f"{channel.name} samples") == getattr(where, channel.name)
    assert offset_of("end") == where.total
    assert offset_of("time value") == where.time_value
    assert offset_of("time source") == where.time_source
    assert offset_of("offset") == where.time_offset
    assert offset_of("leg") == where.side
    assert offset_of("log id \\|") == where.log_id
    assert offset_of("tag \\|") == where.tag
    assert (offset_of("tag: type"), offset_of("components")) == where.tag_tlv


def test_channels_and_flags_are_the_codes() -> None:
    for channel in CHANNELS:
        row = f"| {channel.name} | {channel.type.name} 0x{channel.type:08X} |"
        assert row in section(5)
        assert (
            f"| {channel.scale} | {channel.offset} | 0..0x{channel.raw_max:X} |"
            in section(5).split(row)[1].split("\n")[0]
        )
    for flag in MinuteFlag:
        assert f"| 0x{flag:02X} | {flag.name} |" in section(5)


def test_every_error_code_is_explained() -> None:
    assert re.findall(r"^\| `(\w+)` \|", section(13), re.MULTILINE) == list(CODES)


def test_every_optional_field_has_its_flag() -> None:
    assert re.findall(r"\| (0x[0-9A-F]{4}) \|$", section(4), re.MULTILINE) == [
        f"0x{flag:04X}" for flag in ObservationFlag
    ]


def test_every_private_code_is_listed() -> None:
    text = " ".join(section(15).split())
    for code in Mdc:
        if code.name.startswith("MDCX_"):
            assert f"{code.name} 0x{code:08X}" in text


def test_every_vendor_characteristic_is_listed() -> None:
    base = re.search(r"`4f1cXXXX-([0-9a-f-]+)`", section(10))
    assert base
    listed = {f"4f1c{number}-{base[1]}" for number in re.findall(r"^\| (\d{4}) \|", section(10), re.MULTILINE)}
    assert listed == {value for name, value in vars(uuids).items() if name.isupper() and str(value).startswith("4f1c")}


def test_a_characteristic_uuid_alone_addresses_it() -> None:
    values = [value for name, value in vars(uuids).items() if name.isupper()]
    assert len(values) == len(set(values))
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) for value in values)


def test_every_topic_is_listed() -> None:
    listed = set(re.findall(r"^\| `(calza/[^`]+)` \|", section(11), re.MULTILINE))
    built = set()
    for topic in (
        *(up("gateway", kind, "SERIAL" if kind in OF_A_STOCKING else None) for kind in UPWARDS),
        *(down("gateway", kind) for kind in DOWNWARDS),
    ):
        built.add(topic.replace("/gateway/", "/{gateway}/").replace("SERIAL", "{serial}"))
    assert set(Kind) == UPWARDS | DOWNWARDS
    assert listed == built


def test_every_member_of_every_message_is_listed() -> None:
    messages = (
        Hello,
        Wanted,
        WantedLog,
        SyncReport,
        Receipt,
        StoredRanges,
        Refusal,
        GatewayStatus,
        GatewayReport,
        LiveRequest,
        TimeStamp,
    )
    named = set(re.findall(r"`(?:\w+(?:\[\])?\.)?(\w+)`", section(12)))
    for message in messages:
        missing = {field.name for field in dataclasses.fields(message)} - named
        assert not missing, f"{message.__name__}: {missing}"
    assert set(RefusalReason) <= named
    assert f"1..{LEASE_MAX_S} seconds" in section(12)
    assert set(GatewayClock) <= named
