"""Reads docker-compose.yml and the Dockerfiles as far as our tests need it: merged, interpolated, by service."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

yaml: Any = importlib.import_module("yaml")  # PyYAML carries no types

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SIMULATED = ROOT / "docker-compose.sim.yml"
EXAMPLE = ROOT / ".env.example"
# $$, ${NAME}, ${NAME:-default}, ${NAME:?sentence}
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume or a file of ours in a container. `source` is a volume's name, or a path in the repository."""

    source: str
    target: str
    read_only: bool

    @property
    def is_volume(self) -> bool:
        return not self.source.startswith(".")


@dataclass(frozen=True, slots=True)
class Image:
    """What the last stage of a Dockerfile says of the containers made from it."""

    path: Path
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    health: tuple[str, ...]
    user: str


@dataclass(frozen=True, slots=True)
class Service:
    """One service, everything interpolated; `raw` is the YAML of it."""

    name: str
    raw: Mapping[str, Any]
    image: Image | None

    @property
    def argv(self) -> list[str]:
        """Entry point and command, as Compose makes them of the file and the image."""
        entrypoint, command = self.raw.get("entrypoint"), self.raw.get("command")
        if entrypoint is None and self.image is not None:
            entrypoint = self.image.entrypoint
            command = command if command is not None else self.image.command
        return [*_words(entrypoint), *_words(command)]

    @property
    def health(self) -> list[str]:
        """The program of the health check; none for a service that only runs once."""
        check = self.raw["healthcheck"]
        if check.get("disable"):
            return []
        kind, *words = check["test"]
        assert kind == "CMD", f"{self.name}: without a shell, words stay words"
        return [str(word) for word in words]

    @property
    def environment(self) -> dict[str, str]:
        """What the image and the file set."""
        own = {name: str(value) for name, value in self.raw.get("environment", {}).items()}
        return {**(self.image.environment if self.image else {}), **own}

    @property
    def mounts(self) -> list[Mount]:
        """In the order of the file."""
        return [_mount(each) for each in self.raw.get("volumes", ())]

    @property
    def secrets(self) -> list[str]:
        """Names of secrets, each a file in /run/secrets."""
        return list(self.raw.get("secrets", ()))

    @property
    def tmpfs(self) -> list[str]:
        """Folders in memory."""
        return [each.partition(":")[0] for each in self.raw.get("tmpfs", ())]

    @property
    def waits_for(self) -> dict[str, str]:
        """Services that come first, and the condition."""
        return {name: each["condition"] for name, each in self.raw.get("depends_on", {}).items()}

    @property
    def once(self) -> bool:
        """Whether it runs to its end and is not started again."""
        return bool(self.raw["restart"] == "no")


@dataclass(frozen=True, slots=True)
class Project:
    """One or several files together."""

    services: Mapping[str, Service]
    networks: Mapping[str, Any]
    volumes: Mapping[str, Any]
    secrets: Mapping[str, Any]

    def in_order(self) -> list[Service]:
        """As Compose starts them: each after those it waits for."""
        started: dict[str, Service] = {}

        def start(service: Service) -> None:
            for name in service.waits_for:
                start(self.services[name])
            started.setdefault(service.name, service)

        for service in self.services.values():
            start(service)
        return list(started.values())


def read(*paths: Path, environment: Mapping[str, str]) -> Project:
    """The files as one project. Files of ours share no service, so nothing has to be merged within one."""
    documents = [_interpolated(yaml.safe_load(path.read_text(encoding="utf-8")), environment) for path in paths]
    raws: dict[str, Any] = {}
    for document in documents:
        assert not raws.keys() & document["services"].keys()
        raws |= document["services"]
    dockerfiles = {raw["image"]: ROOT / raw["build"]["dockerfile"] for raw in raws.values() if "build" in raw}
    images = {name: read_image(path) for name, path in dockerfiles.items()}
    services = {name: Service(name, raw, images.get(raw["image"])) for name, raw in raws.items()}
    rest = {part: {k: v for each in documents for k, v in each.get(part, {}).items()} for part in PARTS}
    return Project(services, **rest)


PARTS = ("networks", "volumes", "secrets")


def variables(text: str) -> Iterator[tuple[str, str | None]]:
    """Every variable of a compose file with its default, None if it must be set."""
    for found in VARIABLE.finditer(text):
        if name := found["name"]:
            yield name, found["rest"] if found["how"] == "-" else None


def example() -> dict[str, str]:
    """`.env.example`."""
    lines = (line.strip() for line in EXAMPLE.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def instructions(path: Path) -> list[tuple[str, str]]:
    """A Dockerfile's instructions with their arguments, continued lines joined, comments left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [(name.upper(), " ".join(rest.split())) for name, rest in pairs]


def last_stage(path: Path) -> list[tuple[str, str]]:
    """The instructions after the last FROM, it included: what ends up in the image."""
    found = instructions(path)
    return found[max(at for at, (name, _) in enumerate(found) if name == "FROM") :]


def read_image(path: Path) -> Image:
    """What the last stage says."""
    environment: dict[str, str] = {}
    exec_forms: dict[str, tuple[str, ...]] = {}
    user = ""
    for name, rest in last_stage(path):
        match name:
            case "ENV":
                environment |= dict(word.split("=", 1) for word in shlex.split(rest))
            case "ENTRYPOINT" | "CMD":
                exec_forms[name] = tuple(json.loads(rest))
            case "HEALTHCHECK":
                exec_forms[name] = tuple(json.loads(rest.partition("CMD ")[2]))
            case "USER":
                user = rest
    return Image(path, environment, exec_forms["ENTRYPOINT"], exec_forms["CMD"], exec_forms["HEALTHCHECK"], user)


def _interpolated(node: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _interpolated(value, environment) for key, value in node.items()}
    if isinstance(node, list):
        return [_interpolated(each, environment) for each in node]
    return VARIABLE.sub(lambda found: _value(found, environment), node) if isinstance(node, str) else node


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    if value := environment.get(found["name"]):
        return value
    assert found["how"] == "-", f"{found['name']} must be set: {found['rest']}"
    return found["rest"]


def _words(given: Any) -> list[str]:
    return shlex.split(given) if isinstance(given, str) else [str(word) for word in given or ()]


def _mount(given: Any) -> Mount:
    if isinstance(given, dict):
        return Mount(given["source"], given["target"], bool(given.get("read_only")))
    source, target, *mode = given.split(":")
    return Mount(source, target, mode == ["ro"])
