"""A stocking's side of a sync, without a radio: answers a session's actions, and loses what a fault schedule says.

Written against the specification's behaviour (one procedure at a time, abort, count in the last indication), not
against the session. Deterministic: every chance comes from the generator it is given.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from calza_gateway.ports import Moment, Outbox, RadioReason
from calza_gateway.sync.plan import to_fetch
from calza_gateway.sync.session import Session, SessionFacts
from calza_gateway.sync.steps import (
    Action,
    AskWanted,
    Done,
    Event,
    Expect,
    Failed,
    LinkLost,
    OpDone,
    OpRefused,
    PublishSync,
    Read,
    ReadResult,
    Received,
    StoreRecord,
    Subscribe,
    Tick,
    WantedKnown,
    Write,
)
from calza_wire import racp
from calza_wire.elapsed_time import CurrentElapsedTime, TimeSource, TimeStamp
from calza_wire.messages import GatewayClock, SyncReport, Wanted
from calza_wire.ranges import RangeSet
from calza_wire.records import encode_record
from calza_wire.segments import split
from calza_wire.stocking_service import ControlOp, ControlReply, ControlResult, Identity, LogStatus
from calza_wire.uuids import (
    BATTERY_LEVEL,
    CURRENT_ELAPSED_TIME,
    FIRMWARE_REVISION,
    LOG_STATUS,
    RACP,
    STOCKING_CONTROL_POINT,
    STOCKING_IDENTITY,
    STORED_OBSERVATIONS,
)

SERIAL = "CZ-TEST-1"
LOG_ID = bytes.fromhex("0102030405060708")
START_UNIX_S = 1_790_000_000.0
START = Moment(START_UNIX_S, 100.0)
MTU = 40  # small, so that records have several segments


@dataclass(frozen=True)
class Faults:
    """Chances between 0 and 1, each drawn anew for every event; `stall` is drawn once for every report."""

    lose_segment: float = 0.0
    lose_indication: float = 0.0
    duplicate: float = 0.0
    disconnect: float = 0.0
    stall: float = 0.0
    overwrite: float = 0.0
    stray_indication: float = 0.0


@dataclass
class ScriptedStocking:
    """Flash and behaviour of one stocking; survives connections."""

    random: Random
    flash: dict[int, bytes] = field(default_factory=dict)
    log_id: bytes = LOG_ID
    next_record: int = 0
    open_minutes: int = 0
    clock_offset_s: float = 0.0
    needs_set: bool = False
    source: TimeSource = TimeSource.NTP
    faults: Faults = Faults()
    serial: str = SERIAL
    refuse: dict[str, int | None] = field(default_factory=dict)
    made: dict[int, bytes] = field(default_factory=dict)
    set_to: list[TimeStamp] = field(default_factory=list)
    outgoing: deque[Received] = field(default_factory=deque)
    _counter: int = 0
    _reporting: bool = False
    _stalled: bool = False

    def add_record(self) -> None:
        """Seal one more record into flash."""
        body = self.random.randbytes(self.random.randint(1, 120))
        self.flash[self.next_record] = self.made[self.next_record] = body
        self.next_record += 1

    def first(self) -> int:
        return min(self.flash, default=self.next_record)

    def status(self) -> LogStatus:
        return LogStatus(self.log_id, self.first(), self.next_record, 0, self.open_minutes)

    def connect(self) -> None:
        """A new connection: nothing is under way, and the counter may start anywhere."""
        self.outgoing.clear()
        self._reporting = self._stalled = False
        self._counter = self.random.randrange(64)

    def answer(self, action: Read | Write | Subscribe, now: Moment) -> Event:
        """The direct answer; what follows by notification or indication is put into `outgoing`."""
        if action.uuid in self.refuse and not isinstance(action, Subscribe):
            code = self.refuse[action.uuid]  # None: it did not get as far as the stocking
            reason = RadioReason.GATT_ERROR if code is not None else RadioReason.STACK_STUCK
            return OpRefused(action.uuid, reason, code, "refused by the test")
        match action:
            case Read(uuid):
                return ReadResult(uuid, self._value(uuid, now))
            case Subscribe(uuid):
                return OpDone(uuid)
            case Write(uuid, value):
                return self._write(uuid, value, now)

    def _value(self, uuid: str, now: Moment) -> bytes:
        if uuid == CURRENT_ELAPSED_TIME:
            stamp = TimeStamp.at(now.unix_s + self.clock_offset_s, source=self.source)
            return CurrentElapsedTime(stamp, self.needs_set).encode()
        return {
            LOG_STATUS: self.status().encode(),
            BATTERY_LEVEL: bytes((87,)),
            FIRMWARE_REVISION: b"1.2.3",
            STOCKING_IDENTITY: Identity(self.serial, bytes(8)).encode(),
        }[uuid]

    def _write(self, uuid: str, value: bytes, now: Moment) -> Event:
        if uuid == CURRENT_ELAPSED_TIME:
            stamp = TimeStamp.decode(value)
            self.set_to.append(stamp)
            self.clock_offset_s, self.needs_set, self.source = stamp.unix_s - now.unix_s, False, stamp.source
        elif uuid == STOCKING_CONTROL_POINT:
            assert value == bytes((ControlOp.CLOSE_BLOCK,))
            if self.open_minutes:
                self.add_record()
                self.open_minutes = 0
            reply = ControlReply(ControlOp.CLOSE_BLOCK, ControlResult.SUCCESS)
            self.outgoing.append(Received(uuid, reply.encode()))
        else:
            assert uuid == RACP
            request = racp.decode_request(value)
            if isinstance(request, racp.Abort):
                self._abort()
            elif self._reporting:
                return OpRefused(uuid, RadioReason.GATT_ERROR, 0xFE, "a procedure is in progress")
            else:
                assert isinstance(request, racp.CombinedReport)
                self._report(request.selection)
        return OpDone(uuid)

    def _abort(self) -> None:
        code = racp.ResponseCode.SUCCESS if self._reporting else racp.ResponseCode.ABORT_UNSUCCESSFUL
        queued = self.random.randint(0, 2)  # segments already on their way when the abort is handled
        kept = [pdu for pdu in self.outgoing if pdu.uuid == STORED_OBSERVATIONS][:queued]
        self.outgoing = deque(kept)
        self._reporting = self._stalled = False
        self._indicate(racp.GeneralResponse(racp.RacpOp.ABORT, code))

    def _report(self, selection: racp.Selection) -> None:
        chosen = [number for number in sorted(self.flash) if selection.includes(number)]
        if not chosen:
            none = racp.ResponseCode.NO_RECORDS_FOUND
            self._indicate(racp.GeneralResponse(racp.RacpOp.COMBINED_REPORT, none))
            return
        self._reporting = True
        for number in chosen:
            segments, self._counter = split(encode_record(number, self.flash[number]), MTU, self._counter)
            self.outgoing.extend(Received(STORED_OBSERVATIONS, pdu) for pdu in segments)
        self._indicate(racp.CombinedReportResponse(len(chosen)))
        if self.random.random() < self.faults.stall:
            self._stalled = True
            keep = self.random.randrange(len(self.outgoing))
            self.outgoing = deque(list(self.outgoing)[:keep])

    def _indicate(self, response: racp.Response) -> None:
        self.outgoing.append(Received(RACP, racp.encode_response(response)))

    def transmit(self) -> list[Event]:
        """The next value on the air, as often as it arrives: once, never, or twice."""
        pdu = self.outgoing.popleft()
        if pdu.uuid == RACP and not self._stalled:
            self._reporting = False  # the stocking is ready again, whether or not its last word arrives
        if self.random.random() < self.faults.overwrite and self.flash:
            del self.flash[self.first()]
        lost = self.faults.lose_segment if pdu.uuid == STORED_OBSERVATIONS else self.faults.lose_indication
        if self.random.random() < lost:
            return []
        return [pdu, pdu] if self.random.random() < self.faults.duplicate else [pdu]


@dataclass
class Talk:
    """Runs sessions against a scripted stocking; `wanted` is what the server answers, None if it cannot be reached."""

    stocking: ScriptedStocking
    outbox: Outbox
    wanted: Callable[[], Wanted | None] = lambda: None
    now: Moment = START
    gateway_clock: GatewayClock = GatewayClock.SYNCHRONISED
    reports: list[SyncReport] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    def session(self, *, close_block: bool = True) -> Done | Failed:
        """One connection and one session, to its end."""
        self.stocking.connect()
        facts = SessionFacts(SERIAL, MTU, -60, close_block, offset_quarters=4, gateway_clock=self.gateway_clock)
        session = Session(facts)
        inbox: deque[Event] = deque()
        actions = session.start(self.now)
        for _ in range(200_000):
            self.actions += actions
            for action in actions:
                if isinstance(action, Done | Failed):
                    assert session.deadline is None
                    return action
                inbox.extend(self._carry_out(action))
            event = self._next(inbox, session)
            actions = session.handle(event, self.now)
        raise AssertionError("the session never ends")

    def _carry_out(self, action: Action) -> list[Event]:
        match action:
            case Read() | Write() | Subscribe():
                return [self.stocking.answer(action, self.now)]
            case StoreRecord(serial, log_id, record):
                self.outbox.put(serial, log_id, [record], self.now.unix_ms)
            case PublishSync(report):
                assert SyncReport.decode(report.encode()) == report
                self.reports.append(report)
            case AskWanted(serial, log_id, first, next_record):
                return [WantedKnown(self.plan(serial, log_id, first, next_record))]
            case Expect():
                pass
        return []

    def plan(self, serial: str, log_id: bytes, first: int, next_record: int) -> RangeSet:
        return to_fetch(
            serial=serial,
            log_id=log_id,
            first=first,
            next_record=next_record,
            wanted=self.wanted(),
            held=self.outbox.held(serial, log_id),
            receipted=self.outbox.receipted(serial, log_id),
        )

    def _next(self, inbox: deque[Event], session: Session) -> Event:
        random = self.stocking.random
        if random.random() < self.stocking.faults.disconnect:
            return LinkLost()
        if random.random() < self.stocking.faults.stray_indication:
            return Received(CURRENT_ELAPSED_TIME, bytes(11))
        while self.stocking.outgoing and (not inbox or random.random() < 0.5):
            inbox.extend(self.stocking.transmit())
        self.now = Moment(self.now.unix_s + 0.01, self.now.tick_s + 0.01)
        if inbox:
            return inbox.popleft()
        assert session.deadline is not None
        wait_s = session.deadline - self.now.tick_s
        self.now = Moment(self.now.unix_s + wait_s, self.now.tick_s + wait_s)
        return Tick()
