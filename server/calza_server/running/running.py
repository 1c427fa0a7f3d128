"""What every command that runs for long has in common: parts side by side, ended in order by a signal or a failure.

The main thread waits; each part has a thread. Knows no part.
"""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import ExitStack, contextmanager
from select import select
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

_T = TypeVar("_T")


class Running:
    """The parts of one process. `stop` is set when it should end; `running` makes one.

    The main thread sleeps in a socket, not in `stop`: a signal that comes just before a thread falls asleep in an event
    is noticed when the next one comes, and a handler that sets an event its own thread is in waits for itself.
    """

    def __init__(self, parts: ExitStack, news: socket.socket, waker: socket.socket) -> None:
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._parts = parts
        self._news = news
        self._waker = waker

    def enter(self, part: AbstractContextManager[_T]) -> _T:
        """Use a part until everything is taken apart."""
        return self._parts.enter_context(part)

    def at_end(self, call: Callable[[], object]) -> None:
        """Call it when everything is taken apart, the last one first."""
        self._parts.callback(call)

    def beside(self, name: str, work: Callable[[], object], end: Callable[[], object] | None = None) -> None:
        """Run `work` in a thread until `end` is called (or `stop` set); if it fails, everything ends."""
        thread = threading.Thread(target=self._watched(work), name=name)
        thread.start()
        self.at_end(thread.join)
        self.at_end(end or self.stop.set)

    def wait(self) -> None:
        """Until a signal comes or a part ends or fails, however long ago that was; then `stop` is set."""
        select([self._news], [], [])
        self.stop.set()

    @property
    def ending(self) -> bool:
        """Whether `wait` would return at once: for whoever waits for something else in the main thread."""
        return bool(select([self._news], [], [], 0)[0])

    def _watched(self, work: Callable[[], object]) -> Callable[[], None]:
        """`work` as the target of a thread: an exception ends the process instead of ending silently."""

        def target() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it again
                self.failure = self.failure or error
            finally:
                self.stop.set()
                self._waker.send(b"\0")

        return target


@contextmanager
def running() -> Iterator[Running]:
    """SIGINT and SIGTERM end `wait` while the block runs; afterwards what failed first is raised. Main thread only."""
    news, waker = socket.socketpair()
    waker.setblocking(False)  # a signal handler must never wait
    with news, waker, ExitStack() as parts:
        found = Running(parts, news, waker)
        with _signals_into(waker):
            yield found
    if found.failure is not None:
        raise found.failure


@contextmanager
def _signals_into(waker: socket.socket) -> Iterator[None]:
    """Every signal writes an octet into `waker`; handlers there are only so that Python leaves the process alone."""
    fd_before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)  # full is noticed as well as one octet
    before = {number: signal.signal(number, _noticed) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(fd_before)


def _noticed(_number: int, _frame: FrameType | None) -> None:
    """A signal handler."""
