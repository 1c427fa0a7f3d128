"""Ingest workers and pages as processes of their own, beside a broker and a store that several processes reach.

A worker has nothing that is not elsewhere too: it can be killed at any time, and started as often as there is work.
What it held when it died is sent again by the gateways, because a record leaves them by receipt alone.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calza_server.access.tls_files import serving_context, tls_files
from calza_server.adapters.metrics_listener import metrics_served
from calza_server.adapters.prometheus import HealthMetrics, IngestMetrics, new_registry, scrape_of
from calza_server.errors import RunError, SpecError
from calza_server.files.folder_lock import only_one
from calza_server.ingest.ingest import Ingest
from calza_server.ingest.presence import Overhearing, Presence
from calza_server.live.live_hub import LiveHub
from calza_server.registry.registry import REGISTRY_NAME, FileRegistry
from calza_server.running.run_broker import ADDRESS_FORM, foreign_broker
from calza_server.running.run_pages import Sources, open_door, serve_pages
from calza_server.running.run_parts import default_store, only_writer, open_store, refuse_memory
from calza_server.running.running import running
from calza_wire.tls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from calza_server.adapters.metrics_listener import Listen
    from calza_server.adapters.paho_source import Listening, PahoSource
    from calza_server.ports import Clock, SeriesStore
    from calza_server.running.run_broker import BrokerWords
    from calza_server.running.run_pages import HttpWords
    from calza_server.running.running import Running

ID_OCTETS: Final = 8  # nobody guesses it, and no two processes draw the same
HOST_LETTERS: Final = 32  # of the machine's name: for whoever reads the broker's log
LOOK_S: Final = 0.2  # how soon a broker that cannot be used is seen


@dataclass(frozen=True, slots=True)
class ApartSettings:
    """What one process was asked for; `store` None is the file in the state folder."""

    state: Path
    broker: BrokerWords
    store: str | None
    store_token: str | None = field(repr=False)

    @property
    def store_spec(self) -> str:
        """The store in words."""
        return self.store or default_store(self.state)


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker takes its share: from which broker, as whom, and where its figures are."""

    broker: str
    client: str
    metrics: str | None


@dataclass(frozen=True, slots=True)
class PagesReady:
    """Pages and API answer, and `broker` is listened to when it is there."""

    http: str
    broker: str


def serve_ingest(
    settings: ApartSettings,
    metrics: Listen | None,
    clock: Clock,
    random_octets: Callable[[int], bytes],
    ready: Callable[[WorkerReady], None],
) -> None:
    """Take a share of what gateways send until SIGINT or SIGTERM; call from the main thread.

    `ready` is called once, when the broker has given it a share; that is waited for as long as it takes. The state
    folder is only read. Raises SpecError, RunError, ListenError, TlsError, RegistryError, StoreError.
    """
    from calza_server.adapters.paho_source import WORKER

    refuse_memory(settings.store_spec)
    with running() as it:
        it.enter(only_writer(settings.store_spec))
        registry = FileRegistry(settings.state / REGISTRY_NAME)
        store = _store(settings, it)
        client = _client_id("ingest", random_octets)
        source = _source(settings, client, WORKER, it)
        figures = new_registry()
        meter = IngestMetrics(figures, clock)
        ingest = Ingest(source=source, store=store, registry=registry, clock=clock, meter=meter)
        HealthMetrics(figures, ingest.health)
        url = None
        if metrics is not None:
            context = None if is_loopback(metrics.host) else serving_context(tls_files(settings.state).server)
            url = it.enter(metrics_served(metrics, scrape_of(figures), ingest.health, context))
        source.start()
        it.beside("ingest", lambda: ingest.run(it.stop))
        if _has_its_share(source, it):
            ready(WorkerReady(source.url, client, url))
        it.wait()


def serve_api(
    settings: ApartSettings,
    http: HttpWords,
    clock: Clock,
    random_octets: Callable[[int], bytes],
    ready: Callable[[PagesReady], None],
) -> None:
    """Serve pages and API without storing anything, until SIGINT or SIGTERM; call from the main thread.

    Raises SpecError, RunError, TlsError, RegistryError, StoreError, VerdictBookError.
    """
    from calza_server.adapters.paho_source import PRESENCE

    refuse_memory(settings.store_spec)
    with running() as it:
        it.enter(only_one(settings.state, "server"))
        registry = FileRegistry(settings.state / REGISTRY_NAME)
        door = open_door(http, settings.state, it)
        store = _store(settings, it)
        source = _source(settings, _client_id("api", random_octets), PRESENCE, it)
        hub = LiveHub(source.send_at_most_once, time.monotonic)
        presence = Presence(registry, hub)
        overhearing = Overhearing(source=source, presence=presence, store=store, clock=clock)
        source.start()
        it.beside("presence", lambda: overhearing.run(it.stop))
        sources = Sources(store, registry, clock, overhearing.health, presence.live, hub)
        serve_pages(door, sources, settings.state, new_registry(), it)
        ready(PagesReady(door.url, source.url))
        it.wait()


def _store(settings: ApartSettings, it: Running) -> SeriesStore:
    store = open_store(settings.store_spec, settings.store_token)
    it.at_end(store.close)
    return store


def _source(settings: ApartSettings, client: str, listening: Listening, it: Running) -> PahoSource:
    from calza_server.adapters.paho_source import PahoSource

    if not settings.broker.foreign:
        raise SpecError(f"--broker must be the address of one that runs: {ADDRESS_FORM}")
    address = foreign_broker(settings.broker, settings.state)
    try:
        source = PahoSource(address, client, listening)
    except OSError as error:
        raise SpecError(f"the authority's certificate for --broker cannot be used: {error}") from error
    it.at_end(source.close)
    return source


def _client_id(what: str, random_octets: Callable[[int], bytes]) -> str:
    """A name at the broker that no other process has: two with one name would throw each other out for ever."""
    return f"calza-{what}-{socket.gethostname()[:HOST_LETTERS]}-{os.getpid()}-{random_octets(ID_OCTETS).hex()}"


def _has_its_share(source: PahoSource, it: Running) -> bool:
    """Wait for the broker; False when everything should end before that. Raises RunError for one that is of no use."""
    while not it.ending:
        if source.wait_subscribed(LOOK_S):
            return True
        if (why := source.unusable) is not None:
            raise RunError(why)
    return False
