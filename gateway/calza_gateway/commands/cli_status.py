"""`calza gateway status`: looks into a state folder, once or again and again. The gateway need not run."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.live import Live

from calza_gateway.ports import OutboxError
from calza_gateway.settings.settings import SETTINGS
from calza_gateway.state.bonds import StateError, read_stockings
from calza_wire.messages import GatewayClock

if TYPE_CHECKING:
    from calza_gateway.commands.status import Status

FAILED: Final = 1
MISUSED: Final = 2
WATCH_EVERY_S: Final = 2.0  # the gateway writes at most every ten seconds; the counts of the outbox move at once

EXAMPLES = """
Examples:

  calza gateway status

  calza gateway status --state /var/lib/calza-gateway --json

  calza gateway status --watch
"""
StateOption = Annotated[
    Path | None, typer.Option("--state", help=f"The gateway's state folder. Default: {SETTINGS['state']}.")
]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(epilog=EXAMPLES)(status)


def status(
    state: StateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")] = False,
) -> None:
    """How the gateway stands, what waits, what was refused, and how each stocking is."""
    if watch and as_json:
        _end(MISUSED, "give --watch or --json, not both")
    folder = state or Path(os.environ.get("CALZA_GATEWAY_STATE") or str(SETTINGS["state"]))
    try:
        if watch:
            _watch(folder)
        elif as_json:
            sys.stdout.write(json.dumps(_read(folder, _now_ms()).document()) + "\n")
        else:
            from calza_gateway.commands.status_view import view

            Console().print(view(_read(folder, now_ms := _now_ms()), now_ms))
    except (OutboxError, StateError) as error:
        _end(FAILED, str(error))


def _watch(folder: Path) -> None:
    from calza_gateway.commands.status_view import view

    try:
        with Live(screen=False, auto_refresh=False) as live:
            while True:
                now_ms = _now_ms()
                live.update(view(_read(folder, now_ms), now_ms), refresh=True)
                time.sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        return


def _read(folder: Path, now_ms: int) -> Status:
    from calza_gateway.adapters.system_clock import SystemClock
    from calza_gateway.commands.status import read_status

    clock = GatewayClock.of(SystemClock().synchronised())
    return read_status(folder, read_stockings(folder), clock, now_ms)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _end(code: int, sentence: str) -> NoReturn:
    Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
