"""A ledger as JSON, run-length encoded without loss: state, reason, dose, source and record of every minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.ledgers.ledger import Ledger, Source
from calza_server.domain.recording.grid import NOWHERE
from calza_server.domain.states import Dose, Reason, State
from calza_server.domain.verdicts.verdict_document_fields import DocumentError, Fields, minute_spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

_STATES: Final = {state.word: state for state in State}
_REASONS: Final = {reason.word: reason for reason in Reason}
_DOSES: Final = {dose.word: dose for dose in Dose}
_REASONS_PER_STATE: Final = 10  # the tens of a reason's number are its state
SOURCES_AT_MOST: Final = 1000  # a leg has had a few stockings, each with a few logs


def ledger_document(ledger: Ledger) -> dict[str, object]:
    """The ledger as plain JSON values: its runs lie end to end from `start` on."""
    columns: list[npt.NDArray[np.integer]] = [ledger.state, ledger.reason, ledger.dose, ledger.source, ledger.record]
    starts = _starts(columns, len(ledger))
    lengths = np.diff(starts, append=len(ledger)).tolist()
    rows: Iterable[tuple[int, ...]] = zip(lengths, *(column[starts].tolist() for column in columns), strict=True)
    return {
        "start": minute_spelled(ledger.start_minute),
        "sources": [{"stocking": each.serial, "log": each.log_id.hex()} for each in ledger.sources],
        "runs": [
            {
                "minutes": minutes,
                "state": State(state).word,
                "reason": Reason(reason).word,
                "dose": Dose(dose).word,
                "source": None if source == NOWHERE else source,
                "record": None if source == NOWHERE else record,
            }
            for minutes, state, reason, dose, source, record in rows
        ],
    }


def read_ledger(document: object, at: str, start_minute: int, minutes: int) -> Ledger:
    """The ledger in a document, which must begin at `start_minute` and last so many minutes. Raises DocumentError."""
    fields = Fields(document, at, {"start", "sources", "runs"})
    if fields.minute("start") != start_minute:
        raise DocumentError(fields.at("start"), f"must be where the order begins, {minute_spelled(start_minute)}")
    sources = _sources(fields)
    rows = [_row(item, f"{at}/runs/{number}", len(sources)) for number, item in enumerate(fields.items("runs"))]
    lengths = [row[0] for row in rows]
    if sum(lengths) != minutes:
        raise DocumentError(
            fields.at("runs"),
            f"must be {minutes} minutes together, up to as_of or the order's end; they are {sum(lengths)}",
        )
    columns = np.array([row[1:] for row in rows], np.int64).reshape(-1, 5).T
    state, reason, dose, source, record = (np.repeat(column, lengths) for column in columns)
    return Ledger(
        start_minute=start_minute,
        state=state.astype(np.uint8),
        reason=reason.astype(np.uint8),
        dose=dose.astype(np.uint8),
        source=source.astype(np.int16),
        record=record,
        sources=sources,
    )


def _starts(columns: Sequence[npt.NDArray[np.integer]], length: int) -> npt.NDArray[np.int64]:
    change = np.ones(length, np.bool_)
    if length:
        change[1:] = False
        for column in columns:
            change[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(change)


def _sources(fields: Fields) -> tuple[Source, ...]:
    found = []
    items = fields.items("sources")
    if len(items) > SOURCES_AT_MOST:
        raise DocumentError(fields.at("sources"), f"may name at most {SOURCES_AT_MOST} sources")
    for number, item in enumerate(items):
        source = Fields(item, f"{fields.at('sources')}/{number}", {"stocking", "log"})
        try:
            log_id = bytes.fromhex(source.text("log"))
        except ValueError as why:
            raise DocumentError(source.at("log"), "must be a log id in hexadecimal digits") from why
        found.append(Source(source.text("stocking"), log_id))
    return tuple(found)


def _row(item: object, at: str, sources: int) -> tuple[int, int, int, int, int, int]:
    fields = Fields(item, at, {"minutes", "state", "reason", "dose", "source", "record"})
    state = _STATES[_known(fields, "state", _STATES)]
    reason = _REASONS[_known(fields, "reason", _REASONS)]
    dose = _DOSES[_known(fields, "dose", _DOSES)]
    if reason // _REASONS_PER_STATE != state:
        raise DocumentError(fields.at("reason"), f"{reason.word} is no reason of a minute that is {state.word}")
    if dose is not Dose.NOT_ASKED and state is not State.WORN:
        raise DocumentError(fields.at("dose"), "only a worn minute can have one")
    if (fields.raw("source") is None) != (fields.raw("record") is None):
        raise DocumentError(fields.at("record"), "must be given with its source, or both null")
    source, record = NOWHERE, NOWHERE
    if fields.raw("source") is not None:
        source, record = fields.whole("source", 0, sources - 1), fields.whole("record")
    return fields.whole("minutes", 1), state, reason, dose, source, record


def _known(fields: Fields, name: str, words: dict[str, State] | dict[str, Reason] | dict[str, Dose]) -> str:
    value = fields.text(name)
    if value not in words:
        raise DocumentError(fields.at(name), f"must be one of {', '.join(word or 'an empty text' for word in words)}")
    return value
