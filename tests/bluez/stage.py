"""What stands around the machine, on the host: the stockings on their radio, and a server with its broker.

Everything is a process of its own, started by the command line that a user would type.
"""

import json
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from calza_demo.processes import Child, Children
from tests.bluez.machine import Machine

READY_LIMIT_S = 120.0
GATEWAY = "bedside"

Identity = tuple[str, str, int]
"""Stocking, log id, record number."""


@dataclass(frozen=True, slots=True)
class Garment:
    """One simulated stocking as its label shows it."""

    serial: str
    side: str
    address: str
    passkey: str


@dataclass(frozen=True, slots=True)
class Radio:
    """A running simulator."""

    state: Path
    hci_port: int
    control: str
    stockings: tuple[Garment, ...]


@dataclass(frozen=True, slots=True)
class Clinic:
    """A running server with a broker of its own and one gateway's password."""

    state: Path
    mqtt_port: int
    password: str
    child: Child

    @property
    def environment(self) -> dict[str, str]:
        """What a gateway in the machine has to be told, and on which radio it shall be."""
        return {
            "CALZA_GATEWAY_ID": GATEWAY,
            "CALZA_GATEWAY_RADIO": "bluez",
            "CALZA_GATEWAY_STATE": ".calza/gateway",  # where `pair` keeps it when it is not told
            "CALZA_GATEWAY_BROKER": f"mqtt://127.0.0.1:{self.mqtt_port}",
            "CALZA_GATEWAY_PASSWORD": self.password,
        }

    async def stop(self) -> None:
        """End the server; its store can then be read at rest."""
        await self.child.stop()

    def count(self) -> int:
        """How many records the store holds; none before it has been made."""
        if not (self.state / "series.db").exists():
            return 0
        with sqlite3.connect(f"file:{self.state / 'series.db'}?mode=ro", uri=True) as store:
            return int(store.execute("SELECT count(*) FROM block").fetchone()[0])

    def in_store(self) -> list[tuple[Identity, str]]:
        """Identity and SHA-256 of every row in the store, read past the server with nothing but SQLite."""
        with sqlite3.connect(f"file:{self.state / 'series.db'}?mode=ro", uri=True) as store:
            rows = store.execute("SELECT serial, log_id, record, body FROM block JOIN log ON log.key = block.log")
            return [
                ((serial, log_id.hex(), record), sha256(record.to_bytes(4, "little") + body).hexdigest())
                for serial, log_id, record, body in rows
            ]


async def start_radio(children: Children, state: Path, *words: str) -> Radio:
    """`calza sim run` with these words."""
    simulator = await children.start("simulator", "sim", "run", "--state", str(state), "--json", *words)
    ready = await simulator.wait_for("ready", READY_LIMIT_S)
    stockings = ready["stockings"]
    assert isinstance(stockings, list)
    garments = tuple(
        Garment(each["serial"], each["side"], each["address"], f"{each['passkey']:06d}") for each in stockings
    )
    return Radio(state, int(str(ready["hci"]).rpartition(":")[2]), str(ready["control"]), garments)


async def start_clinic(children: Children, state: Path, radio: Radio) -> Clinic:
    """A new server that knows the stockings and one gateway, and holds no record yet."""
    legs = [word for each in radio.stockings for word in ("--leg", f"{each.serial}={each.side}")]
    await children.run(
        "register",
        *("server", "register", "--state", str(state), "--fleet", str(radio.state / "fleet.json")),
        *legs,
    )
    (added,) = await children.run("credential", "server", "gateway", "add", GATEWAY, "--state", str(state), "--json")
    server = await children.start("server", "server", "run", "--state", str(state), "--http-port", "0", "--json")
    ready = await server.wait_for("ready", READY_LIMIT_S)
    return Clinic(state, int(str(ready["mqtt"]).rpartition(":")[2]), str(added["password"]), server)


def in_flash(radio: Radio) -> dict[Identity, str]:
    """SHA-256 of every record in the stockings' flash, read from the chips' files."""
    words = ["sim", "flash", "--state", str(radio.state), "--json"]
    printed = subprocess.run([sys.executable, "-m", "calza", *words], check=True, capture_output=True, text=True).stdout
    return {
        (stocking["serial"], stocking["log_id"], record["record"]): record["sha256"]
        for stocking in json.loads(printed)["stockings"]
        for record in stocking["records"]
    }


async def write_labels(machine: Machine, radio: Radio) -> None:
    """Put each stocking's passkey where `calza gateway pair --passkey-file /label/SERIAL` finds it."""
    await machine.sh("mkdir -p /label")
    for each in radio.stockings:
        await machine.sh(f"echo {each.passkey} >/label/{each.serial}")
