"""A cohort as folders: one per person as `calza sim export` writes it, and cohort.csv with a line for each."""

import csv
import io
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from calza_sim.cohort import Person
from calza_sim.export_folder import Wish, exported, write

Row: TypeAlias = tuple[object, ...]
COLUMNS: Final = (
    "person",
    "seed",
    "start",
    "pattern",
    "fit_fault",
    "stopped_day",
    "side_effect",
    "modifiers",
    "verdict",
    "days_met",
    "days",
    "worn_hours",
)
INDEX: Final = "cohort.csv"


def written(people: Sequence[Person], folder: Path, timezone: str, jobs: int) -> Iterator[Row]:
    """Live and write each person's folder, in `jobs` processes; gives the row of each in order as it is done.

    Raises OSError, and ValueError for a zone there is not.
    """
    task = partial(_written, folder=folder, timezone=timezone)
    if jobs == 1 or len(people) < 2:
        yield from map(task, people)
        return
    # spawned, because a forked child of a process with threads (the progress bar is one) may hang
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(task, people)


def index_csv(rows: Sequence[Row]) -> str:
    """cohort.csv: a header and a line per person."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows((COLUMNS, *rows))
    return out.getvalue()


def _written(person: Person, folder: Path, timezone: str) -> Row:
    done = exported(Wish(person.scenario, seed=person.seed, timezone=timezone))
    write(folder / person.name, done.texts)
    return (
        person.name,
        person.seed,
        person.scenario.starts,
        person.pattern,
        person.fit_fault,
        "" if person.stopped_day is None else person.stopped_day,
        int(person.side_effect),
        " ".join(person.modifiers),
        done.answer.verdict,
        sum(each.met for each in done.answer.days),
        len(done.answer.days),
        round(done.worn_hours, 2),
    )
