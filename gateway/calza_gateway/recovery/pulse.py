"""Who of the gateway's tasks still moves: each says by when it will speak again, and who is late hangs. Pure.

For the watchdog alone. A task that fails ends the whole gateway and needs no pulse; this is for one that waits without
end.
"""

from typing import Final

SLACK_S: Final = 60.0  # a slow disk or a busy machine is not a task that hangs


class Pulse:
    """The promises in force. Times are seconds of the steady clock (`ports.Moment.tick_s`)."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def beat(self, task: str, tick_s: float, within_s: float) -> None:
        """This task moves, and will say so again `within_s` from now at the latest."""
        self._due[task] = tick_s + within_s + SLACK_S

    def ended(self, task: str) -> None:
        """This task has ended in order and promises nothing any more."""
        self._due.pop(task, None)

    def late(self, tick_s: float) -> tuple[str, ...]:
        """The tasks that have broken their promise, sorted."""
        return tuple(sorted(task for task, due in self._due.items() if due < tick_s))
