"""The examples of docs/verdict-rule.md, run as they stand on the page."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.orders.prescription import Ended, EndedWhy, Mode, Phase, Prescription
from calza_server.domain.recording.completeness import NOTHING_EXPECTED
from calza_server.domain.states import State
from calza_server.domain.verdicts.fingerprint import evidence_digest
from calza_server.domain.verdicts.verdict import BORDERLINE_MINUTES, RULE_VERSION, VerdictReport, judge
from calza_server.domain.verdicts.verdict_document import export

PAGE = (Path(__file__).parents[2] / "docs" / "verdict-rule.md").read_text(encoding="utf-8")
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
DAY = 1440
NOON = 720


def table(first_column: str, last_column: str) -> list[dict[str, str]]:
    """The rows of the one table on the page with such a first and last column."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", PAGE, re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        if (head[0], head[-1]) == (first_column, last_column):
            found.append([dict(zip(head, row, strict=True)) for row in rows])
    (only,) = found
    assert len(only) > 2
    return only


def minutes(text: str) -> int:
    number, unit = text.split()
    return round(float(number) * {"h": 60, "min": 1}[unit])


def order_of(phase: Phase) -> Prescription:
    return Prescription(MIDNIGHT, "UTC", (phase,))


def judged(order: Prescription, states: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> VerdictReport:
    return judge(order, replace(Ledger.unknown(order.start_minute, order.end_minute), state=states), 10**9)


def days(*each: tuple[int, int]) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Days of so many minutes worn and unknown, the rest not worn."""
    states = np.full(len(each) * DAY, State.NOT_WORN, np.uint8)
    for number, (worn, unknown) in enumerate(each):
        states[number * DAY : number * DAY + worn] = State.WORN
        states[number * DAY + worn : number * DAY + worn + unknown] = State.UNKNOWN
    return states


@pytest.mark.parametrize("row", table("worn", "day"), ids=str)
def test_days(row: dict[str, str]) -> None:
    order = order_of(Phase(1, Mode.DAYTIME, 10, 1, tolerance_share=0.0))
    (day,) = judged(order, days((minutes(row["worn"]), minutes(row["unknown"])))).days
    assert (day.required_minutes, day.outcome) == (600, row["day"].replace(" ", "_"))


@pytest.mark.parametrize("row", table("ordered", "day"), ids=str)
def test_excuses(row: dict[str, str]) -> None:
    phase = Phase(
        1,
        Mode.CONTINUOUS,
        minutes(row["ordered"]) / 60,
        1,
        hygiene_minutes=minutes(row["hygiene"]),
        night_optional=row["night optional"] == "yes",
        tolerance_share=0.0,
    )
    states = np.full(DAY, State.WORN, np.uint8)
    at_night = minutes(row["off at night"])
    states[: min(at_night, 420)] = State.NOT_WORN
    states[1320 : 1320 + max(0, at_night - 420)] = State.NOT_WORN
    unknown_from = NOON + minutes(row["off by day"])
    states[NOON:unknown_from] = State.NOT_WORN
    states[unknown_from : unknown_from + minutes(row["unknown by day"])] = State.UNKNOWN
    (day,) = judged(order_of(phase), states).days
    least, most = day.required_minutes_lower, day.required_minutes
    assert row["needed"] == (f"{most} min" if least == most else f"{least} to {most} min")
    assert day.outcome == row["day"].replace(" ", "_")


@pytest.mark.parametrize("row", table("met", "phase"), ids=str)
def test_phases(row: dict[str, str]) -> None:
    good, silent, short = [(720, 0)] * int(row["met"]), [(0, DAY)] * int(row["unknown"]), [(60, 0)] * int(row["missed"])
    report = judged(order_of(Phase(14, Mode.DAYTIME, 10, 12)), days(*good, *silent, *short))
    assert report.phases[0].verdict == report.verdict == row["phase"].replace(" ", "_")


def test_six_of_seven() -> None:
    assert "Twelve of fourteen days, ended after seven: six of seven." in PAGE
    order = order_of(Phase(14, Mode.DAYTIME, 10, 12))
    order = replace(order, ended=Ended(datetime(2026, 3, 10, tzinfo=UTC), EndedWhy.SHORTENED))
    report = judged(order, days(*[(720, 0)] * 7))
    assert (report.days_required, len(report.days)) == (6, 7)


def test_the_page_names_this_rule_and_its_figures() -> None:
    assert f"`{RULE_VERSION}`" in PAGE
    assert f"within {BORDERLINE_MINUTES} min of what is needed" in PAGE
    order = order_of(Phase(1, Mode.DAYTIME, 10, 1))
    assert (order.night.start.hour, order.night.end.hour, order.grace_days) == (22, 7, 7)
    assert "| days of grace | 7 |" in PAGE
    assert "| night | 22:00 to 07:00 |" in PAGE


def fenced(language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_evidence_is_the_digest_of_the_text_on_the_page() -> None:
    """Whoever writes these octets and hashes them has the digest, in any language."""
    (text,) = fenced("json")
    states = np.repeat(np.array([State.WORN, State.NOT_WORN], np.uint8), [600, 840])
    start = json.loads(text)["ledger"]["start_minute"]
    assert evidence_digest({}, start, states) == hashlib.sha256(text.strip().encode()).hexdigest()


def test_the_recomputation_on_the_page_runs() -> None:
    (program,) = fenced("python")
    order = order_of(Phase(1, Mode.DAYTIME, 10, 1))
    book = replace(Ledger.unknown(order.start_minute, order.end_minute), state=days((500, 100)))
    # the detector's reasons are not part of this test, but a file must have ones that fit
    book.reason[:] = book.state * 10
    report = judge(order, book, 10**7)
    names: dict[str, object] = {"text": json.dumps(export(order, book, report, NOTHING_EXPECTED, "calza-detector-x"))}
    exec(program, names)  # noqa: S102 - the page's own program
    assert names["found"] == report
