"""One sync of one stocking, as a script without a radio: events go in, actions come out.

Knows no Bluetooth library, no broker, no database and no clock; the runner carries the actions out. The order of the
conversation is the point of this module: see `_conversation`.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from calza_gateway.ports import Moment
from calza_gateway.sync.fetch import OP_LIMIT_S, Fetch, FetchError
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
    Script,
    Subscribe,
    Tick,
    Wait,
    WantedKnown,
    Write,
    next_event,
)
from calza_wire.elapsed_time import (
    ETS_EPOCH_UNIX_S,
    NO_SOURCES,
    QUARTER_S,
    RESOLUTION_MASK,
    UNITS_PER_SECOND,
    ClockFlag,
    CurrentElapsedTime,
    TimeSource,
    TimeStamp,
)
from calza_wire.errors import WireError
from calza_wire.messages import TEXT_MAX, GatewayClock, SyncReport
from calza_wire.ranges import RangeSet
from calza_wire.stocking_service import (
    ControlOp,
    ControlReply,
    ControlResult,
    Identity,
    LogStatus,
)
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

CLOCK_TOLERANCE_S: Final = 2.0  # one second of resolution and one of the way there
GATEWAY_CLOCK_FLOOR_UNIX_S: Final = 1_735_689_600  # 2025-01-01: a gateway that believes an earlier date was never set
CLOSE_LIMIT_S: Final = 3.0
CLOSE_TRIES: Final = 3  # the reply is an indication, and any indication may be lost
WANTED_LIMIT_S: Final = 60.0  # the runner has a shorter limit of its own; this one only keeps a fault from hanging us
VERIFY_ROUNDS: Final = 2  # times that records called absent are asked for again while the log still claims them


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What the session is told before it begins.

    `serial` is the stocking the bond was made with; `close_block` asks for the open minutes too; `offset_quarters` is
    the local time zone offset to set; `rssi` in dBm; `mtu` in octets. `gateway_clock` is what the times handed in are
    worth, by the system's word.
    """

    serial: str
    mtu: int
    rssi: int | None
    close_block: bool = True
    offset_quarters: int = 0
    gateway_clock: GatewayClock = GatewayClock.UNKNOWN


@dataclass(frozen=True, slots=True)
class _ClockReading:
    clock: CurrentElapsedTime
    at: Moment

    @property
    def error_s(self) -> float | None:
        """Device minus gateway, None for a tick counter."""
        stamp = self.clock.stamp
        return None if stamp.flags & ClockFlag.TICK_COUNTER else stamp.unix_s - self.at.unix_s


