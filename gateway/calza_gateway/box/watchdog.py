"""Tells the service manager how the gateway is, and lets it restart a gateway that hangs.

The watchdog is fed only while the whole moves: the event loop runs, the outbox answers (a commit that hangs holds up
the look that leads here), its file can be used, and no task is late with its pulse. A full disk, an absent broker or a
stuck adapter is no reason: a restart cures none of them, and they are shown instead.
"""

from collections.abc import Callable
from typing import Final

from calza_gateway.recovery.pulse import Pulse
from calza_gateway.reporting.upkeep import Overview

BROKEN_OUTBOX: Final = frozenset({"outbox_unusable", "outbox_damaged"})  # opening the file anew may cure these


class Watchdog:
    """A chore of `Upkeep`. `notify` takes lines of the sd_notify protocol, `complain` a sentence for the log."""

    def __init__(self, notify: Callable[[str], None], complain: Callable[[str], None], pulse: Pulse) -> None:
        self._notify = notify
        self._complain = complain
        self._pulse = pulse
        self._ready = False
        self._said = ""

    async def see(self, overview: Overview) -> None:
        """Ready at the first look; then alive, or not."""
        words = in_words(overview)
        lines = [] if self._ready else ["READY=1"]
        if words != self._said:
            lines.append(f"STATUS={words}")
        hanging = [*self._pulse.late(overview.now.tick_s), *sorted(BROKEN_OUTBOX & set(overview.codes))]
        if hanging:
            self._complain(f"the watchdog is not fed because of {', '.join(hanging)}; the service will be restarted")
        else:
            lines.append("WATCHDOG=1")
        if lines:
            self._notify("\n".join(lines))
        self._ready, self._said = True, words


def in_words(overview: Overview) -> str:
    """One line for `systemctl status`."""
    waiting = overview.counts.pending
    codes = f" ({', '.join(overview.codes)})" if overview.codes else ""
    return (
        f"{overview.health.value}{codes}: {overview.in_contact} of {overview.stockings} stockings in contact,"
        f" {waiting} records wait for the server"
    )
