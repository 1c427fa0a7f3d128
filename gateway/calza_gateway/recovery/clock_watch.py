"""Notices that this machine's wall clock was put forward or back: by a person, or by a time server at last.

Pure: it is shown `Moment`s and compares what passed on the wall with what passed on the steady clock. Everything
written before a jump and after it is told apart by it: whoever visits stockings looks here first, tells the jump, and
lets every stocking be synced again soon, because the reports of those syncs are what places its records anew.
"""

from dataclasses import dataclass
from typing import Final

from calza_gateway.ports import Moment
from calza_gateway.reporting.events import Problem

JUMP_S: Final = 2.0  # as much as a stocking's clock may be off before it is set; a leap second is less
SLEW: Final = 500e-6  # the fastest the kernel lets ntpd and timesyncd turn a clock; faster turns count as jumps
ANCHOR_S: Final = 600.0  # compared over so long, so that many looks in a row cannot hide a clock that creeps

CLOCK_LEFT_ALONE: Final = {
    "gateway_clock_unset": "this machine's clock was never set, so the stocking's was not set by it: connect this "
    "machine to the internet, or set its clock",
    "gateway_clock_unsure": "the stocking's clock is not set or off, and nobody keeps this machine's clock right: "
    "switch on network time here (`timedatectl set-ntp true`); until then the server places the records as it can",
}
"""Sentences for the codes of a session that would have set a clock and did not trust its own (`Done.refused`)."""


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The wall clock went `by_s` seconds forward (back if negative) beside the steady one, between two looks."""

    by_s: float
    before: Moment
    after: Moment

    @property
    def problem(self) -> Problem:
        """What is told of it."""
        way = "forward" if self.by_s > 0 else "back"
        return Problem(
            "clock_jumped",
            f"this machine's clock was put {way} by {_span(abs(self.by_s))}; every stocking is synced again, so that "
            "the server can place its records by the new time",
        )


class ClockWatch:
    """Show it a moment before each round; sleep and hibernation are no jumps, because the steady clock goes on."""

    def __init__(self) -> None:
        self._anchor: Moment | None = None
        self._last: Moment | None = None

    def look(self, now: Moment) -> ClockJump | None:
        """The jump since the last look, None if there was none; each jump is told once."""
        anchor, last = self._anchor or now, self._last or now
        self._anchor, self._last = anchor, now
        steady_s = now.tick_s - anchor.tick_s
        by_s = now.unix_s - anchor.unix_s - steady_s
        jumped = abs(by_s) > JUMP_S + SLEW * steady_s
        if jumped or steady_s >= ANCHOR_S:
            self._anchor = now
        return ClockJump(by_s, last, now) if jumped else None


def _span(seconds: float) -> str:
    """In the two largest units that say something: "3 days 4 h", "1 h 2 min", "7 s"."""
    whole = round(seconds)
    units = ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, name in units:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name if count > 1 or name != 'days' else 'day'}")
    return " ".join(parts[:2]) or "0 s"
