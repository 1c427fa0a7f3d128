"""The compose files, run without Docker: every command and health check in their order, to a verdict on the API."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import ssl
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calza_server.adapters.mosquitto_broker import find_mosquitto
from calza_server.store_spec import InfluxSpec
from tests.deploy.by_hand import Machine
from tests.deploy.compose_file import COMPOSE, SIMULATED, example, read
from tests.deploy.dashboards import Query, datasource, queries
from tests.deploy.test_grafana import WRITTEN
from tests.server.influx_engine import OwnEngine, engine

DAYS = 14  # what the fleet holds when it starts
VERDICT_WITHIN_S = 120.0  # two fortnights over an unpaced radio, on whatever machine this is
STORED = {"minute", "block", "sync"}  # a fleet without faults makes neither evidence nor quarantine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def influx() -> Iterator[OwnEngine]:
    """In place of the service influxdb."""
    with engine() as own:
        yield own


@pytest.fixture(scope="module")
def machine(influx: OwnEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Everything up."""
    if find_mosquitto() is None or shutil.which("mosquitto_sub") is None:
        pytest.skip("Mosquitto and its clients are not installed: `make setup` as root installs them")
    project = read(COMPOSE, SIMULATED, environment=example())
    port = int(influx.url.rpartition(":")[2])
    here = Machine(project, tmp_path_factory.mktemp("machine"), port)
    try:
        here.up()
        yield here
    finally:
        here.down()


def ask(machine: Machine, path: str) -> dict[str, Any]:
    """What the API says, by the certificate the authority of `init` made."""
    trusted = ssl.create_default_context(cafile=machine.volume("state") / "tls/ca.pem")
    with urllib.request.urlopen(f"https://127.0.0.1:{machine.port('8443')}{path}", context=trusted) as answer:
        document: dict[str, Any] = json.load(answer)
        return document


def test_what_was_worn_in_simulation_comes_to_a_verdict(machine: Machine) -> None:
    wanted = {"sim-left": "met", "sim-right": "not_met"}
    limit = time.monotonic() + VERDICT_WITHIN_S
    while True:
        said = {leg: ask(machine, f"/api/v1/legs/{leg}/verdict") for leg in wanted}
        complete = all(each["completeness"]["records_missing"] == 0 for each in said.values())
        if complete and {leg: each["verdict"] for leg, each in said.items()} == wanted:
            break
        assert time.monotonic() < limit, f"{said}\n{machine.logs()}"
        time.sleep(1)
    assert all(each["completeness"]["records_held"] >= 24 * DAYS for each in said.values())


def test_the_store_writes_what_the_dashboards_may_ask_for(machine: Machine, influx: OwnEngine) -> None:
    del machine
    spec = InfluxSpec(influx.url, "clinic", "calza")
    for measurement in STORED:
        found = influx.query(f'SHOW FIELD KEYS FROM "{measurement}"', spec)
        found += influx.query(f'SHOW TAG KEYS FROM "{measurement}"', spec)
        assert {str(row[0]) for series in found for row in series["values"]} == WRITTEN[measurement]


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.title)
def test_a_dashboard_gets_an_answer(machine: Machine, influx: OwnEngine, query: Query) -> None:
    del machine
    now_s = int(time.time())
    spec = InfluxSpec(influx.url, "", datasource()["jsonData"]["dbName"])
    text = query.asked(now_s - (DAYS + 2) * 86_400, now_s + 86_400, "SIM-LEFT|SIM-RIGHT")
    found = influx.query(text, spec)
    (measurement,) = query.names & WRITTEN.keys()
    assert bool(found) == (measurement in STORED), text


def test_init_done_again_changes_nothing(machine: Machine) -> None:
    """Nor does it need the authority's key, which docs/docker.md has taken away after the first start."""
    init = machine.project.services["init"]
    key = machine.volume("state") / "tls/ca.key"
    key.rename(machine.folder / "ca.key")
    try:
        before = digests(machine)
        machine.run(init, init.argv)
        assert digests(machine) == before
    finally:
        (machine.folder / "ca.key").rename(key)


def digests(machine: Machine) -> dict[Path, str]:
    files = [path for name in ("state/tls", "broker") for path in machine.volume(name).iterdir()]
    files.append(machine.volume("state") / "broker.json")
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_gateway_is_let_in_and_shut_out_while_the_broker_runs(machine: Machine) -> None:
    """As docs/docker.md says: `docker compose exec server calza server gateway add ward`."""
    server = machine.project.services["server"]
    password = machine.run(server, ["calza", "server", "gateway", "add", "ward"]).strip()
    until_published(machine, password, 0)
    machine.run(server, ["calza", "server", "gateway", "remove", "ward"])
    until_published(machine, password, 5)


def test_a_renewed_certificate_is_shown_while_the_broker_runs(machine: Machine) -> None:
    server = machine.project.services["server"]
    machine.run(server, ["calza", "server", "ca", "--renew"])
    machine.run(server, ["calza", "server", "broker-files"])
    wanted = ssl.PEM_cert_to_DER_cert((machine.volume("state") / "tls/broker.pem").read_text(encoding="ascii"))
    trusted = ssl.create_default_context(cafile=machine.volume("state") / "tls/ca.pem")
    limit = time.monotonic() + 10
    while shown(machine.port("8883"), trusted) != wanted:
        assert time.monotonic() < limit, machine.logs()
        time.sleep(0.2)


def shown(port: str, trusted: ssl.SSLContext) -> bytes | None:
    """The certificate of whoever listens there, which must be a good one at every moment."""
    with socket.create_connection(("127.0.0.1", int(port))) as plain:
        with trusted.wrap_socket(plain, server_hostname="mosquitto") as link:
            return link.getpeercert(binary_form=True)


def until_published(machine: Machine, password: str, wanted: int) -> None:
    """Publish as the gateway `ward` until the broker answers like this (0: taken, 5: not authorised)."""
    broker = machine.project.services["mosquitto"]
    words = ["mosquitto_pub", "-h", "localhost", "-p", "8883", "--cafile", "/var/lib/calza-broker/ca.pem"]
    words += ["-i", "ward", "-u", "ward", "-P", password, "-q", "1", "-t", "calza/v1/up/ward/nothing", "-n"]
    limit = time.monotonic() + 10
    while (answer := machine.try_run(broker, words).returncode) != wanted:
        assert time.monotonic() < limit, f"the broker still answers {answer}, not {wanted}"
        time.sleep(0.2)


def test_a_health_check_can_fail(machine: Machine) -> None:
    """Each one, asked of a port where nobody is."""
    for service in machine.project.services.values():
        if service.health and service.name not in {"influxdb", "grafana", "gateway"}:
            words = [re.sub("8443|9465|7801|8883", "9", word) for word in service.health]
            assert machine.try_run(service, words).returncode == 1, service.name
    gateway = machine.project.services["gateway"]
    nobody = ["calza", "gateway", "health", "--state", "/nowhere"]
    assert machine.try_run(gateway, nobody).returncode == 1


def test_everything_ends_in_order_when_asked(machine: Machine) -> None:
    """The last test of this module: nothing runs afterwards."""
    assert machine.running
    assert set(machine.down().values()) == {0}
