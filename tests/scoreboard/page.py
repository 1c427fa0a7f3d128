"""docs/accuracy.md as text: the scores put in tables, misses and all. Computes no score and reads no clock."""

from __future__ import annotations

from typing import Final

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.verdicts.verdict import BORDERLINE_MINUTES, RULE_VERSION
from tests.scoreboard.cases import COHORT, FITTING_SEEDS, NOISE, NOISY, OTHER, Run
from tests.scoreboard.edges import MATCH_WITHIN_MIN
from tests.scoreboard.figures import TARGETS, Board, Miss, total, unknown_minutes
from tests.scoreboard.judging import CALZA, LegScore
from tests.scoreboard.page_peers import peers
from tests.scoreboard.page_sources import source_part
from tests.scoreboard.scores import Answers, mean_error_min
from tests.scoreboard.written import (
    held_against,
    minutes,
    missed_edges,
    outside,
    percent,
    ratio,
    signed,
    table,
    worst_day,
)

DAY_MIN: Final = 1_440
OUTSIDE_MIN: Final = 5  # more than a minute or two at each of a day's usual edges


def page(board: Board, run: Run) -> str:
    """The whole document; the same scores give the same text."""
    parts = [
        _head(board, run),
        _reached(board),
        peers(board),
        _orders(board),
        _unknown(board),
        *(source_part(board, source) for source in board.sources()),
        _missed(board, run),
    ]
    return "\n\n".join(parts) + "\n"


def _head(board: Board, run: Run) -> str:
    near = f"within {MATCH_WITHIN_MIN} minutes"
    return f"""# Accuracy

Written by `make scoreboard`: what the wear detector ({DETECTOR_VERSION}) and the verdict ({RULE_VERSION}) make of
{len(board.legs):,} simulated legs, held against what was true. For every scenario and source {run.persons} legs,
with seeds from 0 to {FITTING_SEEDS - 1} for fitting and from {run.first_held_out} on held out; a cohort of
{run.cohort} people, seed {run.first_held_out}; of another world {run.worlds} seeds, from there on. The same seeds give
the same text.

**No real leg was measured.** The simulator and the other world were both made by us from published figures and our own
assumptions. What follows says how well the detector knows such legs, and is no claim about patients.

## How it is counted

* A minute is truly worn if the stocking was in place for half of it; while it is being pulled on or off it is not.
* **F1** of worn over the minutes for which readings are held. *Strict*: an unknown minute of wear counts as missed.
  *Decided*: over the minutes that were called worn or not worn. Figures to reach are held against the strict one.
* **Hours a day**: whole days (midnight to midnight UTC) without a missing minute. The error is the distance of the
  confirmed minutes, the lower bound, from the truth; in per cent of all the wear there truly was. *Outside*: days whose
  bounds do not contain the truth, and by how much at most.
* **Don/doff**: each true edge and the nearest edge said of its kind {near}, one to one. *Missed*: there is
  no such edge. *Invented*: an edge said where none is true. True edges {near} of missing data are left out.
* **Orders**: the verdict when the order is over, against the truth judged by the simulator's own plain rule.
* Figures are of all legs of a source together; every scenario with a leg that misses one is listed at the end."""


def _reached(board: Board) -> str:
    sources = board.sources()
    totals = {source: total(board.of(source)) for source in sources}
    rows = [
        [target.name, target.goal, *(held_against(target.text(totals[s]), target.reached(totals[s])) for s in sources)]
        for target in TARGETS
    ]
    more: list[list[str]] = [
        ["legs", "", *(f"{len(board.of(s)):,}" for s in sources)],
        ["orders judged", "", *(f"{totals[s].all_orders.judged:,}" for s in sources)],
        ["minute F1, decided", "", *(ratio(totals[s].minutes.f1_decided) for s in sources)],
        ["hours a day, mean error", "", *(minutes(mean_error_min(totals[s].days)) for s in sources)],
        ["hours a day, worst day", "", *(minutes(worst_day(totals[s])) for s in sources)],
        ["days outside their bounds", "", *(outside(totals[s]) for s in sources)],
        [f"... by more than {OUTSIDE_MIN} min", "", *(outside(totals[s], OUTSIDE_MIN) for s in sources)],
        [f"... by more than {BORDERLINE_MINUTES} min", "", *(outside(totals[s], BORDERLINE_MINUTES) for s in sources)],
        ["put on, said minus true, mean", "", *(signed(totals[s].edges.don_min) for s in sources)],
        ["taken off, said minus true, mean", "", *(signed(totals[s].edges.doff_min) for s in sources)],
        ["edges missed", "", *(missed_edges(totals[s].edges) for s in sources)],
        ["edges invented", "", *(f"{totals[s].edges.invented:,}" for s in sources)],
        ["orders falsely not met", "", *(str(totals[s].all_orders.false_not_met) for s in sources)],
        ["wrong, and not marked borderline", "", *(str(totals[s].all_orders.unmarked) for s in sources)],
        ["orders left open", "", *(percent(totals[s].all_orders.cannot_tell_share) for s in sources)],
    ]
    return "## The figures to reach\n\nThose of the design for wear detection, by source.\n\n" + table(
        ["what", "to reach", *sources], rows + more
    )


