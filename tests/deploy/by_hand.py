"""Starts what docker-compose.yml says without a Docker engine: the same programs, arguments, settings, files and order.

Every service becomes a process with the environment of its container and nothing of ours. Where a container would see
a volume, a secret or another container, its words are given the folder, file or port that stands for it here; each such
change is printed. InfluxDB 2 and Grafana cannot be had here: Debian's InfluxDB 1.6 stands in for the one, nobody for
the other.
"""

from __future__ import annotations

import functools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy import contained, lean
from tests.deploy.compose_file import ROOT, Project, Service

STANDS_IN = {"influxdb", "grafana"}
PORTS = ("8883", "8884", "8443", "9465", "7800", "7801")
PART_OF_IMAGE = {"calza-server": "server", "calza-gateway": "gateway", "calza-sim": "sim"}
QUIET_PORTS = range(
    20_000, 32_000
)  # below those Linux gives to outgoing connections: a free one is free a minute later
DEBIAN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HEALTHY_WITHIN_S = 90.0  # the longest start period; a fortnight is simulated on whatever machine this is
STOPS_WITHIN_S = 30.0  # stop_grace_period
ASK_EVERY_S = 0.5


@functools.cache
def can_contain() -> bool:
    """Whether this machine lets an ordinary user have a user namespace of his own."""
    words = [sys.executable, contained.__file__, "--", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@dataclass
class Container:
    """One running service; `number` tells replicas apart."""

    service: Service
    number: int
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class Machine:
    """The machine Compose would run on: folders for its volumes, ports for its networks."""

    project: Project
    folder: Path
    influx_port: int
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    running: list[Container] = field(default_factory=list)
    _programs: dict[str, Path] = field(default_factory=dict)
    _told: set[tuple[str, str]] = field(default_factory=set)

    def up(self) -> None:
        """Start everything as `docker compose up --wait` does: one-shots end, the rest gets healthy, in order."""
        subprocess.run([ROOT / "deploy/secrets.sh", self.folder / "secrets"], check=True)
        how = "as user 10001 with a read-only root" if can_contain() else "as we are: no user namespaces here"
        self.say(f"programs run {how}")
        for service in self.project.in_order():
            if service.name in STANDS_IN:
                continue
            if service.once:
                self.run(service, service.argv)
                continue
            for number in range(service.raw["deploy"].get("replicas", 1)):
                self.start(service, number)
            for number in range(service.raw["deploy"].get("replicas", 1)):
                self.wait_healthy(service, number)

    def start(self, service: Service, number: int = 0) -> Container:
        """Start a service that stays."""
        log = self.folder / f"logs/{service.name}-{number}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.words(service, service.argv, number),
                env=self.environment(service, number),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.running.append(Container(service, number, process, log))
        return self.running[-1]

    def run(self, service: Service, argv: Sequence[str], number: int = 0) -> str:
        """Run a program in a service's place to its end, as `docker compose exec` or a one-shot; what it printed."""
        done = self.try_run(service, argv, number)
        assert done.returncode == 0, f"{service.name}: {' '.join(argv)}: {done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def try_run(self, service: Service, argv: Sequence[str], number: int = 0) -> subprocess.CompletedProcess[str]:
        """The same, however it ends."""
        return subprocess.run(
            self.words(service, argv, number),
            env=self.environment(service, number),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_healthy(self, service: Service, number: int) -> None:
        """Ask by the service's own health check until it is well."""
        limit = time.monotonic() + HEALTHY_WITHIN_S
        while (asked := self.try_run(service, service.health, number)).returncode != 0:
            ended = [c for c in self.running if c.service is service and c.process.poll() is not None]
            assert not ended, f"{service.name} ended\n{self.logs()}"
            assert time.monotonic() < limit, f"{service.name}: {asked.stdout}{asked.stderr}\n{self.logs()}"
            time.sleep(ASK_EVERY_S)

    def down(self) -> dict[str, int]:
        """Stop everything, last started first; exit codes. What does not end in time is killed and told as -9."""
        codes = {}
        while self.running:
            container = self.running.pop()
            container.process.terminate()
            try:
                container.process.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                os.killpg(container.process.pid, signal.SIGKILL)
                container.process.wait()
            codes[f"{container.service.name}-{container.number}"] = container.process.returncode
        return codes

    def logs(self) -> str:
        """The end of every log, for whoever reads a failure."""
        paths = sorted((self.folder / "logs").glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in paths)

    # --- what a container would see, in the words of this machine -----------------------------------------------------

    def words(self, service: Service, argv: Sequence[str], number: int) -> list[str]:
        """A command line as it can be run here."""
        here = [self.here(service, word, number) for word in argv]
        if not can_contain():
            return here
        places = [self._place(service, mount.target) for mount in service.mounts if not mount.read_only]
        writable = [str(place) for place in places] + [str(self._memory(service, number))]
        return [sys.executable, "-I", "-S", contained.__file__, *writable, "--", *here]

    def environment(self, service: Service, number: int) -> dict[str, str]:
        """A container's environment; PATH and TMPDIR are ours."""
        own = {name: self.here(service, value, number) for name, value in service.environment.items()}
        program = self._program(service)
        own["PATH"] = f"{program.parent}:{os.environ['PATH']}:{DEBIAN}" if program else f"{os.environ['PATH']}:{DEBIAN}"
        return own | {"TMPDIR": str(self._memory(service, number))}

    def here(self, service: Service, text: str, number: int = 0) -> str:
        """A text of the compose file with the places of this machine. Printed when it changes something."""
        targets = sorted((mount.target for mount in service.mounts), key=len, reverse=True)
        paths = "|".join(rf"{re.escape(target)}(?![\w-])" for target in targets) or r"(?!)"
        pattern = rf"(?P<path>{paths})|/run/secrets/(?P<secret>\w+)|(?P<influx>influxdb:8086)"
        pattern += rf"|(?:(?:mosquitto|server):)?(?<![\w.])(?P<port>{'|'.join(PORTS)})(?!\w)"

        def replaced(found: re.Match[str]) -> str:
            if found["path"]:
                return str(self._place(service, found["path"]))
            if found["secret"]:
                return str(self.folder / "secrets" / found["secret"])
            if found["influx"]:
                return f"127.0.0.1:{self.influx_port}"
            host = "127.0.0.1:" if ":" in found[0] else ""
            return host + self.port(found["port"], number)

        changed = re.sub(pattern, replaced, text)
        if changed != text and (text, changed) not in self._told:
            self._told.add((text, changed))
            self.say(f"{service.name}: {text.strip()!r} is {changed.strip()!r} here")
        return changed

    def port(self, inside: str, number: int = 0) -> str:
        """The port of this machine for one of a container. Every replica has its own; the rest is shared by all."""
        key = (inside, number if inside == "9465" else 0)
        while key not in self.ports:
            drawn = random.choice(QUIET_PORTS)
            with socket.socket() as probe:
                if drawn not in self.ports.values() and probe.connect_ex(("127.0.0.1", drawn)) != 0:
                    self.ports[key] = drawn
        return str(self.ports[key])

    def volume(self, name: str) -> Path:
        """The folder that stands for a volume."""
        return self.folder / "volumes" / name

    def say(self, sentence: str) -> None:
        """For whoever reads the test's output."""
        sys.stdout.write(f"{sentence.replace(str(self.folder), '...')}\n")

    def _place(self, service: Service, target: str) -> Path:
        (mount,) = [each for each in service.mounts if each.target == target]
        if mount.is_volume:
            place = self.volume(mount.source)
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            return place
        place = self.folder / mount.source
        if not place.exists():
            shutil.copytree(ROOT / mount.source, place)
            for conf in place.glob("*.conf"):
                conf.write_text(self._mosquitto(service, conf.read_text(encoding="utf-8")), encoding="utf-8")
        return place

    def _mosquitto(self, service: Service, text: str) -> str:
        """Mosquitto's own file: its paths and ports, and loopback only."""
        lines = [self.here(service, line) for line in text.splitlines()]
        lines = [f"{line} 127.0.0.1" if line.startswith("listener ") else line for line in lines]
        if os.geteuid() == 0 and not can_contain():
            lines.append("user root")  # or it becomes a user who may not read the files of ours
        return "\n".join(lines) + "\n"

    def _memory(self, service: Service, number: int) -> Path:
        """A service's own folder for what is passing: its tmpfs."""
        place = self.folder / "tmpfs" / f"{service.name}-{number}"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _program(self, service: Service) -> Path | None:
        part = PART_OF_IMAGE.get(service.raw["image"].partition(":")[0])
        if part is None:
            return None
        if part not in self._programs:
            self._programs[part] = lean.program(part, self.folder / "images" / part)
        return self._programs[part]
