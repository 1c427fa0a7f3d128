"""`calza server` as people run it: in its own process, ended by signals, with plain sentences when it cannot."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from calza_server.adapters.mosquitto_broker import find_mosquitto
from calza_server.registry.registry import FileRegistry
from calza_wire.messages import Hello, Receipt, Wanted
from tests.server.gateway_double import LIMIT_S, GatewayDouble
from tests.server.sealed import block, garment, payload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRONMENT = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
ORDER = {
    "start": "2026-03-02T00:00:00+00:00",
    "timezone": "Europe/Rome",
    "phases": [{"days": 4, "mode": "daytime", "hours": 10, "days_required": 3}],
}


def calza(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "calza", "server", *words], capture_output=True, text=True, env=ENVIRONMENT, timeout=60
    )


@dataclass
class Server:
    """A server in its own process, and what it said when it was ready."""

    process: subprocess.Popen[str]
    http: str
    port: int

    def ask(self, path: str) -> dict[str, object]:
        with urllib.request.urlopen(self.http + path, timeout=LIMIT_S) as answer:  # noqa: S310 - our own address
            found = json.load(answer)
        assert isinstance(found, dict)
        return found

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def running(state: Path, *words: str) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", "calza", "server", "run", "--state", str(state), "--http-port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        ready = json.loads(line)
        assert ready["event"] == "ready"
        yield Server(process, ready["http"], int(ready["mqtt"].rpartition(":")[2]))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def write_fleet(path: Path) -> None:
    who = garment()
    path.write_text(
        json.dumps([{"serial": who.serial, "system_id": who.system_id.hex(), "key": who.key.hex(), "side": "left"}])
    )


@pytest.mark.parametrize("broker", ["auto", "amqtt"])
def test_the_whole_way_from_nothing_to_a_receipt(tmp_path: Path, broker: str) -> None:
    """Started empty; gateway and stocking become known while it runs; a record is stored; the page knows; it ends."""
    if broker == "auto" and find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    state = tmp_path / "state"
    write_fleet(tmp_path / "fleet.json")
    (tmp_path / "rx.json").write_text(json.dumps(ORDER))
    serial = garment().serial
    protocol = 5 if broker == "auto" else 4
    with running(state, "--broker", broker) as server:
        assert server.ask("/healthz")["status"] == "ok"
        added = json.loads(calza("gateway", "add", "bedside", "--state", str(state), "--json").stdout)
        limit = time.monotonic() + LIMIT_S
        while True:  # Mosquitto is told within its watching interval
            gateway = GatewayDouble(server.port, "bedside", added["password"], protocol=protocol)
            if gateway.connack == "Success" and not gateway.ended:
                break
            gateway.__exit__()
            assert time.monotonic() < limit
        with gateway:
            gateway.publish("calza/v1/up/bedside/hello", Hello("bedside", "1", 0, (serial,)).encode())
            gateway.until(lambda: bool(gateway.received("wanted")))
            assert Wanted.decode(gateway.received("wanted")[0]).unknown == (serial,)
            registered = calza(
                *("register", "--fleet", str(tmp_path / "fleet.json"), "--leg", f"{serial}=ana-left"),
                *("--prescription", str(tmp_path / "rx.json"), "--state", str(state)),
            )
            assert registered.returncode == 0, registered.stderr
            gateway.until(lambda: len(gateway.received("wanted")) == 2)
            assert Wanted.decode(gateway.received("wanted")[1]).unknown == ()
            now_s = int(time.time()) // 60 * 60 - 7_200
            gateway.record(serial, payload(1, minutes=block(1, start_s=now_s)))
            gateway.until(lambda: bool(gateway.received("receipt")))
            (stored,) = Receipt.decode(gateway.received("receipt")[0]).stored
            assert stored.ranges[0].first == 1
        assert server.ask("/healthz")["stored"] == 1
        assert server.ask("/api/v1/legs/ana-left/verdict")
        assert server.end(signal.SIGTERM) == 0
        assert refuses(server.port)
    with running(state, "--broker", broker) as server:
        assert server.end(signal.SIGINT) == 0


def test_the_broker_keeps_its_port_and_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    with running(tmp_path) as server:
        server.end(signal.SIGKILL)
        limit = time.monotonic() + LIMIT_S
        while not refuses(server.port):
            assert time.monotonic() < limit, "Mosquitto outlived its server"
        port = server.port
    with running(tmp_path) as server:
        assert server.port == port
        assert server.ask("/healthz")["status"] == "ok"


def test_broker_and_server_can_be_two_processes(tmp_path: Path) -> None:
    broker = subprocess.Popen(
        [sys.executable, "-m", "calza", "server", "broker", "--state", str(tmp_path), "--broker", "amqtt", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert broker.stdout is not None
    json.loads(broker.stdout.readline())
    broker.terminate()
    assert broker.wait(20) == 0
    broker.stdout.close()
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    broker = subprocess.Popen(
        [sys.executable, "-m", "calza", "server", "broker", "--state", str(tmp_path), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert broker.stdout is not None
    url = json.loads(broker.stdout.readline())["mqtt"]
    with running(tmp_path, "--broker", url) as server:
        limit = time.monotonic() + LIMIT_S
        while True:
            try:
                if server.ask("/healthz")["status"] == "ok":
                    break
            except urllib.error.HTTPError as error:
                error.close()  # 503 until the connection stands
            assert time.monotonic() < limit
        assert server.end(signal.SIGTERM) == 0
        assert not refuses(int(url.rpartition(":")[2])), "a broker of its own stays"
    broker.terminate()
    assert broker.wait(20) == 0
    broker.stdout.close()


def failing(*words: str) -> tuple[int, str]:
    done = calza(*words)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip()


def test_what_is_in_the_way_is_said_in_one_sentence(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    run = ("run", "--state", state, "--http-port")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert failing(*run, str(port)) == (1, f"port {port} is taken by another program; give another --http-port")
        code, sentence = failing(*run, "0", "--mqtt-port", str(port))
        assert code == 1
        assert "--mqtt-port" in sentence.splitlines()[-1]
    with running(tmp_path / "state"):
        code, sentence = failing(*run, "0")
        assert code == 1
        assert "another server is running with the state folder" in sentence
    assert failing(*run, "0", "--store", "csv:x")[0] == 2
    code, sentence = failing(*run, "0", "--broker", "mqtt://someone:hidden@:99999")
    assert code == 2
    assert "hidden" not in sentence
    (tmp_path / "state" / "registry.json").write_text("{")
    assert failing(*run, "0")[0] == 1
    (tmp_path / "file").write_text("")
    assert failing("run", "--state", str(tmp_path / "file"), "--http-port", "0")[0] == 1


def test_a_password_goes_to_its_file_or_is_shown_once(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state"))
    kept = tmp_path / "bedside.password"
    done = calza("gateway", "add", "bedside", "--password-file", str(kept), *state, "--json")
    assert json.loads(done.stdout) == {"event": "added", "gateway": "bedside", "password_file": str(kept)}
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().strip() not in (tmp_path / "state" / "broker.json").read_text()
    assert len(calza("gateway", "add", "hall", *state).stdout.strip()) == 32
    assert json.loads(calza("gateway", "list", *state, "--json").stdout) == {"gateways": ["bedside", "hall"]}
    assert calza("gateway", "remove", "hall", *state).returncode == 0
    assert calza("gateway", "list", *state).stdout == "bedside\n"
    assert failing("gateway", "add", "Not A Name", *state)[0] == 2
    assert failing("gateway", "remove", "hall", *state)[0] == 1


def test_registering_is_all_or_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    write_fleet(tmp_path / "fleet.json")
    words = ("register", "--fleet", str(tmp_path / "fleet.json"), "--state", str(state))
    assert calza(*words, "--leg", "CALZA-0001=ana-left").returncode == 0
    assert (state / "registry.json").stat().st_mode & 0o777 == 0o600
    before = (state / "registry.json").read_bytes()
    (tmp_path / "rx.json").write_text("{}")
    for wrong in (
        ("--leg", "CALZA-0009=ana-left"),
        ("--leg", "CALZA-0001=a/b"),
        ("--leg", "CALZA-0001=ana-left", "--prescription", str(tmp_path / "rx.json")),
        ("--leg", "CALZA-0001=ana-left", "--prescription", str(tmp_path / "none.json")),
    ):
        assert failing(*words, *wrong)[0] == 1
    assert failing(*words, "--leg", "CALZA-0001")[0] == 2
    assert (state / "registry.json").read_bytes() == before
    assert [leg.id for leg in FileRegistry(state / "registry.json").legs()] == ["ana-left"]


@pytest.mark.parametrize("words", [(), ("run",), ("broker",), ("register",), ("gateway",), ("gateway", "add")])
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    done = calza(*words, "--help")
    assert done.returncode == 0
    assert "calza server" in done.stdout
