"""Every part as a process of its own, each of which can be killed and started again with what it has on disk."""

import asyncio
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, TypeVar

from calza_demo.processes import Child, ChildFailed, Children
from calza_sim import faults
from calza_sim.faults import Fault

GATEWAY = "bedside"
READY_WITHIN_S = 60.0
DRAIN_WITHIN_S = 180.0

Identity = tuple[str, str, int]
"""Stocking, log id, record number."""
_Made = TypeVar("_Made", bound="Theatre")


def seed_of_this_run() -> int:
    """The seed in CALZA_TEST_SEED, or a new one; print it, so that a failure can be played again."""
    given = os.environ.get("CALZA_TEST_SEED")
    return int(given) if given else random.SystemRandom().randrange(10**6)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Theatre:
    """Simulator, broker, server and gateway, by name. The simulator goes on living; the rest may die at any moment."""

    BACKSTAGE: ClassVar[tuple[str, ...]] = ("broker", "server")
    """What runs before the gateway, in this order."""

    folder: Path
    children: Children
    radio: str
    control: str
    mqtt_port: int
    http_port: int
    password: str
    running: dict[str, Child] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def words(self, part: str) -> list[str]:
        """The command line of a part."""
        match part:
            case "broker":
                return ["server", "broker", "--state", str(self.server), "--mqtt-port", str(self.mqtt_port), "--json"]
            case "server":
                return [
                    *("server", "run", "--state", str(self.server), "--json", "--http-port", str(self.http_port)),
                    *("--broker", f"mqtt://127.0.0.1:{self.mqtt_port}"),
                ]
            case "gateway":
                return [*self.gateway_words, "--interval", "0.2"]
        raise ValueError(part)

    @property
    def server(self) -> Path:
        return self.folder / "server"

    @property
    def gateway_words(self) -> list[str]:
        return [
            *("gateway", "run", "--state", str(self.folder / "gateway"), "--id", GATEWAY, "--json"),
            *("--radio", self.radio, *self.broker_words),
        ]

    @property
    def broker_words(self) -> list[str]:
        """How the gateway is told of its broker."""
        return ["--broker", f"mqtt://127.0.0.1:{self.mqtt_port}"]

    async def prepare(self) -> None:
        """What must be there before anything of the server starts."""

    async def start(self, part: str) -> None:
        """Start a part and, except for the gateway, wait until it is ready."""
        password = {"CALZA_GATEWAY_PASSWORD": self.password} if part == "gateway" else None
        child = await self.children.start(part, *self.words(part), environment=password)
        self.running[part] = child
        if part != "gateway":
            await child.wait_for("ready", READY_WITHIN_S)

    async def kill(self, part: str) -> None:
        """SIGKILL a part (or drop the radio), then bring it back."""
        self.kills[part] += 1
        if part == "radio":
            await asyncio.to_thread(faults.ask, self.control, Fault("drop", seconds=1.5))
            return
        child = self.running.pop(part)
        with suppress(ProcessLookupError):
            os.kill(child.process.pid, signal.SIGKILL)
        await child.process.wait()
        await self.start(part)

    async def settle(self) -> None:
        """End the gateway that loops and let one more fetch what is left until everything is receipted."""
        await self.running.pop("gateway").stop()
        last = await self.children.start(
            "gateway-last",
            *(*self.gateway_words, "--once", "--timeout", f"{DRAIN_WITHIN_S:g}"),
            environment={"CALZA_GATEWAY_PASSWORD": self.password},
        )
        events = [event async for event in last.events()]
        if await last.process.wait() != 0:
            raise ChildFailed(f"the last sync failed: {events[-5:]}")

    def in_flash(self) -> dict[Identity, str]:
        """SHA-256 of every record in the stockings' flash, read from the chips' files."""
        found: dict[Identity, str] = {}
        for stocking in json.loads(_run("sim", "flash", "--state", str(self.folder / "sim"), "--json"))["stockings"]:
            for record in stocking["records"]:
                found[stocking["serial"], stocking["log_id"], record["record"]] = record["sha256"]
        return found

    def in_store(self) -> list[tuple[Identity, str]]:
        """The same of every row in the server's store, read past the server with nothing but SQLite."""
        with sqlite3.connect(f"file:{self.server / 'series.db'}?mode=ro", uri=True) as store:
            rows = store.execute("SELECT serial, log_id, record, body FROM block JOIN log ON log.key = block.log")
            return [
                ((serial, log_id.hex(), record), sha256(record.to_bytes(4, "little") + body).hexdigest())
                for serial, log_id, record, body in rows
            ]

    def refused(self) -> int:
        """Rows in the server's quarantine and evidence."""
        with sqlite3.connect(f"file:{self.server / 'series.db'}?mode=ro", uri=True) as store:
            (count,) = store.execute(
                "SELECT (SELECT count(*) FROM quarantine) + (SELECT count(*) FROM evidence)"
            ).fetchone()
            return int(count)


def _run(*words: str) -> str:
    return subprocess.run([sys.executable, "-m", "calza", *words], check=True, capture_output=True, text=True).stdout


@asynccontextmanager
async def theatre(folder: Path, made: type[_Made], *, days: int, seed: int) -> AsyncIterator[_Made]:
    """Two paired stockings with `days` of log each, and everything backstage; no gateway running yet."""
    async with Children(folder / "logs") as children:
        simulator = await children.start(
            "simulator",
            *("sim", "run", "--state", str(folder / "sim"), "--seed", str(seed), "--days", str(days), "--json"),
            *("--stocking", "CALZA-0001:left:perfect", "--stocking", "CALZA-0002:right:falls-short"),
        )
        ready = await simulator.wait_for("ready", READY_WITHIN_S)
        state = str(folder / "server")
        await children.run(
            "register",
            *("server", "register", "--state", state, "--fleet", str(folder / "sim" / "fleet.json")),
            *("--leg", "CALZA-0001=left", "--leg", "CALZA-0002=right"),
        )
        (added,) = await children.run("credential", "server", "gateway", "add", GATEWAY, "--state", state, "--json")
        here = made(
            folder, children, str(ready["hci"]), str(ready["control"]), free_port(), free_port(), str(added["password"])
        )
        await here.prepare()
        for part in here.BACKSTAGE:
            await here.start(part)
        stockings = ready["stockings"]
        assert isinstance(stockings, list)
        for stocking in stockings:
            label = folder / "label.txt"
            label.write_text(f"{stocking['passkey']:06d}\n", encoding="utf-8")
            await children.run(
                "pair",
                *("gateway", "pair", stocking["address"], "--passkey-file", str(label), "--json"),
                *("--radio", here.radio, "--state", str(folder / "gateway")),
            )
        yield here
