"""Why the whole order came out as it did: the answer, its bounds, what is unknown and why, what could change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from calza_server.domain.orders.prescription import EndedWhy, minute_of
from calza_server.domain.states import State
from calza_server.domain.verdicts.day_rule import DayOutcome
from calza_server.domain.verdicts.explain_dose import dose_statements
from calza_server.domain.verdicts.explain_rows import JudgedRows, by_reason, minutes_of
from calza_server.domain.verdicts.explain_statement import Statement, Topic
from calza_server.domain.verdicts.explain_words import (
    MAY_ARRIVE,
    SHORT_REASONS,
    between,
    count,
    day_names,
    first_to_last,
    listed,
    moment,
    span,
    spans,
)
from calza_server.domain.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from calza_server.domain.ledgers.ledger import Ledger, LedgerRun
    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.verdicts.day_rule import DayResult
    from calza_server.domain.verdicts.verdict import PhaseResult, VerdictReport

REASON_SHARE: Final = 0.1  # our proposal: a reason of less than a tenth of what is unknown is not named in a summary

ANSWERS: Final = {
    Verdict.MET: "The order was met.",
    Verdict.NOT_MET: "The order was not met.",
    Verdict.CANNOT_TELL: "Whether the order was met cannot be told: what is unknown could turn the answer either way.",
    Verdict.NOT_APPLICABLE: "No compression was ordered for this leg, so there is nothing to meet.",
    Verdict.ALREADY_MET: "Enough days are reached already; the order still runs.",
    Verdict.CAN_BE_MET: "The order still runs and can be met.",
    Verdict.CANNOT_BE_MET: "The order still runs, but it can no longer be met.",
}
IN_SHORT: Final = {
    Verdict.MET: "met",
    Verdict.NOT_MET: "not met",
    Verdict.CANNOT_TELL: "cannot be told",
    Verdict.NOT_APPLICABLE: "nothing ordered",
    Verdict.ALREADY_MET: "met already",
    Verdict.CAN_BE_MET: "can still be met",
    Verdict.CANNOT_BE_MET: "can no longer be met",
}
SWAPPED: Final = (
    "Whether the stockings of two legs were swapped cannot be detected: "
    "the answer is for the leg each one is labelled for."
)
_UNDECIDED: Final = frozenset({Verdict.CANNOT_TELL, Verdict.CAN_BE_MET})


class OrderInWords:
    """The sentences of a whole order."""

    def __init__(self, order: Prescription, report: VerdictReport, ledger: Ledger) -> None:
        self._order, self._report = order, report
        self._rows = JudgedRows(order, ledger, report.as_of_minute)
        self._zone = ZoneInfo(order.timezone)
        self._unclear = [day for day in report.days if day.outcome is DayOutcome.CANNOT_TELL]

    def statements(self) -> Iterator[Statement]:
        """All of them: the answer first, dose and limits last."""
        yield self._answer()
        yield from self._ended()
        if not self._report.days:
            return
        yield self._count()
        yield from self._phases()
        yield from self._early()
        yield self._hours()
        yield from self._unknown()
        yield from self._could_change()
        yield from self._borderline()
        with_floor = [day for day in self._report.days if self._floor(day) is not None]
        yield from dose_statements([self._floor(day) for day in with_floor], self._rows.of_days(with_floor, State.WORN))
        recorded = self._rows.of_days(self._report.days, *State)
        if any(run.source for run in recorded):
            yield Statement(SWAPPED, topic=Topic.LIMITS)

    def _floor(self, day: DayResult) -> float | None:
        return self._order.phases[day.phase].ankle_floor_mmhg

    def _answer(self) -> Statement:
        """The rows: for an order that was met the wear of days that count, else what stands in the way."""
        verdict, days = self._report.verdict, self._report.days
        met = [day for day in days if day.outcome is DayOutcome.MET]
        missed = [day for day in days if day.outcome is DayOutcome.NOT_MET]
        rows: tuple[LedgerRun, ...] = ()
        if verdict in {Verdict.MET, Verdict.ALREADY_MET}:
            rows = self._rows.of_days(met, State.WORN)
        elif verdict in {Verdict.NOT_MET, Verdict.CANNOT_BE_MET}:
            rows = self._rows.of_days(missed, State.NOT_WORN)
        elif verdict in _UNDECIDED:
            rows = self._rows.of_days(self._unclear, State.UNKNOWN)
        return Statement(ANSWERS[verdict], rows, Topic.ANSWER)

    def _ended(self) -> Iterator[Statement]:
        ended = self._order.ended
        if ended is None:
            return
        at, note = moment(minute_of(ended.at), self._zone), f" ({ended.note})" if ended.note else ""
        what = "The order was shortened"
        if ended.why is EndedWhy.SUPERSEDED:
            what = "The order was superseded by that of the next treatment"
        left = "only the time until then is asked for" if self._report.days else "nothing of it is left to ask for"
        yield Statement(f"{what}: it ended on {at}{note}, and {left}.", topic=Topic.ORDER)

    def _count(self) -> Statement:
        report = self._report
        least = sum(day.outcome is DayOutcome.MET for day in report.days)
        so_far = " so far" if report.running else ""
        parts = [
            f"As ordered it was worn on {between(least, least + len(self._unclear))} of {len(report.days)} days{so_far}"
        ]
        if self._unclear:
            rows = self._rows.of_days(self._unclear, State.UNKNOWN)
            parts.append(f"{count(len(self._unclear), 'day')} unknown ({_main_reasons(rows)})")
        still_open = sum(day.outcome is DayOutcome.OPEN for day in report.days)
        if still_open:
            parts.append(f"{count(still_open, 'day')} still open")
        if len(report.phases) == 1:
            parts.append(f"{report.days_required} needed")
        return Statement(f"{'; '.join(parts)}.", self._rows.of_days(report.days, State.WORN, State.UNKNOWN))

    def _phases(self) -> Iterator[Statement]:
        if len(self._report.phases) == 1:
            return
        for phase in self._report.phases:
            found = between(phase.days_met_lower, phase.days_met_upper)
            open_days = any(day.outcome is DayOutcome.OPEN for day in self._days_of(phase))
            reached = f"{found} of {count(phase.days, 'day')} {'may be ' if open_days else ''}reached"
            yield Statement(
                f"{_phase_name(phase)}: {reached}, {phase.days_required} needed, {IN_SHORT[phase.verdict]}.",
                self._rows.of_days(self._days_of(phase), State.WORN),
            )

    def _early(self) -> Iterator[Statement]:
        early = self._report.early
        if early is None:
            return
        days = [day for day in self._report.days if day.phase in early.phases]
        found = between(early.days_met_lower, early.days_met_upper)
        dates = day_names([day.date for day in days])
        yield Statement(
            f"The critical days on their own ({dates}): {IN_SHORT[early.verdict]}; "
            f"{found} of {count(len(days), 'day')}, {early.days_required} needed.",
            self._rows.of_days(days, State.WORN),
            Topic.ANSWER,
        )

    def _hours(self) -> Statement:
        worn = sum(day.worn_minutes for day in self._report.days)
        unknown = sum(day.unknown_minutes for day in self._report.days)
        depending = ", depending on what is unknown" if unknown else ""
        rows = self._rows.of_days(self._report.days, State.WORN)
        return Statement(f"In all it was worn for {spans(worn, worn + unknown)}{depending}.", rows)

    def _unknown(self) -> Iterator[Statement]:
        rows = self._rows.of_days(self._report.days, State.UNKNOWN)
        if not rows:
            return
        found = by_reason(rows)
        parts = [f"{span(minutes)} {SHORT_REASONS[reason]}" for reason, minutes in found]
        why = listed(parts) if len(parts) > 1 else SHORT_REASONS[found[0][0]]
        yield Statement(
            f"Unknown in all: {span(minutes_of(rows))} ({why}). It is counted neither as worn nor as not worn.",
            rows,
            Topic.COVERAGE,
        )

    def _could_change(self) -> Iterator[Statement]:
        report = self._report
        if report.verdict not in _UNDECIDED:
            missing = any(day.unknown_minutes for day in report.days)
            ahead = any(day.ahead_minutes for day in report.days)
            what = " or ".join(["is unknown"] * missing + ["is still to come"] * ahead)
            told = f"Nothing that {what} could change this." if what else "Nothing is unknown that could change this."
            yield Statement(told, topic=Topic.ANSWER)
            return
        for phase in report.phases:
            if phase.verdict not in _UNDECIDED:
                continue
            need, undecided = phase.days_required - phase.days_met_lower, phase.days_met_upper - phase.days_met_lower
            name = f"{_phase_name(phase)}: to" if len(report.phases) > 1 else "To"
            of_them = f"{need} of the {undecided} days that are" if undecided > 1 else "the 1 day that is"
            yield Statement(
                f"{name} be met, {of_them} unknown or still open must turn out long enough.",
                self._rows.of_days([day for day in self._days_of(phase) if day in self._unclear], State.UNKNOWN),
                Topic.ANSWER,
            )
        rows = self._rows.of_days(self._unclear, State.UNKNOWN)
        coming = tuple(run for run in rows if run.reason in MAY_ARRIVE)
        lost = tuple(run for run in rows if run.reason not in MAY_ARRIVE)
        if coming:
            yield _of_unclear_days(coming, "may still become known")
        if lost:
            yield _of_unclear_days(lost, "will stay unknown")

    def _borderline(self) -> Iterator[Statement]:
        days = [day for day in self._report.days if day.borderline]
        if not days:
            return
        near = f"within {self._report.borderline_minutes} min of what was needed"
        yield Statement(
            f"{day_names([day.date for day in days])} {'was' if len(days) == 1 else 'were'} {near}. "
            "A stocking is not more exact than that.",
            self._rows.of_days(days, State.WORN, State.UNKNOWN),
            Topic.LIMITS,
        )

    def _days_of(self, phase: PhaseResult) -> list[DayResult]:
        return [day for day in self._report.days if day.phase == phase.index]


def _phase_name(phase: PhaseResult) -> str:
    return f"Phase {phase.index + 1} ({first_to_last(phase.first_date, phase.last_date)})"


def _of_unclear_days(rows: tuple[LedgerRun, ...], becomes: str) -> Statement:
    return Statement(
        f"Of the days that cannot be told, {span(minutes_of(rows))} {becomes} ({_main_reasons(rows)}).",
        rows,
        Topic.COVERAGE,
    )


def _main_reasons(rows: Iterable[LedgerRun]) -> str:
    rows = tuple(rows)
    found = by_reason(rows)
    enough = REASON_SHARE * minutes_of(rows)
    return listed([SHORT_REASONS[reason] for reason, minutes in found if minutes >= enough])
