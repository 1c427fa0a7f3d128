"""Routes about legs: which there are, their verdict, their ledger. Composes nothing itself, see `views`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from calza_server.api.models import LedgerOut, LegOut, LegsOut, VerdictOut
from calza_server.api.problems import PROBLEM_MEDIA_TYPE, Problem, ProblemBody, ProblemError
from calza_server.documents.ledger_csv import CSV_HEADER, ledger_csv
from calza_server.domain.orders.prescription import minute_of
from calza_server.views import leg_report, standing_of

if TYPE_CHECKING:
    from calza_server.ports import Clock, Registry, SeriesStore, VerdictBook


class LedgerFormat(StrEnum):
    """How the ledger is sent: runs as JSON, or every minute as CSV."""

    JSON = "json"
    CSV = "csv"


LegId = Annotated[str, Path(description="The id of a leg, as `/api/v1/legs` lists it.", examples=["p1-left"])]
OrderNumber = Annotated[
    int | None, Query(ge=1, description="Which order of the leg, counted from 1; default: the newest.", examples=[1])
]
Moment = Annotated[
    str | None,
    Query(
        description="ISO 8601 moment with its offset, `Z` for UTC; default: all there is.",
        examples=["2026-03-02T00:00Z"],
    ),
]


def problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    schema = {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}
    return {
        status.value: {"description": status.phrase, "model": ProblemBody, "content": {PROBLEM_MEDIA_TYPE: schema}}
        for status in statuses
    }


COMMON: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)


def leg_routes(store: SeriesStore, registry: Registry, book: VerdictBook, clock: Clock) -> APIRouter:
    """The routes under /api/v1/legs."""
    routes = APIRouter(prefix="/api/v1/legs", tags=["legs"])

    @routes.get("", summary="Which legs there are")
    def legs() -> LegsOut:
        """Every leg of the registry, in its order. Ask each one's verdict by its id."""
        return LegsOut(legs=[LegOut.of(leg) for leg in registry.legs()])

    @routes.get("/{leg_id}/verdict", summary="Was the ordered wear reached?", responses=problems(*COMMON))
    def verdict(leg_id: LegId, order: OrderNumber = None) -> VerdictOut:
        """The verdict now, with its bounds, its days and how complete the data is.

        `met`, `not_met`, `cannot_tell` once the order is over; `already_met`, `can_be_met`, `cannot_be_met` while it
        runs; `not_applicable` when nothing was ordered. It is given only where missing data could not change it.
        """
        report = leg_report(store, registry, leg_id, clock.now_ms(), order)
        return VerdictOut.of(report, standing_of(book, report))

    @routes.get(
        "/{leg_id}/ledger",
        summary="The minutes behind the verdict",
        response_model=LedgerOut,
        responses=problems(*COMMON, HTTPStatus.UNPROCESSABLE_ENTITY)
        | {200: {"content": {"text/csv": {"example": f"{CSV_HEADER}\n2026-03-02T10:30Z,worn,on_leg,yes\n"}}}},
    )
    def ledger(
        leg_id: LegId,
        from_: Annotated[Moment, Query(alias="from")] = None,
        to: Moment = None,
        format_: Annotated[LedgerFormat, Query(alias="format", description="`json`: runs; `csv`: every minute.")] = (
            LedgerFormat.JSON
        ),
        order: OrderNumber = None,
    ) -> LedgerOut | Response:
        """Every minute's state, reason, dose and origin, over the order and the day before it.

        JSON comes run-length encoded; CSV has one row a minute. What lies outside the ledger is left out of the answer.
        """
        first, after = _minute(from_, "from"), _minute(to, "to")
        if first is not None and after is not None and first > after:
            raise _not_understood("bad_span", "Not a span", "`from` must not lie after `to`.")
        report = leg_report(store, registry, leg_id, clock.now_ms(), order)
        whole = report.ledger
        start = min(max(whole.start_minute, first if first is not None else whole.start_minute), whole.end_minute)
        end = min(whole.end_minute, after if after is not None else whole.end_minute)
        part = whole.window(start, end)
        if format_ is LedgerFormat.CSV:
            return Response(ledger_csv(part), media_type="text/csv")
        return LedgerOut.of(report.leg, part)

    return routes


def _minute(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign in an address arrives as a space
        if moment.tzinfo is not None:
            return minute_of(moment)
    except (ValueError, OverflowError):
        pass  # answered below, like a moment without its offset
    detail = f"`{name}` must be an ISO 8601 moment with its offset, like 2026-03-02T00:00Z."
    raise _not_understood("bad_moment", "Not a moment", detail)


def _not_understood(code: str, title: str, detail: str) -> ProblemError:
    return ProblemError(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, code, title, detail))
