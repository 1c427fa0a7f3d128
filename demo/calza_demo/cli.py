"""`calza demo`: the play on a terminal, or as one JSON document for a program."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from calza_demo.answers import NoAnswer
from calza_demo.processes import ChildFailed, Event
from calza_demo.stage import Leg, Wishes, fetched, order_text, stage
from calza_sim.scenarios import scenario

HTTP_PORT: Final = 8080
INTERRUPTED: Final = 130  # what a shell reports for Ctrl-C
# Two flash chips, an outbox and a store, each below 2 MB, with room to spare.
SPACE_NEEDED_OCTETS: Final = 64 * 1024 * 1024

WORDS: Final = {
    "met": "[green]met[/]",
    "not_met": "[red]not met[/]",
    "cannot_tell": "[yellow]cannot tell[/]",
    "not_applicable": "nothing ordered",
    "already_met": "[green]already met[/]",
    "can_be_met": "can still be met",
    "cannot_be_met": "[red]can no longer be met[/]",
}


class BrokerChoice(StrEnum):
    """Which broker the server starts."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    AMQTT = "amqtt"


CAPTION: Final = "Two figures are bounds: what is certain, and what holds if all that is unknown was worn."

app = typer.Typer(
    help="The whole way on this machine: stockings, gateway, broker, server, verdict.",
    epilog="Examples: calza demo | calza demo --once --json | calza demo --right never-worn --http-port 0",
)


class Terminal:
    """Tells the play on standard error: bars where somebody watches, lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("records"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, int] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While records are being fetched."""
        with self._bars:
            yield

    def say(self, sentence: str) -> None:
        """One step of the play."""
        self.console.print(sentence, highlight=False)

    def fetching(self, serial: str, fetched: int, expected: int) -> None:
        """Move the bar; without a terminal, say when a stocking is done."""
        if serial not in self._tasks:
            self._tasks[serial] = self._bars.add_task(serial, total=expected)
        self._bars.update(self._tasks[serial], completed=fetched, total=expected)
        if fetched == expected and self._told.get(serial) != expected and not self.console.is_terminal:
            self._told[serial] = expected
            self.say(f"{serial}: {fetched} of {expected} records fetched")


