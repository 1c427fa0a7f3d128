"""`make scoreboard`: judges detector, ledger and verdict against the truth and writes docs/accuracy.md."""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.scoreboard import as_json, page, runner  # noqa: E402 - the tests are found from the root, which is no package
from tests.scoreboard.cases import FIRST_HELD_OUT_SEED, FITTING_SEEDS, Run  # noqa: E402 - the same reason as above

PERSONS = 12
COHORT = 200
WORLDS = 6


def main() -> None:
    """Print the page or the figures, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the file to write; default: standard output")
    parser.add_argument("--persons", type=int, default=PERSONS, help="legs of each scenario and source (1 to 100)")
    parser.add_argument("--seed", type=int, default=FIRST_HELD_OUT_SEED, help="first held-out seed, 1000 or more")
    parser.add_argument("--cohort", type=int, default=COHORT, help="people of the cohort")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="seeds of the other world")
    parser.add_argument("--quick", action="store_true", help="a few legs only, on one processor; overrides the others")
    parser.add_argument("--json", action="store_true", help="the figures for programs, on standard output")
    chosen = parser.parse_args()
    if (
        not 1 <= chosen.persons <= FITTING_SEEDS
        or chosen.seed < FIRST_HELD_OUT_SEED
        or min(chosen.cohort, chosen.worlds) < 0
    ):
        parser.error(
            f"--persons is 1 to {FITTING_SEEDS}, --seed at least {FIRST_HELD_OUT_SEED} (lower ones may have been fitted"
            " to), --cohort and --worlds 0 or more"
        )
    run = runner.QUICK if chosen.quick else Run(chosen.persons, chosen.seed, chosen.cohort, chosen.worlds)
    board = runner.judged(run, processes=1 if chosen.quick else os.cpu_count() or 1)
    if chosen.write is not None:
        chosen.write.write_text(page.page(board, run), encoding="utf-8")
        sys.stderr.write(f"written to {chosen.write}\n")
    if chosen.json:
        sys.stdout.write(as_json.as_json(board, run) + "\n")
    elif chosen.write is None:
        sys.stdout.write(page.page(board, run))


if __name__ == "__main__":
    main()
