"""Where the time comes from."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant by both clocks: `unix_s` for what is written down, `tick_s` (never jumps) for limits."""

    unix_s: float
    tick_s: float

    @property
    def unix_ms(self) -> int:
        """Unix time in whole milliseconds."""
        return int(self.unix_s * 1000)


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> Moment: ...

    def offset_quarters(self) -> int:
        """What the local wall clock shows beyond UTC, in quarter hours."""
        ...

    def synchronised(self) -> bool | None:
        """Whether the system keeps this clock by a time server; None if it does not tell."""
        ...
