"""What every command that runs for long has in common: parts side by side, ended in order by a signal or a failure.

The main thread waits; each part has a thread. Knows no part.
"""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

_T = TypeVar("_T")


class Running:
    """The parts of one process. `stop` is set when it should end; `running` makes one."""

    def __init__(self, parts: ExitStack) -> None:
        self.stop = threading.Event()
        self.failure: BaseException | None = None
        self._parts = parts

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
        """Until a signal comes or a part fails."""
        self.stop.wait()

    def _watched(self, work: Callable[[], object]) -> Callable[[], None]:
        """`work` as the target of a thread: an exception ends the process instead of ending silently."""

        def target() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it again
                self.failure = self.failure or error
            finally:
                self.stop.set()

        return target

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        self.stop.set()


@contextmanager
def running() -> Iterator[Running]:
    """SIGINT and SIGTERM set `stop` while the block runs; afterwards what failed first is raised. Main thread only."""
    with ExitStack() as parts:
        found = Running(parts)
        with _signals(found):
            yield found
    if found.failure is not None:
        raise found.failure


@contextmanager
def _signals(found: Running) -> Iterator[None]:
    before = {number: signal.signal(number, found.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
