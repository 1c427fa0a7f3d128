"""The theatre of a clinic that has grown: InfluxDB, TLS, two ingest workers and pages, each a process of its own."""

import asyncio
import base64
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import urllib3

from calza_server.store_spec import InfluxSpec
from tests.e2e.theatre import READY_WITHIN_S, Identity, Theatre, free_port
from tests.server.influx_engine import OwnEngine, engine

WORKERS = ("worker-1", "worker-2")


@dataclass
class Database:
    """A bucket in an InfluxDB that can be killed."""

    engine: OwnEngine
    spec: InfluxSpec

    @property
    def words(self) -> list[str]:
        return ["--store", f"influx+{self.spec.url}?bucket={self.spec.bucket}"]

    def restart(self) -> None:
        """SIGKILL, and again with what it has on disk."""
        self.engine.kill()
        self.engine.start()

    def points(self, statement: str) -> Iterator[dict[str, object]]:
        """Each row of an answer, with the tags of its series."""
        for series in self._ask(statement):
            for values in series["values"]:
                yield {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}

    def _ask(self, statement: str) -> list[dict[str, Any]]:
        """Again for a while: a connection from before the last kill is noticed when it is used."""
        limit = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                return self.engine.query(statement, self.spec)
            except urllib3.exceptions.HTTPError:
                assert time.monotonic() < limit, "influxd does not come back"
                time.sleep(0.1)


@contextmanager
def database() -> Iterator[Database]:
    """An empty one, while the block runs. Skips the test where there is no influxd."""
    with engine() as found, found.bucket() as spec:
        yield Database(found, spec)


@dataclass
class GrownTheatre(Theatre):
    """Killed parts are started again at once, and nobody waits for them (but the broker) before the next is killed."""

    BACKSTAGE: ClassVar[tuple[str, ...]] = ("broker", *WORKERS, "api")
    database: ClassVar[Database]
    servers_port: int = field(default_factory=free_port)

    async def prepare(self) -> None:
        where = ("--state", str(self.server))
        await self.children.run("ca", "server", "ca", *where, "--host", "127.0.0.1", "--host", "localhost", "--json")

    @property
    def ca_file(self) -> Path:
        return self.server / "tls" / "ca.pem"

    @property
    def broker_words(self) -> list[str]:
        return ["--broker", f"mqtts://127.0.0.1:{self.mqtt_port}", "--ca-file", str(self.ca_file)]

    def words(self, part: str) -> list[str]:
        state = ("--state", str(self.server), "--json")
        inside = ("--broker", f"mqtt://127.0.0.1:{self.servers_port}", *self.database.words)
        match part:
            case "broker":
                ports = ("--mqtt-port", str(self.mqtt_port), "--servers-port", str(self.servers_port))
                return ["server", "broker", *state, "--tls", *ports]
            case "worker-1" | "worker-2":
                return ["server", "ingest", *state, *inside]
            case "api":
                return ["server", "api", *state, *inside, "--tls", "--http-port", str(self.http_port)]
        return super().words(part)

    async def start(self, part: str) -> None:
        password = {"CALZA_GATEWAY_PASSWORD": self.password} if part == "gateway" else None
        self.running[part] = await self.children.start(part, *self.words(part), environment=password)
        if part == "broker":  # its first start draws the password that all others log in with
            await self.running[part].wait_for("ready", READY_WITHIN_S)

    async def ready(self) -> None:
        """Wait until everything that was started backstage, or again since the last time, does its work."""
        for part in self.BACKSTAGE[1:]:
            await self.running[part].wait_for("ready", READY_WITHIN_S)

    async def kill(self, part: str) -> None:
        if part != "influxd":
            await super().kill(part)
            return
        self.kills[part] += 1
        await asyncio.to_thread(self.database.restart)

    async def settle(self) -> None:
        await self.ready()
        await super().settle()

    async def until_pages_are_well(self) -> None:
        """Ask their process over TLS, believing our own authority alone, until broker and store answer it."""
        trust = ssl.create_default_context(cafile=self.ca_file)
        async with asyncio.timeout(READY_WITHIN_S):
            while not await asyncio.to_thread(_well, self.http_port, trust):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)

    def in_store(self) -> list[tuple[Identity, str]]:
        """SHA-256 of every record in InfluxDB, read past the server with nothing but InfluxQL."""
        found = []
        for row in self.database.points("SELECT record, body FROM block GROUP BY serial, log_id"):
            record, body = int(str(row["record"])), base64.b64decode(str(row["body"]))
            octets = record.to_bytes(4, "little") + body
            found.append(((str(row["serial"]), str(row["log_id"]), record), sha256(octets).hexdigest()))
        return found

    def refused(self) -> int:
        asked = ("SELECT digest FROM quarantine", "SELECT record FROM evidence")
        return sum(len(list(self.database.points(statement))) for statement in asked)


def _well(port: int, trust: ssl.SSLContext) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=trust, timeout=20)
    try:
        connection.request("GET", "/healthz")
        return bool(json.load(connection.getresponse())["status"] == "ok")
    finally:
        connection.close()
