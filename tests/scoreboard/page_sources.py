"""The part of docs/accuracy.md about one source of legs: every scenario with its minutes, days, edges and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.scoreboard.cases import COHORT, FITTING, FITTING_SEEDS, HELD_OUT, NOISE, NOISY, OTHER
from tests.scoreboard.edges import Edges
from tests.scoreboard.figures import total
from tests.scoreboard.scores import error_share, mean_error_min
from tests.scoreboard.written import minutes, missed_edges, outside, part_of, percent, ratio, table, worst_day

if TYPE_CHECKING:
    from tests.scoreboard.figures import Board

WHAT: Final = {
    FITTING: f"Simulated legs of seeds 0 to {FITTING_SEEDS - 1}. The detector's figures may have been chosen by them,"
    " so they prove nothing; they stand here for comparison.",
    HELD_OUT: "The same scenarios lived by people nobody looked at while the detector was made.",
    NOISY: f"The same people as before, their sensors with eight times the noise (modifier `{NOISE}`), which is what"
    " clinical.md 4.6 proposes: sd 1.0 mmHg of one sample at 10 Hz.",
    COHORT: "People as a clinic would meet them, by the pattern of their wear: garments that sit badly, are given up,"
    " drift, lose their phone, in the shares that `calza_sim.cohort` gives with their sources. Held out too.",
    OTHER: "Legs of a second generator that shares no line with the simulator: other noise, other warmth, missing"
    " columns. Every kind it knows.",
}


def source_part(board: Board, source: str) -> str:
    named = [(name, total(board.of(source, name))) for name in board.scenarios(source)]
    counts = [
        [
            name,
            *(f"{getattr(score.minutes, cell):,}" for cell in _CELLS),
            ratio(score.minutes.f1),
            ratio(score.minutes.f1_decided),
        ]
        for name, score in named
    ]
    rest = [
        [
            name,
            minutes(mean_error_min(score.days)),
            minutes(worst_day(score)),
            percent(error_share(score.days)),
            outside(score),
            *_timing(score.edges),
            part_of(score.all_orders.false_met, score.all_orders.judged),
            part_of(score.all_orders.false_not_met, score.all_orders.judged),
            percent(score.all_orders.cannot_tell_share),
        ]
        for name, score in named
    ]
    return "\n\n".join(
        [
            f"## {source.capitalize()}",
            WHAT[source],
            "Minutes, by what was true (first) and what was said:",
            table(["scenario", *_CELLS.values(), "F1", "F1 decided"], counts),
            "Days, edges and orders:",
            table(_REST_HEADS, rest),
        ]
    )


_CELLS: Final = {
    "worn_worn": "worn: worn",
    "worn_not": "worn: not worn",
    "worn_unknown": "worn: unknown",
    "worn_missing": "worn: no data",
    "not_worn": "not: worn",
    "not_not": "not: not worn",
    "not_unknown": "not: unknown",
    "not_missing": "not: no data",
}
_REST_HEADS: Final = [
    "scenario",
    "error a day",
    "worst day",
    "error",
    "days outside",
    "don: median, p95",
    "doff: median, p95",
    "missed",
    "invented",
    "falsely met",
    "falsely not met",
    "open",
]


def _timing(found: Edges) -> list[str]:
    don, doff = Edges(don_min=found.don_min), Edges(doff_min=found.doff_min)
    return [
        *(f"{minutes(each.median_min)}, {minutes(each.p95_min)}" for each in (don, doff)),
        missed_edges(found),
        f"{found.invented:,}",
    ]
