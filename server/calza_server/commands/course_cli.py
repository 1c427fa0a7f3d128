"""`calza server course`: what was done on a leg, what is due, and what stands against the next treatment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from calza_server.commands.cli_manners import DEFAULT_STATE, FAILED, MISUSED, JsonOption, StateOption, end, print_json
from calza_server.domain.courses.checklist import Checklist, Clearance, clearance
from calza_server.domain.courses.checklist_document import checklist_document, read_checklist
from calza_server.domain.courses.checklist_items import ASKED, Item
from calza_server.domain.courses.course import Course, due, warnings
from calza_server.domain.courses.course_document import course_document, read_course
from calza_server.domain.orders.rx_document import RuleError, read_prescription
from calza_server.errors import RunError
from calza_server.registry.orders import find_leg, with_papers
from calza_server.registry.registry import RegistryError
from calza_server.registry.registry_edit import edit_registry, read_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from calza_server.ports import Leg
    from calza_server.registry.registry import RegistryContent

ITEMS: Final = ", ".join(item.value for item in Item)

app = typer.Typer(
    no_args_is_help=True,
    help="The course of treatments of a leg: checklist, sessions, outcomes, what is due.",
    epilog="Start with `calza server course show ana-left`; it names what is missing before the first treatment.",
)

LegArgument = Annotated[str, typer.Argument(help="The id of the leg.")]
ByOption = Annotated[str, typer.Option("--by", help="The person who did or found it.")]
DateOption = Annotated[str | None, typer.Option("--date", help="As in 2026-03-02. Default: today.")]


class NotClearError(Exception):
    """A treatment that must not begin as things stand. `code` is stable."""

    code: Final = "not_clear"


@app.command(epilog="Examples: `calza server course show ana-left`; `calza server course show ana-left --json`.")
def show(
    leg: LegArgument, date: DateOption = None, state: StateOption = DEFAULT_STATE, as_json: JsonOption = False
) -> None:
    """What is due, and what stands against the next treatment."""
    try:
        found = find_leg(read_registry(state), leg)
        course, checklist = _course(found), _checklist(found)
        order = read_prescription(found.prescription) if found.prescription else None
    except (RegistryError, RuleError, OSError) as error:
        end(FAILED, error)
    dues, told = due(course, datetime.fromisoformat(_date(date)).date()), warnings(course, order)
    clear = clearance(checklist, first_treatment=not course.treatments)
    if as_json:
        print_json(
            {
                "course": course_document(course),
                "due": [
                    {
                        "kind": one.kind.value,
                        "first": one.first.isoformat(),
                        "state": one.state.value,
                        "words": one.words,
                    }
                    for one in dues
                ],
                "warnings": list(told),
                "checklist": checklist_document(checklist),
                "clear": clear.clear,
                "blocked": [one.words for one in clear.blocked],
                "cautions": [one.words for one in clear.cautions],
                "missing": [item.value for item in clear.missing],
            }
        )
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for treatment in course.treatments:
        console.print(f"{treatment.date.isoformat()}  treated by {treatment.operator}")
    for one in dues:
        console.print(f"{one.first.isoformat()}  {one.words} ({one.source})")
    for sentence in (*told, *_objections(clear)):
        console.print(sentence)


@app.command(
    epilog="Examples: `calza server course check ana-left scan no-feeders --by 'Dr Bea'`; "
    "`calza server course check ana-left abpi 1.05 --by 'Dr Bea'`; "
    "`calza server course check ana-left clot-history no --by 'Dr Bea'`."
)
def check(
    leg: LegArgument,
    item: Annotated[str, typer.Argument(help=f"One of: {ITEMS}.")],
    value: Annotated[str, typer.Argument(help="yes, no, a number or a word, as the item asks.")],
    by: ByOption,
    date: DateOption = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Enter what was found for an item of the checklist; entered again, it replaces what was there."""
    entry: dict[str, object] = {"item": item, "value": _value(item, value), "date": _date(date), "person": by}
    _edit(state, leg, lambda found: _with_row(found, "entries", entry))


