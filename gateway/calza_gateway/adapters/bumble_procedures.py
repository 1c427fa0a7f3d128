"""Runs the steps of the Bluetooth stack to their end, whatever becomes of the caller.

Bumble keeps one open request per link and one open command per controller. A caller that goes away in the middle
(cancelled, timed out) would leave the late answer to the next request, which would then return the wrong value. Here
every step is a task of its own: a caller can stop waiting for it, but the step goes on until it is answered or the
link is gone. Must not know what the steps are.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from calza_gateway.adapters.bleak_errors import LinkLostError

T = TypeVar("T")


class Procedures:
    """The steps under way over one link, or over one transport."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tasks: set[asyncio.Task[Any]] = set()  # of any result: only their end is looked at here
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether what the steps run over is gone."""
        return self._lost

    def start(self, step: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """The step as a task of its own, cancelled only when the link goes. Raises LinkLostError if it has gone."""
        if self._lost:
            step.close()
            raise LinkLostError(f"{self._what} is gone")
        task = asyncio.ensure_future(step)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, step: Coroutine[Any, Any, T]) -> T:
        """The step's result. Raises what the step raises, or LinkLostError if it cannot end because the link is gone.

        A cancellation of the caller is never mistaken for a lost link: waiting for a task, unlike awaiting it, does
        not take over the task's own cancellation.
        """
        task = self.start(step)
        await asyncio.wait({task})
        if task.cancelled():
            raise LinkLostError(f"{self._what} went away")
        return task.result()

    def lose(self) -> None:
        """The link is gone: whoever waits is told at once, and nothing is started any more."""
        self._lost = True
        for task in self._tasks:
            task.cancel()

    async def settle(self) -> None:
        """Wait until no step is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that has gone no longer wants to know, and asyncio would complain
