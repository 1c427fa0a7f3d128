"""`make soak`: simulated weeks of a gateway among faults, judged; writes docs/soak.md if asked."""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.soak import page  # noqa: E402 - the tests are found from the root, which is no package
from tests.soak.forecast import Kind  # noqa: E402 - the same reason as above
from tests.soak.judge import Judge  # noqa: E402
from tests.soak.soak import Outcome, Plan, soak  # noqa: E402
from tests.soak.world import DAY_S, MOST_DAYS  # noqa: E402

DAYS = 30.0
# Four visits an hour to each stocking: as many as the stocking's own rule of closing a block every 15 minutes makes
# worth while, and 30 days of them fit into a quarter of an hour.
INTERVAL_S = 900.0


def main() -> int:
    """Run it; 0 if there is nothing to complain of, 1 if there is, also when it was broken off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=DAYS, help=f"simulated days, at most {MOST_DAYS:g}")
    parser.add_argument("--seed", type=int, default=None, help="what the faults are drawn from; default: a new one")
    parser.add_argument("--interval", type=float, default=INTERVAL_S, help="seconds between two visits")
    parser.add_argument("--only", action="append", choices=[kind.value for kind in Kind], help="only these faults")
    parser.add_argument("--folder", type=Path, help="keep outbox, store and journals there, in a new folder")
    parser.add_argument("--json", action="store_true", help="the figures for programs, on standard output")
    parser.add_argument("--write", type=Path, help="write the page there")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else time.time_ns() % 10**6
    kinds = [Kind(name) for name in chosen.only] if chosen.only else list(Kind)
    try:
        plan = Plan(seed, chosen.days, chosen.interval, kinds)
    except ValueError as error:
        parser.error(str(error))
    # Hundreds of adapters hang and links die on purpose; what the gateway makes of it is counted, not printed.
    logging.disable(logging.WARNING)
    console = Console(stderr=True)
    console.print(f"seed {seed}, {plan.days:g} days, {len(plan.faults)} faults")
    outcome = _run(plan, chosen.folder, console)
    if chosen.write is not None and outcome.finished:
        chosen.write.write_text(page.page(outcome), encoding="utf-8")
        console.print(f"written to {chosen.write}")
    if chosen.json:
        sys.stdout.write(page.as_json(outcome) + "\n")
    _show(outcome, console)
    return 0 if outcome.passed else 1


def _run(plan: Plan, folder: Path | None, console: Console) -> Outcome:
    columns = (
        TextColumn("day {task.fields[day]:.1f} of {task.fields[days]:g}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[faults]} faults, {task.fields[complaints]} complaints"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=plan.days * DAY_S, day=0.0, days=plan.days, faults=0, complaints=0)

        def on_progress(judge: Judge) -> None:
            faults, complaints = judge.struck.total(), len(judge.complaints)
            progress.update(bar, completed=judge.now_s, day=judge.now_s / DAY_S, faults=faults, complaints=complaints)

        if folder is not None:
            folder.mkdir(parents=True)
            return soak(plan, folder, on_progress)
        with tempfile.TemporaryDirectory(prefix="calza-soak-") as name:
            return soak(plan, Path(name), on_progress)


def _show(outcome: Outcome, console: Console) -> None:
    table = Table("fault", "times", "recovered", "longest recovery")
    for kind, times in sorted(outcome.struck.items()):
        found = page.recovered(outcome, kind)
        count, longest = ("", "") if found is None else (str(found[0]), f"{found[1]:.0f} s")
        table.add_row(kind.value, str(times), count, longest)
    console.print(table)
    for serial, records in outcome.records.items():
        console.print(f"{serial}: {records.sealed} records sealed, {records.stored} stored, {records.missing} missing")
    for service in outcome.services:
        recovery = f"longest recovery {service.tally.longest_s:.0f} s after {service.tally.longest_after or 'nothing'}"
        console.print(f"{service.name}: longest silence {service.longest_silence_s:.0f} s, {recovery}")
    console.print(f"the gateway reset its adapter {outcome.remedies} times; {outcome.came_twice} records came twice")
    if outcome.looks:
        first, last = outcome.looks[0], outcome.looks[-1]
        console.print(
            f"objects {first.blocks:,} on day {first.day:.0f}, {last.blocks:,} on day {last.day:.0f}; resident memory"
            f" {first.resident / page.MIB:.0f} MiB, {last.resident / page.MIB:.0f} MiB"
        )
    console.print(f"{outcome.simulated_days:.1f} days in {outcome.wall_s:.0f} s")
    for complaint in outcome.complaints:
        console.print(f"[red]{complaint}[/red]")
    console.print("[green]passed[/green]" if outcome.passed else f"[red]failed[/red], seed {outcome.plan.seed}")


if __name__ == "__main__":
    sys.exit(main())
