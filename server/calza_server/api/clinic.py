"""Routes for those who prescribe: presets with their sources, the course of treatments, the checklist."""

from __future__ import annotations

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter

from calza_server.api.legs import LegId, problems
from calza_server.api.models import LegOut, Out
from calza_server.api.problems import Problem, ProblemError
from calza_server.documents.preset_document import preset_document
from calza_server.domain.courses.checklist import Checklist, clearance
from calza_server.domain.courses.checklist_document import checklist_document, read_checklist
from calza_server.domain.courses.course import Course, due, warnings
from calza_server.domain.courses.course_document import course_document, read_course
from calza_server.domain.orders.rx_document import RuleError
from calza_server.registry.shipped_presets import presets as shipped_presets
from calza_server.views import UnknownLegError, order_of

if TYPE_CHECKING:
    from calza_server.domain.courses.checklist import Objection
    from calza_server.ports import Clock, Registry

MS_PER_S = 1000


class PresetsOut(Out):
    """Templates of orders; a disabled one says why it cannot be ordered."""

    presets: list[dict[str, object]]


class DueOut(Out):
    """Something due in the course of treatments, with the source of the rule."""

    kind: str
    first: date
    last: date | None
    state: Literal["ahead", "open", "past"]
    words: str
    source: str


class ObjectionOut(Out):
    """What stands against a treatment; `override` names who went on all the same, and why."""

    item: str
    against: str
    words: str
    source: str
    override: str | None

    @classmethod
    def of(cls, found: Objection) -> ObjectionOut:
        """The JSON of an objection."""
        went_on = found.override
        return cls(
            item=found.item.value,
            against=found.against.value,
            words=found.words,
            source=found.source,
            override=None if went_on is None else f"{went_on.person}, {went_on.date.isoformat()}: {went_on.reason}",
        )


class CourseOut(Out):
    """The course of treatments of a leg: what was done, what is due, and whether the next one is clear."""

    leg: LegOut
    course: dict[str, object]
    due: list[DueOut]
    warnings: list[str]
    checklist: dict[str, object]
    clear: bool
    blocked: list[ObjectionOut]
    cautions: list[ObjectionOut]
    missing: list[str]


def clinic_routes(registry: Registry, clock: Clock) -> APIRouter:
    """The routes /api/v1/presets and /api/v1/legs/{leg_id}/course."""
    routes = APIRouter(prefix="/api/v1", tags=["clinic"])

    @routes.get("/presets", summary="Templates of orders with their sources")
    def presets() -> PresetsOut:
        """The sources disagree; a preset is a beginning a clinician may change, and says where it is from."""
        return PresetsOut(presets=[preset_document(each) for each in shipped_presets()])

    @routes.get(
        "/legs/{leg_id}/course",
        summary="Treatments, what is due, what stands against the next one",
        responses=problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    def course(leg_id: LegId) -> CourseOut:
        """What was not entered is missing, never "no". It makes no diagnosis, and the clinician decides."""
        leg = registry.leg(leg_id)
        if leg is None:
            raise UnknownLegError(leg_id)
        try:
            treated = Course() if leg.course is None else read_course(leg.course)
            checked = Checklist() if leg.checklist is None else read_checklist(leg.checklist)
        except RuleError as error:
            detail = f"The papers of this leg in the registry are faulty at {error.pointer or '/'}: {error.sentence}."
            problem = Problem(HTTPStatus.CONFLICT, "unreadable_papers", "The papers cannot be read", detail)
            raise ProblemError(problem) from error
        order = order_of(leg, len(leg.orders)) if leg.orders else None
        found = clearance(checked, first_treatment=not treated.treatments)
        today = datetime.fromtimestamp(clock.now_ms() / MS_PER_S, UTC).date()
        return CourseOut(
            leg=LegOut.of(leg),
            course=course_document(treated),
            due=[
                DueOut(
                    kind=one.kind.value,
                    first=one.first,
                    last=one.last,
                    state=one.state.value,
                    words=one.words,
                    source=one.source,
                )
                for one in due(treated, today)
            ],
            warnings=list(warnings(treated, order)),
            checklist=checklist_document(checked),
            clear=found.clear,
            blocked=[ObjectionOut.of(each) for each in found.blocked],
            cautions=[ObjectionOut.of(each) for each in found.cautions],
            missing=[item.value for item in found.missing],
        )

    return routes
