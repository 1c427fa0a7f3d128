"""Faults on command: a port on loopback that takes one JSON object per line and makes something go wrong.

{"fault": "drop", "serial": "CALZA-0001", "seconds": 3} -> {"ok": true, "stockings": [...]}. Without "serial" every
stocking is meant. This module knows what can go wrong, not how a command line spells it.
"""

import asyncio
import json
import math
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from calza_sim.fleet import Fleet, Member

LOOPBACK: Final = "127.0.0.1"
MAX_LINE_OCTETS: Final = 65_536
MAX_SECONDS: Final = 30 * 86_400.0  # longer than any test; keeps timers sane
CLIENT_TIMEOUT_S: Final = 10.0
NEEDS_SECONDS: Final = ("drop", "power-loss")
FAULTS: Final = (
    *("drop", "cut", "out-of-range", "in-range", "power-loss", "forget-bonds", "factory-reset", "lossy"),
    "status",
)


class FaultError(Exception):
    """A fault that cannot be done. `code` is stable: "bad_request", "unknown_stocking", "no_simulator"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Fault:
    """What shall happen to one stocking (`serial`) or to all (None)."""

    kind: str
    serial: str | None = None
    seconds: float = 0.0
    rate: float = 0.0
    indications: bool = False

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise FaultError("bad_request", f"no fault is called {self.kind!r}; there are: {', '.join(FAULTS)}")
        if self.kind in NEEDS_SECONDS and not 0 < self.seconds <= MAX_SECONDS:
            raise FaultError("bad_request", f"{self.kind} wants 0 < seconds <= {MAX_SECONDS:.0f}, not {self.seconds}")
        if not 0 <= self.rate <= 1:
            raise FaultError("bad_request", f"a rate is 0..1, not {self.rate}")

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """From one line of JSON. Raises FaultError "bad_request"."""
        try:
            document = json.loads(line)
        except ValueError as error:
            raise FaultError("bad_request", f"this is not JSON: {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("fault"), str):
            raise FaultError("bad_request", 'a request is an object with a string "fault"')
        unknown = set(document) - {"fault", "serial", "seconds", "rate", "indications"}
        if unknown:
            raise FaultError("bad_request", f"unknown members: {', '.join(sorted(unknown))}")
        serial = document.get("serial")
        if serial is not None and not isinstance(serial, str):
            raise FaultError("bad_request", "a serial is a string")
        return cls(
            document["fault"],
            serial,
            _number(document, "seconds"),
            _number(document, "rate"),
            document.get("indications") is True,
        )

    def encode(self) -> bytes:
        """As one line of JSON."""
        document: dict[str, object] = {"fault": self.kind}
        if self.serial is not None:
            document["serial"] = self.serial
        if self.kind in NEEDS_SECONDS:
            document["seconds"] = self.seconds
        if self.kind == "lossy":
            document |= {"rate": self.rate, "indications": self.indications}
        return json.dumps(document).encode() + b"\n"


def _number(document: Mapping[str, object], name: str) -> float:
    value = document.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FaultError("bad_request", f"{name} is a number")
    return float(value)


async def do(fleet: Fleet, fault: Fault) -> list[Member]:
    """Make a fault happen and return the stockings it met. Raises FaultError "unknown_stocking"."""
    if fault.serial is None:
        met = list(fleet.members.values())
    elif fault.serial in fleet.members:
        met = [fleet.members[fault.serial]]
    else:
        raise FaultError("unknown_stocking", f"no stocking here has the serial {fault.serial}")
    for member in met:
        await _do_one(fleet, member, fault)
    return met


async def _do_one(fleet: Fleet, member: Member, fault: Fault) -> None:
    server = member.server
    match fault.kind:
        case "drop":
            fleet.radio.drop_out(server.controller, fault.seconds)
        case "cut":
            fleet.radio.cut(server.controller)
        case "out-of-range":
            fleet.radio.carry_away(server.controller)
        case "in-range":
            fleet.radio.bring_back(server.controller)
        case "power-loss":
            server.power_loss(fault.seconds)
        case "forget-bonds":
            await server.bonds.delete_all()
        case "factory-reset":
            await server.factory_reset()
        case "lossy":
            server.loss.rate, server.loss.indications = fault.rate, fault.indications


def status(fleet: Fleet, member: Member) -> dict[str, object]:
    """What a tester wants to know of one stocking; no key, no passkey, nobody's wear."""
    return {
        "serial": member.plan.serial,
        "address": member.server.address,
        "connected": member.server.connected,
        "in_range": fleet.radio.in_range(member.server.controller),
        "bonds": member.server.bonds.count,
        "lossy": member.server.loss.rate,
        "first_record": member.flash.first_record,
        "next_record": member.flash.next_record,
    }


class ControlPort:
    """The listening control port; make it with `await ControlPort.open(fleet)`."""

    def __init__(self, fleet: Fleet) -> None:
        """A port for `fleet`; it listens after `open`."""
        self._fleet = fleet
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    async def open(cls, fleet: Fleet, port: int = 0) -> Self:
        """Listen on 127.0.0.1:`port` (0 = any free one). Raises OSError if it is taken."""
        self = cls(fleet)
        self._server = await asyncio.start_server(self._serve, LOOPBACK, port, limit=MAX_LINE_OCTETS)
        return self

    @property
    def address(self) -> str:
        """HOST:PORT as `--control` takes it."""
        if self._server is None:
            raise RuntimeError("the control port is closed")
        return f"{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and hang up on every client."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # the client went away, or sent a line without end
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, object]:
        try:
            met = await do(self._fleet, Fault.decode(line))
        except FaultError as error:
            return {"ok": False, "code": error.code, "error": str(error)}
        return {"ok": True, "stockings": [status(self._fleet, member) for member in met]}


def ask(control: str, fault: Fault) -> list[dict[str, object]]:
    """Send a fault to a running simulator at HOST:PORT and return the stockings it met. Raises FaultError."""
    host, _, port = control.rpartition(":")
    if not host or not port.isdigit():
        raise FaultError("bad_request", f"--control wants HOST:PORT, not {control!r}")
    try:
        with socket.create_connection((host, int(port)), CLIENT_TIMEOUT_S) as link, link.makefile("rwb") as file:
            file.write(fault.encode())
            file.flush()
            line = file.readline(MAX_LINE_OCTETS)
    except OSError as error:
        raise FaultError("no_simulator", f"no simulator answers at {control}: {error}") from error
    if not line:
        raise FaultError("no_simulator", f"{control} hung up without an answer")
    return _stockings(json.loads(line))


def _stockings(answer: Any) -> list[dict[str, object]]:
    if answer["ok"] is not True:
        raise FaultError(answer["code"], answer["error"])
    return list(answer["stockings"])
