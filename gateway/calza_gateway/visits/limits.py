"""A limit for everything the radio is asked, kept even by calls that do not end when they are cancelled.

A call over D-Bus can wait for ever, and so can its own tidying up after a cancellation. Whoever used `asyncio.timeout`
alone would wait with it. Here such a call is left behind after a grace; what it brings late is undone. Knows nothing of
what is called.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from calza_gateway.ports import Link, RadioError, RadioReason
from calza_gateway.visits.passed_link import PassedLink

T = TypeVar("T")
Call = Coroutine[Any, Any, T]
Undo = Callable[[T], Call[None]]

_log = logging.getLogger("calza.gateway")


class Limits:
    """Runs calls within limits; `grace_s` is what a cancelled one may take to end."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._left: set[asyncio.Task[Any]] = set()  # of any result: only their end is looked at

    @property
    def left_behind(self) -> int:
        """How many calls have not ended to this moment."""
        return len(self._left)

    async def run(self, call: Call[T], limit_s: float, what: str, undo: Undo[T] | None = None) -> T:
        """The call's result. Raises what it raises, or RadioError (stack_stuck) if it did not end within the limit.

        `undo` takes back a result that came when nobody waited for it any more.
        """
        task = asyncio.ensure_future(call)
        try:
            await asyncio.wait({task}, timeout=limit_s)
            if task.done():
                return task.result()
        except asyncio.CancelledError:
            await self._leave(task, what, undo)
            raise
        await self._leave(task, what, undo)
        raise RadioError(RadioReason.STACK_STUCK, f"{what} did not come to an end within {limit_s:g} s")

    async def _leave(self, task: asyncio.Task[T], what: str, undo: Undo[T] | None) -> None:
        def ended(task: asyncio.Task[T]) -> None:
            self._left.discard(task)
            if task.cancelled():
                return
            if (error := task.exception()) is not None:
                _log.info("%s, which was given up, ended with %s", what, type(error).__name__)
            elif undo is not None:
                undoing = asyncio.ensure_future(undo(task.result()))
                self._left.add(undoing)
                undoing.add_done_callback(undone)

        def undone(task: asyncio.Task[None]) -> None:
            self._left.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.info("taking back %s failed with %s", what, type(error).__name__)

        self._left.add(task)
        task.add_done_callback(ended)
        task.cancel()
        await asyncio.wait({task}, timeout=self._grace_s)


class LimitedLink(PassedLink):
    """A `Link` over another, none of whose steps can take for ever."""

    def __init__(self, link: Link, limits: Limits, operation_s: float, disconnect_s: float) -> None:
        super().__init__(link)
        self._limits = limits
        self._operation_s = operation_s
        self._disconnect_s = disconnect_s

    async def read(self, uuid: str) -> bytes:
        return await self._limits.run(self._link.read(uuid), self._operation_s, f"reading from {self.address}")

    async def write(self, uuid: str, value: bytes) -> None:
        await self._limits.run(self._link.write(uuid, value), self._operation_s, f"writing to {self.address}")

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        step = self._link.subscribe(uuid, on_value)
        await self._limits.run(step, self._operation_s, f"subscribing at {self.address}")

    async def disconnect(self) -> None:
        step = self._link.disconnect()
        await self._limits.run(step, self._disconnect_s, f"disconnecting from {self.address}")


async def any_set(events: Iterable[asyncio.Event], timeout_s: float | None) -> None:
    """Wait until one of the events is set, or the time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
