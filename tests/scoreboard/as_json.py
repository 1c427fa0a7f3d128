"""The same scores for programs: one JSON object, source by source and scenario by scenario."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.verdicts.verdict import RULE_VERSION
from tests.scoreboard.figures import TARGETS, Board, total, unknown_minutes
from tests.scoreboard.judging import METHODS, MethodScore
from tests.scoreboard.scores import Answers, error_share, mean_error_min

if TYPE_CHECKING:
    from tests.scoreboard.cases import Run


def as_json(board: Board, run: Run) -> str:
    """Figures as numbers, null where nothing could be measured; keys and order never vary."""
    return json.dumps(
        {
            "detector": DETECTOR_VERSION,
            "rule": RULE_VERSION,
            "run": asdict(run),
            "legs": len(board.legs),
            "sources": {
                source: {
                    "figures": {
                        target.name: {
                            "goal": target.goal,
                            "measured": target.measured(total(board.of(source))),
                            "reached": target.reached(total(board.of(source))),
                        }
                        for target in TARGETS
                    },
                    "methods": {method: _score(total(board.of(source), method)) for method in METHODS},
                    "scenarios": {name: _score(total(board.of(source, name))) for name in board.scenarios(source)},
                    "unknown_minutes": unknown_minutes(board.of(source)),
                    "missed": [
                        {
                            "scenario": miss.scenario,
                            "figure": miss.target.name,
                            "seeds": miss.seeds,
                            "worst": miss.worst,
                            "worst_seed": miss.worst_seed,
                        }
                        for miss in board.misses(source)
                    ],
                }
                for source in board.sources()
            },
        },
        indent=2,
    )


def _score(score: MethodScore) -> dict[str, object]:
    return {
        "minutes": asdict(score.minutes),
        "f1": score.minutes.f1,
        "f1_decided": score.minutes.f1_decided,
        "days": len(score.days),
        "days_outside": sum(not day.contained for day in score.days),
        "error_share": error_share(score.days),
        "mean_error_min": mean_error_min(score.days),
        "worst_day_min": max((day.error_min for day in score.days), default=None),
        "edge_median_min": score.edges.median_min,
        "edge_p95_min": score.edges.p95_min,
        "edges_missed": score.edges.missed,
        "edges_invented": score.edges.invented,
        "edges_unseen": score.edges.unseen,
        "orders": {name: _answers(found) for name, found in score.orders.items()},
        "order_days": _answers(score.order_days),
    }


def _answers(found: Answers) -> dict[str, object]:
    counts = {name: getattr(found, name) for name in found.__slots__ if not name.endswith("_min")}
    return counts | {"short_min": max(found.short_min, default=None), "spare_min": max(found.spare_min, default=None)}
