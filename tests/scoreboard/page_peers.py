"""The part of docs/accuracy.md that sets the product beside others: published figures, and their methods tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.scoreboard.figures import Board, total
from tests.scoreboard.judging import CALZA, METHODS
from tests.scoreboard.orders import OWN
from tests.scoreboard.scores import Answers, error_share
from tests.scoreboard.written import minutes, missed_edges, part_of, percent, ratio, table, worst_day

if TYPE_CHECKING:
    from tests.scoreboard.judging import MethodScore

# clinical.md 5, word for word where it gives figures; its references are listed in its section 10
PUBLISHED: Final = (
    ("fixed 25 C", "8.86 h read for a true 8.10 h a day (r .919)", "Lutjeboer 2018, doi 10.2340/16501977-2494"),
    ("fixed 29 C", "4.91 h for the same 8.10 h (r .680)", "the same"),
    ("temperature slope and peaks", "8.16 h for the same 8.10 h (r .995)", "the same"),
    ("largest 1-minute temperature step", "r .999, CV 0.2 % (10 people, 5 days)", "PMID 33485509"),
    ("decision tree on temperature", "wear time 0.5 to 8.3 % wrong", "Haarman 2022, doi 10.2340/jrm.v54.43"),
    ("brace loggers", "98.5 % right in total (0.37 h a day), don/doff timing 92 %", "PMID 21540779"),
    ("pressure threshold, hand orthosis", "sensitivity 74 %, specificity 93 %", "Devanand 2025, doi 10.3390/s25051352"),
    ("accelerometer, hand orthosis", "sensitivity 86 %, specificity 66 %", "the same"),
    ("compression stocking", "no validated detector was found", "clinical.md, section 5"),
)


def peers(board: Board) -> str:
    published = table(["method", "published", "source"], [list(row) for row in PUBLISHED])
    parts = [
        "## Beside others",
        "What was published, for other garments and other people, and not comparable figure by figure:",
        published,
        "And four of these methods, written down again from their descriptions, on the very minutes of this document."
        " None of them ever says that it does not know. Their minutes were judged by our rule, for each"
        " leg's own order.",
    ]
    for source in board.sources():
        rows = [_peer(method, total(board.of(source), method)) for method in METHODS]
        parts += [f"**{source.capitalize()}**", table(_PEER_HEADS, rows)]
    return "\n\n".join(parts)


_PEER_HEADS: Final = [
    "method",
    "F1",
    "h/day read",
    "h/day true",
    "error",
    "worst day",
    "edges: median",
    "p95",
    "missed",
    "invented",
    "falsely met",
    "falsely not met",
]


def _peer(method: str, score: MethodScore) -> list[str]:
    count = max(1, len(score.days))
    read, true = (
        sum(values) / count / 60
        for values in ([day.lower_min for day in score.days], [day.true_min for day in score.days])
    )
    one = score.orders.get(OWN, Answers())
    return [
        f"**{method}**" if method == CALZA else method,
        ratio(score.minutes.f1),
        f"{read:.2f}",
        f"{true:.2f}",
        percent(error_share(score.days)),
        minutes(worst_day(score)),
        minutes(score.edges.median_min),
        minutes(score.edges.p95_min),
        missed_edges(score.edges),
        f"{score.edges.invented:,}",
        part_of(one.false_met, one.judged),
        part_of(one.false_not_met, one.judged),
    ]
