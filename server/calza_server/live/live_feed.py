"""What ingest and the pages ask of whoever brings them together over live minutes: promises only.

`live_hub` keeps them within one process. Where pages are served by several processes, each has its own feed, and the
leases it asks for add up at the gateway: nobody there needs to know how many watch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from calza_server.ports import LiveSeen

RENEW_S: Final = 15.0  # how often a watch has to be renewed; it doubles as the heartbeat of a stream


class TooManyWatchersError(Exception):
    """So many watch already that one more is refused, or the server is about to end. `code` is stable."""

    code: Final = "too_many_watchers"


class LiveWatch(Protocol):
    """One screen that looks at live minutes. Every method may be called from any thread."""

    def renew(self) -> int | None:
        """Still looking: the gateways are asked again where that is due.

        Returns how many gateways that are online know one of the stockings; None when this watch is over, because the
        server ends or because it was not renewed in time.
        """

    def leave(self) -> None:
        """Nobody looks any longer; harmless when that was said before."""


class LiveFeed(Protocol):
    """Where a page turns for live minutes."""

    def watch(self, serials: Collection[str], tell: Callable[[LiveSeen | None], None]) -> LiveWatch:
        """Look at these stockings; nothing is asked of anybody before the first `renew`.

        `tell` is called from a thread of the feed with every live minute, and with None when `renew` has something new
        to say. Raises TooManyWatchersError.
        """


class LiveAudience(Protocol):
    """Who is told by ingest, in its thread, what matters to those who watch."""

    def gateway_heard(self, gateway: str, *, online: bool, stockings: Collection[str] | None = None) -> None:
        """A gateway said hello with its stockings, or how it is (None: it did not speak of stockings)."""

    def stocking_synced(self, gateway: str, serial: str) -> None:
        """A gateway reported a sync of a stocking, so it knows it whether or not its hello was heard."""

    def live_minute(self, seen: LiveSeen) -> None:
        """A live minute came in."""
