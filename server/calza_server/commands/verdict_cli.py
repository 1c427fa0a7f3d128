"""`calza verdict`: an answer from a table of minutes and an order, on this machine alone; and from an export, again.

Imports the domain only when a command runs, so that help is there at once. Next file to read: `minutes_verdict`.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calza_server.commands.cli_manners import FAILED, MISUSED, JsonOption, end, print_json
from calza_server.commands.verdict_cli_inputs import (
    Misuse,
    as_of_minute,
    day_of,
    must_be_ordered,
    name_of,
    order_in,
    table_in,
)
from calza_server.files.file_fault import FileFault
from calza_server.files.whole_file import read_file, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calza_server.documents.minutes_csv import MinuteTable
    from calza_server.documents.minutes_verdict import Answer

app = typer.Typer(
    no_args_is_help=True,
    help="Was it worn as ordered? From your own minutes, without a server; and from an export, again.",
    epilog="Start with `calza verdict compute --prescription rx.json --minutes minutes.csv`. "
    "The formats: docs/bring-your-own-data.md. Exit codes: 0 done, 1 failed or differs, 2 misused or a bad file.",
)

MinutesOption = Annotated[
    Path, typer.Option("--minutes", help="CSV: time and any of ankle, calf, thigh, ripple, skin.", metavar="FILE")
]
OrderOption = Annotated[Path, typer.Option("--prescription", help="What was ordered, as JSON.", metavar="FILE")]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="ISO 8601 moment with its offset; what lies later has not happened. Default: now."),
]
OutOption = Annotated[str, typer.Option("--out", help="File to write; `-` is standard output.", metavar="FILE")]


@app.command(
    epilog="Examples: `calza verdict compute --prescription rx.json --minutes minutes.csv`; "
    "`calza verdict compute --prescription rx.json --minutes minutes.csv --as-of 2026-03-09T08:00Z --json`."
)
def compute(
    prescription: OrderOption,
    minutes: MinutesOption,
    as_of: AsOfOption = None,
    explain: Annotated[bool, typer.Option("--explain", help="Add the sentences behind the answer.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the verdict with its bounds, its days and how complete the data is."""
    with _told_in_a_sentence():
        _, answer = _judged(prescription, minutes, as_of)
        if as_json:
            print_json(_document(answer, explain=explain))
            return
        from calza_server.commands.verdict_table import print_answer

        print_answer(answer, explain=explain)


@app.command(
    epilog="Examples: `calza verdict ledger --minutes minutes.csv --out ledger.csv`; "
    "`calza verdict ledger --minutes minutes.csv --prescription rx.json --out -`."
)
def ledger(
    minutes: MinutesOption,
    out: OutOption,
    prescription: Annotated[
        Path | None,
        typer.Option("--prescription", help="Adds dose, pauses and every ordered minute.", metavar="FILE"),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Leave out what lies later. Default: every row, and ordered minutes until now."),
    ] = None,
) -> None:
    """Write every minute's state, reason and dose: from the first row to the last, and all that was ordered."""
    from calza_server.documents.ledger_csv import ledger_csv
    from calza_server.documents.minutes_verdict import ledger_of_table
    from calza_server.views import NO_ORDER

    with _told_in_a_sentence():
        moment = as_of_minute(as_of)
        order = NO_ORDER if prescription is None else order_in(prescription)
        found = ledger_of_table(table_in(minutes), order, moment, later_rows=as_of is None)
        write_whole(out, ledger_csv(found))


