"""`calza server ingest` and `calza server api` as people run them, beside a broker of its own process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from calza_server.adapters.mosquitto_broker import find_mosquitto
from calza_wire.messages import Hello, Receipt
from tests.server.gateway_double import LIMIT_S, GatewayDouble
from tests.server.sealed import block, garment, payload
from tests.server.test_server_cli import ENVIRONMENT, calza, failing, write_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Part:
    """One process, and what it said when it was ready."""

    process: subprocess.Popen[str]
    ready: dict[str, str]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def part(*words: str) -> Iterator[Part]:
    process = subprocess.Popen(
        [sys.executable, "-m", "calza", "server", *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield Part(process, json.loads(line))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=LIMIT_S) as answer:  # noqa: S310 - our own address
            return bool(json.load(answer)["status"] == "ok")
    except urllib.error.HTTPError as error:
        error.close()
        return False


def until_healthy(url: str) -> None:
    limit = time.monotonic() + LIMIT_S
    while not healthy(url):
        assert time.monotonic() < limit


def test_broker_worker_and_pages_apart_do_what_one_server_does(tmp_path: Path) -> None:
    """On one SQLite file, which takes one worker and lets pages read beside it."""
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    state = ("--state", str(tmp_path / "state"))
    write_fleet(tmp_path / "fleet.json")
    serial = garment().serial
    assert calza("register", "--fleet", str(tmp_path / "fleet.json"), "--leg", f"{serial}=ana", *state).returncode == 0
    password = json.loads(calza("gateway", "add", "bedside", *state, "--json").stdout)["password"]
    with part("broker", *state) as broker:
        inside = ("--broker", broker.ready["servers"], *state)
        with (
            part("ingest", *inside, "--metrics", "127.0.0.1:0") as worker,
            part("api", *inside, "--http-port", "0") as pages,
        ):
            assert worker.ready["client"].startswith("calza-ingest-")
            assert healthy(worker.ready["metrics"])
            code, sentence = failing("ingest", *inside)
            assert (code, "SQLite takes one at a time" in sentence) == (1, True)
            code, sentence = failing("run", "--broker", broker.ready["servers"], *state, "--http-port", "0")
            assert (code, "another server is running" in sentence) == (1, True)
            port = int(broker.ready["mqtt"].rpartition(":")[2])
            with GatewayDouble(port, "bedside", password) as gateway:
                gateway.publish("calza/v1/up/bedside/hello", Hello("bedside", "1", 0, (serial,)).encode())
                gateway.until(lambda: bool(gateway.received("wanted")))
                gateway.record(serial, payload(1, minutes=block(1, start_s=int(time.time()) // 60 * 60 - 7_200)))
                gateway.until(lambda: bool(gateway.received("receipt")))
                assert len(Receipt.decode(gateway.received("receipt")[0]).stored) == 1
                until_healthy(pages.ready["http"])
                with urllib.request.urlopen(f"{pages.ready['http']}/metrics", timeout=LIMIT_S) as answer:  # noqa: S310 - our own
                    assert 'calza_server_gateways{state="online"} 1.0' in answer.read().decode()
            assert pages.end(signal.SIGTERM) == 0
            assert worker.end(signal.SIGINT) == 0
        assert broker.end(signal.SIGINT) == 0


@pytest.mark.parametrize("command", ["ingest", "api"])
def test_what_a_process_apart_cannot_do_is_said_in_one_sentence(tmp_path: Path, command: str) -> None:
    state = ("--state", str(tmp_path))
    code, sentence = failing(command, "--broker", "mqtt://127.0.0.1:1", "--store", "memory:", *state)
    assert (code, "one process alone" in sentence) == (2, True)
    code, sentence = failing(command, "--broker", "mosquitto", *state)
    assert (code, "address of one that runs" in sentence) == (2, True)
    code, sentence = failing(command, "--broker", "mqtt://calza_server:hidden@192.0.2.1", *state)
    assert (code, "in clear" in sentence, "hidden" in sentence) == (2, True, False)


def test_a_worker_waits_for_its_broker_and_ends_when_told(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "calza", "server", "ingest", "--state", str(tmp_path), "--broker", "mqtt://127.0.0.1:1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    limit = time.monotonic() + 30
    while not (tmp_path / "series.db").exists():  # it has come to where it begins to wait
        assert time.monotonic() < limit
        time.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    out, errors = worker.communicate(timeout=20)
    assert (worker.returncode, out) == (0, ""), errors


@pytest.mark.parametrize("words", [("ingest",), ("api",), ("broker",)])
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    done = calza(*words, "--help")
    assert done.returncode == 0
    assert "calza server" in done.stdout
