"""Fetching records by RACP record-number ranges over a link that may lose any notification or indication.

A part of the sync session's script: no radio, no clock. The rule that makes it safe: a record counts as fetched when
its last segment has arrived with an unbroken counter, and never because an indication said so.

Procedure: Bluetooth SIG Generic Health Sensor Service 1.0, Record Access Control Point and Stored Health Observations.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from calza_gateway.sync.steps import OpDone, OpRefused, Received, Script, StoreRecord, Tick, Write, next_event
from calza_wire.errors import WireError
from calza_wire.racp import (
    Abort,
    CombinedReport,
    CombinedReportResponse,
    GeneralResponse,
    RacpOp,
    Response,
    ResponseCode,
    Selection,
    decode_response,
    encode_request,
)
from calza_wire.ranges import RangeSet, RecordRange
from calza_wire.records import decode_record
from calza_wire.segments import Reassembler
from calza_wire.uuids import RACP, STORED_OBSERVATIONS

OP_LIMIT_S: Final = 15.0  # a write or read; BlueZ may first have to encrypt
IDLE_LIMIT_S: Final = 4.0  # longer than any supervision time-out we configure, shorter than a person's patience
ABORT_LIMIT_S: Final = 2.0
CHUNK_MAX: Final = 256  # records asked for at once: ten days of hourly blocks, under 2 % overhead per request
SHRINK: Final = 4  # losses come from bursts longer than the host drains, so ask for far less after one
STALLED_LIMIT: Final = 12  # requests in a row that brought nothing new
IN_PROGRESS_ATT: Final = 0xFE  # Core Specification Supplement, Part B 1.2: procedure already in progress


class FetchError(Exception):
    """Fetching cannot go on in this session; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Outcome(Enum):
    """How one request ended."""

    COMPLETE = auto()  # every record the stocking sent has arrived
    LOSSY = auto()  # it sent more than arrived
    NOTHING = auto()  # it has none of them
    QUIET = auto()  # nothing came for too long, or another request was still running


@dataclass(slots=True)
class Fetch:
    """One transfer from one log: what is still to come, what came, what the stocking says it does not have."""

    serial: str
    log_id: bytes
    remaining: RangeSet
    stream: Reassembler = field(default_factory=Reassembler)
    fetched: int = 0
    absent: RangeSet = field(default_factory=RangeSet)

    def run(self) -> Script[None]:
        """Ask until nothing remains. Raises `FetchError` after too many requests without anything new."""
        chunk, stalled = CHUNK_MAX, 0
        while self.remaining:
            before = self.remaining.count
            span = _head(self.remaining, chunk)
            outcome = yield from self._request(span)
            if outcome in {Outcome.COMPLETE, Outcome.NOTHING}:
                self._give_up(span)
                chunk = min(CHUNK_MAX, chunk * 2)
            else:
                chunk = max(1, chunk // SHRINK)
                if outcome is Outcome.QUIET:
                    yield from self._abort()
            stalled = stalled + 1 if self.remaining.count == before else 0
            if stalled >= STALLED_LIMIT:
                raise FetchError("stalled", f"{stalled} requests in a row brought no new record; trying again later")

    def take(self, pdu: bytes) -> Script[int | None]:
        """One segment of the stored observations: stores the record it completes, and returns its number."""
        try:
            payload = self.stream.feed(pdu)
            record = None if payload is None else decode_record(payload)
        except WireError:
            return None  # a spoilt segment is a lost one: the record stays in `remaining` and is asked for again
        if record is None or not self.remaining.contains(record.number):
            return None if record is None else record.number
        self.remaining = self.remaining.subtract(record.number)
        self.fetched += 1
        yield StoreRecord(self.serial, self.log_id, record)
        return record.number

    def _request(self, span: RecordRange) -> Script[Outcome]:
        """One combined report, until its indication or until nothing came for too long."""
        arrived: set[int] = set()
        yield Write(RACP, encode_request(CombinedReport(Selection.within(span.first, span.last))))
        written = False
        while True:
            event = yield from next_event(IDLE_LIMIT_S if written else OP_LIMIT_S)
            match event:
                case Received(uuid, value) if uuid == STORED_OBSERVATIONS:
                    number = yield from self.take(value)
                    if number is not None and span.first <= number <= span.last:
                        arrived.add(number)
                case Received(uuid, value) if uuid == RACP:
                    outcome = _judge(_response(value), len(arrived))
                    if outcome is not None:
                        return outcome
                case OpDone(uuid) if uuid == RACP:
                    written = True
                case OpRefused(uuid, reason, att_code, sentence) if uuid == RACP:
                    if (
                        att_code is None
                    ):  # it never got there: the link or the Bluetooth service failed, not the stocking
                        raise FetchError(reason.value, sentence)
                    if att_code != IN_PROGRESS_ATT:
                        raise FetchError("racp_refused", f"the stocking refused to report records: {sentence}")
                    return Outcome.QUIET
                case Tick():
                    if not written:
                        raise FetchError("timeout", "the stocking did not answer a request for records")
                    return Outcome.QUIET

    def _abort(self) -> Script[None]:
        """Make sure no procedure runs; whatever still arrives meanwhile is taken."""
        yield Write(RACP, encode_request(Abort()))
        while True:
            event = yield from next_event(ABORT_LIMIT_S)
            match event:
                case Received(uuid, value) if uuid == STORED_OBSERVATIONS:
                    yield from self.take(value)
                case Received(uuid, value) if uuid == RACP:
                    response = _response(value)
                    if isinstance(response, GeneralResponse) and response.op == RacpOp.ABORT:
                        return
                case OpRefused(uuid) if uuid == RACP:
                    return
                case Tick():
                    return

    def _give_up(self, span: RecordRange) -> None:
        """All that the stocking sent of this span is here, so what is missing it does not have."""
        missing = self.remaining.subtract(self.remaining.subtract(span))
        self.remaining = self.remaining.subtract(span)
        self.absent = self.absent.add(missing)


def _head(numbers: RangeSet, chunk: int) -> RecordRange:
    first = numbers.ranges[0]
    return RecordRange(first.first, min(first.last, first.first + chunk - 1))


def _response(value: bytes) -> Response | None:
    """The answer in an indication, None for octets that are none: the idle limit then decides, as for a lost one."""
    try:
        return decode_response(value)
    except WireError:
        return None


def _judge(response: Response | None, arrived: int) -> Outcome | None:
    """What an indication means for the running request; None if it belongs to another one."""
    match response:
        case CombinedReportResponse(count):
            return Outcome.COMPLETE if arrived >= count else Outcome.LOSSY
        case GeneralResponse(RacpOp.COMBINED_REPORT, ResponseCode.NO_RECORDS_FOUND):
            return Outcome.NOTHING
        case GeneralResponse(RacpOp.COMBINED_REPORT, ResponseCode.SERVER_BUSY | ResponseCode.NOT_COMPLETED):
            return Outcome.QUIET
        case GeneralResponse(RacpOp.COMBINED_REPORT, code):
            raise FetchError("racp_refused", f"the stocking refused to report records: {code.name}")
    return None
