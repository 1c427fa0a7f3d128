"""The fallback broker, amqtt, in a thread of this process: for a trial without Mosquitto, on loopback only.

It speaks MQTT 3.1.1, loses what it acknowledged when clients leave, and leaks retained messages to strangers. Receipts
make the first harmless, `SafeBroker` closes the last, and `GatewayRules` is its access control. All of it leans on
private parts of one release, so any other release is refused.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from amqtt.broker import Broker  # type: ignore[import-untyped]  # amqtt carries no types
from amqtt.contexts import Action, BrokerConfig, ListenerConfig  # type: ignore[import-untyped]  # amqtt carries no types
from amqtt.errors import BrokerError as AmqttError  # type: ignore[import-untyped]  # amqtt carries no types
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin  # type: ignore[import-untyped]  # amqtt carries no types

from calza_server.access.credentials import SERVER_USER, CredentialError, Credentials, matches, read_table
from calza_server.ports import BrokerAddress, BrokerError
from calza_wire.topics import ROOT

if TYPE_CHECKING:
    from amqtt.session import Session  # type: ignore[import-untyped]  # amqtt carries no types

    from calza_server.access.tls_files import TlsListener

HOST: Final = "127.0.0.1"
KNOWN_RELEASE: Final = "0.12.1"
START_LIMIT_S: Final = 10.0
STOP_LIMIT_S: Final = 5.0

_log = logging.getLogger(__name__)


class SafeBroker(Broker):  # type: ignore[misc]  # a base class without types
    """amqtt without two of its faults.

    It sends who connects every retained message that matches *anybody's* subscription; this one does not. It leaves
    connections open that it refused, or that were open at its end; this one closes them when it stops.
    """

    def __init__(self, config: BrokerConfig) -> None:
        super().__init__(config)
        self._writers: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        self._writers.add(writer)
        await super().stream_connected(reader, writer, listener_name)

    async def shutdown(self) -> None:
        await super().shutdown()
        for writer in list(self._writers):
            writer.close()
            with suppress(OSError):  # whoever was at the other end has gone already
                await writer.wait_closed()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        subscribers = self._subscriptions.get(subscription[0], ())
        if any(each.client_id == session.client_id for each, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class GatewayLogin(BaseAuthPlugin):  # type: ignore[misc]  # a base class without types
    """Lets in who has a credential, under the client id that is its user name, with a will of its own or none.

    The client id counts for the rules below, because amqtt overwrites the user name of a running session with that of
    whoever tries to log in under the same client id. A will it publishes without asking any rule.
    """

    @dataclass
    class Config:
        """Where the table of credentials is."""

        table: str

    async def authenticate(self, *, session: Session) -> bool:
        """Whether this login is one of ours."""
        try:
            kept = read_table(Path(self.config.table)).get(session.username or "", "")
        except CredentialError as error:
            _log.error("nobody can log in: %s", error)
            return False
        will_is_own = not session.will_flag or may(str(session.username), str(session.will_topic), Action.PUBLISH)
        return session.client_id == session.username and will_is_own and matches(session.password or "", kept)


class GatewayRules(BaseTopicPlugin):  # type: ignore[misc]  # a base class without types
    """The access rules Mosquitto gets as a file."""

    @dataclass
    class Config:
        """Nothing to configure."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether this client may do that with this topic or topic filter."""
        if session is None or session.client_id is None or topic is None or action is None:
            return False
        return may(session.client_id, topic, action)


def may(user: str, topic: str, action: Action) -> bool:
    """A gateway writes below its `up` and reads below its `down`, the server does both everywhere; nobody `$share`."""
    if user == SERVER_USER:
        return topic.startswith(f"{ROOT}/")
    direction = "up" if action is Action.PUBLISH else "down"
    return topic.startswith(f"{ROOT}/{direction}/{user}/")


class AmqttBroker:
    """Keeps `calza_server.ports.Broker`; `port` on the loopback address. Credentials are read at each login.

    It has no TLS, and says so when started with one.
    """

    def __init__(self, port: int, credentials: Credentials, tls: TlsListener | None = None) -> None:
        self._port = port
        self._tls = tls
        self._credentials = credentials
        self._thread = threading.Thread(target=self._run, name="amqtt", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._answered = threading.Event()
        self._failure: BrokerError | None = None
        self._serving = False

    def start(self) -> BrokerAddress:
        """See the port."""
        if (release := version("amqtt")) != KNOWN_RELEASE:
            raise BrokerError(f"the fallback broker is known only in release {KNOWN_RELEASE}, not {release}")
        if self._tls is not None:
            raise BrokerError("the fallback broker is for a trial on this machine and has no TLS: install Mosquitto")
        try:
            password = self._credentials.server_password()
        except (OSError, CredentialError) as error:
            raise BrokerError(f"the broker cannot be set up: {error}") from error
        self._check_port()
        self._thread.start()
        if not self._answered.wait(START_LIMIT_S):
            raise BrokerError(f"the fallback broker did not start within {START_LIMIT_S:.0f} s")
        if self._failure is not None:
            raise self._failure
        return BrokerAddress(HOST, self._port, SERVER_USER, password, protocol=4)

    def stop(self) -> None:
        """See the port."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STOP_LIMIT_S)

    @property
    def gateways_url(self) -> str:
        """See the port."""
        return f"mqtt://{HOST}:{self._port}"

    @property
    def running(self) -> bool:
        """See the port."""
        return self._serving

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self._port))
            except OSError as error:
                taken = f"port {self._port} is taken by another program; give another --mqtt-port"
                raise BrokerError(taken) from error

    # --- in amqtt's thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (AmqttError, OSError) as error:
            self._failure = BrokerError(f"the fallback broker cannot start: {error}")
        finally:
            self._serving = False
            self._answered.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        broker = SafeBroker(self._configuration())
        await broker.start()
        self._serving = True
        self._answered.set()
        await self._stop.wait()
        self._serving = False
        await broker.shutdown()

    def _configuration(self) -> BrokerConfig:
        return BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"{HOST}:{self._port}")},
            plugins={
                f"{__name__}.{GatewayLogin.__name__}": {"table": str(self._credentials.path)},
                f"{__name__}.{GatewayRules.__name__}": {},
            },
        )