class _SessionError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Session:
    """Feed it with `start` and `handle`; carry out what they return; `deadline` says when to feed a `Tick`."""

    def __init__(self, facts: SessionFacts) -> None:
        self._facts = facts
        self._script = self._guarded()
        self._now = Moment(0.0, 0.0)
        self._deadline: float | None = None
        self._refused: list[str] = []
        self._fetch = Fetch(facts.serial, b"", RangeSet())

    @property
    def deadline(self) -> float | None:
        """The `tick_s` at which a `Tick` is due, None once the session is over."""
        return self._deadline

    def start(self, now: Moment) -> list[Action]:
        """The first actions."""
        self._now = now
        return self._advance(None)

    def handle(self, event: Event, now: Moment) -> list[Action]:
        """What to do after an event; nothing once the session is over."""
        if self._deadline is None:
            return []
        self._now = now
        if isinstance(event, LinkLost):
            self._script.close()
            self._deadline = None
            return [Failed("disconnected", "the connection was lost; what arrived is kept and the rest follows later")]
        return self._advance(event)

    def _advance(self, event: Event | None) -> list[Action]:
        actions: list[Action] = []
        try:
            step = self._script.send(event)
            while not isinstance(step, Wait):
                actions.append(step)
                step = next(self._script)
        except StopIteration:
            self._deadline = None
        else:
            self._deadline = self._now.tick_s + step.limit_s
        return actions

    # --- the conversation ---------------------------------------------------------------------------------------------

    def _guarded(self) -> Script[None]:
        try:
            yield from self._conversation()
        except (FetchError, _SessionError) as error:
            yield Failed(error.code, str(error))
        except WireError as error:
            yield Failed("bad_value", f"the stocking sent a value that cannot be read: {error}")

    def _conversation(self) -> Script[None]:
        for uuid in (STORED_OBSERVATIONS, RACP, STOCKING_CONTROL_POINT):
            yield Subscribe(uuid)
            yield from self._answer(uuid)
        first_reading = yield from self._read_clock()  # before anything could set it
        status = yield from self._read_status()
        battery = yield from self._optional(BATTERY_LEVEL)
        firmware = yield from self._optional(FIRMWARE_REVISION)
        serial = Identity.decode((yield from self._read(STOCKING_IDENTITY))).serial
        if serial != self._facts.serial:
            raise _SessionError("wrong_stocking", f"expected stocking {self._facts.serial}, met {serial}")
        battery_percent = battery[0] if battery and battery[0] <= 100 else None

        def report(phase: Literal["began", "ended"], reading: _ClockReading, status: LogStatus) -> PublishSync:
            stamp = reading.clock.stamp
            return PublishSync(
                SyncReport(
                    serial=serial,
                    phase=phase,
                    log_id=status.log_id.hex(),
                    first_record=status.first_record,
                    next_record=status.next_record,
                    timeline_first_record=status.timeline_first_record,
                    device_time=stamp,
                    needs_set=reading.clock.needs_set,
                    gateway_ms=reading.at.unix_ms,
                    gateway_clock=self._facts.gateway_clock,
                    battery_percent=battery_percent,
                    firmware=(firmware or b"").decode("utf-8", "replace").rstrip("\0")[:TEXT_MAX],
                    rssi=self._facts.rssi,
                    mtu=self._facts.mtu,
                    fetched=self._fetch.fetched,
                )
            )

        yield report("began", first_reading, status)
        clock_set = yield from self._set_clock(first_reading)
        if self._facts.close_block:
            yield from self._close_block()
        status = yield from self._read_status()

        expected = 0
        if status.first_record < status.next_record:
            yield AskWanted(serial, status.log_id, status.first_record, status.next_record)
            wanted = yield from self._wanted()
            expected = wanted.count
            self._fetch = Fetch(serial, status.log_id, wanted)
            yield Expect(serial, expected)
            status = yield from self._fetch_all(status)
        yield report("ended", (yield from self._read_clock()), status)
        yield Done(
            serial=serial,
            expected=expected,
            fetched=self._fetch.fetched,
            absent=self._fetch.absent.count,
            clock_error_s=first_reading.error_s,
            clock_set=clock_set,
            battery_percent=battery_percent,
            refused=tuple(self._refused),
        )

    def _fetch_all(self, status: LogStatus) -> Script[LogStatus]:
        """Fetch; a record is believed gone only when the log's own range agrees or asking again did not help."""
        for _ in range(VERIFY_ROUNDS):
            yield from self._fetch.run()
            log_id = status.log_id
            status = yield from self._read_status()
            if status.log_id != log_id:
                raise _SessionError("log_changed", "the stocking was reset during the sync; its new log follows next")
            if not self._fetch.absent:
                break
            claimed = RangeSet().missing_between(status.first_record, status.next_record - 1)
            doubtful = self._fetch.absent.subtract(self._fetch.absent.subtract(claimed))
            if not doubtful:
                break
            self._fetch.absent = self._fetch.absent.subtract(doubtful)
            self._fetch.remaining = doubtful
        yield from self._fetch.run()
        return status

    def _set_clock(self, reading: _ClockReading) -> Script[bool]:
        """Set the clock with exactly the flags that were read; True if it was accepted.

        Only by a gateway that knows better (`_knows_better`). Each setting ends a timeline, and whoever sees the clock
        in good time before that places all its records: a gateway that sets a lost clock wrong takes that chance away
        for good, and puts a wrong time into every record that follows. Not to set it costs nothing: the server places
        the records of a clock that was never set by the reports alone.
        """
        error_s = reading.error_s
        if error_s is None or not (reading.clock.needs_set or abs(error_s) > CLOCK_TOLERANCE_S):
            return False
        if self._now.unix_s < GATEWAY_CLOCK_FLOOR_UNIX_S:
            self._refused.append("gateway_clock_unset")
            return False
        if not _knows_better(self._facts.gateway_clock, reading.clock):
            self._refused.append("gateway_clock_unsure")
            return False
        stamp = stamp_like(
            reading.clock.stamp,
            self._now.unix_s,
            source=_source_of(self._facts.gateway_clock),
            offset_quarters=self._facts.offset_quarters,
        )
        yield Write(CURRENT_ELAPSED_TIME, stamp.encode())
        refusal = yield from self._outcome(CURRENT_ELAPSED_TIME)
        if refusal is None:
            return True
        self._refused.append("set_clock")
        return False

    def _close_block(self) -> Script[None]:
        """Ask for the open minutes to be closed into a record. Not vital: the log status read next is what counts."""
        for _ in range(CLOSE_TRIES):
            yield Write(STOCKING_CONTROL_POINT, bytes((ControlOp.CLOSE_BLOCK,)))
            result = yield from self._control_reply()
            if result is ControlResult.SUCCESS:
                return
            if result is not None and result is not ControlResult.BUSY:
                break
        self._refused.append("close_block")

    def _control_reply(self) -> Script[ControlResult | None]:
        """The result of CLOSE_BLOCK, None if no reply came."""
        while True:
            event = yield from next_event(CLOSE_LIMIT_S)
            match event:
                case Received(uuid, value) if uuid == STOCKING_CONTROL_POINT:
                    reply = ControlReply.decode(value)
                    if reply.op == ControlOp.CLOSE_BLOCK:
                        return reply.result
                case OpRefused(uuid) if uuid == STOCKING_CONTROL_POINT:
                    return ControlResult.FAILED
                case Tick():
                    return None

    # --- single steps -------------------------------------------------------------------------------------------------

    def _read_clock(self) -> Script[_ClockReading]:
        value = yield from self._read(CURRENT_ELAPSED_TIME)
        return _ClockReading(CurrentElapsedTime.decode(value), self._now)

    def _read_status(self) -> Script[LogStatus]:
        return LogStatus.decode((yield from self._read(LOG_STATUS)))

    def _read(self, uuid: str) -> Script[bytes]:
        yield Read(uuid)
        return (yield from self._answer(uuid))

    def _optional(self, uuid: str) -> Script[bytes | None]:
        """A value that a stocking may do without."""
        yield Read(uuid)
        outcome = yield from self._outcome(uuid)
        return outcome.value if isinstance(outcome, ReadResult) else None

    def _answer(self, uuid: str) -> Script[bytes]:
        """The result of the operation under way; a refusal ends the session."""
        outcome = yield from self._outcome(uuid)
        if isinstance(outcome, OpRefused):
            raise _SessionError(outcome.reason.value, outcome.sentence)
        return outcome.value if outcome else b""

    def _outcome(self, uuid: str) -> Script[ReadResult | OpRefused | None]:
        """Wait for the operation on `uuid`; None is success without a value. Anything else that arrives is not for us:
        clock indications come unprompted, and stored observations may still be queued from an aborted transfer."""
        due = self._now.tick_s + OP_LIMIT_S
        while True:
            event = yield from next_event(due - self._now.tick_s)
            match event:
                case ReadResult(name) | OpRefused(name) if name == uuid:
                    return event
                case OpDone(name) if name == uuid:
                    return None
                case Tick():
                    raise _SessionError("timeout", "the stocking did not answer")

    def _wanted(self) -> Script[RangeSet]:
        while True:
            event = yield from next_event(WANTED_LIMIT_S)
            match event:
                case WantedKnown(numbers):
                    return numbers
                case Tick():
                    raise _SessionError("timeout", "nobody said which records are wanted")


