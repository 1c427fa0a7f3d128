"""Scores as they are printed: numbers with their units, parts of a whole, tables. Computes nothing new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tests.scoreboard.figures import percent as written_percent

if TYPE_CHECKING:
    from tests.scoreboard.edges import Edges
    from tests.scoreboard.judging import MethodScore


def worst_day(score: MethodScore) -> float | None:
    """The greatest error of any day, minutes."""
    return max((float(day.error_min) for day in score.days), default=None)


def outside(score: MethodScore, by_min: int = 0) -> str:
    """Days whose bounds miss the truth by more than so much, and by how much at most."""
    outside = [max(day.over_min, day.under_min) for day in score.days if max(day.over_min, day.under_min) > by_min]
    return f"{part_of(len(outside), len(score.days))}, at most {max(outside)} min" if outside else "0"


def missed_edges(found: Edges) -> str:
    """How many of the true edges that could be seen have no said one."""
    return part_of(found.missed, len(found.distances_min) + found.missed)


def signed(values: Sequence[int]) -> str:
    """The mean with its sign."""
    return f"{sum(values) / len(values):+.1f} min" if values else "-"


def held_against(text: str, reached: bool | None) -> str:
    """A figure, and whether the limit was kept; nothing where none could be measured."""
    return text if reached is None else f"{text} {'reached' if reached else '**missed**'}"


def ratio(value: float | None) -> str:
    """A number from 0 to 1."""
    return "-" if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    """A share; `-` where there is none."""
    return "-" if value is None else written_percent(value)


def minutes(value: float | None) -> str:
    """Minutes, whole where they are."""
    if value is None:
        return "-"
    return f"{value:.0f} min" if value == round(value) else f"{value:.1f} min"


def part_of(part: int, whole: int) -> str:
    """So many of so many."""
    return f"{part:,} of {whole:,}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
