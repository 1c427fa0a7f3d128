"""The JSON the API speaks, as pydantic models: what OpenAPI shows and clients may rely on. Knows no store, no route."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.verdicts.verdict import DayOutcome, Verdict

if TYPE_CHECKING:
    from calza_server.domain.ledgers.ledger import Ledger, LedgerRun
    from calza_server.domain.verdicts.finality import Standing
    from calza_server.ports import GatewaySeen, Leg
    from calza_server.views import LegReport


class Out(BaseModel):
    """Read-only JSON."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class LegOut(Out):
    """A leg this server knows."""

    id: str = Field(examples=["p1-left"])
    side: Literal["left", "right"]
    name: str = Field(description="How the registry calls it; for people.", examples=["Left leg"])

    @classmethod
    def of(cls, leg: Leg) -> LegOut:
        """The JSON of a leg."""
        return cls(id=leg.id, side=leg.side, name=leg.name)


class LegsOut(Out):
    """Every leg, in the order of the registry."""

    legs: list[LegOut]


class HoursOut(Out):
    """Worn hours as bounds: at least, at most. They differ by what is unknown."""

    lower: float = Field(examples=[212.5])
    upper: float = Field(examples=[230.0])


class CompletenessOut(Out):
    """Records that must exist, by their running numbers, and those held."""

    records_expected: int = Field(examples=[336])
    records_held: int = Field(examples=[336])
    records_missing: int = Field(examples=[0])
    minutes_unplaced: int = Field(description="Minutes held whose clock cannot be trusted.", examples=[0])
    minutes_clock_unsure: int = Field(
        description="Minutes of the order placed by the stocking's own clock alone, or by gateways whose own clock "
        "nobody keeps right.",
        examples=[0],
    )


class DayOut(Out):
    """One calendar day of the order, in the order's time zone. Its five counts of minutes add up to its length."""

    date: date
    phase: int = Field(description="Index into `phases`.")
    target_minutes: float = Field(description="As ordered; prorated on the first day.")
    required_minutes: int = Field(description="After the day's tolerance and what was excused for certain.")
    required_minutes_lower: int = Field(description="The same if all that is unknown and ahead was not worn.")
    worn_minutes: int
    not_worn_minutes: int
    unknown_minutes: int
    excused_minutes: int
    ahead_minutes: int = Field(description="Minutes that have not happened yet.")
    outcome: DayOutcome
    borderline: bool = Field(description="A bound lies within 30 minutes of the requirement.")


class PhaseOut(Out):
    """One phase of the order."""

    first_date: date
    last_date: date
    days_met_lower: int
    days_met_upper: int
    days_required: int
    verdict: Verdict


class StandingOut(Out):
    """How final an answer is."""

    kind: Literal["provisional", "final", "amended", "changed"]
    version: int | None = Field(description="The latest frozen version.")
    until: datetime | None = Field(description="When the days of grace are over, while provisional.")
    sentence: str

    @classmethod
    def of(cls, standing: Standing, timezone: str) -> StandingOut:
        """The JSON of a standing."""
        return cls.model_validate(
            {
                "kind": standing.kind.value,
                "version": None if standing.version is None else standing.version.number,
                "until": None if standing.until_minute is None else at_minute(standing.until_minute),
                "sentence": standing.sentence(timezone),
            }
        )


class EarlyOut(Out):
    """The answer over the critical first phases alone, beside that over the whole order."""

    verdict: Verdict
    days_met_lower: int
    days_met_upper: int
    days_required: int


class VerdictOut(Out):
    """Was the ordered wear reached? Bounds say how far missing data could move the answer."""

    leg: LegOut
    order: int = Field(description="Which order of the leg, counted from 1; 0 where nothing was ever ordered.")
    as_of: datetime
    verdict: Verdict
    label: str = Field(description="Empty, `order shortened` or `superseded by the next treatment`.")
    running: bool = Field(description="The order is not over yet.")
    days_met_lower: int = Field(description="Days that count for certain.", examples=[12])
    days_met_upper: int = Field(description="Days that count if all that is unknown was worn.", examples=[14])
    days_required: int = Field(examples=[12])
    worn_hours: HoursOut
    borderline: bool = Field(description="Some day could be tipped by the detector's own error.")
    early: EarlyOut | None
    standing: StandingOut | None
    completeness: CompletenessOut
    unknown_minutes: dict[str, int] = Field(description="Unknown minutes of the order so far, by reason.")
    phases: list[PhaseOut]
    days: list[DayOut]
    last_spoke: datetime | None = Field(description="When a gateway last heard a stocking of this leg.")
    rule_version: str = Field(examples=["calza-rule-2"])
    detector_version: str = Field(examples=["calza-detector-2"])
    fingerprint: str = Field(description="SHA-256 over rule version, order and minute states.", examples=["9f2c" * 16])

    @classmethod
    def of(cls, report: LegReport, standing: Standing | None) -> VerdictOut:
        """The JSON of a leg's verdict."""
        verdict, records, early = report.verdict, report.completeness, report.verdict.early
        return cls(
            leg=LegOut.of(report.leg),
            order=report.number,
            label=verdict.label,
            early=None
            if early is None
            else EarlyOut(
                verdict=early.verdict,
                days_met_lower=early.days_met_lower,
                days_met_upper=early.days_met_upper,
                days_required=early.days_required,
            ),
            standing=None if standing is None else StandingOut.of(standing, report.order.timezone),
            unknown_minutes={reason.word: minutes for reason, minutes in report.unknown_minutes().items()},
            as_of=_at_ms(report.as_of_ms),
            verdict=verdict.verdict,
            running=verdict.running,
            days_met_lower=verdict.days_met_lower,
            days_met_upper=verdict.days_met_upper,
            days_required=verdict.days_required,
            worn_hours=HoursOut(lower=round(verdict.worn_hours_lower, 2), upper=round(verdict.worn_hours_upper, 2)),
            borderline=verdict.borderline,
            completeness=CompletenessOut(
                records_expected=records.expected,
                records_held=records.held,
                records_missing=records.missing,
                minutes_unplaced=report.found.unplaced_minutes,
                minutes_clock_unsure=report.clock_unsure_minutes(),
            ),
            phases=[
                PhaseOut(
                    first_date=phase.first_date,
                    last_date=phase.last_date,
                    days_met_lower=phase.days_met_lower,
                    days_met_upper=phase.days_met_upper,
                    days_required=phase.days_required,
                    verdict=phase.verdict,
                )
                for phase in verdict.phases
            ],
            days=[
                DayOut(
                    date=day.date,
                    phase=day.phase,
                    target_minutes=round(day.target_minutes, 2),
                    required_minutes=day.required_minutes,
                    required_minutes_lower=day.required_minutes_lower,
                    worn_minutes=day.worn_minutes,
                    not_worn_minutes=day.not_worn_minutes,
                    unknown_minutes=day.unknown_minutes,
                    excused_minutes=day.excused_minutes,
                    ahead_minutes=day.ahead_minutes,
                    outcome=day.outcome,
                    borderline=day.borderline,
                )
                for day in verdict.days
            ],
            last_spoke=None if report.last_spoke_ms is None else _at_ms(report.last_spoke_ms),
            rule_version=verdict.rule_version,
            detector_version=DETECTOR_VERSION,
            fingerprint=verdict.fingerprint,
        )