def _source_of(gateway_clock: GatewayClock) -> TimeSource:
    """What the stocking is told its time comes from. NTP only when the system says so: the stocking lets no poorer
    source overrule a better one, and its records carry the word for good."""
    return TimeSource.NTP if gateway_clock is GatewayClock.SYNCHRONISED else TimeSource.UNKNOWN


def _knows_better(gateway_clock: GatewayClock, clock: CurrentElapsedTime) -> bool:
    """Whether this gateway may set that clock.

    A synchronised one always; one that cannot tell only where nobody who could has set it before; one that knows that
    nobody keeps its own clock right, never.
    """
    if gateway_clock is GatewayClock.UNKNOWN:
        return clock.needs_set or clock.stamp.source in NO_SOURCES
    return gateway_clock is GatewayClock.SYNCHRONISED


def stamp_like(like: TimeStamp, unix_s: float, *, source: TimeSource, offset_quarters: int) -> TimeStamp:
    """The stamp that sets a clock whose stamps look like `like` to a Unix time: same flags, hence same resolution."""
    seconds = unix_s - ETS_EPOCH_UNIX_S
    offset = offset_quarters if like.flags & ClockFlag.OFFSET_IN_USE else 0
    if not like.flags & ClockFlag.UTC:
        seconds += offset * QUARTER_S
    units = UNITS_PER_SECOND[(like.flags & RESOLUTION_MASK) >> 2]
    return TimeStamp(like.flags, math.floor(seconds * units + 0.5), source, offset)
