"""`calza sim scenarios`, `export` and `cohort`: what a wearer may live through, and lives written to files."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from calza_sim.cli_exits import JsonOption, fail, misuse, print_json
from calza_sim.cohort import Person, persons
from calza_sim.cohort_folder import INDEX, Row, index_csv, written
from calza_sim.export_folder import Wish, exported, file_names, write
from calza_sim.scenarios import MODIFIERS, SCENARIOS, scenario
from calza_sim.scenarios_page import scenarios_page

MOST_DAYS = 365
MOST_PERSONS = 100_000
NAME_WIDTH = 29  # the longest name of a scenario

OutOption = Annotated[Path, typer.Option("--out", help="Folder for the files; made if need be.", file_okay=False)]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over files that are there already.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Everything drawn by chance follows from it.", min=0)]


def scenarios(
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/scenarios.md.")] = False,
) -> None:
    """List what a wearer may live through, and what may be joined to it with +."""
    if markdown:
        print(scenarios_page(), end="")  # noqa: T201 - a page to be put into a file
        return
    if as_json:
        print_json(
            {
                "scenarios": [
                    {
                        "name": each.name,
                        "row": each.row,
                        "event": each.event,
                        "description": each.description,
                        "expected": each.expected,
                        "expects": each.expects,
                    }
                    for each in SCENARIOS.values()
                ],
                "modifiers": [
                    {"name": each.name, "description": each.description, "expected": each.expected}
                    for each in MODIFIERS.values()
                ],
            }
        )
        return
    table = Table(title="Scenarios")
    table.add_column("scenario", overflow="fold", min_width=NAME_WIDTH)
    for heading in ("row", "what happens", "expected"):
        table.add_column(heading)
    for each in SCENARIOS.values():
        table.add_row(each.name, each.row, each.description, each.expected)
    joins = Table(title="To be joined to one with +, as in perfect+dead-calf+winter")
    for heading in ("modifier", "what happens", "expected"):
        joins.add_column(heading)
    for modifier in MODIFIERS.values():
        joins.add_row(modifier.name, modifier.description, modifier.expected)
    console = Console()
    console.print(table)
    console.print(joins)


def export(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="As `calza sim scenarios` lists them; + joins.")],
    out: OutOption,
    days: Annotated[
        int | None,
        typer.Option(help="Calendar days, that of the fitting included. Default: the order's.", min=1, max=MOST_DAYS),
    ] = None,
    seed: SeedOption = 1,
    start: Annotated[
        str | None, typer.Option(help="When it is fitted: ISO 8601, local, or with an offset.", metavar="ISO")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Where the wearer lives, as in Europe/Rome. Default: the scenario's.")
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Live a scenario and write minutes, truth, order and events to a folder, without a radio."""
    try:
        lived = scenario(name)
        _refuse_to_overwrite(out, file_names(lived), force=force)
        done = exported(Wish(lived, seed, days, start, timezone))
    except ValueError as error:
        misuse(str(error))
    try:
        write(out, done.texts)
    except OSError as error:
        fail(f"cannot write to {out}: {error}")
    if as_json:
        print_json({"files": [str(out / each) for each in done.texts]})
        return
    words = done.answer.verdict.replace("_", " ")
    Console().print(f"{out}: {', '.join(done.texts)}. The truth says: {words}.", soft_wrap=True, highlight=False)


def cohort(
    out: OutOption,
    count: Annotated[int, typer.Option("--persons", help="How many.", min=1, max=MOST_PERSONS)] = 20,
    seed: SeedOption = 1,
    timezone: Annotated[str, typer.Option(help="Where they live, as in Europe/Rome.")] = "UTC",
    jobs: Annotated[int, typer.Option(help="Processes at a time; 0: as many as there are processors.", min=0)] = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a whole cohort: a folder per person as `calza sim export` writes it, and cohort.csv."""
    people = persons(count, seed)
    try:
        _refuse_to_overwrite(out, (INDEX, *(each.name for each in people)), force=force)
        rows = _with_progress(people, out, timezone, jobs or os.cpu_count() or 1, quiet=as_json)
        write(out, {INDEX: index_csv(rows)})
    except ValueError as error:
        misuse(str(error))
    except OSError as error:
        fail(f"cannot write to {out}: {error}")
    if as_json:
        print_json({"cohort": str(out / INDEX), "persons": [str(out / each.name) for each in people]})
        return
    Console().print(f"{out}: {len(people)} persons and {INDEX}.", soft_wrap=True, highlight=False)


def _with_progress(people: tuple[Person, ...], out: Path, timezone: str, jobs: int, *, quiet: bool) -> list[Row]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as progress:
        task = progress.add_task("persons", total=len(people))
        rows: list[Row] = []
        for row in written(people, out, timezone, jobs):
            rows.append(row)
            progress.advance(task)
        return rows


def _refuse_to_overwrite(folder: Path, names: tuple[str, ...], *, force: bool) -> None:
    there = [each for each in names if (folder / each).exists()]
    if there and not force:
        raise ValueError(f"{folder} already holds {there[0]}: choose another folder, or write over it with --force")
