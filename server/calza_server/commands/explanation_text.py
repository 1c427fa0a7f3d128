"""Sentences of an explanation with the ledger rows behind each: as JSON values and as lines. Computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calza_server.domain.verdicts.verdict_document_fields import minute_spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from calza_server.documents.minutes_csv import MinuteTable
    from calza_server.domain.ledgers.ledger import LedgerRun
    from calza_server.domain.verdicts.explain import Statement

ROWS_SHOWN: Final = 8  # of one sentence, on a terminal; JSON has them all


def statements_document(statements: Iterable[Statement], table: MinuteTable) -> list[dict[str, object]]:
    """Every sentence, what it is about, and its rows with the lines of the table they come from."""
    return [
        {"sentence": each.sentence, "topic": each.topic.value, "rows": [_document(run, table) for run in each.rows]}
        for each in statements
    ]


def statements_text(statements: Iterable[Statement], table: MinuteTable) -> Iterator[tuple[str, list[str]]]:
    """Each sentence, and lines that name its rows; a sentence with many rows names the first and counts the rest."""
    for each in statements:
        lines = [_line(run, table) for run in each.rows[:ROWS_SHOWN]]
        rest = each.rows[ROWS_SHOWN:]
        if rest:
            minutes = sum(run.end_minute - run.start_minute for run in rest)
            lines.append(f"and {len(rest)} more, {minutes} min together; --json names them all")
        yield each.sentence, lines


def _document(run: LedgerRun, table: MinuteTable) -> dict[str, object]:
    return {
        "from": minute_spelled(run.start_minute),
        "to": minute_spelled(run.end_minute),
        "minutes": run.end_minute - run.start_minute,
        "state": run.state.word,
        "reason": run.reason.word,
        "dose": run.dose.word,
        "source": run.source.serial if run.source else None,
        "first_line": table.line_of(run.start_minute),
        "last_line": table.line_of(run.end_minute - 1),
    }


def _line(run: LedgerRun, table: MinuteTable) -> str:
    words = f"{run.state.word}, {run.reason.word}" + (f", dose {run.dose.word}" if run.dose.word else "")
    text = f"{minute_spelled(run.start_minute)} to {minute_spelled(run.end_minute)}  {words}"
    first, last = table.line_of(run.start_minute), table.line_of(run.end_minute - 1)
    if run.source is None or first is None or last is None:
        return text
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return f"{text}  ({run.source.serial}, {lines})"
