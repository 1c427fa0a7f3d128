"""Routes about one leg beside its verdict: orders, reasons in words, alerts, dose, frozen versions, export."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from calza_server.api.legs import COMMON, LegId, OrderNumber, problems
from calza_server.api.models import LegOut, StandingOut, at_minute
from calza_server.api.models_leg import (
    AlertOut,
    AlertsOut,
    DoseOut,
    ExplanationOut,
    OrderOut,
    OrdersOut,
    VersionOut,
    VersionsOut,
)
from calza_server.api.problems import Problem, ProblemError
from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.verdicts.explain import explain_day, explain_verdict
from calza_server.domain.verdicts.verdict_document import export as export_document
from calza_server.views import UnknownLegError, leg_report, standing_of, versions_of

if TYPE_CHECKING:
    from calza_server.ports import Clock, Registry, SeriesStore, VerdictBook
    from calza_server.views import LegReport

Day = Annotated[date | None, Query(description="One day of the order; default: the whole order.")]


def leg_detail_routes(store: SeriesStore, registry: Registry, book: VerdictBook, clock: Clock) -> APIRouter:
    """The routes under /api/v1/legs/{leg_id}."""
    routes = APIRouter(prefix="/api/v1/legs/{leg_id}", tags=["legs"])

    def report_of(leg_id: str, order: int | None) -> LegReport:
        return leg_report(store, registry, leg_id, clock.now_ms(), order)

    @routes.get("/orders", summary="Every order of a leg", responses=problems(*COMMON))
    def orders(leg_id: LegId) -> OrdersOut:
        """The oldest first. A treatment's order closes the one before it, and each keeps a verdict of its own."""
        leg = registry.leg(leg_id)
        if leg is None:
            raise UnknownLegError(leg_id)
        reports = [report_of(leg_id, number) for number in range(1, len(leg.orders) + 1)]
        return OrdersOut(leg=LegOut.of(leg), orders=[OrderOut.of(one, standing_of(book, one)) for one in reports])

    @routes.get(
        "/explanation",
        summary="Why the answer is what it is",
        responses=problems(*COMMON, HTTPStatus.UNPROCESSABLE_ENTITY),
    )
    def explanation(leg_id: LegId, order: OrderNumber = None, day: Day = None) -> ExplanationOut:
        """Sentences a patient understands, each with the rows of the ledger that show it."""
        report = report_of(leg_id, order)
        if day is None:
            return ExplanationOut.of(report, day, explain_verdict(report.order, report.verdict, report.ledger))
        if day not in {each.date for each in report.verdict.days}:
            detail = "`day` must be a day of the order, such as the verdict lists them."
            raise ProblemError(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_day", "Not a day of it", detail))
        return ExplanationOut.of(report, day, explain_day(report.order, report.verdict, report.ledger, day))

    @routes.get("/alerts", summary="What somebody should look at", responses=problems(*COMMON))
    def alerts(leg_id: LegId) -> AlertsOut:
        """About the garment and the recording, never a diagnosis; each with its rule, source and minutes."""
        report = report_of(leg_id, None)
        return AlertsOut(
            leg=LegOut.of(report.leg),
            as_of=at_minute(report.as_of_minute),
            alerts=[AlertOut.of(each) for each in report.alerts()],
        )

    @routes.get("/dose", summary="How hard the garment pressed", responses=problems(*COMMON))
    def dose(leg_id: LegId, order: OrderNumber = None) -> DoseOut:
        """With the sensor's uncertainty. Dose is an axis of its own and never changes the verdict on wear."""
        report = report_of(leg_id, order)
        return DoseOut.of(report, report.dose())

    @routes.get("/versions", summary="Frozen versions of the answer", responses=problems(*COMMON))
    def versions(leg_id: LegId, order: OrderNumber = None) -> VersionsOut:
        """After the days of grace an answer is frozen; late data makes a further version and overwrites none."""
        report = report_of(leg_id, order)
        standing = standing_of(book, report)
        return VersionsOut(
            leg=LegOut.of(report.leg),
            order=report.number,
            standing=None if standing is None else StandingOut.of(standing, report.order.timezone),
            versions=[VersionOut.of(each) for each in versions_of(book, report)],
        )

    @routes.get("/export", summary="The answer, to be worked out again anywhere", responses=problems(*COMMON))
    def export(leg_id: LegId, order: OrderNumber = None) -> dict[str, object]:
        """Order, ledger and answer in one document; `calza verdict recompute` gives the same answer from it."""
        report = report_of(leg_id, order)
        return export_document(report.order, report.ledger, report.verdict, report.completeness, DETECTOR_VERSION)

    return routes