@app.command(
    epilog="Example: `calza server course override ana-left contraceptive-pill --reason 'discussed' --by 'Dr Bea'`."
)
def override(
    leg: LegArgument,
    item: Annotated[str, typer.Argument(help=f"One of: {ITEMS}.")],
    reason: Annotated[str, typer.Option(help="Why to go on all the same.")],
    by: ByOption,
    date: DateOption = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Go on in spite of an item: it stays in sight, with the reason and the person who decided."""
    row: dict[str, object] = {"item": item, "reason": reason, "person": by, "date": _date(date)}
    _edit(state, leg, lambda found: _with_row(found, "overrides", row))


@app.command(epilog="Example: `calza server course treat ana-left --kind micro --area left:calf --by 'Dr Bea'`.")
def treat(
    leg: LegArgument,
    kind: Annotated[str, typer.Option(help="micro or larger.")],
    area: Annotated[list[str], typer.Option(help="Where; may be given often.", metavar="SIDE:ZONE")],
    by: ByOption,
    date: DateOption = None,
    agent: Annotated[str | None, typer.Option(help="What was injected.")] = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Enter a treatment. Refused while something blocks it or the checklist misses something, unless overridden."""
    areas = [dict(zip(("side", "zone"), each.split(":", 1), strict=False)) for each in area]
    row = {"date": _date(date), "kind": kind, "operator": by, "areas": areas, "agent": agent}

    def treated(found: Leg) -> dict[str, dict[str, object]]:
        course = course_document(_course(found))
        clear = clearance(_checklist(found), first_treatment=not _course(found).treatments)
        if not clear.clear:
            raise NotClearError(f"{' '.join(_objections(clear))} Enter or override it first (`course check`).")
        return {"course": {**course, "treatments": [*_rows(course, "treatments"), row]}}

    _edit(state, leg, treated)


@app.command(epilog="Example: `calza server course outcome ana-left too-small --by 'Dr Bea' --note 'shin'`.")
def outcome(
    leg: LegArgument,
    finding: Annotated[str, typer.Argument(help="seen, result or too-small.")],
    by: ByOption,
    date: DateOption = None,
    note: Annotated[str, typer.Option(help="In the person's own words.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Enter what was found on a later visit. A result counts from three months after the last treatment."""
    row = {"date": _date(date), "finding": finding, "person": by, "note": note}

    def seen(found: Leg) -> dict[str, dict[str, object]]:
        course = course_document(_course(found))
        return {"course": {**course, "outcomes": [*_rows(course, "outcomes"), row]}}

    _edit(state, leg, seen)


def _with_row(leg: Leg, name: str, row: dict[str, object]) -> dict[str, dict[str, object]]:
    """The checklist of a leg with a row that takes the place of an earlier one about the same item."""
    document = checklist_document(_checklist(leg))
    kept = [each for each in _rows(document, name) if each["item"] != row["item"]]
    return {"checklist": {**document, name: [*kept, row]}}


def _rows(document: dict[str, object], name: str) -> list[dict[str, object]]:
    rows = document[name]
    return rows if isinstance(rows, list) else []


def _edit(state: Path, leg: str, change: Callable[[Leg], dict[str, dict[str, object]]]) -> None:
    """Read strictly what a change makes of a leg's papers, then keep it."""

    def edited(content: RegistryContent) -> RegistryContent:
        papers = change(find_leg(content, leg))
        if "course" in papers:
            read_course(papers["course"])
        if "checklist" in papers:
            read_checklist(papers["checklist"])
        return with_papers(content, leg, course=papers.get("course"), checklist=papers.get("checklist"))

    try:
        edit_registry(state, edited)
    except RuleError as error:
        end(MISUSED, error)
    except (RegistryError, NotClearError, RunError, OSError) as error:
        end(FAILED, error)


def _objections(clear: Clearance) -> list[str]:
    sentences = [f"Blocks: {one.words} ({one.source})." for one in clear.blocked]
    if clear.missing:
        sentences.append(f"Missing: {', '.join(item.value for item in clear.missing)}.")
    for one in clear.cautions:
        went_on = f", overridden by {one.override.person}: {one.override.reason}" if one.override else ""
        sentences.append(f"Caution: {one.words}{went_on} ({one.source}).")
    return sentences


def _course(leg: Leg) -> Course:
    return Course() if leg.course is None else read_course(leg.course)


def _checklist(leg: Leg) -> Checklist:
    return Checklist() if leg.checklist is None else read_checklist(leg.checklist)


def _date(text: str | None) -> str:
    try:
        return datetime.now(UTC).date().isoformat() if text is None else datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        end(MISUSED, RuleError("/date", f"{text!r} must be a date, like 2026-03-02"))


def _value(item: str, text: str) -> bool | float | str:
    """What a person types, as the item wants it; what it cannot be is refused by the strict reader."""
    asked = next((ASKED[each] for each in Item if each.value == item), None)
    if asked is None or asked.words:
        return text
    if asked.most is None:
        return {"yes": True, "no": False}.get(text, text)
    try:
        return float(text)
    except ValueError:
        return text
