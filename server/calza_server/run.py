"""The running server: broker, ingest and HTTP, started in that order and taken apart in the other.

The main thread waits for a signal or for a part to fail; ingest, uvicorn and whoever looks after the broker each have a
thread. Nothing here decides anything about readings.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from calza_server.adapters.file_verdict_book import BOOK_NAME, FileVerdictBook
from calza_server.credentials import SERVER_USER, Credentials
from calza_server.freezing import freeze_for_ever
from calza_server.ingest import Ingest
from calza_server.live_hub import LiveHub
from calza_server.registry import REGISTRY_NAME, FileRegistry
from calza_server.run_parts import RunError, foreign_broker, listen, only_one, open_store, own_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from socket import socket
    from types import FrameType

    from fastapi import FastAPI

    from calza_server.ports import BrokerAddress, Clock, SeriesStore

CONNECT_LIMIT_S: Final = 10.0  # our own broker has answered already; then this is a refusal
HTTP_STOP_LIMIT_S: Final = 5  # for requests that are still being answered
STORE_NAME: Final = "series.db"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What `calza server run` was asked for. Port 0 is a free one; `store` None is the file in the state folder."""

    state: Path
    http_port: int
    mqtt_port: int
    broker: str
    broker_password: str | None = field(repr=False)
    store: str | None


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything runs: where to look, and where gateways go."""

    http: str
    mqtt: str
    broker: Literal["mosquitto", "amqtt", "foreign"]


class Failing:
    """Waits for the end: a signal, or the first part that fails."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.failure: BaseException | None = None

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        self.stop.set()

    def watched(self, work: Callable[[], object]) -> Callable[[], None]:
        """`work` as the target of a thread: an exception ends the server instead of ending silently."""

        def target() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it again
                self.failure = self.failure or error
            finally:
                self.stop.set()

        return target


def serve(
    settings: RunSettings, clock: Clock, random_octets: Callable[[int], bytes], ready: Callable[[Ready], None]
) -> None:
    """Run until SIGINT or SIGTERM; call from the main thread. `ready` is called once, when everything runs.

    Raises SpecError, RunError, BrokerError, RegistryError, CredentialError, StoreError, VerdictBookError, each with a
    plain sentence.
    """
    ending = Failing()
    with ExitStack() as parts, _signals(ending):
        parts.enter_context(only_one(settings.state, "server"))
        credentials = Credentials(settings.state, random_octets)
        registry = FileRegistry(settings.state / REGISTRY_NAME)
        listener = listen(settings.http_port)
        parts.callback(listener.close)
        store = open_store(settings.store or f"sqlite:{settings.state / STORE_NAME}")
        parts.callback(store.close)
        address, kind = _broker(settings, credentials, parts)
        ingest, hub = _ingest(address, kind, store, registry, clock, parts, ending)
        from calza_server.app import create_app

        book = FileVerdictBook(settings.state / BOOK_NAME)
        freezing = ending.watched(lambda: freeze_for_ever(store, registry, book, clock, ending.stop))
        _beside(threading.Thread(target=freezing, name="freezing"), parts, ending)
        app = create_app(
            store=store,
            registry=registry,
            book=book,
            clock=clock,
            health=ingest.health,
            live=ingest.live,
            feed=hub,
        )
        _http(app, listener, parts, ending)
        parts.callback(hub.close)  # before HTTP ends: a stream that nobody ends would be waited for
        ready(Ready(f"http://127.0.0.1:{listener.getsockname()[1]}", address.url, kind))
        ending.stop.wait()
    if ending.failure is not None:
        raise ending.failure


def serve_broker(
    state: Path, spec: str, port: int, random_octets: Callable[[int], bytes], ready: Callable[[str], None]
) -> None:
    """Run the broker alone until SIGINT or SIGTERM. Raises SpecError, RunError, BrokerError, CredentialError."""
    ending = Failing()
    with _signals(ending), only_one(state, "broker"):
        broker = own_broker(spec, state, port, Credentials(state, random_octets))
        try:
            ready(broker.start().url)
            ending.stop.wait()
        finally:
            broker.stop()


def _broker(
    settings: RunSettings, credentials: Credentials, parts: ExitStack
) -> tuple[BrokerAddress, Literal["mosquitto", "amqtt", "foreign"]]:
    if "://" in settings.broker:
        return foreign_broker(settings.broker, settings.state, settings.broker_password), "foreign"
    parts.enter_context(only_one(settings.state, "broker"))
    broker = own_broker(settings.broker, settings.state, settings.mqtt_port, credentials)
    parts.callback(broker.stop)
    address = broker.start()
    if address.protocol == 4:
        _log.warning("the fallback broker runs in place of Mosquitto: for trying things out, not for patients")
        return address, "amqtt"
    return address, "mosquitto"


def _ingest(
    address: BrokerAddress,
    kind: str,
    store: SeriesStore,
    registry: FileRegistry,
    clock: Clock,
    parts: ExitStack,
    ending: Failing,
) -> tuple[Ingest, LiveHub]:
    from calza_server.adapters.paho_source import PahoSource

    source = PahoSource(address, client_id=SERVER_USER)
    parts.callback(source.close)
    source.start()
    if kind != "foreign" and not source.wait_subscribed(CONNECT_LIMIT_S):
        raise RunError("the broker runs but does not let the server in; look at its log in the state folder")
    hub = LiveHub(source.send_at_most_once, time.monotonic)
    ingest = Ingest(source=source, store=store, registry=registry, clock=clock, audience=hub)
    _beside(threading.Thread(target=ending.watched(lambda: ingest.run(ending.stop)), name="ingest"), parts, ending)
    return ingest, hub


def _beside(thread: threading.Thread, parts: ExitStack, ending: Failing) -> None:
    """Start a thread that ends when `ending.stop` is set, and wait for it when everything is taken apart."""
    thread.start()
    parts.callback(thread.join)
    parts.callback(ending.stop.set)


def _http(app: FastAPI, listener: socket, parts: ExitStack, ending: Failing) -> None:
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=HTTP_STOP_LIMIT_S)
    )
    # In a thread of its own uvicorn leaves the signals to us.
    thread = threading.Thread(target=ending.watched(lambda: server.run(sockets=[listener])), name="http")
    thread.start()
    parts.callback(thread.join)
    parts.callback(setattr, server, "should_exit", True)


@contextmanager
def _signals(ending: Failing) -> Iterator[None]:
    """SIGINT and SIGTERM mean the end while the block runs."""
    before = {number: signal.signal(number, ending.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