@app.command(
    epilog="Examples: `calza verdict explain --prescription rx.json --minutes minutes.csv`; "
    "`calza verdict explain --prescription rx.json --minutes minutes.csv --day 2026-03-04`."
)
def explain(
    prescription: OrderOption,
    minutes: MinutesOption,
    day: Annotated[
        str | None, typer.Option("--day", help="One day of the order, by its own calendar; default: the whole order.")
    ] = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print why, in plain sentences, with the rows of the ledger behind each."""
    from calza_server.commands.explanation_text import statements_document, statements_text
    from calza_server.domain.verdicts.explain import explain_day, explain_verdict

    with _told_in_a_sentence():
        asked = None if day is None else day_of(day)
        table, answer = _judged(prescription, minutes, as_of)
        must_be_ordered(asked, answer)
        if asked is None:
            statements = explain_verdict(answer.order, answer.report, answer.ledger)
        else:
            statements = explain_day(answer.order, answer.report, answer.ledger, asked)
        if as_json:
            print_json({"day": asked and asked.isoformat(), "statements": statements_document(statements, table)})
            return
        from calza_server.commands.verdict_table import print_statements

        print_statements(statements_text(statements, table))


@app.command(
    epilog="Examples: `calza verdict export --prescription rx.json --minutes minutes.csv --out verdict.json`; "
    "`calza verdict export --server http://127.0.0.1:8080 --leg ana-left --out verdict.json`."
)
def export(
    out: OutOption,
    prescription: Annotated[
        Path | None, typer.Option("--prescription", help="What was ordered, as JSON.", metavar="FILE")
    ] = None,
    minutes: Annotated[Path | None, typer.Option("--minutes", help="The minutes, as CSV.", metavar="FILE")] = None,
    as_of: AsOfOption = None,
    server: Annotated[str | None, typer.Option("--server", help="A running server instead of files.")] = None,
    leg: Annotated[str | None, typer.Option("--leg", help="Which leg the server is asked for.")] = None,
    order: Annotated[
        int | None, typer.Option("--order", help="Which order of the leg, from 1; default: the newest.", min=1)
    ] = None,
) -> None:
    """Write the verdict with all it rests on, so that anybody can work it out again without the server."""
    with _told_in_a_sentence():
        if server is None and leg is None and order is None and prescription is not None and minutes is not None:
            text = _export_of_files(prescription, minutes, as_of)
        elif server is not None and leg is not None and prescription is None and minutes is None and as_of is None:
            text = _export_of_server(server, leg, order)
        else:
            raise Misuse("give --prescription and --minutes (with or without --as-of), or --server and --leg")
        write_whole(out, text)


@app.command(epilog="Example: `calza verdict recompute verdict.json`.")
def recompute(
    file: Annotated[Path, typer.Argument(help="What `calza verdict export` wrote.")], as_json: JsonOption = False
) -> None:
    """Work an exported verdict out again. Ends with 0 when it is identical, 1 when it differs or cannot be judged."""
    from calza_server.documents.export_file import recompute_file

    with _told_in_a_sentence():
        found = recompute_file(read_file(file), name_of(file))
        if as_json:
            verdict = {"identical": not found.differences, "differences": list(found.differences)}
            print_json(verdict | _document(found.answer, explain=False))
        else:
            from calza_server.commands.verdict_table import print_answer, print_comparison

            print_answer(found.answer, explain=False)
            print_comparison(found.differences)
    if found.differences:
        raise typer.Exit(FAILED)


def _export_of_files(prescription: Path, minutes: Path, as_of: str | None) -> str:
    from calza_server.documents.export_file import export_text

    return export_text(_judged(prescription, minutes, as_of)[1])


def _export_of_server(server: str, leg: str, order: int | None) -> str:
    from calza_server.documents.export_from_server import NoAddress, fetch_export

    try:
        return fetch_export(server, leg, order)
    except NoAddress as error:
        raise Misuse(str(error)) from error


def _judged(prescription: Path, minutes: Path, as_of: str | None) -> tuple[MinuteTable, Answer]:
    from calza_server.documents.minutes_verdict import judge_table

    moment = as_of_minute(as_of)
    order = order_in(prescription)
    table = table_in(minutes)
    return table, judge_table(table, order, moment)


def _document(answer: Answer, *, explain: bool) -> dict[str, object]:
    from calza_server.domain.verdicts.verdict_document import report_document

    document = report_document(
        answer.order,
        answer.report,
        answer.completeness,
        ledger=answer.ledger if explain else None,
        detector_version=answer.detector_version,
    )
    return document | {"notes": list(answer.notes)}


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """What is in the way is said in one sentence, and the exit code says whose turn it is."""
    try:
        yield
    except (FileFault, Misuse) as error:
        end(MISUSED, error)
    except BrokenPipeError:
        raise  # whoever read our output has seen enough; Typer ends us quietly
    except OSError as error:
        end(FAILED, error)
