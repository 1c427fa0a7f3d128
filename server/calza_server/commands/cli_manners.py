"""How every command of the server behaves: where its state is, how it prints for programs, how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

FAILED: Final = 1
MISUSED: Final = 2
DEFAULT_STATE: Final = Path(".calza/server")

StateOption = Annotated[
    Path, typer.Option("--state", help="Folder for store, registry and credentials.", envvar="CALZA_SERVER_STATE")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(document: object) -> None:
    """One document on one line of standard output, at once."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def end(code: int, error: Exception) -> NoReturn:
    """Say what went wrong in its one sentence and leave with that exit code."""
    sys.stderr.write(f"{error}\n")
    raise typer.Exit(code)
