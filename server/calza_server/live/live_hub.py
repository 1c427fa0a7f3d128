"""Who watches which stocking, and which gateways are asked for it: the live feed within one process.

Knows no HTTP, no MQTT library, and has no thread: a watch is renewed by the connection that holds it, and each renewal
asks the gateways again where that is due. So nothing is asked for that nobody looks at, whatever dies.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from calza_server.live.live_feed import TooManyWatchersError
from calza_wire.live_request import LiveRequest
from calza_wire.topics import Kind, down

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from calza_server.ports import LiveSeen

LEASE_S: Final = 45  # three renewals, so one may be lost at QoS 0; what a stocking is asked for too long, at most
ASK_AGAIN_S: Final = 10.0  # not sooner, however many watch: below RENEW_S, so that no renewal is a moment early
WATCHERS_MAX: Final = 64  # each holds a connection of this server; a clinic looks at a handful
GATEWAYS_MAX: Final = 4_096  # the broker's credentials bound this too; a fault there must not fill the memory


class LiveHub:
    """Keeps `live_feed.LiveFeed` for the pages and `live_feed.LiveAudience` for ingest.

    `ask(topic, payload)` sends at QoS 0, from any thread, and forgets what cannot be sent; `tick_s` never jumps.
    """

    def __init__(self, ask: Callable[[str, bytes], None], tick_s: Callable[[], float]) -> None:
        self._ask = ask
        self._tick_s = tick_s
        self._lock = threading.Lock()  # guards all that follows
        self._closed = False
        self._online: dict[str, bool] = {}
        self._stockings: dict[str, frozenset[str]] = {}  # by gateway
        self._watches: dict[_Watch, float] = {}  # and when each was renewed last
        self._asked: dict[tuple[str, str], float] = {}  # when a gateway was last asked for a stocking

    # --- for the pages ------------------------------------------------------------------------------------------------

    def watch(self, serials: Collection[str], tell: Callable[[LiveSeen | None], None]) -> _Watch:
        """See the port."""
        now = self._tick_s()
        with self._lock:
            self._watches = {one: seen for one, seen in self._watches.items() if now - seen < LEASE_S}
            if self._closed or len(self._watches) >= WATCHERS_MAX:
                raise TooManyWatchersError
            watch = _Watch(self, frozenset(serials), tell)
            self._watches[watch] = now
            return watch

    def watching(self) -> int:
        """How many watch at the moment."""
        with self._lock:
            return len(self._watches)

    def close(self) -> None:
        """Nobody may watch any longer; those who do are told."""
        with self._lock:
            self._closed = True
            watches, self._watches = list(self._watches), {}
        for watch in watches:
            watch.tell(None)

    def renew(self, watch: _Watch) -> int | None:
        """See `LiveWatch.renew`."""
        now = self._tick_s()
        with self._lock:
            if watch not in self._watches:
                return None
            self._watches[watch] = now
            self._asked = {pair: at for pair, at in self._asked.items() if now - at < ASK_AGAIN_S}
            reach = [(gateway, serial) for serial in watch.serials for gateway in self._reaching(serial)]
            due = [pair for pair in reach if pair not in self._asked]
            self._asked.update(dict.fromkeys(due, now))
        for gateway, serial in due:
            self._ask(down(gateway, Kind.LIVE), LiveRequest(serial, LEASE_S).encode())
        return len({gateway for gateway, _ in reach})

    def leave(self, watch: _Watch) -> None:
        """See `LiveWatch.leave`. The gateways are not told: another process may watch, and the lease ends by itself."""
        with self._lock:
            self._watches.pop(watch, None)

    # --- for ingest ---------------------------------------------------------------------------------------------------

    def gateway_heard(self, gateway: str, *, online: bool, stockings: Collection[str] | None = None) -> None:
        """See the port."""
        with self._lock:
            if gateway not in self._online and len(self._online) >= GATEWAYS_MAX:
                return
            self._online[gateway] = online
            if stockings is not None:
                self._stockings[gateway] = frozenset(stockings)
                # It may have been started anew, and a gateway keeps its leases in memory.
                self._asked = {pair: at for pair, at in self._asked.items() if pair[0] != gateway}
            concerned = self._watching(self._stockings.get(gateway, frozenset()))
        for watch in concerned:
            watch.tell(None)

    def stocking_synced(self, gateway: str, serial: str) -> None:
        """See the port."""
        with self._lock:
            known = self._stockings.get(gateway, frozenset())
            if serial in known or (gateway not in self._stockings and len(self._stockings) >= GATEWAYS_MAX):
                return
            self._stockings[gateway] = known | {serial}
            concerned = self._watching({serial})
        for watch in concerned:
            watch.tell(None)

    def live_minute(self, seen: LiveSeen) -> None:
        """See the port."""
        with self._lock:
            concerned = self._watching({seen.serial})
        for watch in concerned:
            watch.tell(seen)

    def _reaching(self, serial: str) -> list[str]:
        return [name for name, serials in self._stockings.items() if serial in serials and self._online.get(name)]

    def _watching(self, serials: Collection[str]) -> list[_Watch]:
        return [watch for watch in self._watches if not watch.serials.isdisjoint(serials)]


class _Watch:  # keeps `live_feed.LiveWatch`; two are equal only if they are one
    def __init__(self, hub: LiveHub, serials: frozenset[str], tell: Callable[[LiveSeen | None], None]) -> None:
        self._hub = hub
        self.serials = serials
        self.tell = tell

    def renew(self) -> int | None:
        return self._hub.renew(self)

    def leave(self) -> None:
        self._hub.leave(self)
