"""Mosquitto as our child: watched, restarted, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from calza_server.access.credentials import SERVER_USER, CredentialError, Credentials, hashed, matches, read_table
from calza_server.adapters.mosquitto_broker import MosquittoBroker, find_mosquitto
from calza_server.ports import BrokerError
from tests.server.conftest import free_port
from tests.server.gateway_double import LIMIT_S, GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.conftest import RunningBroker

# A server that starts a broker and then does nothing, so that it can be killed.
PARENT = """
import secrets, sys, threading
from pathlib import Path
from calza_server.adapters.mosquitto_broker import MosquittoBroker
from calza_server.access.credentials import Credentials
state = Path(sys.argv[1])
broker = MosquittoBroker(state, int(sys.argv[2]), Credentials(state, secrets.token_bytes))
broker.start()
print(broker.pid, flush=True)
threading.Event().wait()
"""


def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    limit = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < limit, f"not within {limit_s} s"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - a file of the kernel
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def test_a_denied_publish_is_told_so_and_the_connection_stays(mosquitto: RunningBroker) -> None:
    with mosquitto.gateway("bedside") as gateway:
        assert gateway.puback(gateway.publish("calza/v1/up/other/hello", b"x")) == "Not authorized"
        assert gateway.puback(gateway.publish("calza/v1/down/bedside/receipt", b"x")) == "Not authorized"
        assert gateway.puback(gateway.publish("calza/v1/up/bedside/hello", b"x")) in {
            "Success",
            "No matching subscribers",
        }
        assert not gateway.ended


def test_a_client_id_cannot_be_taken_from_another_credential(mosquitto: RunningBroker) -> None:
    """The server's session is bound to its credential, whatever client id a gateway gives."""
    address = mosquitto.address
    with GatewayDouble(address.port, SERVER_USER, address.password, reads="calza/v1/up/#") as server:
        with GatewayDouble(
            address.port,
            SERVER_USER,
            mosquitto.passwords["bedside"],
            username="bedside",
            reads="calza/v1/down/bedside/#",
        ) as thief:
            assert thief.connack == "Success"
            thief.puback(thief.publish("calza/v1/up/bedside/hello", b"x"))
            server.until(lambda: bool(server.received("hello")))
        assert not server.ended


def test_it_is_started_again_when_it_dies(mosquitto: RunningBroker) -> None:
    first = mosquitto.broker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: mosquitto.broker.pid not in (None, first))

    def lets_in() -> bool:
        try:
            with mosquitto.gateway("bedside") as gateway:
                return gateway.connack == "Success"
        except ConnectionRefusedError:
            return False

    until(lets_in)
    mosquitto.broker.stop()
    assert not mosquitto.broker.running


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    port = free_port()
    for _ in range(2):  # the second start also shows that the port and the folder were left in order
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(tmp_path / "state"), str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
        until(lambda child=child: gone(child))  # type: ignore[misc]  # bound now, not when called


def test_without_the_program_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("calza_server.adapters.mosquitto_broker.SBIN", "")
    broker = MosquittoBroker(tmp_path, free_port(), Credentials(tmp_path, os.urandom))
    with pytest.raises(BrokerError, match="install Mosquitto"):
        broker.start()


def test_a_program_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    broker = MosquittoBroker(tmp_path, free_port(), Credentials(tmp_path, os.urandom), program="/bin/false")
    with pytest.raises(BrokerError, match=r"mosquitto\.log"):
        broker.start()


def test_its_files_are_for_their_owner_alone_and_hold_no_password(mosquitto: RunningBroker) -> None:
    state = mosquitto.credentials.path.parent
    files = list((state / "mosquitto").iterdir())
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (state / "mosquitto").stat().st_mode & 0o777 == 0o700
    texts = "".join(path.read_text(errors="replace") for path in [*files, mosquitto.credentials.path])
    for password in [*mosquitto.passwords.values(), mosquitto.address.password]:
        assert password not in texts
        assert password not in repr(mosquitto.address)


# --- credentials ------------------------------------------------------------------------------------------------------


def test_a_hash_is_what_mosquitto_makes(tmp_path: Path) -> None:
    """Against the password program that comes with the broker, where it is installed."""
    if (program := find_mosquitto()) is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    made = tmp_path / "passwords"
    made.touch(mode=0o600)
    tool = f"{os.path.dirname(program)}:/usr/bin:/usr/local/bin"  # noqa: PTH120 - a search path
    subprocess.run(["mosquitto_passwd", "-b", str(made), "someone", "secret"], check=True, env={"PATH": tool})
    kept = made.read_text().strip().partition(":")[2]
    assert matches("secret", kept)
    assert not matches("Secret", kept)


def test_hashes_match_only_their_password() -> None:
    kept = hashed("correct horse", b"123456789012")
    assert matches("correct horse", kept)
    assert not matches("correct hors", kept)
    assert not matches("correct horse", "")
    assert not matches("", "$6$x$y")


def test_a_new_password_ends_the_old_one(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path, os.urandom)
    first, second = credentials.add("bedside"), credentials.add("bedside")
    kept = read_table(credentials.path)["bedside"]
    assert matches(second, kept)
    assert not matches(first, kept)


def test_the_servers_password_stays_the_same_until_its_file_is_lost(tmp_path: Path) -> None:
    first = Credentials(tmp_path, os.urandom).server_password()
    assert Credentials(tmp_path, os.urandom).server_password() == first
    (tmp_path / "server-password").unlink()
    assert Credentials(tmp_path, os.urandom).server_password() != first


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "+", "#", SERVER_USER, "x" * 33, "a\nb:c"])
def test_names_that_could_mean_more_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CredentialError) as caught:
        Credentials(tmp_path, os.urandom).add(name)
    assert caught.value.code == "bad_gateway"


def test_the_server_itself_cannot_be_removed_nor_a_stranger(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path, os.urandom)
    credentials.server_password()
    for name in (SERVER_USER, "nobody"):
        with pytest.raises(CredentialError, match="no gateway called"):
            credentials.remove(name)
    assert SERVER_USER in credentials.table()


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', "\xff"])
def test_a_damaged_table_lets_nobody_in_and_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "broker.json").write_text(text, encoding="latin-1")
    with pytest.raises(CredentialError, match=r"broker\.json"):
        Credentials(tmp_path, os.urandom).table()
