"""Which stockings a page wants live minutes of, and until when. Knows no broker and no radio.

A wish is a lease: it ends by itself unless the page renews it, so a closed laptop does not drain a stocking's battery.
"""

import asyncio

from calza_wire.live_request import LEASE_MAX_S


class LiveLeases:
    """The wishes in force. `tick_s` is the steady clock of `ports.Moment`."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self.changed = asyncio.Event()

    def grant(self, serial: str, until_tick_s: float) -> None:
        """Somebody watches this stocking until then; an earlier wish is replaced, 0.0 ends it."""
        self._until[serial] = until_tick_s
        self.changed.set()

    def renew(self, serial: str, seconds: float, now_tick_s: float) -> None:
        """Somebody watches this stocking for so long, at most `LEASE_MAX_S`; who watches longer is not cut short."""
        self._until = {one: until for one, until in self._until.items() if until > now_tick_s}
        self.grant(serial, max(self.until(serial), now_tick_s + min(seconds, LEASE_MAX_S)))

    def until(self, serial: str) -> float:
        """The `tick_s` until which live minutes are wanted; 0.0 when nobody asked."""
        return self._until.get(serial, 0.0)