class RunOut(Out):
    """Consecutive minutes, [from, to), alike in everything below."""

    from_: datetime = Field(alias="from")
    to: datetime
    minutes: int
    state: Literal["worn", "not_worn", "unknown", "excused"]
    reason: str = Field(examples=["on_leg", "no_pressure", "no_data"])
    dose: Literal["yes", "no", "uncertain", ""] = Field(description="Ankle pressure reached the ordered floor.")
    stocking: str | None = Field(description="Serial number of the stocking that recorded it.")
    log: str | None = Field(description="Log id, hexadecimal.")
    first_record: int | None
    last_record: int | None

    @classmethod
    def of(cls, run: LedgerRun) -> RunOut:
        """The JSON of a run."""
        return cls.model_validate(
            {
                "from": at_minute(run.start_minute),
                "to": at_minute(run.end_minute),
                "minutes": run.end_minute - run.start_minute,
                "state": run.state.word,
                "reason": run.reason.word,
                "dose": run.dose.word,
                "stocking": run.source.serial if run.source else None,
                "log": run.source.log_id.hex() if run.source else None,
                "first_record": run.first_record,
                "last_record": run.last_record,
            }
        )


class LedgerOut(Out):
    """A leg's ledger, run-length encoded: the runs lie end to end over [from, to)."""

    leg: LegOut
    from_: datetime = Field(alias="from")
    to: datetime
    runs: list[RunOut]

    @classmethod
    def of(cls, leg: Leg, ledger: Ledger) -> LedgerOut:
        """The JSON of a ledger."""
        return cls.model_validate(
            {
                "leg": LegOut.of(leg),
                "from": at_minute(ledger.start_minute),
                "to": at_minute(ledger.end_minute),
                "runs": [RunOut.of(run) for run in ledger.runs()],
            }
        )


class GatewayReportOut(Out):
    """How a gateway said it is. Counts and codes; about nobody."""

    received: datetime
    health: Literal["ok", "degraded", "stuck"] = Field(description="`stuck` waits for a person.")
    stockings: int
    in_contact: int
    waiting: int = Field(description="Records it holds that this server has not confirmed.")
    oldest_waiting: datetime | None
    refused: int
    clock: Literal["synchronised", "unsynchronised", "unknown"]
    codes: list[str] = Field(description="Stable codes of its problems.", examples=[["stack_stuck"]])


class GatewayOut(Out):
    """One gateway heard since this server started."""

    id: str = Field(examples=["bedside"])
    state: Literal["online", "offline"]
    software: str
    last_heard: datetime
    report: GatewayReportOut | None = Field(description="The last it gave; old if `received` is.")

    @classmethod
    def of(cls, seen: GatewaySeen) -> GatewayOut:
        """The JSON of a gateway."""
        report, received_ms = seen.report, seen.reported_ms
        return cls(
            id=seen.gateway,
            state=seen.state,
            software=seen.software,
            last_heard=_at_ms(seen.last_heard_ms),
            report=None
            if report is None or received_ms is None
            else GatewayReportOut(
                received=_at_ms(received_ms),
                health=report.health,
                stockings=report.stockings,
                in_contact=report.in_contact,
                waiting=report.waiting,
                oldest_waiting=None if report.oldest_ms is None else _at_ms(report.oldest_ms),
                refused=report.refused,
                clock=report.clock.value,
                codes=list(report.codes),
            ),
        )


class HealthOut(Out):
    """How the ingest side is doing, counted since this server started."""

    status: Literal["ok", "failing"]
    problem: str = Field(description="A plain sentence, empty when all is well.")
    broker_connected: bool
    store_ok: bool
    stored: int
    duplicates: int
    conflicts: int
    refused: int
    last_stored: datetime | None
    gateways_online: int
    gateways: list[GatewayOut]


def at_minute(minute: int) -> datetime:
    """The moment a minute since 1970-01-01T00:00Z begins."""
    return datetime.fromtimestamp(minute * 60, UTC)


def _at_ms(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
