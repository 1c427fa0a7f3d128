"""An answer as JSON for programs: every bound, day and phase, what it rests on, and why in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.verdicts.explain import explain_verdict
from calza_server.domain.verdicts.verdict_document_fields import minute_spelled

if TYPE_CHECKING:
    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.recording.completeness import Completeness
    from calza_server.domain.verdicts.day_rule import DayResult
    from calza_server.domain.verdicts.verdict import EarlyResult, PhaseResult, VerdictReport

REPORT_FORMAT: Final = "calza-verdict-report-1"


def report_document(
    order: Prescription,
    report: VerdictReport,
    completeness: Completeness,
    *,
    ledger: Ledger | None = None,
    detector_version: str = DETECTOR_VERSION,
) -> dict[str, object]:
    """The answer as plain JSON values. Without the ledger `explanation` is empty, for only the ledger has reasons."""
    return {
        "format": REPORT_FORMAT,
        "as_of": minute_spelled(report.as_of_minute),
        "timezone": order.timezone,
        "verdict": report.verdict.value,
        "running": report.running,
        "label": report.label,
        "days_met_lower": report.days_met_lower,
        "days_met_upper": report.days_met_upper,
        "days_required": report.days_required,
        "worn_hours_lower": round(report.worn_hours_lower, 2),
        "worn_hours_upper": round(report.worn_hours_upper, 2),
        "borderline": report.borderline,
        "borderline_minutes": report.borderline_minutes,
        "early": None if report.early is None else _early(report.early),
        "phases": [_phase(phase) for phase in report.phases],
        "days": [_day(day) for day in report.days],
        "completeness": completeness_document(completeness),
        "rule_version": report.rule_version,
        "detector_version": detector_version,
        "evidence": report.evidence,
        "fingerprint": report.fingerprint,
        "explanation": [] if ledger is None else [each.sentence for each in explain_verdict(order, report, ledger)],
    }


def completeness_document(completeness: Completeness) -> dict[str, object]:
    """How complete the records are, as plain JSON values."""
    return {
        "records_expected": completeness.expected,
        "records_held": completeness.held,
        "records_missing": completeness.missing,
    }


def _early(early: EarlyResult) -> dict[str, object]:
    return {
        "verdict": early.verdict.value,
        "phases": list(early.phases),
        "days_met_lower": early.days_met_lower,
        "days_met_upper": early.days_met_upper,
        "days_required": early.days_required,
    }


def _phase(phase: PhaseResult) -> dict[str, object]:
    return {
        "index": phase.index,
        "first_date": phase.first_date.isoformat(),
        "last_date": phase.last_date.isoformat(),
        "days": phase.days,
        "days_met_lower": phase.days_met_lower,
        "days_met_upper": phase.days_met_upper,
        "days_required": phase.days_required,
        "verdict": phase.verdict.value,
    }


def _day(day: DayResult) -> dict[str, object]:
    return {
        "date": day.date.isoformat(),
        "phase": day.phase,
        "start": minute_spelled(day.start_minute),
        "end": minute_spelled(day.end_minute),
        "worn_minutes": day.worn_minutes,
        "not_worn_minutes": day.not_worn_minutes,
        "unknown_minutes": day.unknown_minutes,
        "excused_minutes": day.excused_minutes,
        "forgiven_minutes": day.forgiven_minutes,
        "ahead_minutes": day.ahead_minutes,
        "target_minutes": round(day.target_minutes, 2),
        "required_minutes": day.required_minutes,
        "required_minutes_lower": day.required_minutes_lower,
        "outcome": day.outcome.value,
        "borderline": day.borderline,
    }
