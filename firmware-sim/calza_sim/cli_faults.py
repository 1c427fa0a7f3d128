"""`calza sim fault`: make something go wrong in a running simulator, from another process."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from calza_sim import faults
from calza_sim.cli_exits import JsonOption, fail, print_json
from calza_sim.faults import Fault, FaultError

fault_app = typer.Typer(
    no_args_is_help=True,
    help="Make something go wrong in a running simulator (its `run` prints the --control address).",
    epilog="Example: calza sim fault drop --seconds 5 --control 127.0.0.1:41234 --serial CALZA-0001",
)

ControlOption = Annotated[
    str, typer.Option("--control", help="HOST:PORT that `calza sim run` printed.", metavar="HOST:PORT")
]
SerialOption = Annotated[str | None, typer.Option("--serial", help="One stocking; default: all of them.")]

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


@fault_app.command("forget-bonds")
def forget_bonds(control: ControlOption, serial: SerialOption = None, as_json: JsonOption = False) -> None:
    """Forget every gateway, as a stocking does that was paired with too many; log and clock stay."""
    _do(control, lambda: Fault("forget-bonds", serial), as_json)


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
        fail(str(error))
    if as_json:
        print_json({"stockings": met})
        return
    table = Table()
    for name in ("serial", "connected", "in range", "bonds", "lossy", "records"):
        table.add_column(name)
    for each in met:
        flags = ("yes" if each[name] else "no" for name in ("connected", "in_range"))
        records = f"{each['first_record']} up to {each['next_record']}"
        table.add_row(str(each["serial"]), *flags, str(each["bonds"]), str(each["lossy"]), records)
    Console().print(table)
