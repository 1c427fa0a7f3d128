"""The compose files keep their promises: nobody is root, nothing is writable that need not be, no secret lies about."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from calza.__main__ import build
from tests.deploy.compose_file import COMPOSE, ROOT, SIMULATED, Service, example, read, variables, yaml

PROJECT = read(COMPOSE, SIMULATED, environment=example())
SERVICES = list(PROJECT.services.values())
ALONE = read(COMPOSE, environment=example())
SECRET_NAME = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL", re.IGNORECASE)
DOOR = re.compile(r"(?:(?P<host>[\d.]+):)?(?P<outside>\d+):(?P<inside>\d+)")

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


@each_service
def test_a_container_has_no_rights_it_does_not_need(service: Service) -> None:
    raw = service.raw
    assert raw["read_only"] is True
    assert raw["cap_drop"] == ["ALL"]
    assert "cap_add" not in raw
    assert "privileged" not in raw
    assert raw["security_opt"] == ["no-new-privileges:true"]
    uid = str(raw["user"]).partition(":")[0]
    assert uid.isdecimal(), "a name would be looked up in the image, and may be anybody there"
    assert int(uid) > 0


@each_service
def test_a_container_takes_no_more_than_its_share(service: Service) -> None:
    limits = service.raw["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert set(service.raw["logging"]["options"]) == {"max-size", "max-file"}


@each_service
def test_a_container_comes_back_and_tells_how_it_is_unless_it_is_meant_to_end(service: Service) -> None:
    assert service.raw["restart"] in {"unless-stopped", "no"}
    assert bool(service.health) != service.once
    if not service.once:
        assert service.raw["healthcheck"].keys() >= {"test", "interval", "timeout", "retries", "start_period"}


@each_service
def test_others_are_waited_for_in_a_way_that_can_come_true(service: Service) -> None:
    for name, condition in service.waits_for.items():
        ends = PROJECT.services[name].once
        assert condition == ("service_completed_successfully" if ends else "service_healthy")


@each_service
def test_images_are_pinned(service: Service) -> None:
    name, _, tag = service.raw["image"].partition(":")
    assert re.fullmatch(r"\d+\.\d+\.\d+", tag), "a tag that moves gives another program tomorrow"
    assert ("build" in service.raw or service.image is not None) == name.startswith("calza-")


@each_service
def test_no_secret_is_in_the_environment_or_on_a_command_line(service: Service) -> None:
    for name, value in service.environment.items():
        if SECRET_NAME.search(name):
            assert name.endswith("_FILE"), f"{name} would be shown by `docker inspect`"
            assert value.removeprefix("/run/secrets/") in service.secrets
    words = " ".join([*service.argv, *service.health])
    assert "://" not in words or not re.search(r"://[^/@\s]*:[^/@\s]*@", words)


@each_service
def test_everything_that_is_mounted_exists(service: Service) -> None:
    for mount in service.mounts:
        if mount.is_volume:
            assert mount.source in PROJECT.volumes
        else:
            assert mount.read_only, "what is in the repository is not for containers to change"
            assert (ROOT / mount.source).exists()
    for secret in service.secrets:
        assert secret in PROJECT.secrets


@each_service
def test_every_program_of_ours_is_called_as_it_wants_to_be(service: Service) -> None:
    """`--help` behind the whole command line: an option or a command that is not known is refused before it."""
    for words in ours(service):
        assert_accepted(words)


def assert_accepted(words: Sequence[str]) -> None:
    """That `calza` knows these words; nothing is run."""
    done = CliRunner().invoke(build(words[0]), [*words, "--help"])
    assert done.exit_code == 0, f"calza {' '.join(words)}: {done.output}"


def test_the_page_about_docker_calls_our_programs_as_they_want_to_be() -> None:
    text = (ROOT / "docs/docker.md").read_text(encoding="utf-8")
    called = re.findall(r"exec (?:-T )?server calza ([^`\n;]+)", text)
    assert len(called) >= 5
    for words in called:
        assert_accepted(words.split())


def ours(service: Service) -> list[list[str]]:
    """The words behind `calza` of every command line in a service, in its scripts too."""
    found = [words[1:] for words in (service.argv, service.health) if words[:1] == ["calza"]]
    texts = [word for word in service.argv if "\n" in word]
    texts += [
        (ROOT / mount.source / Path(word).name).read_text(encoding="utf-8")
        for word in service.argv
        for mount in service.mounts
        if word.startswith(f"{mount.target}/") and word.endswith(".sh")
    ]
    for text in texts:
        lines = [line.partition(" #")[0] for line in text.replace("\\\n", " ").splitlines()]
        called = [words for line in lines for words in re.findall(r"(?:^|\s)calza ([^|>;]*)", line)]
        found += [[word.strip('"').replace("$CALZA_HOST", "h") for word in words.split()] for words in called]
    return found


def test_only_gateways_come_in_from_outside() -> None:
    opened = {
        (service.name, door["host"], door["inside"])
        for service in SERVICES
        for door in map(DOOR.fullmatch, service.raw.get("ports", ()))
        if door
    }
    assert opened == {
        ("mosquitto", "0.0.0.0", "8883"),
        ("server", "127.0.0.1", "8443"),
        ("grafana", "127.0.0.1", "3000"),
    }
    assert sum(len(service.raw.get("ports", ())) for service in SERVICES) == len(opened)


def test_what_holds_the_readings_can_be_reached_from_inside_alone() -> None:
    assert PROJECT.networks["inside"] == {"internal": True}
    for name in ("init", "influxdb", "ingest"):
        assert PROJECT.services[name].raw["networks"] == ["inside"]
    networks = [name for service in SERVICES for name in service.raw.get("networks", ())]
    assert set(networks) == set(PROJECT.networks)
    assert all("network_mode" not in service.raw for service in ALONE.services.values())


def test_the_broker_sees_nothing_of_the_servers_state() -> None:
    assert {mount.source for mount in PROJECT.services["mosquitto"].mounts} == {
        "./deploy/mosquitto",
        "broker",
        "sessions",
    }
    readers = {each.name for each in SERVICES if "broker" in {mount.source for mount in each.mounts}}
    assert readers == {"init", "mosquitto", "server", "sim-register"}


def test_two_workers_share_the_work_and_write_nothing_here() -> None:
    ingest = PROJECT.services["ingest"]
    assert ingest.raw["deploy"]["replicas"] == 2
    assert [mount.read_only for mount in ingest.mounts] == [True]


def test_every_volume_belongs_to_a_folder_an_image_of_ours_made_or_to_its_own_image() -> None:
    """A new volume takes its owner from the image it is first mounted in; one that is root's could not be written."""
    made = re.findall(r"/var/lib/calza[\w-]*", (ROOT / "server/Dockerfile").read_text(encoding="utf-8"))
    made += re.findall(r"/var/lib/calza[\w-]*", (ROOT / "gateway/Dockerfile").read_text(encoding="utf-8"))
    own = {"influx": "/var/lib/influxdb2", "grafana": "/var/lib/grafana"}
    for volume in PROJECT.volumes:
        targets = {mount.target for each in SERVICES for mount in each.mounts if mount.source == volume}
        assert targets, f"nobody uses the volume {volume}"
        assert targets <= set(made) or targets == {own.get(volume)}


