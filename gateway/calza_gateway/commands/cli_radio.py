"""`scan` and `pair`: what a person does with the radio by hand. `register` mounts both on the gateway's command.

Must not know a Bluetooth library. Results go to standard output, everything else to standard error.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from calza_gateway.adapters.radios import open_radio
from calza_gateway.pairing.pairing import PairingError, enrol, find, identify, parse_passkey
from calza_gateway.pairing.pairing_agents import Ask, Person, oob_data, read_label
from calza_gateway.ports import Radio, RadioError, Sighting
from calza_gateway.settings.radio_spec import BluezRadio, RadioSpec, RadioSpecError, default_radio, parse_radio
from calza_gateway.state.bonds import PairedStocking, StateError, read_stockings, remember, write_stockings
from calza_wire.label_code import LabelCode

T = TypeVar("T")
FAILED, MISUSED = 1, 2
ADDRESS = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
PAIR_SCAN_SECONDS = 4.0  # several times the slowest advertising interval of a stocking

SCAN_EXAMPLES = """
Examples:

  calza gateway scan

  calza gateway scan --seconds 10 --serials

  calza gateway scan --radio sim:tcp://127.0.0.1:7800 --json
"""
PAIR_EXAMPLES = """
Examples:

  calza gateway pair CZ-000123

  calza gateway pair "Calza CZ-000123" --passkey-file label.txt --state /var/lib/calza

  calza gateway pair F0:12:34:56:78:9A --passkey 042017 --radio sim:tcp://127.0.0.1:7800

  calza gateway pair --label - --radio bluez:hci1
"""

RadioOption = Annotated[
    str | None,
    typer.Option("--radio", help="bluez (the default where there is an adapter), bluez:hci1 or sim:tcp://HOST:PORT."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]


def register(app: typer.Typer) -> None:
    """Mount `scan` and `pair`."""
    app.command("scan", epilog=SCAN_EXAMPLES)(scan)
    app.command("pair", epilog=PAIR_EXAMPLES)(pair)


def scan(
    radio: RadioOption = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long to listen.")] = 5.0,
    serials: Annotated[bool, typer.Option("--serials", help="Connect to each and read its serial too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the stockings in range."""
    spec = _spec(radio)

    async def work() -> list[tuple[Sighting, str | None]]:
        async with _opened(spec, None) as opened:
            with _status(f"listening for {seconds:g} s ..."):
                sightings = await opened.scan(seconds)
                return [(s, await _serial(opened, s) if serials else None) for s in sightings]

    stockings = _run(work, as_json)
    if as_json:
        entries = [{"address": s.address, "name": s.name, "rssi_dbm": s.rssi, "serial": n} for s, n in stockings]
        _print_json({"stockings": entries})
    elif not stockings:
        _say("no stocking was heard: is it charged, and within a few metres?")
    else:
        _print_table(stockings, serials)


