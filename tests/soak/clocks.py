"""The time of day in the simulated world: the true one, and the gateway's, which can be wrong.

Both run on the event loop's clock. Knows nothing of what is done by them.
"""

import asyncio
from dataclasses import dataclass, field

from calza_gateway.ports import Moment


@dataclass(slots=True)
class TrueClock:
    """What the stockings live by and the server shows: true Unix time, `begins_unix_s` at the loop's zero."""

    begins_unix_s: float
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __call__(self) -> float:
        """True Unix seconds, for a stocking."""
        return self.begins_unix_s + self._loop.time()

    def now_ms(self) -> int:
        """True Unix milliseconds, for the server."""
        return int(self() * 1000)


@dataclass(slots=True)
class GatewayClock:
    """The gateway's `Clock`: `wrong_by_s` beside the true one, in a zone `quarters` ahead of UTC. Limits never jump."""

    true: TrueClock
    wrong_by_s: float = 0.0
    quarters: int = 4
    synchronised_now: bool | None = True
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def now(self) -> Moment:
        """See `Clock`."""
        return Moment(self.true() + self.wrong_by_s, self._loop.time())

    def offset_quarters(self) -> int:
        """See `Clock`."""
        return self.quarters

    def synchronised(self) -> bool | None:
        """See `Clock`."""
        return self.synchronised_now
