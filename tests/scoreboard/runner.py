"""Judges every leg of a run, on as many processes as there are, and hands the scores over in the document's order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.progress import track

from tests.scoreboard.cases import FIRST_HELD_OUT_SEED, OTHER, Job, Run, cases, jobs
from tests.scoreboard.figures import Board
from tests.scoreboard.judging import LegScore, score

QUICK: Final = Run(
    persons=1,
    first_held_out=FIRST_HELD_OUT_SEED,
    cohort=4,
    worlds=1,
    world_legs=4,
    scenarios=(
        "perfect",
        "falls-short",
        "never-worn",
        "phone-lost-for-good",
        "stored-under-a-pile",
        "paused-for-a-blister",
        "nothing-ordered",
    ),
)


def judged(run: Run, *, processes: int) -> Board:
    """Judge everything of a run; the answer does not depend on how many processes share the work."""
    in_order = jobs(run)
    work = sorted(
        in_order, key=lambda job: job.source != OTHER
    )  # the long ones first: nobody waits for them at the end
    found = dict(_done(work, processes))
    return Board(tuple(leg for job in in_order for leg in found[job]))


def _done(work: list[Job], processes: int) -> Iterator[tuple[Job, list[LegScore]]]:
    console = Console(stderr=True)
    with multiprocessing.Pool(processes) as pool:
        done = pool.imap_unordered(_scores, work) if processes > 1 else map(_scores, work)
        yield from track(done, "legs", len(work), console=console, disable=not console.is_terminal)


def _scores(job: Job) -> tuple[Job, list[LegScore]]:
    return job, [score(case) for case in cases(job)]
