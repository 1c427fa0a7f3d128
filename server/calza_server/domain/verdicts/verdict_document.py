"""An answer with all that it rests on, as one JSON document: whoever holds it can work the answer out again, offline.

`export` writes it, `read_export` reads it strictly, `recompute` judges it anew, `differences` says in words where file
and recomputation part. The document's digest finds a change made by mistake; it is no signature (see `fingerprint`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from calza_server.domain.orders.prescription import MINUTES_PER_DAY
from calza_server.domain.orders.rx_document import RuleError, read_prescription
from calza_server.domain.recording.completeness import Completeness
from calza_server.domain.verdicts.day_rule import DayOutcome
from calza_server.domain.verdicts.explain_rows import judged_ledger
from calza_server.domain.verdicts.explain_words import count, day_name
from calza_server.domain.verdicts.fingerprint import digest
from calza_server.domain.verdicts.verdict import RULE_VERSION, Verdict, VerdictReport, judge
from calza_server.domain.verdicts.verdict_document_fields import DocumentError, Fields, minute_spelled
from calza_server.domain.verdicts.verdict_document_ledger import ledger_document, read_ledger
from calza_server.domain.verdicts.verdict_document_report import completeness_document, report_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import Prescription

__all__ = [
    "EXPORT_FORMAT",
    "DocumentError",
    "Export",
    "OtherRuleError",
    "Summary",
    "differences",
    "export",
    "read_export",
    "recompute",
    "report_document",
]

EXPORT_FORMAT: Final = "calza-verdict-1"


class OtherRuleError(DocumentError):
    """The document was judged by another version of the rule than this program knows."""

    code = "other_rule_version"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the answer was, as far as it can be compared; minutes worn are over the whole order."""

    verdict: Verdict
    early: Verdict | None
    label: str
    running: bool
    borderline: bool
    days_met_lower: int
    days_met_upper: int
    days_required: int
    worn_minutes_lower: int
    worn_minutes_upper: int
    days: tuple[tuple[date, DayOutcome], ...]

    @classmethod
    def of(cls, report: VerdictReport) -> Summary:
        """The summary of a report."""
        worn = sum(day.worn_minutes for day in report.days)
        return cls(
            verdict=report.verdict,
            early=None if report.early is None else report.early.verdict,
            label=report.label,
            running=report.running,
            borderline=report.borderline,
            days_met_lower=report.days_met_lower,
            days_met_upper=report.days_met_upper,
            days_required=report.days_required,
            worn_minutes_lower=worn,
            worn_minutes_upper=worn + sum(day.unknown_minutes for day in report.days),
            days=tuple((day.date, day.outcome) for day in report.days),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """A document that was read. `intact`: its digest fits, so it is as it was written."""

    order: Prescription
    ledger: Ledger
    as_of_minute: int
    borderline_minutes: int
    detector_version: str
    completeness: Completeness
    summary: Summary
    evidence: str
    fingerprint: str
    intact: bool


def export(
    order: Prescription, ledger: Ledger, report: VerdictReport, completeness: Completeness, detector_version: str
) -> dict[str, object]:
    """The document of an answer as plain JSON values; `report` must be that of this order and ledger."""
    document: dict[str, object] = {
        "format": EXPORT_FORMAT,
        "rule_version": report.rule_version,
        "detector_version": detector_version,
        "as_of": minute_spelled(report.as_of_minute),
        "borderline_minutes": report.borderline_minutes,
        "order": order.document(),
        "ledger": ledger_document(judged_ledger(order, ledger, report.as_of_minute)),
        "completeness": completeness_document(completeness),
        "verdict": _summary_document(Summary.of(report)),
        "evidence": report.evidence,
        "fingerprint": report.fingerprint,
    }
    return document | {"digest": digest(document)}


def read_export(document: object) -> Export:
    """The export in a document. Raises DocumentError; OtherRuleError where it was judged by another rule."""
    top = Fields(
        document,
        "",
        {
            "format",
            "rule_version",
            "detector_version",
            "as_of",
            "borderline_minutes",
            "order",
            "ledger",
            "completeness",
            "verdict",
            "evidence",
            "fingerprint",
            "digest",
        },
    )
    if top.text("format") != EXPORT_FORMAT:
        raise DocumentError("/format", f"must be {EXPORT_FORMAT}; this is {top.text('format') or 'empty'}")
    if top.text("rule_version") != RULE_VERSION:
        raise OtherRuleError(
            "/rule_version",
            f"this was judged by {top.text('rule_version')}, but this program judges by {RULE_VERSION}; "
            "use the release of Calza that wrote it",
        )
    order, as_of = _order(top), top.minute("as_of")
    start, end = order.start_minute, order.end_minute
    completeness = Fields(
        top.raw("completeness"), "/completeness", {"records_expected", "records_held", "records_missing"}
    )
    return Export(
        order=order,
        ledger=read_ledger(top.raw("ledger"), "/ledger", start, max(0, min(as_of, end) - start)),
        as_of_minute=as_of,
        borderline_minutes=top.whole("borderline_minutes", 0, MINUTES_PER_DAY),
        detector_version=top.text("detector_version"),
        completeness=_completeness(completeness),
        summary=_read_summary(top.raw("verdict")),
        evidence=top.digest("evidence"),
        fingerprint=top.digest("fingerprint"),
        intact=top.digest("digest") == digest(top.without("digest")),
    )


def recompute(export: Export) -> VerdictReport:
    """The answer worked out anew from what the document holds."""
    return judge(export.order, export.ledger, export.as_of_minute, borderline_minutes=export.borderline_minutes)


def differences(export: Export, report: VerdictReport) -> tuple[str, ...]:
    """Where the document and a report worked out from it part, one sentence each; empty when they agree."""
    return tuple(_differences(export, report))


def _differences(export: Export, report: VerdictReport) -> Iterator[str]:
    said, found = export.summary, Summary.of(report)
    for field in fields(Summary):
        before, after = getattr(said, field.name), getattr(found, field.name)
        if before != after and field.name != "days":
            yield f"The file says {_WORDS[field.name]} {_told(before)}; worked out anew: {_told(after)}."
    if [day for day, _ in said.days] != [day for day, _ in found.days]:
        yield f"The days in the file are not the {count(len(found.days), 'day')} of its order."
    else:
        for (day, before), (_, after) in zip(said.days, found.days, strict=True):
            if before is not after:
                yield f"The file says {day_name(day)} is {_told(before)}; worked out anew: {_told(after)}."
    if export.evidence != report.evidence:
        yield "The evidence digest in the file is not that of its order and ledger."
    if export.fingerprint != report.fingerprint:
        yield "The fingerprint in the file is not that of its rule, order and ledger."
    if not export.intact:
        yield "The file is not as it was written: its digest does not fit its content."


_WORDS: Final = {
    "verdict": "the verdict is",
    "early": "the early verdict is",
    "label": "the label is",
    "running": "that the order still runs is",
    "borderline": "that a day is borderline is",
    "days_met_lower": "the lower bound of days is",
    "days_met_upper": "the upper bound of days is",
    "days_required": "the number of days needed is",
    "worn_minutes_lower": "the lower bound of worn minutes is",
    "worn_minutes_upper": "the upper bound of worn minutes is",
}


def _told(value: object) -> str:
    if value is None or value == "":
        return "none"
    return str(value).lower().replace("_", " ") if isinstance(value, str | bool) else str(value)


def _order(top: Fields) -> Prescription:
    try:
        return read_prescription(top.raw("order"))
    except RuleError as why:
        raise DocumentError(f"/order{why.pointer}", why.sentence) from why


def _completeness(found: Fields) -> Completeness:
    expected, held, missing = (found.whole(f"records_{name}") for name in ("expected", "held", "missing"))
    if held + missing != expected:
        raise DocumentError(found.at("records_expected"), "must be what is held and what is missing together")
    return Completeness(expected, held, missing)


def _summary_document(summary: Summary) -> dict[str, object]:
    plain = {field.name: getattr(summary, field.name) for field in fields(Summary)}
    return plain | {"days": [{"date": day.isoformat(), "outcome": outcome.value} for day, outcome in summary.days]}


def _read_summary(document: object) -> Summary:
    found = Fields(document, "/verdict", {field.name for field in fields(Summary)})
    days = []
    for number, item in enumerate(found.items("days")):
        day = Fields(item, f"/verdict/days/{number}", {"date", "outcome"})
        days.append((day.date("date"), day.word("outcome", DayOutcome)))
    return Summary(
        verdict=found.word("verdict", Verdict),
        early=found.word_or_none("early", Verdict),
        label=found.text("label"),
        running=found.truth("running"),
        borderline=found.truth("borderline"),
        days_met_lower=found.whole("days_met_lower"),
        days_met_upper=found.whole("days_met_upper"),
        days_required=found.whole("days_required"),
        worn_minutes_lower=found.whole("worn_minutes_lower"),
        worn_minutes_upper=found.whole("worn_minutes_upper"),
        days=tuple(days),
    )
