"""The minutes a verdict is judged on: the order's span of the ledger, with what the order says of them laid over it.

Knows no rule: it cuts, overrules and counts. States only; reasons and dose stay in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from calza_server.domain.states import State
from calza_server.domain.verdicts.day_rule import Minutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import OrderedDay, Prescription

AHEAD: Final = len(State)  # a fifth code beside the states: this minute has not happened yet
_CODES: Final = AHEAD + 1

Stretches: TypeAlias = "tuple[tuple[int, int], ...]"


@dataclass(frozen=True, slots=True, eq=False)
class JudgedMinutes:
    """Every minute of an order: its `State` number, or AHEAD. The first `seen` of them have happened."""

    start_minute: int
    states: npt.NDArray[np.uint8]
    seen: int

    @classmethod
    def of(cls, order: Prescription, ledger: Ledger, as_of_minute: int) -> JudgedMinutes:
        """The order's minutes at the start of `as_of_minute`; unknown where the ledger is silent.

        What no sensor could see is unknown even if something was recorded; a pause overrules everything, also ahead.
        """
        start, end = order.start_minute, order.end_minute
        seen = max(0, min(as_of_minute, end) - start)
        states = np.full(end - start, AHEAD, np.uint8)
        states[:seen] = State.UNKNOWN
        low, high = max(start, ledger.start_minute), min(start + seen, ledger.end_minute)
        if low < high:
            states[low - start : high - start] = ledger.state[low - ledger.start_minute : high - ledger.start_minute]
        for span in order.unsensed:
            states[_inside(span.minutes, start, start + seen)] = State.UNKNOWN
        for pause in order.pauses:
            states[_inside(pause.minutes, start, end)] = State.EXCUSED
        return cls(start, states, seen)

    def by_day(self, days: Sequence[OrderedDay], nights: Sequence[Stretches]) -> list[tuple[Minutes, Minutes]]:
        """Each day's minutes outside and inside its night (stretches within the day). Days follow one another."""
        cuts: list[int] = []
        owner: list[int] = []  # 2 * day, and 1 more for its night
        for number, (day, night) in enumerate(zip(days, nights, strict=True)):
            at = day.start_minute
            for start, end in night:
                cuts += [at, start]
                owner += [2 * number, 2 * number + 1]
                at = end
            cuts.append(at)
            owner.append(2 * number)
        counted = self._counted(np.array(cuts, np.int64), np.array(owner, np.int64), 2 * len(days))
        return list(zip(counted[::2], counted[1::2], strict=True))

    def _counted(self, cuts: npt.NDArray[np.int64], owner: npt.NDArray[np.int64], owners: int) -> list[Minutes]:
        """Minutes of each owner, who has the minutes from some cuts, each to the next one; cuts rise."""
        edges = cuts - self.start_minute
        pieces = np.union1d(np.flatnonzero(np.diff(self.states, prepend=np.uint8(255))), edges)
        pieces = pieces[pieces < len(self.states)]
        lengths = np.diff(pieces, append=len(self.states))
        whose = owner[np.searchsorted(edges, pieces, side="right") - 1]
        table = np.bincount(whose * _CODES + self.states[pieces], weights=lengths, minlength=owners * _CODES)
        rows: list[list[int]] = table.astype(np.int64).reshape(-1, _CODES).tolist()
        return [
            Minutes(
                worn=row[State.WORN],
                not_worn=row[State.NOT_WORN],
                unknown=row[State.UNKNOWN],
                paused=row[State.EXCUSED],
                ahead=row[AHEAD],
            )
            for row in rows
        ]


def _inside(span: tuple[int, int], start: int, end: int) -> slice:
    return slice(max(0, span[0] - start), max(0, min(span[1], end) - start))