@app.callback(invoke_without_command=True)
def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop as soon as the verdicts are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; needs --once.")] = False,
    left: Annotated[str, typer.Option(help="What the left leg lives through: see `calza sim scenarios`.")] = "perfect",
    right: Annotated[str, typer.Option(help="What the right leg lives through.")] = "falls-short",
    seed: Annotated[int, typer.Option(help="Everything drawn by chance follows from it.")] = 1,
    http_port: Annotated[
        int | None,
        typer.Option(
            help=f"Port of page and API on 127.0.0.1; 0 takes a free one. Default: {HTTP_PORT}, with --once 0."
        ),
    ] = None,
    broker: Annotated[
        BrokerChoice, typer.Option(help="Mosquitto, or the broker in Python; auto: Mosquitto where there is one.")
    ] = BrokerChoice.AUTO,
    unpaced: Annotated[bool, typer.Option("--unpaced", help="Let the radio be faster than a real one.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(help="Keep everything in this new folder instead of a temporary one.", file_okay=False),
    ] = None,
) -> None:
    """Two stockings with fourteen days in their flash are paired, read out, stored and judged."""
    if as_json and not once:
        raise typer.BadParameter("--json prints one document at the end, so it needs --once")
    for name in (left, right):
        try:
            scenario(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    if state is not None and state.exists() and any(state.iterdir()):
        raise typer.BadParameter(f"{state} is not empty; name a new folder, so that the demo starts from nothing")
    console = Console(stderr=True)
    port = (0 if once else HTTP_PORT) if http_port is None else http_port
    try:
        with _folder(state) as folder:
            _check_space(folder)
            wishes = Wishes(
                folder, left, right, seed, port, broker.value, paced=not unpaced, once=once, now_s=time.time()
            )
            asyncio.run(_perform(wishes, Terminal(console), as_json=as_json))
    except (ChildFailed, NoAnswer, OSError) as error:
        console.print(f"[red]calza demo:[/] {_sentence(error)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except asyncio.CancelledError:
        console.print("Ended; nothing was left behind.")
        raise typer.Exit(INTERRUPTED if once else 0) from None


async def _perform(wishes: Wishes, terminal: Terminal, *, as_json: bool) -> None:
    task = asyncio.current_task()
    if task is not None:  # by hand, because a shell starts what runs in the background with Ctrl-C ignored
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with stage(wishes, terminal) as running:
        terminal.say("Fetching fourteen days from each stocking")
        with terminal.watching():
            await fetched(running.gateway, terminal)
        legs = await running.legs()
        if as_json:
            sys.stdout.write(json.dumps({"legs": [_as_json(leg) for leg in legs]}) + "\n")
            return
        out = Console()
        out.print(_table(legs, f"Ordered {order_text(running.order)}."))
        if wishes.once:
            return
        url = running.server_url
        out.print(f"\nPage  {url}/\nAPI   {url}/api/v1/legs\n      {url}/api/v1/openapi.json\n", highlight=False)
        terminal.say("Live minutes follow, one a minute. Ctrl-C ends everything.")
        async for event in running.gateway.events():
            if event.get("event") == "live":
                terminal.say(_live(event))
            elif event.get("event") == "error":
                terminal.say(str(event.get("sentence", "the gateway reports an error")))
        raise ChildFailed("the gateway ended by itself")


def _as_json(leg: Leg) -> dict[str, object]:
    answer = leg.answer
    return {
        "leg": answer.leg,
        "side": answer.side,
        "verdict": answer.verdict,
        "worn_hours": answer.worn_hours,
        "worn_hours_upper": answer.worn_hours_upper,
        "days_met_lower": answer.days_met_lower,
        "days_met_upper": answer.days_met_upper,
        "days_required": answer.days_required,
        "records": {"expected": answer.expected, "stored": answer.stored, "missing": answer.missing},
        "truth": {"verdict": leg.truth.verdict, "worn_hours": round(leg.truth.worn_hours, 2)},
    }


def _table(legs: Sequence[Leg], title: str) -> Table:
    table = Table(title=title, title_justify="left", caption=CAPTION, caption_justify="left")
    for heading in ("Leg", "Verdict", "Days met", "Need", "Hours worn", "Records", "Truth"):
        table.add_column(heading, no_wrap=True)
    for leg in legs:
        answer = leg.answer
        table.add_row(
            answer.side,
            WORDS.get(answer.verdict, answer.verdict),
            _bounds(answer.days_met_lower, answer.days_met_upper),
            str(answer.days_required),
            _bounds(round(answer.worn_hours, 1), round(answer.worn_hours_upper, 1)),
            f"{answer.stored}/{answer.expected}" + (f", {answer.missing} missing" if answer.missing else ""),
            f"{WORDS.get(leg.truth.verdict, leg.truth.verdict)}, {leg.truth.worn_hours:.1f}",
        )
    return table


def _bounds(low: float, high: float) -> str:
    return f"{low}" if low == high else f"{low} - {high}"


def _live(event: Event) -> str:
    sites = ", ".join(f"{site} {event[f'{site}_mmhg']:.0f}" for site in ("ankle", "calf", "thigh"))
    return f"{datetime.now().astimezone():%H:%M}  {event['serial']}  {sites} mmHg, skin {event['skin_c']:.1f} degC"


@contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    """The folder named, or one that is gone afterwards."""
    if state is not None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="calza-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE_NEEDED_OCTETS:
        raise ChildFailed(
            f"the disk under {folder} has {free // 2**20} MB left and the demo needs {SPACE_NEEDED_OCTETS // 2**20} MB:"
            " free some space, or name another disk with --state or TMPDIR"
        )


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return str(error)
