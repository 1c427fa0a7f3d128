"""Turns the words of the command line into a broker: one to start here, or the address of one that runs.

Adapters are imported only when they are asked for.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

from calza_server.access.credentials import SERVER_PASSWORD_NAME, SERVER_USER
from calza_server.access.tls_files import TlsListener, refuse_in_clear, tls_files
from calza_server.errors import SpecError
from calza_server.files.private_files import write_private
from calza_server.ports import BrokerAddress, BrokerError
from calza_server.running.run_parts import LOOPBACK
from calza_wire.tls import is_loopback

if TYPE_CHECKING:
    from calza_server.access.credentials import Credentials
    from calza_server.ports import Broker

ADDRESS_FORM: Final = "mqtts://USER@HOST:PORT (mqtt:// on this machine)"
BROKER_FORMS: Final = f"auto, mosquitto, amqtt, or {ADDRESS_FORM}"
IN_CLEAR: Final = "mqtt+insecure"
MQTT_PORTS: Final = {"mqtt": 1883, IN_CLEAR: 1883, "mqtts": 8883}
TLS_PORT: Final = 8883
GATEWAYS_PORT_FILE: Final = "mqtt-port"
SERVERS_PORT_FILE: Final = "mqtt-servers-port"

Kind = Literal["mosquitto", "amqtt", "foreign"]


@dataclass(frozen=True, slots=True)
class BrokerWords:
    """What was said of the broker. `spec` is a kind or an address.

    For one that is started here: `port`, `tls` and `host` are for gateways, `servers_port` is for our own processes, on
    loopback; 0 is the one used last, or a free one. For one that runs elsewhere: `password` and `ca_file`.
    """

    spec: str
    port: int = 0
    tls: bool = False
    host: str = LOOPBACK
    servers_port: int = 0
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @property
    def foreign(self) -> bool:
        """Whether it is somebody else's."""
        return "://" in self.spec


def own_broker(words: BrokerWords, state: Path, credentials: Credentials) -> tuple[Broker, Kind]:
    """The broker to start here, not started yet. Raises SpecError, TlsError, BrokerError."""
    from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto

    if words.spec not in {"auto", "mosquitto", "amqtt"}:
        raise SpecError(f"{words.spec!r} is not a broker: give {BROKER_FORMS}")
    refuse_in_clear(words.host, "--mqtt-host", tls=words.tls)
    servers = words.servers_port or _usual_port(state / SERVERS_PORT_FILE)
    usual = TLS_PORT if words.tls else _usual_port(state / GATEWAYS_PORT_FILE, but=servers)
    gateways = words.port or usual
    listener = TlsListener(words.host, gateways, tls_files(state)) if words.tls else None
    if words.spec == "mosquitto" or (words.spec == "auto" and find_mosquitto()):
        if listener is not None:
            return MosquittoBroker(state, servers, credentials, tls=listener), "mosquitto"
        return MosquittoBroker(state, gateways, credentials, servers_port=servers), "mosquitto"
    from calza_server.adapters.amqtt_broker import AmqttBroker

    return AmqttBroker(gateways, credentials, tls=listener), "amqtt"


def foreign_broker(words: BrokerWords, state: Path) -> BrokerAddress:
    """The broker at an address. Raises SpecError.

    What is not said is that of this state folder: the password, and the authority that made the broker's certificate.
    No sentence repeats the address, because it may hold a password.
    """
    try:
        parts = urlsplit(words.spec)
        port = parts.port
    except ValueError as error:
        raise SpecError(f"the host or port of --broker cannot be read: give {BROKER_FORMS}") from error
    if parts.scheme not in MQTT_PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise SpecError(f"--broker must be {BROKER_FORMS}")
    if parts.scheme == "mqtt" and not is_loopback(parts.hostname):
        told = f"readings must not travel in clear: give mqtts://, or {IN_CLEAR}:// where the network itself is private"
        raise SpecError(told)
    tls = parts.scheme == "mqtts"
    own_ca = tls_files(state).ca
    return BrokerAddress(
        host=parts.hostname,
        port=port or MQTT_PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else SERVER_USER,
        password=_password(words, parts.password, state),
        tls=tls,
        ca_file=words.ca_file or (own_ca if tls and own_ca.exists() else None),
    )


def _password(words: BrokerWords, in_address: str | None, state: Path) -> str:
    kept = state / SERVER_PASSWORD_NAME
    if words.password is not None:
        return words.password
    if in_address is not None:
        return unquote(in_address)
    try:
        return kept.read_text(encoding="utf-8").strip() if kept.exists() else ""
    except OSError as error:
        raise SpecError(f"the password in {kept} cannot be read: {error.strerror}") from error


def _usual_port(kept: Path, but: int = 0) -> int:
    """The port used last if it is free, so that whoever knew the broker finds it again; otherwise a free one, kept."""
    text = kept.read_text(encoding="utf-8").strip() if kept.exists() else ""
    for port in (int(text) if text.isdecimal() else 0, 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except (OSError, OverflowError):
                continue
            chosen = int(probe.getsockname()[1])
        if chosen != but:
            write_private(kept, f"{chosen}\n")
            return chosen
    raise BrokerError("no free port was found for the broker; give --mqtt-port")
