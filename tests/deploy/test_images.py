"""The two Dockerfiles: lean, pinned, nobody's root; the lists of what they install are parts of the one lock."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.compose_file import ROOT, instructions, last_stage, read_image
from tests.deploy.lean import locked
from tests.deploy.test_compose_file import assert_accepted

DOCKERFILES = [ROOT / "server/Dockerfile", ROOT / "gateway/Dockerfile"]
LEAN = ("gateway", "server", "sim")
SCRIPTS = sorted((ROOT / "deploy").rglob("*.sh"))
BUILDS = re.compile(r"\b(apt-get|apk|gcc|g\+\+|make|build-essential|pip|curl|wget)\b")

each_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)


def linter(name: str) -> str:
    """A program beside our Python, or anywhere."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    return found or pytest.skip(f"{name} is not installed: the development packages bring it")


@each_dockerfile
def test_it_is_built_in_stages_from_one_pinned_image(path: Path) -> None:
    found = instructions(path)
    assert found[0] == ("ARG", "PYTHON=python:3.11.14-slim-bookworm")
    assert [rest for name, rest in found if name == "FROM"] == ["${PYTHON} AS build", "${PYTHON}"]


@each_dockerfile
def test_what_is_shipped_builds_nothing_and_fetches_nothing(path: Path) -> None:
    shipped = last_stage(path)
    assert not [rest for name, rest in shipped if name == "RUN" and BUILDS.search(rest)]
    assert [rest for name, rest in shipped if name == "COPY"] == ["--from=build /opt/calza /opt/calza"]
    (made,) = [rest for name, rest in instructions(path) if name == "RUN" and "-m venv" in rest]
    assert "-m venv --without-pip /opt/calza" in made


@each_dockerfile
def test_every_package_comes_as_a_wheel_with_its_hash(path: Path) -> None:
    installs = [each for name, rest in instructions(path) if name == "RUN" for each in rest.split("&&")]
    fetching = [each for each in installs if " install " in each and "-r " in each]
    assert len(fetching) == 2
    assert all("--require-hashes" in each and "--only-binary :all:" in each for each in fetching)
    rest = [each for each in installs if re.search(r"pip\b.* (install|wheel) ", each) and each not in fetching]
    assert rest
    assert all("--no-deps" in each for each in rest), "what is not on the list is not installed"


@each_dockerfile
def test_it_runs_as_a_user_with_a_number_and_says_what_it_is(path: Path) -> None:
    shipped = last_stage(path)
    assert read_image(path).user == "10001:10001"
    names = [name for name, _ in shipped]
    assert "RUN" not in names[names.index("USER") :], "what is prepared as root is prepared before"
    labels = " ".join(rest for name, rest in shipped if name == "LABEL")
    assert all(f"org.opencontainers.image.{name}=" in labels for name in ("title", "description", "licenses"))


@each_dockerfile
def test_it_asks_after_its_own_health_with_its_own_program(path: Path) -> None:
    image = read_image(path)
    assert image.health[:1] == ("calza",)
    for words in (image.health, (*image.entrypoint, *image.command)):
        assert words[0] == "calza"
        assert_accepted(words[1:])


@each_dockerfile
def test_what_is_copied_exists_and_is_handed_to_the_builder(path: Path) -> None:
    handed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    for name, rest in instructions(path):
        if name != "COPY" or rest.startswith("--from"):
            continue
        *sources, _ = rest.split()
        for source in sources:
            for part in LEAN if "${PART}" in source else ("",):
                there = source.replace("${PART}", part)
                assert (ROOT / there).exists(), there
                assert f"!{there.partition('/')[0]}" in handed, there


@each_dockerfile
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    done = subprocess.run([linter("hadolint"), "--no-fail", "--format", "json", path], capture_output=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_has_nothing_to_say(path: Path) -> None:
    done = subprocess.run([linter("shellcheck"), path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_can_be_run(path: Path) -> None:
    assert path.stat().st_mode & 0o111


@pytest.mark.parametrize("part", [*LEAN, "build"])
def test_a_lean_list_is_a_part_of_the_whole_lock(part: str) -> None:
    """The same versions with the same hashes, so that an image runs what the tests ran."""
    whole, lean = locked("dev"), locked(part)
    assert lean.keys() <= whole.keys(), f"make lock: {sorted(lean.keys() - whole.keys())}"
    assert {name: whole[name] for name in lean} == lean


def test_lean_lists_are_lean() -> None:
    assert not {"fastapi", "uvicorn", "numpy", "influxdb-client", "amqtt"} & {name for name, _ in locked("gateway")}
    assert not {"bleak", "bumble", "dbus-fast", "amqtt"} & {name for name, _ in locked("server")}
    assert not {"bleak", "dbus-fast", "fastapi", "paho-mqtt"} & {name for name, _ in locked("sim")}
