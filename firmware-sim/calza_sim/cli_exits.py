"""How every `calza sim` command ends and prints for programs: one JSON line, one sentence, exit code 1 or 2."""

import json
from typing import Annotated, NoReturn

import typer
from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(document: object) -> None:
    """One line on standard output."""
    print(json.dumps(document), flush=True)  # noqa: T201 - the one line programs read


def misuse(sentence: str) -> NoReturn:
    """The command was called wrongly: exit code 2."""
    raise typer.BadParameter(sentence)


def fail(sentence: str) -> NoReturn:
    """It could not be done: exit code 1."""
    Console(stderr=True).print(f"[red]calza sim:[/] {sentence}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
