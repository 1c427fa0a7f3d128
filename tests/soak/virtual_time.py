"""An event loop whose clock jumps: when nothing is ready, time goes forward to the next timer instead of being waited
for.

Thirty days of timers run in the time their callbacks take. A job in a thread takes no time: the clock stands still and
the loop waits until every job has ended, so that what happens next never depends on how fast a disk is. Sockets are out
of place here, because an octet in flight in the kernel is invisible to such a clock.

Why not `looptime`, which is kept well and does much of this: it lets the clock run on in real time beside a job in a
thread, so that two runs differ, and it polls 42 times before each jump, which thirty days of advertising and commits
cannot afford. Of what it can do besides we need nothing.
"""

import asyncio
import concurrent.futures
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

# What one turn of the loop takes. On a clock that stands still exactly on a limit, "is it time?" and "how long until
# then?" can disagree by a rounding error for ever; on any real clock the next look is a little later.
TURN_S = 1e-6

_T = TypeVar("_T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` counts seconds from `start_s` and moves by jumps, and by `TURN_S` with each turn.

    One thread runs all jobs in the order they were given. A job must not wait for the loop.
    """

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_s = start_s
        self._jobs = 0
        self._job_ended = threading.Semaphore(0)
        super().__init__(_JumpingSelector(self._instead_of_waiting))
        self.set_default_executor(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="job"))

    def time(self) -> float:
        """Simulated seconds."""
        return self._now_s

    def run_in_executor(  # type: ignore[override]  # typeshed has the variadic types; asyncio passes them on like this
        self, executor: concurrent.futures.Executor | None, func: Callable[..., _T], *args: Any
    ) -> "asyncio.Future[_T]":
        """A job in a thread; it is over before the clock, or anything but what is ready now, moves on."""
        chosen = executor or self._default_executor  # type: ignore[attr-defined]  # no public name for it
        job: concurrent.futures.Future[_T] = chosen.submit(func, *args)
        self._jobs += 1
        future = asyncio.wrap_future(job, loop=self)
        job.add_done_callback(self._on_job_end)  # after `wrap_future` has added its own, so the result is on its way
        return future

    def _on_job_end(self, _job: "concurrent.futures.Future[Any]") -> None:
        self._job_ended.release()

    def _instead_of_waiting(self, timeout_s: float | None) -> float | None:
        """What the selector may wait for; None is for ever, and right: only a thread that ends can want that."""
        if self._jobs:
            while self._jobs:
                self._job_ended.acquire()
                self._jobs -= 1
            return 0.0
        self._now_s += TURN_S
        if timeout_s is None or timeout_s <= 0:
            return timeout_s
        self._now_s += max(0.0, timeout_s - TURN_S)
        return 0.0


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, instead_of_waiting: Callable[[float | None], float | None]) -> None:
        super().__init__()
        self._instead_of_waiting = instead_of_waiting

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(self._instead_of_waiting(timeout))


def run_virtually(main: Coroutine[Any, Any, _T], *, start_s: float = 0.0) -> _T:
    """`asyncio.run` on a loop with a jumping clock."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start_s)) as runner:
        return runner.run(main)
