"""The running server: broker, ingest and HTTP, started in that order and taken apart in the other.

All on one machine, in one process but for the broker. The same parts as processes of their own are in `run_apart`.
Nothing here decides anything about readings.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.adapters.prometheus import IngestMetrics, new_registry
from calza_server.errors import RunError
from calza_server.files.folder_lock import only_one
from calza_server.ingest.ingest import Ingest
from calza_server.live.live_hub import LiveHub
from calza_server.registry.registry import REGISTRY_NAME, FileRegistry
from calza_server.running.run_broker import foreign_broker, own_broker
from calza_server.running.run_pages import Sources, open_door, serve_pages
from calza_server.running.run_parts import default_store, only_writer, open_store
from calza_server.running.running import running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from calza_server.ports import BrokerAddress, Clock
    from calza_server.running.run_broker import BrokerWords, Kind
    from calza_server.running.run_pages import HttpWords
    from calza_server.running.running import Running

CONNECT_LIMIT_S: Final = 10.0  # our own broker has answered already; then this is a refusal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What `calza server run` was asked for; `store` None is the file in the state folder."""

    state: Path
    http: HttpWords
    broker: BrokerWords
    store: str | None
    store_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything runs: where to look, and where gateways go."""

    http: str
    mqtt: str
    broker: Kind


@dataclass(frozen=True, slots=True)
class BrokerReady:
    """The broker runs: where gateways go, and where the server's own processes go."""

    gateways: str
    servers: str


def serve(
    settings: RunSettings, clock: Clock, random_octets: Callable[[int], bytes], ready: Callable[[Ready], None]
) -> None:
    """Run until SIGINT or SIGTERM; call from the main thread. `ready` is called once, when everything runs.

    Raises SpecError, RunError, TlsError, BrokerError, RegistryError, CredentialError, StoreError,
    VerdictBookError, each with a plain sentence.
    """
    state, spec = settings.state, settings.store or default_store(settings.state)
    with running() as it:
        it.enter(only_one(state, "server"))
        _warn_of_expiry(settings, clock)
        credentials = Credentials(state, random_octets)
        registry = FileRegistry(state / REGISTRY_NAME)
        door = open_door(settings.http, state, it)
        it.enter(only_writer(spec))
        store = open_store(spec, settings.store_token)
        it.at_end(store.close)
        address, gateways_url, kind = _broker(settings, credentials, it)
        from calza_server.adapters.paho_source import PahoSource

        figures = new_registry()
        source = PahoSource(address, client_id=SERVER_USER)
        it.at_end(source.close)
        source.start()
        if kind != "foreign" and not source.wait_subscribed(CONNECT_LIMIT_S):
            raise RunError("the broker runs but does not let the server in; look at its log in the state folder")
        hub = LiveHub(source.send_at_most_once, time.monotonic)
        meter = IngestMetrics(figures, clock)
        ingest = Ingest(source=source, store=store, registry=registry, clock=clock, audience=hub, meter=meter)
        it.beside("ingest", lambda: ingest.run(it.stop))
        sources = Sources(store, registry, clock, ingest.health, ingest.live, hub)
        serve_pages(door, sources, state, figures, it)
        ready(Ready(door.url, gateways_url, kind))
        it.wait()


def serve_broker(
    state: Path, words: BrokerWords, random_octets: Callable[[int], bytes], ready: Callable[[BrokerReady], None]
) -> None:
    """Run the broker alone until SIGINT or SIGTERM.

    Raises SpecError, RunError, TlsError, BrokerError, CredentialError.
    """
    with running() as it:
        it.enter(only_one(state, "broker"))
        broker, _ = own_broker(words, state, Credentials(state, random_octets))
        it.at_end(broker.stop)
        servers = broker.start().url
        ready(BrokerReady(broker.gateways_url, servers))
        it.wait()


def _broker(settings: RunSettings, credentials: Credentials, it: Running) -> tuple[BrokerAddress, str, Kind]:
    """Where we find it, where gateways do, and which it is."""
    if settings.broker.foreign:
        address = foreign_broker(settings.broker, settings.state)
        return address, address.url, "foreign"
    it.enter(only_one(settings.state, "broker"))
    broker, kind = own_broker(settings.broker, settings.state, credentials)
    it.at_end(broker.stop)
    address = broker.start()
    if kind == "amqtt":
        _log.warning("the fallback broker runs in place of Mosquitto: for trying things out, not for patients")
    return address, broker.gateways_url, kind


def _warn_of_expiry(settings: RunSettings, clock: Clock) -> None:
    if settings.http.tls or settings.broker.tls:
        from calza_server.ca import expiry_warnings

        for sentence in expiry_warnings(settings.state, clock.now_ms()):
            _log.warning("%s", sentence)
