"""A verdict on a terminal: headline, why, bounds, a row per day, and what it rests on. Computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from calza_server.domain.verdicts.explain import explain_verdict
from calza_server.domain.verdicts.explain_words import between, count, day_name, moment
from calza_server.domain.verdicts.verdict import Verdict
from calza_server.files.file_fault import printable
from calza_server.web.words import HEADLINES, day_outcome, phase_count, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from calza_server.documents.minutes_verdict import Answer
    from calza_server.domain.verdicts.verdict import VerdictReport

STYLES: Final = {
    Verdict.MET: "green",
    Verdict.ALREADY_MET: "green",
    Verdict.NOT_MET: "red",
    Verdict.CANNOT_BE_MET: "red",
    Verdict.CANNOT_TELL: "yellow",
}
CAPTION: Final = "Two figures are bounds: what is certain, and what holds if all that is unknown was worn."


def print_answer(answer: Answer, *, explain: bool) -> None:
    """All of it on standard output; with `explain` the sentences behind it too."""
    report, order = answer.report, answer.order
    console = Console(highlight=False)
    style = STYLES.get(report.verdict, "default")
    console.print(f"[bold {style}]{HEADLINES[report.verdict]}[/]")
    console.print(sentence(report))
    console.print()
    if report.days:
        console.print(_days(report))
        console.print()
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Judged", f"{moment(report.as_of_minute, ZoneInfo(order.timezone))} ({order.timezone})")
    for name, fact in _facts(answer):
        facts.add_row(name, escape(fact))
    facts.add_row("Rule", escape(f"{report.rule_version}, {printable(answer.detector_version)}"))
    console.print(facts)
    console.print(f"Fingerprint  {report.fingerprint}", soft_wrap=True)
    for note in answer.notes:
        console.print(f"Note: {escape(note)}", style="yellow")
    if explain:
        console.print()
        print_statements((each.sentence, ()) for each in explain_verdict(order, report, answer.ledger))


def print_statements(statements: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Sentences, each wrapped where the terminal ends, with the rows behind it."""
    console = Console(highlight=False)
    for number, (text, rows) in enumerate(statements):
        if rows and number:
            console.print()
        console.print(escape(printable(text)))
        for row in rows:
            console.print(f"  {escape(printable(row))}", style="dim", soft_wrap=True)


def print_comparison(differences: Sequence[str]) -> None:
    """Whether an answer worked out anew is the one its file holds."""
    console = Console(highlight=False)
    if not differences:
        console.print("Worked out anew: identical, verdict and fingerprint.")
    for each in differences:
        console.print(escape(printable(each)), style="red")


def _facts(answer: Answer) -> Iterable[tuple[str, str]]:
    report, held = answer.report, answer.completeness
    if report.days:
        days = f"{between(report.days_met_lower, report.days_met_upper)} of {count(len(report.days), 'day')} reached"
        yield "Days", f"{days}, {report.days_required} required"
    if len(report.phases) > 1:
        for number, phase in enumerate(report.phases, 1):
            yield f"Phase {number}", f"{HEADLINES[phase.verdict].lower()}: {phase_count(phase)}"
    if report.days:
        yield "Worn", f"{between(int(report.worn_hours_lower), int(report.worn_hours_upper))} h"
    if report.label:
        yield "Order", report.label
    yield "Records", f"{held.held} of {held.expected} held, {held.missing} missing"


def _days(report: VerdictReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), caption=CAPTION, caption_justify="left")
    table.add_column("Day", no_wrap=True)
    for name in ("Worn", "Needed", "Unknown", "Excused"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Outcome")
    for day in report.days:
        table.add_row(
            day_name(day.date),
            _hours(day.worn_minutes, day.worn_minutes + day.unknown_minutes),
            _hours(day.required_minutes_lower, day.required_minutes),
            _hours(day.unknown_minutes) if day.unknown_minutes else "",
            _hours(day.excused_minutes) if day.excused_minutes else "",
            f"{day_outcome(day)}, borderline" if day.borderline else day_outcome(day),
        )
    return table


def _hours(lower: int, upper: int | None = None) -> str:
    """'9:05 h', or '6:00 to 10:00 h'."""
    ends = sorted({lower, lower if upper is None else upper})
    return " to ".join(f"{minutes // 60}:{minutes % 60:02d}" for minutes in ends) + " h"
