"""Pages and API as parts of a running process: what they read from, what looks after verdicts, and the HTTP server."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calza_server.access.tls_files import serving_context, tls_files
from calza_server.adapters.file_verdict_book import BOOK_NAME, FileVerdictBook
from calza_server.adapters.prometheus import FleetMetrics, HealthMetrics, certificates_left_s, scrape_of
from calza_server.freezing import freeze_for_ever
from calza_server.running.run_parts import LOOPBACK, listen
from calza_server.stockings_heard import StockingsHeard
from calza_wire.tls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from socket import socket
    from ssl import SSLContext

    from calza_server.adapters.prometheus import Figures
    from calza_server.live.live_hub import LiveHub
    from calza_server.ports import Clock, Health, LiveSeen, Registry, SeriesStore
    from calza_server.running.running import Running

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpWords:
    """Where pages and API are to be found. Port 0 is a free one."""

    port: int
    host: str = LOOPBACK
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Door:
    """A socket that listens already: a port that is taken should be known before anything is started."""

    listener: socket
    context: SSLContext | None
    host: str

    @property
    def url(self) -> str:
        """Where it is, as this machine calls it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.context is None else 'https'}://{host}:{self.listener.getsockname()[1]}"


def open_door(words: HttpWords, state: Path, it: Running) -> Door:
    """Raises RunError, TlsError."""
    context = serving_context(tls_files(state).server) if words.tls else None
    listener = listen(words.port, words.host, tls=words.tls)
    it.at_end(listener.close)
    if not is_loopback(words.host):
        _log.warning("there is no sign-in yet: whoever reaches %s sees every patient", words.host)
    return Door(listener, context, words.host)


@dataclass(frozen=True, slots=True)
class Sources:
    """What pages read from."""

    store: SeriesStore
    registry: Registry
    clock: Clock
    health: Callable[[], Health]
    live: Callable[[str], LiveSeen | None]
    hub: LiveHub


def serve_pages(door: Door, sources: Sources, state: Path, figures: Figures, it: Running) -> None:
    """Start everything that belongs to the pages beside whatever runs already."""
    from calza_server.api.serving import HttpServer
    from calza_server.app import create_app
    from calza_server.web.headers import LOOPBACK_HOSTS

    store, registry, clock = sources.store, sources.registry, sources.clock
    heard = StockingsHeard(store, registry, clock)
    tls = tls_files(state)
    certificates = {"ca": tls.ca, "broker": tls.broker.certificate, "server": tls.server.certificate}
    HealthMetrics(figures, sources.health)
    fleet = FleetMetrics(
        figures,
        clock,
        lambda: sources.health().gateways,
        heard.spread,
        lambda: certificates_left_s(certificates, clock.now_ms()),
    )
    book = FileVerdictBook(state / BOOK_NAME)
    it.beside("heard", lambda: heard.run(it.stop))
    it.beside("freezing", lambda: freeze_for_ever(store, registry, book, clock, it.stop, fleet.frozen))
    app = create_app(
        store=store,
        registry=registry,
        book=book,
        clock=clock,
        health=sources.health,
        live=sources.live,
        feed=sources.hub,
        scrape=scrape_of(figures),
        hosts=LOOPBACK_HOSTS | _names(door, state),
    )
    server = HttpServer(app, door.listener, door.context)
    it.beside("http", server.run, server.end)
    it.at_end(sources.hub.close)  # before HTTP ends: a stream that nobody ends would be waited for


def _names(door: Door, state: Path) -> frozenset[str]:
    """The names other machines may call it by: those in its certificate."""
    if door.context is None:
        return frozenset()
    from calza_server.ca import names

    return frozenset(f"[{each}]" if ":" in each else each for each in names(tls_files(state).server.certificate))
