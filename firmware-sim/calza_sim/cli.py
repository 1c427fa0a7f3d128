"""`calza sim`: run simulated stockings, look at their flash, make things go wrong.

Reads the clock and the signals so that nothing else has to; everything it starts is in `fleet.py`.
"""

import asyncio
import errno
import hashlib
import json
import logging
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.table import Table

from calza_sim import faults
from calza_sim.faults import ControlPort, Fault, FaultError
from calza_sim.firmware.flash import FlashError
from calza_sim.firmware.flash_file import FileFlash
from calza_sim.fleet import Fleet
from calza_sim.radio import PACED, UNPACED
from calza_sim.scenarios import SCENARIOS, scenario
from calza_sim.state_folder import FleetPlan, StateError, StateFolder, StockingPlan, flash_file, read_plan
from calza_wire.minute_block import Side
from calza_wire.records import encode_record

DEFAULT_SCENARIO: Final = "perfect"
DAY_S: Final = 86_400.0
SERIAL: Final = re.compile(r"[A-Z0-9-]{4,32}")
MAX_STOCKINGS: Final = 64  # beyond that one process can no longer keep every link paced

app = typer.Typer(
    no_args_is_help=True,
    help="Simulated stockings: real GATT servers on a virtual radio.",
    epilog="Start with `calza sim run --state .calza/sim`, then `calza gateway scan --radio sim:tcp://127.0.0.1:PORT`.",
)
fault_app = typer.Typer(
    no_args_is_help=True,
    help="Make something go wrong in a running simulator (its `run` prints the --control address).",
    epilog="Example: calza sim fault drop --seconds 5 --control 127.0.0.1:41234 --serial CALZA-0001",
)
app.add_typer(fault_app, name="fault")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ControlOption = Annotated[
    str, typer.Option("--control", help="HOST:PORT that `calza sim run` printed.", metavar="HOST:PORT")
]
SerialOption = Annotated[str | None, typer.Option("--serial", help="One stocking; default: all of them.")]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="Folder for flash, bonds, keys and truth; goes on with what it holds. Without it nothing is kept.",
        file_okay=False,
    ),
]


