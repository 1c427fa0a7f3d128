"""`calza gateway health`: does a gateway work with this state folder? For the health checks of containers and scripts.

What is wrong with a radio or a stocking is not asked here, since starting the gateway again does not cure it: `status`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

import typer

from calza_gateway.commands.cli_status import StateOption
from calza_gateway.reporting.standing_file import read_standing
from calza_gateway.reporting.standing_keeper import REST_EVERY_S
from calza_gateway.settings.settings import SETTINGS
from calza_gateway.state.bonds import StateError
from calza_gateway.state.lock import is_running

FAILED: Final = 1
SILENT_S: Final = 2 * REST_EVERY_S + 60  # a gateway that looks writes once in REST_EVERY_S; two in a row did not happen


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(epilog="Example: `calza gateway health --state /var/lib/calza-gateway`.")(health)


def health(state: StateOption = None) -> None:
    """Exit code 0 while a gateway runs and looks after itself, 1 with a sentence when not."""
    folder = state or Path(os.environ.get("CALZA_GATEWAY_STATE") or str(SETTINGS["state"]))
    if not is_running(folder):
        _end(f"no gateway runs with {folder}")
    try:
        saved = read_standing(folder)
    except StateError as error:
        _end(str(error))
    age_s = 0.0 if saved is None else time.time() - saved.written_ms / 1000
    if age_s > SILENT_S:
        _end(f"the gateway has not written how it stands for {age_s / 60:.0f} minutes: it hangs, or its clock was set")
    sys.stdout.write("ok\n")


def _end(sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    raise typer.Exit(FAILED)
