"""Why one day came out as it did: what was worn and needed, excused, unknown and why. Knows no answer of the order.

Times are those of the order's zone, whatever zone the patient is in.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from calza_server.domain.orders.prescription import MINUTES_PER_DAY, midnight_minute
from calza_server.domain.states import Reason, State
from calza_server.domain.verdicts.day_rule import DayOutcome
from calza_server.domain.verdicts.explain_dose import dose_statements
from calza_server.domain.verdicts.explain_rows import JudgedRows, by_reason, minutes_of, stretches
from calza_server.domain.verdicts.explain_statement import Statement, Topic
from calza_server.domain.verdicts.explain_words import REASONS, clock, count, day_name, listed, span, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from calza_server.domain.ledgers.ledger import Ledger, LedgerRun
    from calza_server.domain.orders.prescription import Pause, Phase, Prescription
    from calza_server.domain.verdicts.day_rule import DayResult
    from calza_server.domain.verdicts.verdict import VerdictReport

SHORT_MINUTES: Final = 10  # our proposal: shorter unknown stretches are told together, or an edge would fill the page
STRETCHES_TOLD: Final = 4  # our proposal: how many stretches one sentence may list


def explain_day(order: Prescription, report: VerdictReport, ledger: Ledger, day: date) -> tuple[Statement, ...]:
    """The day of that date in sentences, the answer first; of a day outside the order, that it is outside."""
    result = next((each for each in report.days if each.date == day), None)
    if result is None:
        return (Statement(f"{day_name(day)} is not a day of this order.", topic=Topic.ORDER),)
    rows = JudgedRows(order, ledger, report.as_of_minute).of(result)
    return tuple(_DayInWords(order, report, result, rows).statements())


def day_sentence(day: DayResult) -> str:
    """What was worn, what was needed, and whether the day counts; no more than is known."""
    name, ahead = day_name(day.date), day.ahead_minutes
    worn = f"the stocking was on for {spans(day.worn_minutes, day.worn_minutes + day.unknown_minutes)}"
    if day.unknown_minutes and not (day.worn_minutes or day.not_worn_minutes or day.forgiven_minutes):
        worn = "nothing is known of the stocking"
    needed = f"{spans(day.required_minutes_lower, day.required_minutes)} {'are' if ahead else 'were'} needed"
    match day.outcome:
        case DayOutcome.MET if day.required_minutes == 0:
            return f"On {name} nothing {'is' if ahead else 'was'} needed, so this day counts; {worn}."
        case DayOutcome.MET:
            return f"On {name} {worn}; {needed}, so this day counts."
        case DayOutcome.NOT_MET if not (day.unknown_minutes or ahead):
            return f"On {name} {worn}; {needed}, so this day does not count."
        case DayOutcome.NOT_MET if ahead:
            return f"On {name} {worn} so far; {needed} and too little of the day is left, so it will not count."
        case DayOutcome.NOT_MET:
            return f"On {name} {worn}; {needed}, so this day does not count, whatever the unknown part was."
        case DayOutcome.CANNOT_TELL:
            return f"On {name} {worn}; {needed}, so whether this day counts cannot be told."
        case DayOutcome.OPEN if day.worn_minutes or day.not_worn_minutes or day.forgiven_minutes or day.unknown_minutes:
            return f"On {name} {worn} so far; {needed} and {span(ahead)} of the day are still to come."
        case DayOutcome.OPEN:
            return f"{name} is still to come; {needed}."


class _DayInWords:
    """The sentences of one day."""

    def __init__(self, order: Prescription, report: VerdictReport, day: DayResult, rows: tuple[LedgerRun, ...]) -> None:
        self._order, self._day, self._rows = order, day, rows
        self._borderline_minutes = report.borderline_minutes
        self._zone = ZoneInfo(order.timezone)
        self._midnight = midnight_minute(day.date, self._zone)
        self._next_midnight = midnight_minute(day.date + timedelta(days=1), self._zone)

    def statements(self) -> Iterator[Statement]:
        """All of them, the answer first."""
        worn = tuple(run for run in self._rows if run.state is State.WORN)
        yield Statement(day_sentence(self._day), worn, Topic.ANSWER)
        yield from self._asked()
        yield from self._off()
        yield from self._excused()
        yield from self._unknown()
        if self._day.borderline:
            yield Statement(
                f"This is within {self._borderline_minutes} min of what was needed. A stocking is not more exact than "
                "that, so the day could as well have come out the other way.",
                topic=Topic.LIMITS,
            )
        yield from dose_statements([self._phase.ankle_floor_mmhg], worn)

    @property
    def _phase(self) -> Phase:
        return self._order.phases[self._day.phase]

    @property
    def _clocks_change(self) -> bool:
        return self._next_midnight - self._midnight != MINUTES_PER_DAY

    def _asked(self) -> Iterator[Statement]:
        day, asked = self._day, span(round(self._day.target_minutes))
        why = []
        if self._clocks_change:
            why.append(f"the clocks change, so the day has {span(self._next_midnight - self._midnight)}")
        if day.start_minute > self._midnight:
            why.append(f"the order begins at {self._clock(day.start_minute)}")
        if day.end_minute < self._next_midnight:
            why.append(f"the order ends at {self._clock(day.end_minute)}")
        because = f" ({listed(why)})" if why else ""
        yield Statement(
            f"The order asks for {asked} on this day{because}; {self._phase.tolerance:.0%} less is accepted.",
            topic=Topic.ORDER,
        )

    def _off(self) -> Iterator[Statement]:
        found = stretches(self._rows, State.NOT_WORN, same_reason=False)
        if not found:
            return
        rows = tuple(run for stretch in found for run in stretch)
        told = listed([self._from_to(stretch) for stretch in found])
        where = told if len(found) <= STRETCHES_TOLD else f"in {len(found)} stretches"
        yield Statement(f"It was off for {span(minutes_of(rows))}: {where}.", rows)

    def _excused(self) -> Iterator[Statement]:
        day, paused = self._day, 0
        for stretch in stretches(self._rows, State.EXCUSED, same_reason=True):
            paused += minutes_of(stretch)
            yield Statement(
                f"{_capital(self._from_to(stretch))} {REASONS[stretch[0].reason]}"
                f"{_noted(self._order.pauses, stretch)}; that time is not asked for.",
                stretch,
                Topic.ORDER,
            )
        coming = day.excused_minutes - day.forgiven_minutes - paused
        if coming:
            yield Statement(f"{span(coming)} of the rest of the day are paused and not asked for.", topic=Topic.ORDER)
        if day.forgiven_minutes:
            off = tuple(run for run in self._rows if run.state is State.NOT_WORN)
            allowed = ["for washing and skin care"] if self._phase.hygiene_excuse_minutes else []
            allowed += ["at night, which this order leaves open"] if self._phase.night_optional else []
            yield Statement(
                f"{span(day.forgiven_minutes)} of the time it was off are excused: the order allows them "
                f"{' or '.join(allowed)}.",
                off,
                Topic.ORDER,
            )

    def _unknown(self) -> Iterator[Statement]:
        found = stretches(self._rows, State.UNKNOWN, same_reason=True)
        short = [stretch for stretch in found if minutes_of(stretch) < SHORT_MINUTES]
        together = len(short) > 1
        for stretch in found:
            if together and stretch in short:
                continue
            note = _noted(self._order.unsensed, stretch) if stretch[0].reason is Reason.UNSENSED_BY_DESIGN else ""
            yield Statement(
                f"{_capital(self._from_to(stretch))} nothing is known: {REASONS[stretch[0].reason]}{note}.",
                stretch,
                Topic.COVERAGE,
            )
        if together:
            rows = tuple(run for stretch in short for run in stretch)
            why = listed([REASONS[reason] for reason, _ in by_reason(rows)])
            yield Statement(
                f"Of {span(minutes_of(rows))} in {count(len(short), 'short stretch', 'short stretches')} nothing is "
                f"known: {why}.",
                rows,
                Topic.COVERAGE,
            )

    def _from_to(self, stretch: Sequence[LedgerRun]) -> str:
        start, end = stretch[0].start_minute, stretch[-1].end_minute
        if (start, end) == (self._midnight, self._next_midnight):
            return "all day"
        return f"from {self._clock(start)} to {'midnight' if end == self._next_midnight else self._clock(end)}"

    def _clock(self, minute: int) -> str:
        # On a day whose clocks change a bare time could mean two moments.
        return clock(minute, self._zone, with_zone=self._clocks_change)


def _noted(stretches_of_order: Sequence[Pause], stretch: Sequence[LedgerRun]) -> str:
    """' (skin blister)': what the clinic wrote about the stretches of the order that reach into this one."""
    start, end = stretch[0].start_minute, stretch[-1].end_minute
    notes = sorted(
        {
            each.reason
            for each in stretches_of_order
            if each.minutes[0] < end and each.minutes[1] > start and each.reason
        }
    )
    return f" ({listed(notes)})" if notes else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
