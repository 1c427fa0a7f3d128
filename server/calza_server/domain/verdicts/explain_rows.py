"""The rows of the ledger behind an explanation: runs of one day, as they were judged. Knows no sentence."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from calza_server.domain.ledgers.ledger import excused, unsensed
from calza_server.domain.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from calza_server.domain.ledgers.ledger import Ledger, LedgerRun
    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.states import Dose, Reason
    from calza_server.domain.verdicts.day_rule import DayResult


def judged_ledger(order: Prescription, ledger: Ledger, as_of_minute: int) -> Ledger:
    """The ledger as a verdict sees it: the order's minutes up to that moment, under unsensed stretches and pauses."""
    seen = ledger.window(order.start_minute, min(as_of_minute, order.end_minute))
    return excused(unsensed(seen, [each.minutes for each in order.unsensed]), [each.minutes for each in order.pauses])


class JudgedRows:
    """The runs of each day as they were judged, cut where days meet, so that every row belongs to one day."""

    def __init__(self, order: Prescription, ledger: Ledger, as_of_minute: int) -> None:
        self._ledger = judged_ledger(order, ledger, as_of_minute)
        self._days: dict[int, tuple[LedgerRun, ...]] = {}

    def of(self, day: DayResult) -> tuple[LedgerRun, ...]:
        """Every run of a day that has happened."""
        if day.start_minute not in self._days:
            end = min(day.end_minute, self._ledger.end_minute)
            self._days[day.start_minute] = tuple(self._ledger.window(day.start_minute, end).runs())
        return self._days[day.start_minute]

    def of_days(self, days: Iterable[DayResult], *states: State) -> tuple[LedgerRun, ...]:
        """The runs of several days that have one of the states."""
        return tuple(run for day in days for run in self.of(day) if run.state in states)


def minutes_of(rows: Iterable[LedgerRun]) -> int:
    """How long some runs are together."""
    return sum(run.end_minute - run.start_minute for run in rows)


def by_reason(rows: Iterable[LedgerRun]) -> list[tuple[Reason, int]]:
    """How many minutes of the rows have each reason, the most first."""
    found: Counter[Reason] = Counter()
    for run in rows:
        found[run.reason] += minutes_of((run,))
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


def by_dose(rows: Iterable[LedgerRun]) -> Counter[Dose]:
    """How many worn minutes of the rows have each dose."""
    found: Counter[Dose] = Counter()
    for run in rows:
        if run.state is State.WORN:
            found[run.dose] += minutes_of((run,))
    return found


def stretches(rows: Sequence[LedgerRun], state: State, *, same_reason: bool) -> list[tuple[LedgerRun, ...]]:
    """The runs of one state in stretches without a hole, whatever dose and source say; of one reason each if asked."""
    found: list[tuple[LedgerRun, ...]] = []
    for _, group in groupby(rows, key=lambda run: (run.state, run.reason if same_reason else None)):
        stretch = tuple(group)
        if stretch[0].state is state:
            found.append(stretch)
    return found
