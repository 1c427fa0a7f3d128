"""Hypothesis strategies for every value of the wire: random valid ones, from which a test breaks one field."""

import string
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

from calza_wire.channels import FLAGS_MAX, RAW_MAX, Side
from calza_wire.elapsed_time import STOCKING_CLOCK_FLAGS, CurrentElapsedTime, TimeSource, TimeStamp
from calza_wire.features import HealthSensorFeatures, ObservationSchedule, Specialization, ValidRange
from calza_wire.gateway_status import GatewayReport, GatewayStatus
from calza_wire.live_minute import LiveMinute
from calza_wire.live_request import LEASE_MAX_S, LiveRequest
from calza_wire.medfloat import MANTISSA_MAX, MedFloat, Special
from calza_wire.messages import (
    TIME_MS_MAX,
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
from calza_wire.minute_block import MinuteBlock
from calza_wire.observation import (
    Bundle,
    Component,
    Compound,
    Discrete,
    DiscreteEvents,
    Numeric,
    Observation,
    SampleArray,
    Text,
    Tlv,
    TlvValues,
)
from calza_wire.racp import (
    Abort,
    CombinedReport,
    CombinedReportResponse,
    CountRequest,
    DeleteRequest,
    GeneralResponse,
    NumberResponse,
    Operator,
    ResponseCode,
    Selection,
)
from calza_wire.ranges import RecordRange
from calza_wire.stocking_service import (
    TEXT_OCTETS_MAX,
    Calibration,
    ControlReply,
    ControlResult,
    Identity,
    Label,
    LogStatus,
    SamplingSettings,
    SiteCalibration,
)

_T = TypeVar("_T")

u8 = st.integers(0, 2**8 - 1)
u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)


def tuples_of(items: st.SearchStrategy[_T], low: int = 0, high: int = 4) -> st.SearchStrategy[tuple[_T, ...]]:
    return st.lists(items, min_size=low, max_size=high).map(tuple)


floats = st.one_of(
    st.builds(MedFloat, st.integers(-MANTISSA_MAX, MANTISSA_MAX), st.integers(-128, 127)),
    st.sampled_from(Special).map(MedFloat.of_special),
)
stamps = st.builds(
    TimeStamp,
    flags=st.integers(0, 0x3F),
    value=st.integers(0, 2**48 - 1),
    source=st.sampled_from(TimeSource),
    offset_quarters=st.integers(-128, 127),
)
stocking_stamps = st.builds(
    TimeStamp,
    flags=st.just(STOCKING_CLOCK_FLAGS),
    value=st.integers(0, 2**48 - 1),
    source=st.sampled_from(TimeSource),
    offset_quarters=st.integers(-128, 127),
)
clocks = st.builds(CurrentElapsedTime, stamps, st.booleans(), u8)

unicode_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
tlvs = st.builds(Tlv, u32, u8, st.binary(max_size=20))


@st.composite
def sample_arrays(draw: st.DrawFn) -> SampleArray:
    width = draw(st.sampled_from((1, 2, 4)))
    count = draw(st.integers(0, 12))
    data = draw(st.binary(min_size=width * count, max_size=width * count))
    return SampleArray(draw(u16), draw(floats), draw(floats), draw(floats), draw(u8), width, data)


component_values = st.one_of(
    st.builds(Numeric, u16, floats),
    st.builds(Discrete, u32),
    st.builds(Text, unicode_texts),
    sample_arrays(),
    st.builds(DiscreteEvents, tuples_of(u32)),
)
single_values = st.one_of(
    component_values,
    st.builds(Compound, tuples_of(st.builds(Component, u32, component_values))),
    st.builds(TlvValues, tuples_of(tlvs)),
)


def _observations(values: st.SearchStrategy[_T]) -> st.SearchStrategy[Observation]:
    return st.builds(
        Observation,
        value=values,
        type=st.none() | u32,
        time_stamp=st.none() | stamps,
        duration=st.none() | floats,
        status=st.none() | u16,
        observation_id=st.none() | u32,
        patient=st.none() | u8,
        supplemental=tuples_of(u32),
        derived_from=tuples_of(u32),
        member_of=tuples_of(u32),
        tlvs=tuples_of(tlvs),
    )


singles = _observations(single_values)
observations = st.one_of(singles, _observations(st.builds(Bundle, tuples_of(singles, high=3))))


@st.composite
def minute_blocks(draw: st.DrawFn) -> MinuteBlock:
    minutes = draw(st.integers(1, 60))
    words = tuples_of(st.integers(0, RAW_MAX), minutes, minutes)
    ankle, calf, thigh, ripple, skin = (draw(words) for _ in range(5))
    flags = draw(tuples_of(st.integers(0, FLAGS_MAX), minutes, minutes))
    return MinuteBlock(draw(stocking_stamps), draw(st.sampled_from(Side)), ankle, calf, thigh, ripple, skin, flags)


raws = st.integers(0, RAW_MAX)
live_minutes = st.builds(LiveMinute.of_raw, stocking_stamps, raws, raws, raws, raws, raws, st.integers(0, FLAGS_MAX))

