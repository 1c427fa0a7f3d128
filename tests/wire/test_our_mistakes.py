"""Encoding a bad value is our own mistake and raises ValueError, before an octet of it leaves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, cast

import pytest

from calza_wire.channels import Side
from calza_wire.elapsed_time import CurrentElapsedTime, TimeSource, TimeStamp
from calza_wire.features import HealthSensorFeatures, ObservationSchedule, Specialization, ValidRange
from calza_wire.gateway_status import GatewayReport, GatewayStatus
from calza_wire.live_minute import LiveMinute
from calza_wire.live_request import LEASE_MAX_S, LiveRequest
from calza_wire.medfloat import MedFloat, Special
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
from calza_wire.observation import (
    Bundle,
    Component,
    Compound,
    Discrete,
    DiscreteEvents,
    Numeric,
    Observation,
    SampleArray,
    StateEvents,
    Text,
    Tlv,
    TlvValues,
    encode_observation,
)
from calza_wire.racp import CountRequest, NumberResponse, Operator, Selection, encode_request, encode_response
from calza_wire.records import encode_record
from calza_wire.stocking_service import (
    Calibration,
    ControlReply,
    ControlResult,
    Identity,
    Label,
    LogStatus,
    SamplingSettings,
    SiteCalibration,
)
from calza_wire.topics import down, up

STAMP = TimeStamp.at(1_767_225_600, source=TimeSource.NTP)
ONE = MedFloat(1)
LOG = "6c6f672d30303031"
HELLO = Hello("g-1", "x", 0, ())
SYNC = SyncReport("CZ-0001-L", "began", LOG, 0, 0, 0, STAMP, False, 0, None, "1", None, 23, 0)
REPORT = GatewayReport(1, "ok", 2, 2, 5, 1, 0, GatewayClock.UNKNOWN)
REFUSAL = Refusal("0" * 32, 1, RefusalReason.FORGED, "x")
SITE = SiteCalibration(ONE, ONE)
LABEL = Label(Side.LEFT, "M", "RAL-GZ 387/1", "2", 23, 32)
STATES = StateEvents(b"\xff", b"\xff", b"\x00")


def observed(observation: Observation) -> Callable[[], bytes]:
    return lambda: encode_observation(observation)


CASES: dict[str, Callable[[], object]] = {
    "class 6": observed(Observation(STATES)),
    "class 6 in a compound": observed(Observation(Compound((Component(1, STATES),)))),
    "bundle in a bundle": observed(Observation(Bundle((Observation(Bundle(())),)))),
    "type beyond u32": observed(Observation(Discrete(1), type=2**32)),
    "negative type": observed(Observation(Discrete(1), type=-1)),
    "unit beyond u16": observed(Observation(Numeric(2**16, ONE))),
    "patient beyond u8": observed(Observation(Discrete(1), patient=256)),
    "status beyond u16": observed(Observation(Discrete(1), status=2**16)),
    "observation id beyond u32": observed(Observation(Discrete(1), observation_id=2**32)),
    "256 supplementals": observed(Observation(Discrete(1), supplemental=(1,) * 256)),
    "256 attributes": observed(Observation(TlvValues((Tlv(1, 1, b""),) * 256))),
    "256 components": observed(Observation(Compound((Component(1, Discrete(1)),) * 256))),
    "256 events": observed(Observation(DiscreteEvents((1,) * 256))),
    "half a character": observed(Observation(Text("\ud800"))),
    "text of 64 KiB": observed(Observation(Text("x" * 65_536))),
    "attribute of 64 KiB": observed(Observation(TlvValues((Tlv(1, 1, bytes(65_536)),)))),
    "body of 64 KiB": observed(Observation(TlvValues((Tlv(1, 1, bytes(65_530)),)))),
    "samples of three octets": lambda: SampleArray(0, ONE, ONE, ONE, 1, 3, b""),
    "half a sample": lambda: SampleArray(0, ONE, ONE, ONE, 1, 2, b"\x00"),
    "mantissa": lambda: MedFloat(2**23 - 2),
    "negative mantissa": lambda: MedFloat(-(2**23) + 2),
    "exponent": lambda: MedFloat(1, 128),
    "special with a mantissa": lambda: MedFloat(1, 0, Special.NAN),
    "too precise a number": lambda: MedFloat.of("1.00000001"),
    "NaN without saying so": lambda: MedFloat.of("NaN"),
    "infinity without saying so": lambda: MedFloat.of("Infinity"),
    "no number": lambda: MedFloat.of("two"),
    "decimal of a special": lambda: MedFloat.of_special(Special.NRES).decimal,
    "time before 2000": lambda: TimeStamp.at(946_684_799, source=TimeSource.NTP),
    "time of 49 bits": lambda: TimeStamp(0x32, 2**48, TimeSource.NTP),
    "reserved clock flag": lambda: TimeStamp(0x72, 0, TimeSource.NTP),
    "clock flags beyond u8": lambda: TimeStamp(0x132, 0, TimeSource.NTP),
    "offset of 32 hours": lambda: TimeStamp(0x32, 0, TimeSource.NTP, 128),
    "Unix time of a tick counter": lambda: TimeStamp(0x01, 0, TimeSource.NTP).unix_s,
    "clock capabilities": lambda: CurrentElapsedTime(STAMP, False, 256),
    "record number": lambda: encode_record(2**32, b"x"),
    "negative record number": lambda: encode_record(-1, b"x"),
    "empty record": lambda: encode_record(0, b""),
    "record of 64 KiB": lambda: encode_record(0, bytes(65_533)),
    "selection of nothing": lambda: Selection(Operator.NULL),
    "selection without its bound": lambda: Selection(Operator.AT_LEAST),
    "selection with a bound too many": lambda: Selection(Operator.ALL, first=1),
    "selection backwards": lambda: Selection.within(2, 1),
    "selection by what is stored": lambda: Selection(Operator.FIRST).includes(1),
    "selection beyond u32": lambda: encode_request(CountRequest(Selection.at_least(2**32))),
    "count beyond u32": lambda: encode_response(NumberResponse(2**32)),
    "256 types": lambda: HealthSensorFeatures((1,) * 256).encode(),
    "specialization": lambda: HealthSensorFeatures((), (Specialization(2**16, 1),)).encode(),
    "schedule type": lambda: ObservationSchedule(-1, ONE, ONE).encode(),
    "range unit": lambda: ValidRange(1, 2**16, ONE, ONE).encode(),
    "live flags": lambda: LiveMinute.of_raw(STAMP, 0, 0, 0, 0, 0, 128),
    "serial in small letters": lambda: Identity("cz-0001", bytes(8)),
    "system id of seven octets": lambda: Identity("CZ-0001", bytes(7)),
    "label range": lambda: replace(LABEL, ankle_min_mmhg=33),
    "label without a pressure": lambda: replace(LABEL, ankle_min_mmhg=0),
    "label text": lambda: replace(LABEL, size="x" * 65).encode(),
    "log id of nine octets": lambda: LogStatus(bytes(9), 0, 0, 0, 0),
    "log backwards": lambda: LogStatus(bytes(8), 2, 1, 0, 0),
    "timeline beyond the log": lambda: LogStatus(bytes(8), 0, 1, 2, 0),
    "log beyond u32": lambda: LogStatus(bytes(8), 0, 2**32, 0, 0).encode(),
    "calibrated before 1970": lambda: Calibration(-1, SITE, SITE, SITE).encode(),
    "sampling rate": lambda: SamplingSettings(256, 60, 30).encode(),
    "control op": lambda: ControlReply(256, ControlResult.SUCCESS).encode(),
    "topic of a bad gateway": lambda: up("G", "hello"),
    "topic of a bad serial": lambda: up("g", "record", "abc"),
    "topic without its serial": lambda: up("g", "record"),
    "topic with a serial too many": lambda: up("g", "hello", "CZ-0001"),
    "topic going the other way": lambda: down("g", "hello"),
    "topic of an unknown kind": lambda: up("g", "gossip"),
    "hello of a bad gateway": lambda: replace(HELLO, gateway="G").encode(),
    "hello of long software": lambda: replace(HELLO, software="x" * 201).encode(),
    "hello with half a character": lambda: replace(HELLO, software="\ud800").encode(),
    "hello before 1970": lambda: replace(HELLO, sent_ms=-1).encode(),
    "hello at half a millisecond": lambda: replace(HELLO, sent_ms=cast("int", 0.5)).encode(),
    "hello of a bad serial": lambda: replace(HELLO, stockings=("x",)).encode(),
    "hello of 64 KiB": lambda: replace(HELLO, stockings=("CZ-0001-L",) * 6_000).encode(),
    "wanted of a bad log": lambda: Wanted((WantedLog("CZ-0001-L", "LOG", 1),)).encode(),
    "wanted through -1": lambda: Wanted((WantedLog("CZ-0001-L", LOG, -1),)).encode(),
    "sync of a bad phase": lambda: replace(SYNC, phase=cast("Literal['ended']", "paused")).encode(),
    "sync with 101 %": lambda: replace(SYNC, battery_percent=101).encode(),
    "sync over 20 dBm": lambda: replace(SYNC, rssi=21).encode(),
    "receipt of a bad log": lambda: Receipt("CZ-0001-L", (StoredRanges("LOG", ()),)).encode(),
    "receipt of a bad digest": lambda: Receipt("CZ-0001-L", (), (replace(REFUSAL, digest="0"),)).encode(),
    "receipt of a long detail": lambda: Receipt("CZ-0001-L", (), (replace(REFUSAL, detail="x" * 201),)).encode(),
    "receipt of a report without a digest": lambda: Receipt("CZ-0001-L", reports=("",)).encode(),
    "live request for nobody": lambda: LiveRequest("x", 60).encode(),
    "live request of no time": lambda: LiveRequest("CZ-0001-L", 0).encode(),
    "live request without end": lambda: LiveRequest("CZ-0001-L", LEASE_MAX_S + 1).encode(),
    "status unknown": lambda: GatewayStatus(cast("Literal['online']", "asleep"), "x").encode(),
    "status of one who is away, with a report": lambda: GatewayStatus("offline", "x", REPORT).encode(),
    "status before 1970": lambda: GatewayStatus("online", "x", replace(REPORT, sent_ms=-1)).encode(),
    "status of a code with a space": lambda: GatewayStatus("online", "x", replace(REPORT, codes=("a b",))).encode(),
    "report with more in contact than there are": lambda: replace(REPORT, in_contact=3),
    "report with an oldest of none": lambda: replace(REPORT, waiting=0),
    "report with some waiting since never": lambda: replace(REPORT, oldest_ms=None),
    "report with a code given twice": lambda: replace(REPORT, codes=("disk_full", "disk_full")),
    "report with codes out of order": lambda: replace(REPORT, codes=("stack_stuck", "disk_full")),
    "report with too many codes": lambda: replace(REPORT, codes=tuple(f"c{n:02}" for n in range(33))),
}


@pytest.mark.parametrize("attempt", CASES.values(), ids=CASES.keys())
def test_it_is_refused(attempt: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        attempt()


@pytest.mark.parametrize(
    "good",
    [
        lambda: HELLO.encode(),
        lambda: SYNC.encode(),
        lambda: Receipt("CZ-0001-L", (StoredRanges(LOG, ()),), (REFUSAL,)).encode(),
        lambda: encode_observation(Observation(TlvValues((Tlv(1, 1, bytes(65_522)),)))),
        lambda: LiveRequest("CZ-0001-L", LEASE_MAX_S).encode(),
        lambda: encode_record(2**32 - 1, bytes(65_532)),
        lambda: LABEL.encode(),
        lambda: MedFloat(2**23 - 3, 127).encode(),
    ],
)
def test_their_neighbours_are_not(good: Callable[[], bytes]) -> None:
    """What the cases above break one field of is itself good, up to the very limits."""
    assert good()