@app.command(epilog="Example: calza sim run --state .calza/sim --stocking CALZA-0001:left:perfect")
def run(
    port: Annotated[
        int, typer.Option(help="TCP port of the HCI port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    control_port: Annotated[
        int, typer.Option(help="TCP port of the control port; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    stockings: Annotated[
        int | None,
        typer.Option(help="How many stockings, left and right by turns. Default: 2.", min=1, max=MAX_STOCKINGS),
    ] = None,
    stocking: Annotated[
        list[str] | None,
        typer.Option(help="One stocking, as SERIAL:SIDE:SCENARIO; may be given often.", metavar="SERIAL:SIDE:SCENARIO"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything drawn by chance follows from it, keys and passkeys too.")] = 1,
    days: Annotated[float, typer.Option(help="Days of log in flash when it starts.", min=0, max=365)] = 14,
    timezone: Annotated[str, typer.Option(help="Where the wearer lives, as in Europe/Rome.")] = "UTC",
    state: StateOption = None,
    unpaced: Annotated[
        bool, typer.Option("--unpaced", help="Move data as fast as the process can, not as a radio does.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put stockings on a virtual radio until Ctrl-C or SIGTERM (exit code 0)."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        folder = None if state is None else StateFolder(state)
        try:
            known = None if folder is None else folder.read_plan()
            if known is not None and (stocking or stockings is not None):
                _misuse(f"{state} already holds stockings; leave --stocking and --stockings out, or use another folder")
            plan = known or FleetPlan(seed, time.time() - days * DAY_S, _zone(timezone), _plans(stockings, stocking))
            asyncio.run(_run(plan, folder, port, control_port, unpaced=unpaced, as_json=as_json))
        finally:
            if folder is not None:
                folder.close()
    except (StateError, FlashError, FaultError, ValueError) as error:
        _fail(str(error))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            _fail(f"port {port or control_port} is in use: give another one, or 0 for any free one")
        _fail(f"cannot start: {error}")


async def _run(
    plan: FleetPlan, folder: StateFolder | None, port: int, control_port: int, *, unpaced: bool, as_json: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    fleet = await Fleet.start(plan, clock=time.time, folder=folder, port=port, pacing=UNPACED if unpaced else PACED)
    try:
        control = await ControlPort.open(fleet, control_port)
        try:
            _announce(fleet, control, as_json=as_json)
            await stop.wait()
        finally:
            await control.close()
    finally:
        await fleet.stop()


def _announce(fleet: Fleet, control: ControlPort, *, as_json: bool) -> None:
    hci = f"sim:tcp://127.0.0.1:{fleet.port.port}"
    rows = [
        {
            "serial": member.plan.serial,
            "side": member.plan.side.value,
            "address": member.server.address,
            "passkey": member.made.passkey,
            "scenario": member.plan.scenario,
        }
        for member in fleet.members.values()
    ]
    if as_json:
        _print_json({"event": "ready", "hci": hci, "control": control.address, "stockings": rows})
        return
    console = Console()
    table = Table(title="Stockings on the air")
    for name in ("serial", "side", "address", "passkey", "scenario", "records"):
        table.add_column(name)
    for row, member in zip(rows, fleet.members.values(), strict=True):
        records = str(member.flash.next_record - member.flash.first_record)
        table.add_row(*(f"{value:06d}" if name == "passkey" else str(value) for name, value in row.items()), records)
    console.print(table)
    console.print(
        f"Radio for gateways: [bold]{hci}[/]   Faults: [bold]--control {control.address}[/]   Ctrl-C ends it.",
        soft_wrap=True,
    )


@app.command(epilog="Example: calza sim scenarios --json")
def scenarios(as_json: JsonOption = False) -> None:
    """List what a wearer may live through."""
    if as_json:
        _print_json(
            {"scenarios": [{"name": each.name, "description": each.description} for each in SCENARIOS.values()]}
        )
        return
    table = Table()
    table.add_column("scenario")
    table.add_column("what happens")
    for each in SCENARIOS.values():
        table.add_row(each.name, each.description)
    Console().print(table)


@app.command(epilog="Example: calza sim flash --state .calza/sim --json")
def flash(
    state: Annotated[Path, typer.Option("--state", help="The folder of `calza sim run --state`.", file_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Show what is in the stockings' flash: log ids, record numbers and the SHA-256 of every record's payload."""
    try:
        plan = read_plan(state)
        if plan is None:
            _fail(f"{state} is no state folder: run `calza sim run --state {state}` first")
        rows = [_flash_row(state, each) for each in plan.stockings]
    except (StateError, FlashError, OSError) as error:
        _fail(str(error))
    if as_json:
        _print_json({"stockings": rows})
        return
    table = Table()
    for name in ("serial", "log id", "first record", "next record"):
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("serial", "log_id", "first_record", "next_record")))
    Console().print(table)


def _flash_row(folder: Path, plan: StockingPlan) -> dict[str, object]:
    chip = FileFlash(flash_file(folder, plan.serial))
    try:
        records = [
            {"record": number, "sha256": hashlib.sha256(encode_record(number, body)).hexdigest()}
            for number in range(chip.first_record, chip.next_record)
            if (body := chip.body(number)) is not None
        ]
        return {
            "serial": plan.serial,
            "side": plan.side.value,
            "log_id": chip.head.log_id.hex() if chip.head else None,
            "first_record": chip.first_record,
            "next_record": chip.next_record,
            "records": records,
        }
    finally:
        chip.close()


SecondsOption = Annotated[float, typer.Option("--seconds", help="For how long.", min=0.001)]


@fault_app.command()
def drop(
    control: ControlOption, seconds: SecondsOption, serial: SerialOption = None, as_json: JsonOption = False
) -> None:
    """Out of range for some seconds; a link survives only what is shorter than its supervision timeout (0.7 s)."""
    _do(control, lambda: Fault("drop", serial, seconds=seconds), as_json)


@fault_app.command()
def cut(control: ControlOption, serial: SerialOption = None, as_json: JsonOption = False) -> None:
    """End the link now, as if the supervision timeout had passed; the stocking stays in range."""
    _do(control, lambda: Fault("cut", serial), as_json)


@fault_app.command("out-of-range")
def out_of_range(control: ControlOption, serial: SerialOption = None, as_json: JsonOption = False) -> None:
    """Carry the stocking away: not seen in scans, its link ends."""
    _do(control, lambda: Fault("out-of-range", serial), as_json)


@fault_app.command("in-range")
def in_range(control: ControlOption, serial: SerialOption = None, as_json: JsonOption = False) -> None:
    """Bring it back."""
    _do(control, lambda: Fault("in-range", serial), as_json)


@fault_app.command("power-loss")
def power_loss(
    control: ControlOption, seconds: SecondsOption = 5.0, serial: SerialOption = None, as_json: JsonOption = False
) -> None:
    """Empty battery: off the air, open minutes and clock lost; flash and bonds stay."""
    _do(control, lambda: Fault("power-loss", serial, seconds=seconds), as_json)


@fault_app.command("factory-reset")
def factory_reset(control: ControlOption, serial: SerialOption = None, as_json: JsonOption = False) -> None:
    """Erase log and bonds; the stocking draws a new log id and starts again at record 1."""
    _do(control, lambda: Fault("factory-reset", serial), as_json)


@fault_app.command()
def lossy(
    control: ControlOption,
    rate: Annotated[float, typer.Option("--rate", help="Share of notifications lost, 0 (none) to 1.", min=0, max=1)],
    indications: Annotated[bool, typer.Option("--indications", help="Lose indications too.")] = False,
    serial: SerialOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lose notifications above HCI, as a busy Linux host does."""
    _do(control, lambda: Fault("lossy", serial, rate=rate, indications=indications), as_json)


@fault_app.command()
def status(control: ControlOption, serial: SerialOption = None, as_json: JsonOption = False) -> None:
    """Change nothing and show the stockings."""
    _do(control, lambda: Fault("status", serial), as_json)


def _do(control: str, fault: Callable[[], Fault], as_json: bool) -> None:
    try:
        met = faults.ask(control, fault())
    except FaultError as error:
        _fail(str(error))
    if as_json:
        _print_json({"stockings": met})
        return
    table = Table()
    for name in ("serial", "connected", "in range", "bonds", "lossy", "records"):
        table.add_column(name)
    for each in met:
        flags = ("yes" if each[name] else "no" for name in ("connected", "in_range"))
        records = f"{each['first_record']} up to {each['next_record']}"
        table.add_row(str(each["serial"]), *flags, str(each["bonds"]), str(each["lossy"]), records)
    Console().print(table)


def _plans(count: int | None, written: list[str] | None) -> tuple[StockingPlan, ...]:
    if written and count is not None:
        _misuse("give --stockings or --stocking, not both")
    if not written:
        sides = (Side.LEFT, Side.RIGHT)
        return tuple(
            StockingPlan(f"CALZA-{number + 1:04d}", sides[number % 2], DEFAULT_SCENARIO) for number in range(count or 2)
        )
    plans = tuple(_plan(text) for text in written)
    if len({each.serial for each in plans}) != len(plans):
        _misuse("two stockings have the same serial")
    return plans


def _plan(text: str) -> StockingPlan:
    parts = text.split(":")
    try:
        serial, side, name = parts
        return StockingPlan(_serial(serial), Side(side), scenario(name).name)
    except ValueError as error:
        _misuse(f"--stocking {text!r}: {error if len(parts) == 3 else 'wanted is SERIAL:left|right:SCENARIO'}")


def _serial(text: str) -> str:
    if SERIAL.fullmatch(text) is None:
        raise ValueError("a serial is 4 to 32 capitals, digits and dashes")
    return text


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _misuse(f"no time zone is called {name!r}")


def _print_json(document: object) -> None:
    print(json.dumps(document), flush=True)  # noqa: T201 - the one line programs read


def _misuse(sentence: str) -> NoReturn:
    raise typer.BadParameter(sentence)


def _fail(sentence: str) -> NoReturn:
    Console(stderr=True).print(f"[red]calza sim:[/] {sentence}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