selections = st.one_of(
    st.sampled_from((Operator.ALL, Operator.FIRST, Operator.LAST)).map(Selection),
    st.builds(Selection.at_least, u32),
    st.builds(Selection.at_most, u32),
    st.tuples(u32, u32).map(lambda pair: Selection.within(min(pair), max(pair))),
)
racp_requests = st.one_of(
    st.builds(CombinedReport, selections),
    st.builds(CountRequest, selections),
    st.builds(DeleteRequest, selections),
    st.just(Abort()),
)
racp_responses = st.one_of(
    st.builds(NumberResponse, u32),
    st.builds(CombinedReportResponse, u32),
    st.builds(GeneralResponse, u8, st.sampled_from(ResponseCode)),
)

features = st.builds(HealthSensorFeatures, tuples_of(u32), tuples_of(st.builds(Specialization, u16, u8)))
schedules = st.builds(ObservationSchedule, u32, floats, floats)
valid_ranges = st.builds(ValidRange, u32, u16, floats, floats, st.none() | floats)

serials = st.text(string.ascii_uppercase + string.digits + "-", min_size=4, max_size=32)
gateways = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=32)
eight = st.binary(min_size=8, max_size=8)
short_texts = unicode_texts.filter(lambda text: len(text.encode()) <= TEXT_OCTETS_MAX)
identities = st.builds(Identity, serials, eight)


@st.composite
def labels(draw: st.DrawFn) -> Label:
    low, high = sorted(draw(st.tuples(st.integers(1, 254), st.integers(1, 254))))
    top = draw(st.sampled_from((high, None)))
    return Label(draw(st.sampled_from(Side)), draw(short_texts), draw(short_texts), draw(short_texts), low, top)


@st.composite
def log_statuses(draw: st.DrawFn) -> LogStatus:
    first, following = sorted(draw(st.tuples(u32, u32)))
    return LogStatus(draw(eight), first, following, draw(st.integers(0, following)), draw(u8))


sites = st.builds(SiteCalibration, floats, floats)
calibrations = st.builds(Calibration, u32, sites, sites, sites)
samplings = st.builds(SamplingSettings, u8, u8, u16)
control_replies = st.builds(ControlReply, u8, st.sampled_from(ControlResult))

ranges = st.tuples(u32, u32).map(lambda pair: RecordRange(min(pair), max(pair)))
log_ids = eight.map(bytes.hex)
digests = st.binary(min_size=16, max_size=16).map(bytes.hex)
times_ms = st.integers(0, TIME_MS_MAX)
hellos = st.builds(Hello, gateways, unicode_texts, times_ms, tuples_of(serials))
wanteds = st.builds(
    Wanted,
    tuples_of(st.builds(WantedLog, serials, st.none() | log_ids, st.none() | u32, tuples_of(ranges))),
    tuples_of(serials),
)
sync_reports = st.builds(
    SyncReport,
    serial=serials,
    phase=st.sampled_from(("began", "ended")),
    log_id=log_ids,
    first_record=u32,
    next_record=u32,
    timeline_first_record=u32,
    device_time=stamps,
    needs_set=st.booleans(),
    gateway_ms=times_ms,
    battery_percent=st.none() | st.integers(0, 100),
    firmware=unicode_texts,
    rssi=st.none() | st.integers(-127, 20),
    mtu=u16,
    fetched=u32,
    gateway_clock=st.sampled_from(GatewayClock),
)
receipts = st.builds(
    Receipt,
    serials,
    tuples_of(st.builds(StoredRanges, log_ids, tuples_of(ranges))),
    tuples_of(st.builds(Refusal, digests, st.none() | u32, st.sampled_from(RefusalReason), unicode_texts)),
    tuples_of(digests),
)
live_requests = st.builds(LiveRequest, serials, st.integers(1, LEASE_MAX_S))
codes = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True, alphabet=st.characters(codec="ascii"))


@st.composite
def gateway_reports(draw: st.DrawFn) -> GatewayReport:
    """Figures that do not contradict each other."""
    stockings, waiting = draw(u32), draw(u32)
    return GatewayReport(
        sent_ms=draw(times_ms),
        health=draw(st.sampled_from(("ok", "degraded", "stuck"))),
        stockings=stockings,
        in_contact=draw(st.integers(0, stockings)),
        waiting=waiting,
        oldest_ms=draw(times_ms) if waiting else None,
        refused=draw(u32),
        clock=draw(st.sampled_from(GatewayClock)),
        codes=tuple(sorted(draw(st.sets(codes, max_size=32)))),
    )


statuses = st.builds(GatewayStatus, st.sampled_from(("online", "offline")), unicode_texts) | st.builds(
    GatewayStatus, st.just("online"), unicode_texts, gateway_reports()
)

WITH_METHODS: Sequence[tuple[str, st.SearchStrategy[object]]] = (
    ("calibration", calibrations),
    ("control-reply", control_replies),
    ("elapsed-time", clocks),
    ("features", features),
    ("float", floats),
    ("gateway-status", statuses),
    ("hello", hellos),
    ("identity", identities),
    ("label", labels()),
    ("live-minute", live_minutes),
    ("live-request", live_requests),
    ("log-status", log_statuses()),
    ("receipt", receipts),
    ("sampling-settings", samplings),
    ("schedule", schedules),
    ("sync", sync_reports),
    ("time-stamp", stamps),
    ("valid-range", valid_ranges),
    ("wanted", wanteds),
)
"""Kinds of vector whose values have an `encode()` of their own, with their strategy."""
