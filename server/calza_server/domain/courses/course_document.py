"""A course as JSON values: written one way, read strictly. Read and written again it is the same course."""

from __future__ import annotations

from typing import Final

from calza_server.domain.courses.course import Area, Course, Finding, Kind, Outcome, Side, Treatment, Zone
from calza_server.domain.orders.rx_document_fields import (
    RuleError,
    read_count,
    read_date,
    read_fields,
    read_items,
    read_text,
    read_word,
)

SESSIONS_AT_MOST: Final = 100  # more is a slip of the keyboard


def course_document(course: Course) -> dict[str, object]:
    """The course as plain JSON values."""
    return {
        "treatments": [
            {
                "date": each.date.isoformat(),
                "kind": each.kind.value,
                "operator": each.operator,
                "areas": [{"side": area.side.value, "zone": area.zone.value} for area in each.areas],
                "agent": each.agent,
            }
            for each in course.treatments
        ],
        "outcomes": [
            {
                "date": each.date.isoformat(),
                "finding": each.finding.value,
                "person": each.person,
                "note": each.note,
            }
            for each in course.outcomes
        ],
        "planned": course.planned,
    }


def read_course(document: object) -> Course:
    """The course in a document. Raises RuleError, also for a place that is not on a leg."""
    fields = read_fields(document, "", needed={"treatments", "outcomes"}, allowed={"planned"})
    planned = fields.get("planned")
    return Course(
        treatments=read_items(fields["treatments"], "/treatments", _treatment),
        outcomes=read_items(fields["outcomes"], "/outcomes", _outcome),
        planned=None if planned is None else read_count(planned, "/planned", 1, SESSIONS_AT_MOST),
    )


def _treatment(item: object, at: str) -> Treatment:
    fields = read_fields(item, at, needed={"date", "kind", "operator", "areas"}, allowed={"agent"})
    areas, agent = read_items(fields["areas"], f"{at}/areas", _area), fields.get("agent")
    if not areas:
        raise RuleError(f"{at}/areas", "name at least one treated area")
    return Treatment(
        date=read_date(fields["date"], f"{at}/date"),
        kind=read_word(Kind, fields["kind"], f"{at}/kind"),
        operator=read_text(fields["operator"], f"{at}/operator"),
        areas=areas,
        agent=None if agent is None else read_text(agent, f"{at}/agent"),
    )


def _area(item: object, at: str) -> Area:
    fields = read_fields(item, at, needed={"side", "zone"}, allowed=set())
    side, zone = read_word(Side, fields["side"], f"{at}/side"), fields["zone"]
    if zone not in [each.value for each in Zone]:
        known = ", ".join(each.value for each in Zone)
        raise RuleError(f"{at}/zone", f"must be a place on a leg, for this treatment is not for the face: {known}")
    return Area(side, read_word(Zone, zone, f"{at}/zone"))


def _outcome(item: object, at: str) -> Outcome:
    fields = read_fields(item, at, needed={"date", "finding", "person"}, allowed={"note"})
    return Outcome(
        date=read_date(fields["date"], f"{at}/date"),
        finding=read_word(Finding, fields["finding"], f"{at}/finding"),
        person=read_text(fields["person"], f"{at}/person"),
        note=read_text(fields.get("note", ""), f"{at}/note", empty=True),
    )
