"""A ledger as CSV: one row a minute, in words, the same from wherever it is asked."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import pairwise

import numpy as np

from calza_server.documents.ledger_csv import CSV_HEADER, ledger_csv
from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.states import Dose, Reason, State
from tests.server.clinic import RIGHT, open_clinic

START = 29_540_790  # 2026-03-02T10:30Z


def test_every_word_of_a_ledger_has_its_place() -> None:
    rows = [
        (State.WORN, Reason.ON_LEG, Dose.REACHED),
        (State.WORN, Reason.SAME_AS_BEFORE_GAP, Dose.UNCERTAIN),
        (State.WORN, Reason.ON_LEG, Dose.BELOW),
        (State.NOT_WORN, Reason.NO_PRESSURE, Dose.NOT_ASKED),
        (State.UNKNOWN, Reason.UNSENSED_BY_DESIGN, Dose.NOT_ASKED),
        (State.EXCUSED, Reason.PAUSED, Dose.NOT_ASKED),
    ]
    columns = [np.array(column, np.uint8) for column in zip(*rows, strict=True)]
    ledger = replace(Ledger.unknown(START, START + 6), state=columns[0], reason=columns[1], dose=columns[2])
    assert ledger_csv(ledger) == (
        "time,state,reason,dose\n"
        "2026-03-02T10:30Z,worn,on_leg,yes\n"
        "2026-03-02T10:31Z,worn,same_as_before_gap,uncertain\n"
        "2026-03-02T10:32Z,worn,on_leg,no\n"
        "2026-03-02T10:33Z,not_worn,no_pressure,\n"
        "2026-03-02T10:34Z,unknown,unsensed_by_design,\n"
        "2026-03-02T10:35Z,excused,paused,\n"
    )


def test_a_ledger_of_no_minutes_is_a_header() -> None:
    assert ledger_csv(Ledger.unknown(START, START)) == f"{CSV_HEADER}\n"


def test_years_are_crossed_minute_by_minute() -> None:
    rows = list(csv.DictReader(io.StringIO(ledger_csv(Ledger.unknown(START + 437_000, START + 439_000)))))
    times = [np.datetime64(row["time"].removesuffix("Z")) for row in rows]
    assert {after - before for before, after in pairwise(times)} == {np.timedelta64(1, "m")}
    assert {row["time"][:4] for row in rows} == {"2026", "2027"}


def test_the_api_sends_the_same_text() -> None:
    """Octet for octet, so that whoever compares two files compares two ledgers."""
    from calza_server.views import leg_report

    clinic = open_clinic()
    report = leg_report(clinic.store, clinic.registry, RIGHT, clinic.clock.now_ms())
    sent = clinic.browser().get(f"/api/v1/legs/{RIGHT}/ledger?format=csv").text
    assert sent == ledger_csv(report.ledger)
    assert {line.split(",")[1] for line in sent.splitlines()[1:]} >= {"worn", "not_worn", "unknown", "excused"}