def _orders(board: Board) -> str:
    rows = []
    for source in board.sources():
        score = total(board.of(source))
        rows += [[source, name, *_answers(found)] for name, found in score.orders.items()]
        rows.append([source, "*every day of these*", *_answers(score.order_days)])
    short, spare = (
        max((max(values, default=0.0) for values in each), default=0.0)
        for each in (
            [total(board.of(source)).order_days.short_min for source in board.sources()],
            [total(board.of(source)).order_days.spare_min for source in board.sources()],
        )
    )
    return (
        "## Orders\n\nEach leg was judged by each order when it was over.\n\n"
        + table(
            [
                "source",
                "order",
                "truly met",
                "said met",
                "open",
                "**said not met**",
                "truly not met",
                "**said met**",
                "open",
                "said not met",
                "wrong, not marked",
            ],
            rows,
        )
        + f"\n\nA day wrongly called met truly lacked {short:.1f} minutes at most; one wrongly called not met had"
        f" {spare:.1f} minutes\nto spare at most. The verdict marks a day borderline within {BORDERLINE_MINUTES} min."
    )


def _answers(found: Answers) -> list[str]:
    met = found.met_met + found.met_not + found.met_cannot_tell
    not_met = found.not_met + found.not_not + found.not_cannot_tell
    counts = (met, found.met_met, found.met_cannot_tell, found.met_not)
    rest = (not_met, found.not_met, found.not_cannot_tell, found.not_not, found.unmarked)
    return [f"{each:,}" for each in (*counts, *rest)]


def _unknown(board: Board) -> str:
    rows = []
    for source in board.sources():
        legs = board.of(source)
        judged = sum(_all_minutes(leg) for leg in legs)
        for reason, count in unknown_minutes(legs).items():
            rows.append([source, reason, f"{count:,}", percent(count / judged), f"{count / judged * DAY_MIN:.1f}"])
    return "## What was left unknown, and why\n\n" + table(
        ["source", "reason", "minutes", "of all minutes", "minutes a day"], rows
    )


def _all_minutes(leg: LegScore) -> int:
    counted = leg.methods[CALZA].minutes
    return sum(getattr(counted, name) for name in counted.__slots__)


def _missed(board: Board, run: Run) -> str:
    misses = [miss for source in board.sources() for miss in board.misses(source)]
    if not misses:
        return "## What missed a figure\n\nNo leg missed any."
    rows = [
        [
            miss.source,
            miss.scenario,
            f"{miss.target.name} {miss.target.goal}",
            f"{len(miss.seeds)} of {miss.legs}",
            miss.worst,
            _replay(miss, run),
            ", ".join(str(seed) for seed in miss.seeds),
        ]
        for miss in misses
    ]
    return (
        "## What missed a figure\n\nEvery scenario some of whose legs, each by itself, miss a figure. The figures are"
        " limits for many legs together, so a\nsingle leg may miss one by its few edges; it is listed all the same."
        " To see one again: `calza sim export` with what stands in\nthe table and `--out` a folder (its minutes lie on"
        " whole UTC minutes, here they went through a drifting clock), for a person\n`calza sim cohort`, for another"
        " world `tests/scoreboard/other_world.py`.\n\n"
        + table(["source", "scenario", "figure", "legs", "worst", "to see the worst again", "seeds"], rows)
    )


def _replay(miss: Miss, run: Run) -> str:
    if miss.source == OTHER:
        return f"`legs({miss.worst_seed})`"
    if miss.source == COHORT:
        return f"`--seed {run.first_held_out}`, person {miss.worst_seed}"
    joined = f"+{NOISE}" if miss.source == NOISY else ""
    return f"`{miss.scenario}{joined} --seed {miss.worst_seed}`"
