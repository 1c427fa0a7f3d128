"""The newest standing of a gateway in its state folder, so that another process can read it: `standing.json`.

A file of its own rather than a table of the outbox: it is wanted most when the outbox is damaged or the disk is full,
it costs the outbox no commit, and losing it loses nothing. Mode 0600, replaced in one step. Whether it is the present
or history the reader tells by the lock of the folder; a gateway that starts replaces it at once.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from calza_gateway.reporting.standing import (
    AdapterStanding,
    AdapterState,
    GatewayStanding,
    StockingStanding,
    StockingState,
)
from calza_gateway.reporting.standing_book import KnownProblem
from calza_gateway.state.bonds import StateError, read_private, write_private
from calza_wire.errors import WireError
from calza_wire.json_fields import Fields

STANDING_FILE: Final = "standing.json"
VERSION: Final = 1
COUNT_MAX: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class SavedStanding:
    """What was saved at `written_ms` (Unix milliseconds)."""

    written_ms: int
    standing: GatewayStanding
    problems: tuple[KnownProblem, ...]


def write_standing(state: Path, saved: SavedStanding) -> None:
    """Replace the file. Raises `StateError` ("state_unwritable")."""
    document = {"v": VERSION, "written_ms": saved.written_ms, **asdict(saved.standing)}
    document["problems"] = [asdict(problem) for problem in saved.problems]
    write_private(state / STANDING_FILE, json.dumps(document, indent=1) + "\n")


def read_standing(state: Path) -> SavedStanding | None:
    """What was saved last; None if nothing was. Raises `StateError` ("state_damaged", "state_unreadable")."""
    path = state / STANDING_FILE
    parsed = read_private(path)
    if parsed is None:
        return None
    try:
        fields = Fields(parsed)
        if fields.integer("v", 0, COUNT_MAX) != VERSION:
            raise StateError("state_damaged", f"{path} is of another version; the running gateway will replace it")
        saved = SavedStanding(
            fields.integer("written_ms", 0, COUNT_MAX),
            GatewayStanding(fields.items("adapters", _adapter), fields.items("stockings", _stocking)),
            fields.items("problems", _problem),
        )
        fields.done()
    except (WireError, ValueError) as error:
        raise StateError("state_damaged", f"{path} is damaged: {error}. Delete it, nothing is lost by it") from error
    return saved


def _adapter(value: object, where: str) -> AdapterStanding:
    fields = Fields(value, where)
    adapter = AdapterStanding(
        name=fields.text("name"),
        state=AdapterState(fields.text("state")),
        since_ms=fields.integer("since_ms", 0, COUNT_MAX),
        code=fields.text_or_none("code"),
        sentence=fields.text_or_none("sentence"),
        resets=fields.integer("resets", 0, COUNT_MAX),
        restarts=fields.integer("restarts", 0, COUNT_MAX),
    )
    fields.done()
    return adapter


def _stocking(value: object, where: str) -> StockingStanding:
    fields = Fields(value, where)
    stocking = StockingStanding(
        serial=fields.text("serial"),
        adapter=fields.text("adapter"),
        state=StockingState(fields.text("state")),
        since_ms=fields.integer("since_ms", 0, COUNT_MAX),
        code=fields.text_or_none("code"),
        sentence=fields.text_or_none("sentence"),
        failures=fields.integer("failures", 0, COUNT_MAX),
        next_try_ms=fields.integer_or_none("next_try_ms", 0, COUNT_MAX),
    )
    fields.done()
    return stocking


def _problem(value: object, where: str) -> KnownProblem:
    fields = Fields(value, where)
    problem = KnownProblem(
        code=fields.text("code"),
        sentence=fields.text("sentence"),
        serial=fields.text_or_none("serial"),
        since_ms=fields.integer("since_ms", 0, COUNT_MAX),
        told_ms=fields.integer("told_ms", 0, COUNT_MAX),
    )
    fields.done()
    return problem