def test_the_example_names_every_variable_with_its_default() -> None:
    found = dict(variables(COMPOSE.read_text(encoding="utf-8")))
    assert dict(variables(SIMULATED.read_text(encoding="utf-8"))).items() <= found.items()
    given = example()
    assert given.keys() == found.keys()
    assert {name: given[name] for name, default in found.items() if default is not None} == {
        name: default for name, default in found.items() if default is not None
    }
    assert not any(SECRET_NAME.search(name) for name in given)


def test_secrets_are_drawn_once_long_and_where_nobody_else_looks(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    for _ in range(2):
        subprocess.run([ROOT / "deploy/secrets.sh", folder], check=True, capture_output=True)
        texts = {path.name: path.read_text(encoding="ascii") for path in folder.iterdir()}
    assert texts.keys() == PROJECT.secrets.keys()
    assert {secret["file"] for secret in PROJECT.secrets.values()} == {f"./secrets/{name}" for name in texts}
    assert all(re.fullmatch(r"[0-9a-f]{64}", text) for text in texts.values())
    assert len(set(texts.values())) == len(texts)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # Compose hands the file over with its mode, and the reader in the container is another user.
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    before = texts
    subprocess.run([ROOT / "deploy/secrets.sh", folder], check=True, capture_output=True)
    assert {path.name: path.read_text(encoding="ascii") for path in folder.iterdir()} == before


def test_secrets_stay_out_of_git_and_out_of_images() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {".env", "/secrets/"} <= set(ignored)
    listed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in listed, "nothing is handed to the builder but what is named"
    assert not {"!secrets", "!.env", "!.calza", "!deploy"} & set(listed)


@pytest.mark.parametrize("path", [COMPOSE, SIMULATED], ids=lambda path: path.name)
def test_no_key_is_written_twice(path: Path) -> None:
    """YAML takes the last of two without a word."""

    def look(node: Any) -> None:
        if node.id == "mapping":
            names = [key.value for key, _ in node.value]
            assert len(set(names)) == len(names), names
        for each in node.value if node.id != "scalar" else ():
            for part in each if isinstance(each, tuple) else (each,):
                look(part)

    look(yaml.compose(path.read_text(encoding="utf-8")))


def test_compose_itself_accepts_the_files() -> None:
    """The published schema always; Docker's own reader too where it is installed."""
    asked = []
    if find_spec("check_jsonschema"):
        schema = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
        asked.append([*schema, str(COMPOSE), str(SIMULATED)])
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        files = ["-f", str(COMPOSE), "-f", str(SIMULATED), "--env-file", str(ROOT / ".env.example")]
        asked.append([docker, "compose", *files, "config", "--quiet"])
    if not asked:
        pytest.skip("neither check-jsonschema nor docker compose is here: the development packages bring the former")
    for words in asked:
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1"})
        assert done.returncode == 0, done.stdout + done.stderr
