"""The verdict: bounds from minutes to days to phases to the order, never a guess. Knows no store, no clock, no page.

Every unknown minute is counted once as not worn (the lower bound) and once as worn (the upper bound); only where both
give the same answer is it given. While the order runs, minutes ahead join the upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from calza_server.domain.orders.prescription import Mode
from calza_server.domain.verdicts.day_rule import BORDERLINE_MINUTES, DayOutcome, DayResult, judge_day
from calza_server.domain.verdicts.fingerprint import evidence_digest, fingerprint
from calza_server.domain.verdicts.verdict_minutes import JudgedMinutes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import EffectivePhase, Prescription

__all__ = [
    "BORDERLINE_MINUTES",
    "RULE_VERSION",
    "DayOutcome",
    "DayResult",
    "EarlyResult",
    "PhaseResult",
    "Verdict",
    "VerdictReport",
    "judge",
    "phase_verdict",
]

RULE_VERSION: Final = "calza-rule-2"  # changes whenever the same ledger and order could give another answer


class Verdict(StrEnum):
    """The answer. The last three are given while the order still runs."""

    MET = "met"
    NOT_MET = "not_met"
    CANNOT_TELL = "cannot_tell"
    NOT_APPLICABLE = "not_applicable"
    ALREADY_MET = "already_met"
    CAN_BE_MET = "can_be_met"
    CANNOT_BE_MET = "cannot_be_met"


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase (`index` in the order): its days, how many count for certain, how many might, how many must."""

    index: int
    first_date: date
    last_date: date
    end_minute: int
    days: int
    days_met_lower: int
    days_met_upper: int
    days_required: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class EarlyResult:
    """The answer over the critical phases alone, beside that over the whole order; `phases` are their indices."""

    verdict: Verdict
    phases: tuple[int, ...]
    days_met_lower: int
    days_met_upper: int
    days_required: int


@dataclass(frozen=True, slots=True)
class VerdictReport:
    """The verdict on one leg's order, its bounds, and what it was worked out from. Hours are over the whole order.

    `label` says why the order is shorter than it was given, empty if it is not. `early` is there where phases are
    critical. `evidence` is the digest of order and minutes alone, `fingerprint` that of the same under this rule.
    """

    verdict: Verdict
    as_of_minute: int
    running: bool
    days: tuple[DayResult, ...]
    phases: tuple[PhaseResult, ...]
    early: EarlyResult | None
    label: str
    worn_hours_lower: float
    worn_hours_upper: float
    borderline_minutes: int
    rule_version: str
    evidence: str
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


def judge(
    order: Prescription, ledger: Ledger, as_of_minute: int, *, borderline_minutes: int = BORDERLINE_MINUTES
) -> VerdictReport:
    """The verdict at the start of `as_of_minute` (since 1970-01-01T00:00Z); what lies later has not happened yet.

    `borderline_minutes` is the detector's own error in a day; it marks days and moves no answer.
    """
    days, effective = order.days(), order.effective_phases()
    minutes = JudgedMinutes.of(order, ledger, as_of_minute)
    # Daytime hours leave the night free already: to excuse it on top would ask for next to nothing.
    nights = [day.night if order.phases[day.phase].mode is Mode.CONTINUOUS else () for day in days]
    results = tuple(
        judge_day(day, by_day, at_night, borderline_minutes)
        for day, (by_day, at_night) in zip(days, minutes.by_day(days, nights), strict=True)
    )
    phases = tuple(_judge_phase(each, results, as_of_minute) for each in effective)
    worn = sum(day.worn_minutes for day in results)
    unknown = sum(day.unknown_minutes for day in results)
    evidence = evidence_digest(order.document(), minutes.start_minute, minutes.states[: minutes.seen])
    running = bool(days) and as_of_minute < days[-1].end_minute
    return VerdictReport(
        verdict=_overall(phases, running=running),
        as_of_minute=as_of_minute,
        running=running,
        days=results,
        phases=phases,
        early=_early([phase for phase in phases if order.phases[phase.index].critical], as_of_minute),
        label=order.label,
        worn_hours_lower=worn / 60,
        worn_hours_upper=(worn + unknown) / 60,
        borderline_minutes=borderline_minutes,
        rule_version=RULE_VERSION,
        evidence=evidence,
        fingerprint=fingerprint(RULE_VERSION, evidence),
    )


def _judge_phase(effective: EffectivePhase, results: Sequence[DayResult], as_of_minute: int) -> PhaseResult:
    days = [day for day in results if day.phase == effective.index]
    lower = sum(day.outcome is DayOutcome.MET for day in days)
    upper = sum(day.could_count for day in days)
    required, end = effective.phase.days_required, days[-1].end_minute
    return PhaseResult(
        index=effective.index,
        first_date=days[0].date,
        last_date=days[-1].date,
        end_minute=end,
        days=len(days),
        days_met_lower=lower,
        days_met_upper=upper,
        days_required=required,
        verdict=phase_verdict(lower, upper, required, running=as_of_minute < end),
    )


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


def _early(critical: Sequence[PhaseResult], as_of_minute: int) -> EarlyResult | None:
    if not critical:
        return None
    return EarlyResult(
        verdict=_overall(critical, running=as_of_minute < critical[-1].end_minute),
        phases=tuple(phase.index for phase in critical),
        days_met_lower=sum(phase.days_met_lower for phase in critical),
        days_met_upper=sum(phase.days_met_upper for phase in critical),
        days_required=sum(phase.days_required for phase in critical),
    )
