"""The JSON about a leg beside its verdict: orders, reasons, alerts, dose, versions. Knows no store, no route."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from calza_server.api.models import LegOut, Out, RunOut, StandingOut, at_minute
from calza_server.domain.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from calza_server.domain.alerting.alert_values import Alert
    from calza_server.domain.ledgers.dose import DoseReport, DoseSummary
    from calza_server.domain.verdicts.explain_statement import Statement
    from calza_server.domain.verdicts.finality import Standing, VerdictVersion
    from calza_server.views import LegReport


class SpanOut(Out):
    """A stretch of time, [from, to)."""

    from_: datetime = Field(alias="from")
    to: datetime

    @classmethod
    def of(cls, minutes: tuple[int, int]) -> SpanOut:
        """The JSON of a stretch of minutes."""
        return cls.model_validate({"from": at_minute(minutes[0]), "to": at_minute(minutes[1])})


class OrderOut(Out):
    """One order of a leg and what became of it."""

    number: int = Field(description="Counted from 1, the oldest first.")
    start: datetime
    end: datetime
    label: str = Field(description="Empty, `order shortened` or `superseded by the next treatment`.")
    preset: str | None
    verdict: Verdict
    fingerprint: str
    standing: StandingOut | None
    order: dict[str, object] = Field(description="The order itself, as in `rx.json`.")

    @classmethod
    def of(cls, report: LegReport, standing: Standing | None) -> OrderOut:
        """The JSON of an order."""
        order = report.order
        return cls(
            number=report.number,
            start=at_minute(order.start_minute),
            end=at_minute(order.end_minute),
            label=order.label,
            preset=order.preset,
            verdict=report.verdict.verdict,
            fingerprint=report.verdict.fingerprint,
            standing=None if standing is None else StandingOut.of(standing, order.timezone),
            order=order.document(),
        )


class OrdersOut(Out):
    """Every order of a leg, the oldest first; each has a verdict of its own."""

    leg: LegOut
    orders: list[OrderOut]


class StatementOut(Out):
    """One sentence a patient understands, and the rows of the ledger that show it."""

    sentence: str
    topic: Literal["answer", "order", "wear", "coverage", "dose", "limits"]
    rows: list[RunOut]


class ExplanationOut(Out):
    """Why the answer is what it is: of the whole order, or of one of its days."""

    leg: LegOut
    order: int
    day: date | None
    statements: list[StatementOut]

    @classmethod
    def of(cls, report: LegReport, day: date | None, statements: tuple[Statement, ...]) -> ExplanationOut:
        """The JSON of an explanation."""
        return cls(
            leg=LegOut.of(report.leg),
            order=report.number,
            day=day,
            statements=[
                StatementOut.model_validate(
                    {"sentence": one.sentence, "topic": one.topic.value, "rows": [RunOut.of(run) for run in one.rows]}
                )
                for one in statements
            ],
        )


class FigureOut(Out):
    """One number behind an alert."""

    name: str
    value: float
    unit: str


class AlertOut(Out):
    """Something about the garment or the recording that somebody should look at; never a diagnosis."""

    kind: str = Field(examples=["tourniquet", "too_low", "silent"])
    severity: Literal["today", "soon", "note"]
    sentence: str
    threshold: str = Field(description="The rule in words, with its figures.")
    source: str = Field(description="Where the rule comes from; our proposals say so.")
    stocking: str | None
    sites: list[str]
    minutes: int = Field(description="How long it lasted in all.")
    when: list[SpanOut] = Field(description="The minutes that raised it.")
    figures: list[FigureOut]

    @classmethod
    def of(cls, alert: Alert) -> AlertOut:
        """The JSON of an alert."""
        return cls.model_validate(
            {
                "kind": alert.kind.value,
                "severity": alert.severity.value,
                "sentence": alert.sentence,
                "threshold": alert.threshold,
                "source": alert.source,
                "stocking": alert.serial or None,
                "sites": list(alert.sites),
                "minutes": alert.total_minutes,
                "when": [SpanOut.of(each) for each in alert.minutes],
                "figures": [FigureOut(name=one.name, value=one.value, unit=one.unit) for one in alert.figures],
            }
        )


class AlertsOut(Out):
    """All alerts of a leg, the most pressing first."""

    leg: LegOut
    as_of: datetime
    alerts: list[AlertOut]


class DoseSummaryOut(Out):
    """How hard the garment pressed. Minutes reached, uncertain and below are worn minutes with an ordered floor."""

    worn_minutes: int
    reached_minutes: int
    uncertain_minutes: int = Field(description="The floor lies within the sensor's uncertainty.")
    below_minutes: int
    ankle_median_mmhg: float | None
    uncertainty_mmhg: float | None = Field(description="Either way: 15 % or 3 mmHg, whichever is larger.")

    @classmethod
    def of(cls, summary: DoseSummary) -> DoseSummaryOut:
        """The JSON of a summary."""
        doubt = summary.doubt_mmhg
        return cls(
            worn_minutes=summary.worn_minutes,
            reached_minutes=summary.reached_minutes,
            uncertain_minutes=summary.uncertain_minutes,
            below_minutes=summary.below_minutes,
            ankle_median_mmhg=None if summary.median_mmhg is None else round(summary.median_mmhg, 1),
            uncertainty_mmhg=None if doubt is None else round(doubt, 1),
        )


class DayDoseOut(DoseSummaryOut):
    """The dose of one ordered day."""

    date: date


class DoseOut(Out):
    """Dose, an axis of its own: a weak garment never changes the verdict on wear."""

    leg: LegOut
    order: int
    whole: DoseSummaryOut
    last_24_h: DoseSummaryOut
    days: list[DayDoseOut]

    @classmethod
    def of(cls, report: LegReport, dose: DoseReport) -> DoseOut:
        """The JSON of a leg's dose."""
        return cls(
            leg=LegOut.of(report.leg),
            order=report.number,
            whole=DoseSummaryOut.of(dose.whole),
            last_24_h=DoseSummaryOut.of(dose.last_24_h),
            days=[DayDoseOut(date=day.date, **DoseSummaryOut.of(day.summary).model_dump()) for day in dose.days],
        )


class VersionOut(Out):
    """A frozen answer. It is amended by a further version, never overwritten."""

    number: int
    frozen_at: datetime
    why: Literal["grace_over", "late_data", "order_changed", "detector_changed"]
    verdict: Verdict
    label: str
    days_met_lower: int
    days_met_upper: int
    days_required: int
    rule_version: str
    detector_version: str
    fingerprint: str

    @classmethod
    def of(cls, version: VerdictVersion) -> VersionOut:
        """The JSON of a version."""
        return cls.model_validate(
            {
                "number": version.number,
                "frozen_at": at_minute(version.frozen_at_minute),
                "why": version.why.value,
                "verdict": version.verdict,
                "label": version.label,
                "days_met_lower": version.days_met_lower,
                "days_met_upper": version.days_met_upper,
                "days_required": version.days_required,
                "rule_version": version.rule_version,
                "detector_version": version.detector_version,
                "fingerprint": version.fingerprint,
            }
        )


class VersionsOut(Out):
    """Every frozen version of one order's answer, the oldest first, and how final the answer is."""

    leg: LegOut
    order: int
    standing: StandingOut | None
    versions: list[VersionOut]
