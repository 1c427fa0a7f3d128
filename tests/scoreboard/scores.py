"""How far what was said of the minutes is from what was true: pure counting, on arrays and numbers.

Knows no detector, no simulator and no document. Minutes are said to be `State` values; what was true is worn or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    States = npt.NDArray[np.uint8]
    Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Minutes by what was true (first word) and what was said (second). `missing`: nothing was held to judge by."""

    worn_worn: int = 0
    worn_not: int = 0
    worn_unknown: int = 0
    worn_missing: int = 0
    not_worn: int = 0
    not_not: int = 0
    not_unknown: int = 0
    not_missing: int = 0

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def f1(self) -> float | None:
        """F1 of worn over the minutes held; an unknown minute of wear is one missed. None: no wear, true or said."""
        return _f1(self.worn_worn, self.not_worn, self.worn_not + self.worn_unknown)

    @property
    def f1_decided(self) -> float | None:
        """F1 of worn over the minutes that were called worn or not worn."""
        return _f1(self.worn_worn, self.not_worn, self.worn_not)

    @property
    def unknown_share(self) -> float:
        """The share of the minutes held that nothing was said about."""
        unknown = self.worn_unknown + self.not_unknown
        held = self.worn_worn + self.worn_not + self.not_worn + self.not_not + unknown
        return unknown / held if held else 0.0


def _f1(hits: int, invented: int, denied: int) -> float | None:
    return 2 * hits / (2 * hits + invented + denied) if hits + invented + denied else None


def confusion(worn: Mask, said: States, missing: Mask) -> Confusion:
    """Count the minutes; excused ones are left out, for an order's pause says nothing of the leg."""
    missing = missing & (said == State.UNKNOWN)
    columns = (said == State.WORN, said == State.NOT_WORN, (said == State.UNKNOWN) & ~missing, missing)
    return Confusion(*(int(np.count_nonzero(row & column)) for row in (worn, ~worn) for column in columns))


@dataclass(frozen=True, slots=True)
class Day:
    """One whole day without missing data: minutes truly worn, said to be worn, and worn if every unknown one was."""

    true_min: int
    lower_min: int
    upper_min: int

    @property
    def error_min(self) -> int:
        """How far the confirmed minutes are from the truth; an unknown minute of wear counts as wrong."""
        return abs(self.lower_min - self.true_min)

    @property
    def over_min(self) -> int:
        """By how much more was confirmed than worn: a day so much too short could be called met."""
        return max(0, self.lower_min - self.true_min)

    @property
    def under_min(self) -> int:
        """By how much the upper bound stays below the truth: a day met so narrowly could be called not met."""
        return max(0, self.true_min - self.upper_min)

    @property
    def contained(self) -> bool:
        """Whether the bounds contain the truth."""
        return self.lower_min <= self.true_min <= self.upper_min


def days(worn: Mask, said: States, missing: Mask, midnights: Sequence[int]) -> tuple[Day, ...]:
    """The days between consecutive `midnights` (indices) in which no minute is missing and none excused."""
    found = []
    for begin, end in pairwise(midnights):
        if begin < 0 or end > len(worn) or missing[begin:end].any() or (said[begin:end] == State.EXCUSED).any():
            continue
        lower = int(np.count_nonzero(said[begin:end] == State.WORN))
        upper = lower + int(np.count_nonzero(said[begin:end] == State.UNKNOWN))
        found.append(Day(int(np.count_nonzero(worn[begin:end])), lower, upper))
    return tuple(found)


def error_share(found: Sequence[Day]) -> float | None:
    """The errors of all days together over all the wear there truly was; None where there was none."""
    true = sum(day.true_min for day in found)
    return sum(day.error_min for day in found) / true if true else None


def mean_error_min(found: Sequence[Day]) -> float | None:
    """The error of a day on average, minutes; None without days."""
    return sum(day.error_min for day in found) / len(found) if found else None


@dataclass(frozen=True, slots=True)
class Answers:
    """Orders, or days of orders, by what the truth comes to (first word) and what was said (second).

    `marked`: wrong answers that came marked borderline. Only days know how wrong they are: `short_min`, of those
    wrongly called met, the minutes of wear truly lacking; `spare_min`, of those wrongly called not met, the minutes
    truly to spare.
    """

    met_met: int = 0
    met_not: int = 0
    met_cannot_tell: int = 0
    not_met: int = 0
    not_not: int = 0
    not_cannot_tell: int = 0
    marked: int = 0
    short_min: tuple[float, ...] = ()
    spare_min: tuple[float, ...] = ()

    def __add__(self, other: Answers) -> Answers:
        return Answers(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def false_met(self) -> int:
        """Called met, and was not: the error that must not happen."""
        return self.not_met

    @property
    def false_not_met(self) -> int:
        """Called not met, and was."""
        return self.met_not

    @property
    def unmarked(self) -> int:
        """Wrong answers that came without the remark that they are borderline."""
        return self.not_met + self.met_not - self.marked

    @property
    def judged(self) -> int:
        """All of them."""
        return self.met_met + self.met_not + self.met_cannot_tell + self.not_met + self.not_not + self.not_cannot_tell

    @property
    def cannot_tell_share(self) -> float:
        """The share left open."""
        return (self.met_cannot_tell + self.not_cannot_tell) / self.judged if self.judged else 0.0


def answer(*, truly_met: bool, said: str, margin_min: float | None = None, borderline: bool = False) -> Answers:
    """One order or day: said is "met", "not_met" or "cannot_tell"; the margin is minutes truly worn above the need.

    `borderline`: the answer came with the remark that it is.

    Raises ValueError for any other word: an answer that is not final cannot be held against the truth.
    """
    words = ("met", "not_met", "cannot_tell")
    if said not in words:
        raise ValueError(f"{said!r} is no final answer: expected one of {', '.join(words)}")
    met, not_met, cannot_tell = (said == word for word in words)
    return Answers(
        met_met=int(truly_met and met),
        met_not=int(truly_met and not_met),
        met_cannot_tell=int(truly_met and cannot_tell),
        not_met=int(not truly_met and met),
        not_not=int(not truly_met and not_met),
        not_cannot_tell=int(not truly_met and cannot_tell),
        marked=int(borderline and not cannot_tell and truly_met != met),
        short_min=(-margin_min,) if margin_min is not None and met and not truly_met else (),
        spare_min=(margin_min,) if margin_min is not None and not_met and truly_met else (),
    )
