"""Turns the words of the command line into parts: which store, which broker, which port, whose folder.

Adapters are imported only when they are asked for. Next file to read: `run`.
"""

from __future__ import annotations

import fcntl
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from calza_server.credentials import SERVER_PASSWORD_NAME, SERVER_USER
from calza_server.ports import BrokerAddress, BrokerError
from calza_server.private_files import make_private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calza_server.credentials import Credentials
    from calza_server.ports import Broker, SeriesStore

LOOPBACK: Final = "127.0.0.1"
STORE_FORMS: Final = "sqlite:PATH or memory:"
BROKER_FORMS: Final = "auto, mosquitto, amqtt, or mqtt://USER@HOST:PORT (mqtts:// with TLS)"
MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
PORT_FILE: Final = "mqtt-port"


class SpecError(Exception):
    """What was asked for cannot be meant; the sentence says what can."""

    code: Final = "bad_option"


class RunError(Exception):
    """The server cannot run, though it was asked for rightly; the sentence says what to do."""

    code: Final = "cannot_run"


def open_store(spec: str) -> SeriesStore:
    """The store a spec names. Raises SpecError, StoreError."""
    kind, _, rest = spec.partition(":")
    if kind == "sqlite" and rest:
        from calza_server.adapters.sqlite_store import SqliteStore

        return SqliteStore(Path(rest))
    if kind == "memory" and not rest:
        from calza_server.adapters.memory_store import MemoryStore

        return MemoryStore()
    raise SpecError(f"{spec!r} is not a store: give {STORE_FORMS}")


def own_broker(spec: str, state: Path, port: int, credentials: Credentials) -> Broker:
    """The broker to start here, not started yet; `port` 0 takes the one used last or any free one. Raises SpecError."""
    from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto

    if spec not in {"auto", "mosquitto", "amqtt"}:
        raise SpecError(f"{spec!r} is not a broker: give {BROKER_FORMS}")
    chosen = port or _usual_port(state)
    if spec == "mosquitto" or (spec == "auto" and find_mosquitto()):
        return MosquittoBroker(state, chosen, credentials)
    from calza_server.adapters.amqtt_broker import AmqttBroker

    return AmqttBroker(chosen, credentials)


def foreign_broker(url: str, state: Path, password: str | None) -> BrokerAddress:
    """The broker at an address. Without `password` or one in the address, that of this state folder. Raises SpecError.

    No sentence repeats the address, because it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SpecError(f"the host or port of --broker cannot be read: give {BROKER_FORMS}") from error
    if parts.scheme not in MQTT_PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise SpecError(f"--broker must be {BROKER_FORMS}")
    kept = state / SERVER_PASSWORD_NAME
    if password is None and parts.password is not None:
        password = unquote(parts.password)
    if password is None and kept.exists():
        password = kept.read_text(encoding="utf-8").strip()
    return BrokerAddress(
        host=parts.hostname,
        port=port or MQTT_PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else SERVER_USER,
        password=password or "",
        tls=parts.scheme == "mqtts",
    )


def listen(port: int) -> socket.socket:
    """A socket that takes HTTP connections on the loopback address; 0 is any free port. Raises RunError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise RunError(f"port {port} is taken by another program; give another --http-port") from error
    return listener


@contextmanager
def only_one(state: Path, what: str) -> Iterator[None]:
    """Holds the state folder for `what` (server, broker) while the block runs. Raises RunError if another does."""
    try:
        make_private_folder(state)
        lock = (state / f"{what}.lock").open("w")
    except OSError as error:
        raise RunError(f"the state folder {state} cannot be used: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            sentence = f"another {what} is running with the state folder {state}; stop it or give another --state"
            raise RunError(sentence) from error
        yield


def _usual_port(state: Path) -> int:
    """The port used last if it is free, so that gateways find the broker again; otherwise a free one, remembered."""
    kept = state / PORT_FILE
    text = kept.read_text(encoding="utf-8").strip() if kept.exists() else ""
    for port in (int(text) if text.isdecimal() else 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except (OSError, OverflowError):
                continue
            chosen = int(probe.getsockname()[1])
            write_private(kept, f"{chosen}\n")
            return chosen
    raise BrokerError("no free port was found for the broker; give --mqtt-port")
