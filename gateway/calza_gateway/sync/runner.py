"""Carries one sync session out over a link: its actions become reads, writes and commits, and all that happens becomes
its events, in one queue and in order of arrival.

Records are committed in groups: a disk waits once for up to `GROUP_RECORDS` records or `GROUP_S`, whichever is first.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from calza_gateway.ports import Clock, Link, Outbox, RadioError
from calza_gateway.reporting.events import Progress, SyncBegan, Tell
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
from calza_wire.messages import Wanted
from calza_wire.ranges import RangeSet

GROUP_RECORDS: Final = 32
GROUP_S: Final = 0.2
WANTED_LIMIT_S: Final = (
    5.0  # then the gateway goes by its own memory; the stocking's battery does not wait for a server
)
BACKLOG_MAX: Final = 20_000  # events not yet handled; beyond it notifications count as lost and are asked for again


class WantedSource(Protocol):
    """Who knows what the server lacks, and wants to hear that the outbox has grown: the relay."""

    async def ask_wanted(self, limit_s: float) -> Wanted | None: ...

    def poke(self) -> None: ...


@dataclass(slots=True)
class Runner:
    """Runs sessions, one after the other, over links it is given."""

    outbox: Outbox
    server: WantedSource
    clock: Clock
    tell: Tell

    async def sync(self, link: Link, facts: SessionFacts) -> Done | Failed:
        """One session. Raises `OutboxError`; whatever happens, records that arrived whole are committed."""
        course = _Course(self, link, facts.serial)
        try:
            return await course.run(Session(facts))
        finally:
            await asyncio.shield(course.finish())


class _Course:
    """One session under way."""

    def __init__(self, runner: Runner, link: Link, serial: str) -> None:
        self._runner = runner
        self._link = link
        self._serial = serial
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._operations: asyncio.Queue[Read | Write | Subscribe] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._group: list[StoreRecord] = []
        self._group_due: float | None = None
        self._expected = 0
        self._stored = 0
        self._fault: BaseException | None = None

    async def run(self, session: Session) -> Done | Failed:
        clock = self._runner.clock
        self._spawn(self._operate())
        self._spawn(self._watch())
        actions = session.start(clock.now())
        while True:
            for action in actions:
                if isinstance(action, Done | Failed):
                    await self._commit()
                    return action
                await self._carry_out(action)
            event = await self._next(session)
            actions = [] if event is None else session.handle(event, clock.now())

    async def finish(self) -> None:
        """Leave nothing behind: no task, no record that had arrived."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._commit()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_end)
        self._tasks.append(task)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """A fault in the background is a fault of the session, at once."""
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fault = fault
            self._queue.put_nowait(Tick())  # only to wake `_next`, which raises the fault instead

    # --- events in ----------------------------------------------------------------------------------------------------

    async def _next(self, session: Session) -> Event | None:
        """The next event; a `Tick` at the session's deadline; None after a commit that was due."""
        deadline = session.deadline
        dues = [due for due in (deadline, self._group_due) if due is not None]
        patience_s = min(dues) - self._runner.clock.now().tick_s if dues else None
        event = None if self._queue.empty() else self._queue.get_nowait()
        if event is None and (patience_s is None or patience_s > 0):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    event = await self._queue.get()
        if self._fault is not None:
            raise self._fault
        if event is not None:
            return event
        now = self._runner.clock.now().tick_s
        if self._group_due is not None and now >= self._group_due:
            await self._commit()
        return Tick() if deadline is not None and now >= deadline else None

    def _on_value(self, uuid: str, value: bytes) -> None:
        if self._queue.qsize() < BACKLOG_MAX:
            self._queue.put_nowait(Received(uuid, bytes(value)))

    async def _watch(self) -> None:
        await self._link.closed.wait()
        self._queue.put_nowait(LinkLost())

    async def _operate(self) -> None:
        """GATT allows one request at a time; while one is under way notifications keep coming in."""
        while True:
            operation = await self._operations.get()
            try:
                self._queue.put_nowait(await self._operation(operation))
            except RadioError as error:
                self._queue.put_nowait(OpRefused(operation.uuid, error.reason, error.att_code, str(error)))

    async def _operation(self, operation: Read | Write | Subscribe) -> Event:
        match operation:
            case Read(uuid):
                return ReadResult(uuid, bytes(await self._link.read(uuid)))
            case Write(uuid, value):
                await self._link.write(uuid, value)
            case Subscribe(uuid):
                await self._link.subscribe(uuid, partial(self._on_value, uuid))
        return OpDone(operation.uuid)

    # --- actions out --------------------------------------------------------------------------------------------------

    async def _carry_out(self, action: Action) -> None:
        if isinstance(action, StoreRecord):
            await self._collect(action)
            return
        await self._commit()
        match action:
            case Read() | Write() | Subscribe():
                self._operations.put_nowait(action)
            case PublishSync(report):
                await asyncio.to_thread(self._runner.outbox.put_report, report.serial, report.encode())
                self._runner.server.poke()
            case AskWanted():
                self._spawn(self._ask(action))
            case Expect(serial, count):
                self._expected = count
                self._runner.tell(SyncBegan(serial, count))

    async def _ask(self, question: AskWanted) -> None:
        wanted = await self._runner.server.ask_wanted(WANTED_LIMIT_S)
        held, receipted = await asyncio.to_thread(self._memory, question)
        numbers = to_fetch(
            serial=question.serial,
            log_id=question.log_id,
            first=question.first,
            next_record=question.next_record,
            wanted=wanted,
            held=held,
            receipted=receipted,
        )
        self._queue.put_nowait(WantedKnown(numbers))

    def _memory(self, question: AskWanted) -> tuple[RangeSet, RangeSet]:
        outbox = self._runner.outbox
        return outbox.held(question.serial, question.log_id), outbox.receipted(question.serial, question.log_id)

    async def _collect(self, action: StoreRecord) -> None:
        self._group.append(action)
        if self._group_due is None:
            self._group_due = self._runner.clock.now().tick_s + GROUP_S
        if len(self._group) >= GROUP_RECORDS:
            await self._commit()

    async def _commit(self) -> None:
        """Everything collected, durable. One session reads one log, so one call is one commit."""
        if not self._group:
            return
        group, self._group, self._group_due = self._group, [], None
        serial, log_id = group[0].serial, group[0].log_id
        records = [action.record for action in group]
        now_ms = self._runner.clock.now().unix_ms
        await _uncancelled(asyncio.to_thread(self._runner.outbox.put, serial, log_id, records, now_ms))
        self._stored += len(group)
        self._runner.server.poke()
        self._runner.tell(Progress(serial, self._stored, self._expected))


async def _uncancelled(work: Awaitable[int]) -> None:
    """Let a commit end before a cancellation goes through, so that the outbox is not closed under it."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
