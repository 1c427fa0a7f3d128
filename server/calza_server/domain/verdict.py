"""The verdict: bounds from minutes to days to phases to the order, never a guess. Knows no store, no clock, no page.

Every unknown minute is counted once as not worn (the lower bound) and once as worn (the upper bound); only where both
give the same answer is it given. While the order runs, minutes ahead join the upper bound.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.ledger import Ledger, excused
from calza_server.domain.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from calza_server.domain.prescription import OrderedDay, Prescription

RULE_VERSION: Final = "calza-rule-1"  # changes whenever the same ledger and order could give another answer
BORDERLINE_MINUTES: Final = 30  # our proposal: the detector's own error in a day


class Verdict(StrEnum):
    """The answer. The last three are given while the order still runs."""

    MET = "met"
    NOT_MET = "not_met"
    CANNOT_TELL = "cannot_tell"
    NOT_APPLICABLE = "not_applicable"
    ALREADY_MET = "already_met"
    CAN_BE_MET = "can_be_met"
    CANNOT_BE_MET = "cannot_be_met"


class DayOutcome(StrEnum):
    """The answer for one day. OPEN: it is not over (or has not begun) and could still go either way."""

    MET = "met"
    NOT_MET = "not_met"
    CANNOT_TELL = "cannot_tell"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class DayResult:
    """One day: its minutes by state (they add up to the day's length), what was required, and the answer.

    `target_minutes` is the order's, `required_minutes` after tolerance and excuse. `ahead_minutes` are yet to happen.
    `borderline`: a bound lies so near the requirement that the detector's own error could tip it.
    """

    date: date
    phase: int
    start_minute: int
    end_minute: int
    target_minutes: float
    required_minutes: int
    worn_minutes: int
    not_worn_minutes: int
    unknown_minutes: int
    excused_minutes: int
    ahead_minutes: int
    outcome: DayOutcome
    borderline: bool

    @property
    def could_count(self) -> bool:
        """Whether this day belongs to the upper bound."""
        return self.outcome is not DayOutcome.NOT_MET


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase: its days, how many count for certain, how many might, how many must."""

    first_date: date
    last_date: date
    days_met_lower: int
    days_met_upper: int
    days_required: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class VerdictReport:
    """The verdict on one leg's order, its bounds, and what it was worked out from. Hours are over the whole order."""

    verdict: Verdict
    as_of_minute: int
    running: bool
    days: tuple[DayResult, ...]
    phases: tuple[PhaseResult, ...]
    worn_hours_lower: float
    worn_hours_upper: float
    rule_version: str
    fingerprint: str

    @property
    def days_met_lower(self) -> int:
        """Days that count for certain."""
        return sum(phase.days_met_lower for phase in self.phases)

    @property
    def days_met_upper(self) -> int:
        """Days that count if everything unknown and ahead turns out worn."""
        return sum(phase.days_met_upper for phase in self.phases)

    @property
    def days_required(self) -> int:
        """Days that must count."""
        return sum(phase.days_required for phase in self.phases)

    @property
    def borderline(self) -> bool:
        """Whether any day could be tipped by the detector's own error."""
        return any(day.borderline for day in self.days)


def judge(order: Prescription, ledger: Ledger, as_of_minute: int) -> VerdictReport:
    """The verdict at the start of `as_of_minute` (since 1970-01-01T00:00Z); what lies later has not happened yet."""
    days = order.days()
    end = order.end_minute
    seen = ledger.window(order.start_minute, min(as_of_minute, end))
    ahead = Ledger.unknown(seen.end_minute, end)
    pauses = [pause.minutes for pause in order.pauses]
    seen, ahead = excused(seen, pauses), excused(ahead, pauses)
    results = tuple(_judge_day(day, seen, ahead) for day in days)
    phases = tuple(
        _judge_phase([day for day in results if day.phase == index], phase.days_required, as_of_minute)
        for index, phase in enumerate(order.phases)
    )
    worn = sum(day.worn_minutes for day in results)
    unknown = sum(day.unknown_minutes for day in results)
    running = bool(days) and as_of_minute < end
    return VerdictReport(
        verdict=_overall(phases, running=running),
        as_of_minute=as_of_minute,
        running=running,
        days=results,
        phases=phases,
        worn_hours_lower=worn / 60,
        worn_hours_upper=(worn + unknown) / 60,
        rule_version=RULE_VERSION,
        fingerprint=fingerprint(order, seen),
    )


def _judge_day(day: OrderedDay, seen: Ledger, coming: Ledger) -> DayResult:
    count = _count(seen, day)
    still = _count(coming, day)
    worn, unknown = count[State.WORN], count[State.UNKNOWN]
    excused_minutes = count[State.EXCUSED] + still[State.EXCUSED]
    ahead = still[State.UNKNOWN]
    required = day.required(excused_minutes)
    return DayResult(
        date=day.date,
        phase=day.phase,
        start_minute=day.start_minute,
        end_minute=day.end_minute,
        target_minutes=day.target_minutes,
        required_minutes=required,
        worn_minutes=worn,
        not_worn_minutes=count[State.NOT_WORN],
        unknown_minutes=unknown,
        excused_minutes=excused_minutes,
        ahead_minutes=ahead,
        outcome=day_outcome(worn, unknown, ahead, required),
        borderline=ahead == 0 and required > 0 and near(worn, unknown, required),
    )


def _count(ledger: Ledger, day: OrderedDay) -> list[int]:
    """Minutes of the day in the ledger, by state."""
    low, high = (max(0, minute - ledger.start_minute) for minute in (day.start_minute, day.end_minute))
    count: list[int] = np.bincount(ledger.state[low:high], minlength=len(State)).tolist()
    return count


def day_outcome(worn: int, unknown: int, ahead: int, required: int) -> DayOutcome:
    """The answer for a day of so many minutes worn, unknown and still ahead."""
    if worn >= required:
        return DayOutcome.MET
    if worn + unknown + ahead < required:
        return DayOutcome.NOT_MET
    return DayOutcome.OPEN if ahead else DayOutcome.CANNOT_TELL


def near(worn: int, unknown: int, required: int) -> bool:
    """Whether either bound lies within the detector's own error of the requirement."""
    return min(abs(worn - required), abs(worn + unknown - required)) < BORDERLINE_MINUTES


def _judge_phase(days: Sequence[DayResult], required: int, as_of_minute: int) -> PhaseResult:
    lower = sum(day.outcome is DayOutcome.MET for day in days)
    upper = sum(day.could_count for day in days)
    verdict = phase_verdict(lower, upper, required, running=as_of_minute < days[-1].end_minute)
    return PhaseResult(days[0].date, days[-1].date, lower, upper, required, verdict)


def phase_verdict(lower: int, upper: int, required: int, *, running: bool) -> Verdict:
    """The answer for a phase in which `lower` days count for certain, `upper` at most, and `required` must."""
    if lower >= required:
        return Verdict.ALREADY_MET if running else Verdict.MET
    if upper < required:
        return Verdict.CANNOT_BE_MET if running else Verdict.NOT_MET
    return Verdict.CAN_BE_MET if running else Verdict.CANNOT_TELL


def _overall(phases: Sequence[PhaseResult], *, running: bool) -> Verdict:
    if not phases:
        return Verdict.NOT_APPLICABLE
    if any(phase.verdict in {Verdict.NOT_MET, Verdict.CANNOT_BE_MET} for phase in phases):
        return Verdict.CANNOT_BE_MET if running else Verdict.NOT_MET
    if all(phase.verdict in {Verdict.MET, Verdict.ALREADY_MET} for phase in phases):
        return Verdict.ALREADY_MET if running else Verdict.MET
    return Verdict.CAN_BE_MET if running else Verdict.CANNOT_TELL


def fingerprint(order: Prescription, seen: Ledger) -> str:
    """SHA-256 (hex) over rule version, order and the states judged: equal inputs, equal fingerprint, on any machine."""
    starts = np.flatnonzero(np.diff(seen.state, prepend=np.uint8(255)))
    lengths = np.diff(starts, append=len(seen))
    document = {
        "rule": RULE_VERSION,
        "order": order.document(),
        "ledger": {
            "start_minute": seen.start_minute,
            "states": [
                [State(int(seen.state[start])).word, int(length)] for start, length in zip(starts, lengths, strict=True)
            ],
        },
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
