"""`calza sim`: run simulated stockings and look at their flash; the other commands are in modules of their own.

Reads the clock and the signals so that nothing else has to; everything it starts is in `fleet.py`.
"""

import asyncio
import errno
import hashlib
import logging
import re
import signal
import time
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.table import Table

from calza_sim import cli_scenarios
from calza_sim.cli_exits import JsonOption, fail, misuse, print_json
from calza_sim.cli_faults import fault_app
from calza_sim.faults import ControlPort, FaultError
from calza_sim.firmware.flash import FlashError
from calza_sim.firmware.flash_file import FileFlash
from calza_sim.fleet import Fleet
from calza_sim.radio import PACED, UNPACED
from calza_sim.scenarios import scenario
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
app.command(epilog="Example: calza sim scenarios --json")(cli_scenarios.scenarios)
app.command(epilog="Example: calza sim export perfect+dead-calf+winter --out lived")(cli_scenarios.export)
app.command(epilog="Example: calza sim cohort --persons 100 --seed 7 --out cohort")(cli_scenarios.cohort)
app.add_typer(fault_app, name="fault")

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
                misuse(f"{state} already holds stockings; leave --stocking and --stockings out, or use another folder")
            plan = known or FleetPlan(seed, time.time() - days * DAY_S, _zone(timezone), _plans(stockings, stocking))
            asyncio.run(_run(plan, folder, port, control_port, unpaced=unpaced, as_json=as_json))
        finally:
            if folder is not None:
                folder.close()
    except (StateError, FlashError, FaultError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(f"port {port or control_port} is in use: give another one, or 0 for any free one")
        fail(f"cannot start: {error}")


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
            "label": member.server.label,
        }
        for member in fleet.members.values()
    ]
    if as_json:
        print_json({"event": "ready", "hci": hci, "control": control.address, "stockings": rows})
        return
    console = Console()
    table = Table(title="Stockings on the air")
    columns = ("serial", "side", "address", "passkey", "scenario")
    for name in (*columns, "records"):
        table.add_column(name)
    for row, member in zip(rows, fleet.members.values(), strict=True):
        records = str(member.flash.next_record - member.flash.first_record)
        shown = (f"{row[name]:06d}" if name == "passkey" else str(row[name]) for name in columns)
        table.add_row(*shown, records)
    console.print(table)
    for row in rows:
        console.print(f"QR code of {row['serial']}: {row['label']}", soft_wrap=True, highlight=False)
    console.print(
        f"Radio for gateways: [bold]{hci}[/]   Faults: [bold]--control {control.address}[/]   Ctrl-C ends it.",
        soft_wrap=True,
    )


@app.command(epilog="Example: calza sim flash --state .calza/sim --json")
def flash(
    state: Annotated[Path, typer.Option("--state", help="The folder of `calza sim run --state`.", file_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Show what is in the stockings' flash: log ids, record numbers and the SHA-256 of every record's payload."""
    try:
        plan = read_plan(state)
        if plan is None:
            fail(f"{state} is no state folder: run `calza sim run --state {state}` first")
        rows = [_flash_row(state, each) for each in plan.stockings]
    except (StateError, FlashError, OSError) as error:
        fail(str(error))
    if as_json:
        print_json({"stockings": rows})
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


def _plans(count: int | None, written: list[str] | None) -> tuple[StockingPlan, ...]:
    if written and count is not None:
        misuse("give --stockings or --stocking, not both")
    if not written:
        sides = (Side.LEFT, Side.RIGHT)
        return tuple(
            StockingPlan(f"CALZA-{number + 1:04d}", sides[number % 2], DEFAULT_SCENARIO) for number in range(count or 2)
        )
    plans = tuple(_plan(text) for text in written)
    if len({each.serial for each in plans}) != len(plans):
        misuse("two stockings have the same serial")
    return plans


def _plan(text: str) -> StockingPlan:
    parts = text.split(":")
    try:
        serial, side, name = parts
        return StockingPlan(_serial(serial), Side(side), scenario(name).name)
    except ValueError as error:
        misuse(f"--stocking {text!r}: {error if len(parts) == 3 else 'wanted is SERIAL:left|right:SCENARIO'}")


def _serial(text: str) -> str:
    if SERIAL.fullmatch(text) is None:
        raise ValueError("a serial is 4 to 32 capitals, digits and dashes")
    return text


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        misuse(f"no time zone is called {name!r}")
