"""The play: fit two stockings, pair them, fetch their logs, ask for the verdicts. Each part is a process of its own.

Knows the order of things and the commands' JSON; not a terminal, not a radio, not a database.
"""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from calza_demo.answers import LegAnswer, ask_legs
from calza_demo.prescription import Order, log_days, order_beginning_at
from calza_demo.processes import Child, ChildFailed, Children, Event, last_sentence
from calza_demo.truth import TrueLeg, true_leg
from calza_sim.state_folder import read_plan

GATEWAY = "demo"
READY_WITHIN_S = 60.0  # a cold disk on a small machine; a warm one needs two seconds
BROKERS = {
    "mosquitto": "Broker: Mosquitto",
    "amqtt": "Broker: amqtt, in place of Mosquitto, which is not installed or not wanted: good for trying out only",
}
CAST = (("CALZA-LEFT", "left"), ("CALZA-RIGHT", "right"))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line, and when (Unix seconds). Ports of 0 mean any free one."""

    state: Path
    left: str
    right: str
    seed: int
    http_port: int
    broker: str
    paced: bool
    once: bool
    now_s: float


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg at the end of the play: the server's answer, and the truth it is held against."""

    answer: LegAnswer
    truth: TrueLeg


class Audience(Protocol):
    """Whoever watches: a terminal, a log, nobody."""

    def say(self, sentence: str) -> None:
        """One step of the play."""

    def fetching(self, serial: str, fetched: int, expected: int) -> None:
        """Records of one stocking that have arrived at the gateway, of those expected."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything is running."""

    server_url: str
    order: Order
    gateway: Child
    scenarios: Mapping[str, str]
    seed: int
    fitted_s: float

    async def legs(self) -> list[Leg]:
        """The server's verdicts now, each with the truth."""
        return [Leg(answer, self._truth(answer.side)) for answer in await ask_legs(self.server_url)]

    def _truth(self, side: str) -> TrueLeg:
        return true_leg(self.scenarios[side], seed=self.seed, fitted_s=self.fitted_s, timezone="UTC", order=self.order)


@asynccontextmanager
async def stage(wishes: Wishes, audience: Audience) -> AsyncIterator[Stage]:
    """Set the stage; when the body ends, everything that was started is gone. Raises ChildFailed with one sentence."""
    folders = {name: wishes.state / name for name in ("sim", "server", "gateway")}
    scenarios = {"left": wishes.left, "right": wishes.right}
    async with Children(wishes.state / "logs") as children:
        audience.say("Fitting two stockings and starting broker and server")
        simulator = await children.start("simulator", *_simulator(wishes, folders["sim"], scenarios))
        server = await children.start("server", *_server(wishes, folders["server"]))
        radio = await simulator.wait_for("ready", READY_WITHIN_S)
        served = await server.wait_for("ready", READY_WITHIN_S)
        audience.say(BROKERS.get(str(served["broker"]), f"Broker: {served['broker']}"))
        plan = read_plan(folders["sim"])
        if plan is None:
            raise ChildFailed("the simulator left no plan of its stockings")
        order = order_beginning_at(plan.start_s)
        await _register(children, wishes.state, folders, order)
        password = await _credential(children, folders["server"])
        spec = str(radio["hci"])
        for stocking in _stockings(radio):
            audience.say(f"Pairing with {stocking['serial']} by the passkey on its label")
            await _pair(children, spec, folders["gateway"], stocking)
        gateway = await children.start(
            "gateway",
            *("gateway", "run", "--radio", spec, "--state", str(folders["gateway"]), "--id", GATEWAY, "--json"),
            *("--broker", str(served["mqtt"]), "--once" if wishes.once else "--live"),
            environment={"CALZA_GATEWAY_PASSWORD": password},
        )
        yield Stage(str(served["http"]), order, gateway, scenarios, wishes.seed, plan.start_s)


async def fetched(gateway: Child, audience: Audience) -> None:
    """Follow the gateway until it has read every stocking and each record is confirmed stored. Raises ChildFailed."""
    unread = {serial for serial, _ in CAST}
    async for event in gateway.events():
        match event.get("event"):
            case "progress":
                audience.fetching(str(event["serial"]), _whole(event["fetched"]), _whole(event["expected"]))
            case "sync_ended":
                unread.discard(str(event["serial"]))
            case "drained" if not unread:
                return
            case "error":
                audience.say(str(event.get("sentence", "the gateway reports an error")))
    if await gateway.process.wait() != 0:  # asked for one round, it ends by itself, and well when all is confirmed
        raise ChildFailed(last_sentence(gateway.log))


def _simulator(wishes: Wishes, folder: Path, scenarios: Mapping[str, str]) -> list[str]:
    days = log_days(wishes.now_s)
    words = ["sim", "run", "--state", str(folder), "--seed", str(wishes.seed), "--days", f"{days:.6f}", "--json"]
    for serial, side in CAST:
        words += ["--stocking", f"{serial}:{side}:{scenarios[side]}"]
    return words if wishes.paced else [*words, "--unpaced"]


def _server(wishes: Wishes, folder: Path) -> list[str]:
    words = ["server", "run", "--state", str(folder), "--broker", wishes.broker, "--json"]
    return [*words, "--http-port", str(wishes.http_port), "--mqtt-port", "0"]


async def _register(children: Children, state: Path, folders: Mapping[str, Path], order: Order) -> None:
    document = _write(state / "order.json", json.dumps(order, indent=2) + "\n")
    legs = [word for serial, side in CAST for word in ("--leg", f"{serial}={side}")]
    fleet = folders["sim"] / "fleet.json"
    await children.run(
        "register",
        *("server", "register", "--state", str(folders["server"]), "--fleet", str(fleet)),
        *legs,
        *("--prescription", str(document)),
    )


async def _credential(children: Children, folder: Path) -> str:
    printed = await children.run("credential", "server", "gateway", "add", GATEWAY, "--state", str(folder), "--json")
    passwords = [str(event["password"]) for event in printed if "password" in event]
    if not passwords:
        raise ChildFailed("the server gave no credential for the gateway")
    return passwords[-1]


async def _pair(children: Children, spec: str, folder: Path, stocking: Event) -> None:
    label = _write(folder / "label.txt", f"{_whole(stocking['passkey']):06d}\n")
    try:
        await children.run(
            f"pair-{stocking['side']}",
            *("gateway", "pair", str(stocking["address"]), "--radio", spec, "--state", str(folder)),
            *("--passkey-file", str(label), "--json"),
        )
    finally:
        label.unlink()


def _write(path: Path, text: str) -> Path:
    """A file for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _stockings(radio: Event) -> list[Event]:
    stockings = radio["stockings"]
    if not isinstance(stockings, list):
        raise ChildFailed("the simulator announced no stockings")
    return stockings


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ChildFailed(f"a part reported {value!r} where a whole number belongs")
    return value


def order_text(order: Order) -> str:
    """The order in a few words."""
    start = datetime.fromisoformat(order["start"]).astimezone(UTC)
    phases = ", then ".join(
        f"{phase['days']} days {phase['mode']}, {phase['hours']} h each" for phase in order["phases"]
    )
    return f"{start:%d %b %Y %H:%M} UTC: {phases}"