def pair(
    stocking: Annotated[
        str | None,
        typer.Argument(help="Address, serial or advertised name; not needed with --label.", metavar="[STOCKING]"),
    ] = None,
    state: Annotated[Path, typer.Option("--state", help="The gateway's state folder.")] = Path(".calza/gateway"),
    label: Annotated[
        str | None,
        typer.Option(help="The text of the label's QR code, or - to scan it: read one line.", metavar="TEXT|-"),
    ] = None,
    passkey: Annotated[
        str | None, typer.Option(help="The six digits on the label. Other users of this machine can see it here.")
    ] = None,
    passkey_file: Annotated[
        Path | None, typer.Option(help="A file with the six digits.", exists=True, dir_okay=False)
    ] = None,
    radio: RadioOption = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long to listen.")] = PAIR_SCAN_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Pair with a stocking, or again when it has forgotten this gateway or this gateway has lost its key.

    Without --label, --passkey or --passkey-file the passkey is asked for on the terminal, once the stocking is found.
    """
    spec = _spec(radio)
    scanned = _given_label(label)
    if scanned is not None and (passkey is not None or passkey_file is not None):
        _misuse("the label has the passkey on it: give --label alone")
    given = scanned.passkey if scanned is not None else _given_passkey(passkey, passkey_file)
    wanted = stocking or (None if scanned is None else scanned.serial)
    if wanted is None:
        _misuse("which stocking? Give its serial, name or address, or its --label")
    ask: Ask | None = _ask if sys.stdin.isatty() else None
    if given is None and ask is None:
        _misuse("there is no terminal to ask for the passkey: give --label, --passkey-file or --passkey")

    async def work() -> PairedStocking:
        async with _opened(spec, state) as opened:
            known = read_stockings(state)
            with _status("looking for the stocking ..."):
                found = await find(opened, wanted, await _candidates(opened, wanted, seconds))
            serial = found.identity.serial
            if scanned is not None and serial != scanned.serial:
                raise PairingError("wrong_label", f"{wanted} is {serial}, and the label is that of {scanned.serial}")
            agent = Person(serial, ask, given, None if scanned is None else oob_data(scanned))
            paired = await enrol(opened, found, agent, _adapter(spec))
            write_stockings(state, remember(known, paired))
            return paired

    paired = _run(work, as_json)
    if as_json:
        _print_json(asdict(paired))
    else:
        _say(f"paired with {paired.serial} ({paired.side.value} leg) at {paired.address}", Console())


async def _candidates(radio: Radio, stocking: str, seconds: float) -> list[Sighting]:
    """What the stocking may be among: an address needs no looking round, connecting to it waits until it is heard."""
    if ADDRESS.fullmatch(stocking.strip()):
        return [Sighting(stocking.strip().upper(), None, None)]
    return await radio.scan(seconds)


async def _serial(radio: Radio, sighting: Sighting) -> str | None:
    try:
        return (await identify(radio, sighting)).identity.serial
    except (RadioError, PairingError) as error:
        _say(f"{sighting.address}: {error}")
        return None


def _given_passkey(text: str | None, file: Path | None) -> int | None:
    if text is not None and file is not None:
        _misuse("give --passkey or --passkey-file, not both")
    try:
        if file is not None:
            text = file.read_text(encoding="utf-8")
        return None if text is None else parse_passkey(text)
    except (OSError, UnicodeDecodeError) as error:
        _misuse(f"cannot read {file}: {error}")
    except PairingError as error:
        _misuse(str(error))


def _given_label(text: str | None) -> LabelCode | None:
    try:
        return None if text is None else read_label(sys.stdin.readline() if text == "-" else text)
    except PairingError as error:
        _misuse(str(error))


def _adapter(spec: RadioSpec) -> str | None:
    """Which of several adapters keeps the bond, as `--radio` names it."""
    return f"bluez:{spec.adapter}" if isinstance(spec, BluezRadio) and spec.adapter is not None else None


async def _ask(question: str) -> str:
    _say(question, end="")
    return await _line()


async def _line() -> str:
    """A line from the terminal. Reading in a thread would keep the program alive after Ctrl-C until Enter."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def readable() -> None:
        if not line.done():
            line.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, readable)
    try:
        return await line
    finally:
        loop.remove_reader(sys.stdin)


def _spec(text: str | None) -> RadioSpec:
    try:
        return default_radio() if text is None else parse_radio(text)
    except RadioSpecError as error:
        _misuse(str(error))


@asynccontextmanager
async def _opened(spec: RadioSpec, state: Path | None) -> AsyncIterator[Radio]:
    radio = open_radio(spec, state)
    try:
        yield radio
    finally:
        await radio.close()


def _run(work: Callable[[], Coroutine[None, None, T]], as_json: bool) -> T:
    """The result; what went wrong becomes one sentence and exit code 1. Ctrl-C cancels, and so disconnects, first."""
    try:
        return asyncio.run(work())
    except (RadioError, PairingError, StateError) as error:
        if as_json:
            _print_json({"error": {"code": error.code, "message": str(error)}})
        _say(str(error))
        raise typer.Exit(FAILED) from error


def _misuse(sentence: str) -> NoReturn:
    _say(sentence)
    raise typer.Exit(MISUSED)


def _status(sentence: str) -> AbstractContextManager[object]:
    """A spinner where somebody watches, nothing elsewhere."""
    console = Console(stderr=True)
    return console.status(sentence) if console.is_terminal else nullcontext()


def _say(sentence: str, console: Console | None = None, end: str = "\n") -> None:
    (console or Console(stderr=True)).print(sentence, markup=False, highlight=False, soft_wrap=True, end=end)


def _print_json(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")


def _print_table(stockings: list[tuple[Sighting, str | None]], serials: bool) -> None:
    table = Table()
    for heading in ("Name", "Address", "Signal", *(["Serial"] if serials else [])):
        table.add_column(heading)
    for sighting, serial in stockings:
        signal = "unknown" if sighting.rssi is None else f"{sighting.rssi} dBm"
        row = [sighting.name or "-", sighting.address, signal]
        table.add_row(*row, *([serial or "-"] if serials else []))
    Console().print(table)
