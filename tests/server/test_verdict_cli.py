"""`calza verdict compute` and `ledger` on a person's own files: what is missing is unknown, what is wrong is said."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calza_server.documents.ledger_csv import ledger_csv
from calza_server.domain.ledgers.leg import ledger_of_grids
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.views import NO_ORDER
from tests.server.verdict_files import DIGITS, HEADER, Desk, csv_of, ran
from tests.server.wear_days import DAY, every_day, grid_of, without

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 4
START = 29_540_190  # 2026-03-02T00:30Z
WHOLE = replace(grid_of(every_day(DAYS, 360, 1080)), start_minute=START)  # from 06:30 to 18:30 each day


def moment(minute: int) -> str:
    return datetime.fromtimestamp((START + minute) * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")


def order(days: int = DAYS, required: int = 3, *, start: int = 0, **more: object) -> dict[str, object]:
    """So many days of ten hours in the daytime, in UTC; the first one begins at half past midnight."""
    phase = {"days": days, "mode": "daytime", "hours": 10, "days_required": required, "ankle_floor_mmhg": 18}
    return {"start": moment(start), "timezone": "UTC", "phases": [phase], **more}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def days_of(document: dict[str, object]) -> list[dict[str, Any]]:
    days = document["days"]
    assert isinstance(days, list)
    return days


def notes_of(document: dict[str, object]) -> list[str]:
    notes = document["notes"]
    assert isinstance(notes, list)
    return notes


def summed(document: dict[str, object], name: str) -> int:
    return sum(day[name] for day in days_of(document))


def test_worn_as_ordered_is_met(desk: Desk) -> None:
    found = desk.lay(order(), WHOLE).compute()
    assert found["verdict"] == "met"
    assert (found["days_met_lower"], found["days_met_upper"], found["days_required"]) == (4, 4, 3)
    assert len(days_of(found)) == DAYS
    for day in days_of(found):
        assert day["outcome"] == "met"
        assert day["worn_minutes"] == pytest.approx(720, abs=20)
        assert (day["unknown_minutes"], day["excused_minutes"]) == (0, 0)
    assert found["completeness"] == {
        "records_expected": DAYS * DAY - 30,
        "records_held": DAYS * DAY - 30,
        "records_missing": 0,
    }
    assert found["rule_version"]
    assert len(str(found["fingerprint"])) == 64


def test_a_missing_tail_is_unknown_and_not_an_unworn_stocking(desk: Desk) -> None:
    """The table ends after the second day; the order went on for two."""
    found = desk.lay(order(), without(WHOLE, (2 * DAY, DAYS * DAY))).compute()
    assert found["verdict"] == "cannot_tell"
    assert (found["days_met_lower"], found["days_met_upper"]) == (2, 4)
    assert days_of(found)[3]["outcome"] == "cannot_tell"
    assert days_of(found)[3]["unknown_minutes"] == DAY
    assert days_of(found)[3]["worn_minutes"] == 0


@pytest.mark.parametrize("minutes", ["", f"{HEADER}\n"])
def test_no_rows_at_all_are_unknown_throughout(desk: Desk, minutes: str) -> None:
    found = desk.lay(order(), minutes).compute()
    assert found["verdict"] == "cannot_tell"
    assert summed(found, "unknown_minutes") == DAYS * DAY - 30
    assert summed(found, "worn_minutes") == summed(found, "not_worn_minutes") == 0
    assert found["completeness"] == {
        "records_expected": DAYS * DAY - 30,
        "records_held": 0,
        "records_missing": DAYS * DAY - 30,
    }


def test_a_missing_row_and_a_row_of_empty_cells_are_the_same(desk: Desk) -> None:
    holes = without(WHOLE, (700, 900), (2 * DAY, 2 * DAY + 300))
    rows = csv_of(holes)
    empty = "".join(f"{moment(at)},,,,,\n" for at in np.flatnonzero(~holes.present).tolist())
    first = desk.lay(order(), rows).compute()
    second = desk.lay(order(), rows + empty).compute()
    assert summed(first, "unknown_minutes") >= 500
    assert first == second


def test_nothing_ordered_is_not_applicable(desk: Desk) -> None:
    document = {"start": moment(0), "timezone": "Europe/London", "phases": []}
    for minutes in (WHOLE, ""):
        found = desk.lay(document, minutes).compute()
        assert found["verdict"] == "not_applicable"
        assert found["days"] == []
        assert (found["days_met_lower"], found["days_met_upper"], found["days_required"]) == (0, 0, 0)
    done = ran("compute", *desk.both)
    assert "Nothing ordered" in done.out
    assert "No compression was ordered" in done.out


@pytest.mark.parametrize(
    ("days", "verdict"),
    [(0, "can_be_met"), (1.5, "can_be_met"), (2.9, "already_met"), (4, "met"), (400, "met")],
)
def test_what_lies_after_the_moment_judged_has_not_happened(desk: Desk, days: float, verdict: str) -> None:
    """The rows are all there; they may only speak up to the moment. Two of four days are needed."""
    minute = round(days * DAY)
    found = desk.lay(order(required=2), WHOLE).compute("--as-of", moment(minute))
    assert found["verdict"] == verdict
    assert summed(found, "worn_minutes") + summed(found, "not_worn_minutes") <= minute
    assert summed(found, "unknown_minutes") == 0
    held = found["completeness"]
    assert isinstance(held, dict)
    assert held["records_expected"] == held["records_held"] == min(minute, DAYS * DAY - 30)


def test_too_little_while_it_runs_can_no_longer_be_met(desk: Desk) -> None:
    never = replace(grid_of(every_day(DAYS, 0, 0)), start_minute=START)
    assert desk.lay(order(), never).compute("--as-of", moment(3 * DAY))["verdict"] == "cannot_be_met"
    assert desk.compute()["verdict"] == "not_met", "by default the moment is this one, and the order is long over"


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minute=st.integers(0, DAYS * DAY))
def test_a_verdict_for_a_moment_never_depends_on_later_rows(desk: Desk, minute: int) -> None:
    """As if the table had been cut off there: not even what the detector learned about the leg comes from later."""
    told = without(WHOLE, (900, 1000))
    whole = desk.lay(order(), told).compute("--as-of", moment(minute))
    cut = desk.lay(order(), without(told, (minute, DAYS * DAY))).compute("--as-of", moment(minute))
    whole.pop("notes"), cut.pop("notes")
    assert whole == cut


def test_the_offset_of_the_moment_counts(desk: Desk) -> None:
    desk.lay(order(), WHOLE)
    there = datetime.fromtimestamp((START + DAY) * 60, UTC).isoformat().replace("+00:00", "") + "+00:00"
    later = datetime.fromtimestamp((START + DAY + 120) * 60, UTC).isoformat().replace("+00:00", "") + "+02:00"
    assert desk.compute("--as-of", there) == desk.compute("--as-of", later)


@pytest.mark.parametrize("text", ["yesterday", "2026-03-04", "2026-03-04T10:00", "0001-01-01T00:00Z", ""])
def test_a_moment_that_is_none_is_misuse(desk: Desk, text: str) -> None:
    done = ran("compute", *desk.lay(order(), WHOLE).both, "--as-of", text)
    assert done.code == 2
    assert "--as-of" in done.sentence


def test_a_day_is_the_day_of_the_zone_also_when_the_clocks_change(desk: Desk) -> None:
    """London, 29 March 2026: 23 hours, from midnight UTC to 23:00 UTC."""
    start = int(datetime(2026, 3, 28, tzinfo=UTC).timestamp()) // 60
    shifted = replace(WHOLE, start_minute=start)
    phase = {"days": 3, "mode": "continuous", "hours": 23, "days_required": 3}
    document = {"start": "2026-03-28T00:00:00+00:00", "timezone": "Europe/London", "phases": [phase]}
    days = days_of(desk.lay(document, shifted).compute())
    lengths = [
        sum(day[name] for name in ("worn_minutes", "not_worn_minutes", "unknown_minutes", "excused_minutes"))
        for day in days
    ]
    assert lengths == [1440, 1380, 1440]
    assert [day["date"] for day in days] == ["2026-03-28", "2026-03-29", "2026-03-30"]


def test_pauses_excuse_and_what_no_sensor_sees_is_unknown(desk: Desk) -> None:
    pause = {"start": moment(DAY), "end": moment(DAY + 300), "reason": "skin check"}
    pad = {"start": moment(2 * DAY), "end": moment(2 * DAY + 200), "reason": "pad"}
    found = desk.lay(order(pauses=[pause], unsensed=[pad]), WHOLE).compute()
    assert summed(found, "excused_minutes") == 300
    assert summed(found, "unknown_minutes") == 200


def test_wear_cannot_be_told_without_the_signs_it_rests_on(desk: Desk) -> None:
    """Pressure alone shows when it was surely off; it never shows that it was on a leg."""
    found = desk.lay(order(), csv_of(WHOLE, ("ankle", "calf", "thigh"))).compute()
    assert summed(found, "worn_minutes") == 0
    assert summed(found, "not_worn_minutes") > DAY
    assert summed(found, "unknown_minutes") > DAY
    assert found["verdict"] == "cannot_tell"
    (note,) = notes_of(found)
    assert note.startswith("Not in the table: ripple, skin. No minute can be called worn without")
    for columns in (("ankle", "calf", "ripple"), ("calf", "ripple", "skin")):
        less = desk.lay(order(), csv_of(WHOLE, columns)).compute()
        assert summed(less, "worn_minutes") == 0
        assert "No minute can be called worn" in notes_of(less)[0]
    still = desk.lay(order(), csv_of(WHOLE, ("ankle", "calf", "thigh", "skin"))).compute()
    assert summed(still, "worn_minutes") == 0, "these pressures hardly move from minute to minute"
    assert "Life shows only in pressures that move" in notes_of(still)[0]
    two = desk.lay(order(), csv_of(WHOLE, ("ankle", "calf", "ripple", "skin"))).compute()
    assert two["verdict"] == "met"
    assert notes_of(two) == ["Not in the table: thigh."]
    one = desk.lay(order(), csv_of(WHOLE, ("ankle",))).compute()
    assert summed(one, "unknown_minutes") == DAYS * DAY - 30


def test_what_of_the_table_had_no_say_is_noted(desk: Desk) -> None:
    (note,) = notes_of(desk.lay(order(), WHOLE).compute("--as-of", moment(DAYS * DAY - 60)))
    assert note.startswith("60 rows lie after the moment judged")
    (note,) = notes_of(desk.lay(order(start=-40 * DAY), WHOLE).compute())
    assert "No row lies within the days of the order" in note
    assert notes_of(desk.lay(order(), WHOLE).compute()) == []


def test_rows_years_from_the_order_are_a_slip_in_a_date(desk: Desk) -> None:
    done = ran("compute", *desk.lay(order(start=-5 * 366 * DAY), WHOLE).both)
    assert done.code == 2
    assert done.sentence.startswith("minutes.csv, line 2, column 1 (time): the rows lie years from the order")


def test_the_table_on_a_terminal_says_what_json_says(desk: Desk) -> None:
    found = desk.lay(order(), without(WHOLE, (2 * DAY, DAYS * DAY))).compute()
    done = ran("compute", *desk.both)
    assert done.code == 0
    assert done.err == ""
    words = done.out.split()
    for expected in ("2 to 4 of 4 days reached, 3 required", "Cannot tell", "cannot tell", "24:00 h"):
        assert expected in done.out
    assert found["fingerprint"] in words
    assert str(found["rule_version"]) in done.out
    assert max(map(len, done.out.splitlines())) <= 80, "a fingerprint and its name fit; nothing is cut"
    assert "…" not in done.out


# --- the ledger -----------------------------------------------------------------------------------------------------


def test_the_ledger_is_that_of_the_same_minutes_in_the_domain(desk: Desk) -> None:
    desk.lay(order(), without(WHOLE, (700, 900)))
    out = desk.folder / "ledger.csv"
    assert ran("ledger", "--minutes", desk.minutes, "--out", out).code == 0
    text = out.read_text()
    rounded = MinuteGrid.empty(START, START + DAYS * DAY)
    for name, digits in DIGITS.items():
        getattr(rounded, name)[:] = [float(f"{figure:.{digits}f}") for figure in getattr(WHOLE, name)]
    rounded.present[:] = True
    assert text == ledger_csv(ledger_of_grids([("minutes.csv", without(rounded, (700, 900)))], NO_ORDER))
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == DAYS * DAY
    assert {row["state"] for row in rows} == {"worn", "not_worn", "unknown"}
    assert {row["state"] for row in rows[700:900]} == {"unknown"}
    assert {row["reason"] for row in rows[700:900]} == {"no_data"}
    assert {row["dose"] for row in rows} == {""}, "nothing was ordered, so no dose is asked for"
    assert ran("ledger", "--minutes", desk.minutes, "--out", "-").out == text


def test_an_order_adds_dose_pauses_and_every_ordered_minute(desk: Desk) -> None:
    pause = {"start": moment(DAY), "end": moment(DAY + 300), "reason": "skin check"}
    desk.lay(order(days=6, start=-60, pauses=[pause]), WHOLE)
    rows = list(csv.DictReader(ran("ledger", *desk.both, "--out", "-").out.splitlines()))
    assert rows[0]["time"] == moment(-60)
    assert rows[-1]["time"] == moment(5 * DAY - 31), "the first of its six days has an hour and a half"
    assert {row["state"] for row in rows[:60]} == {row["state"] for row in rows[60 + DAYS * DAY :]} == {"unknown"}
    assert sum(row["state"] == "excused" for row in rows) == 300
    assert {row["dose"] for row in rows if row["state"] == "worn"} == {"yes"}


def test_a_ledger_holds_every_row_unless_a_moment_is_given(desk: Desk) -> None:
    """Rows of a device whose clock is ahead are shown, not dropped."""
    desk.lay(order(), replace(WHOLE, start_minute=START + 30 * 366 * DAY))
    assert len(ran("ledger", "--minutes", desk.minutes, "--out", "-").out.splitlines()) == 1 + DAYS * DAY
    desk.lay(order(), WHOLE)
    cut = ran("ledger", "--minutes", desk.minutes, "--out", "-", "--as-of", moment(100)).out
    assert len(cut.splitlines()) == 101


def test_a_ledger_of_nothing_is_a_header(desk: Desk) -> None:
    desk.lay(order(), "")
    assert ran("ledger", "--minutes", desk.minutes, "--out", "-").out == "time,state,reason,dose\n"


def test_a_file_is_replaced_whole_and_a_link_stays_a_link(desk: Desk) -> None:
    desk.lay(order(), WHOLE)
    kept, link = desk.folder / "kept.csv", desk.folder / "link.csv"
    kept.write_text("old")
    kept.chmod(0o640)
    link.symlink_to(kept)
    assert ran("ledger", "--minutes", desk.minutes, "--out", link).code == 0
    assert link.is_symlink()
    assert kept.read_text().startswith("time,")
    assert kept.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in desk.folder.iterdir()) == ["kept.csv", "link.csv", "minutes.csv", "rx.json"]


def test_a_pipe_is_written_to_and_stays_a_pipe(desk: Desk) -> None:
    """Whatever is no ordinary file must not be replaced: as root that could be a device of the machine."""
    desk.lay(order(), "")
    pipe = desk.folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert ran("ledger", "--minutes", desk.minutes, "--out", pipe).code == 0
        assert os.read(reader, 100) == b"time,state,reason,dose\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_disk_that_fills_while_writing_leaves_what_was_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    desk.lay(order(), WHOLE)
    out = desk.folder / "ledger.csv"
    out.write_text("as it was")
    monkeypatch.setattr("calza_server.files.whole_file.os.fsync", full)
    done = ran("ledger", "--minutes", desk.minutes, "--out", out)
    assert done.code == 1
    assert "No space left" in done.sentence
    assert out.read_text() == "as it was"
    assert sorted(path.name for path in desk.folder.iterdir()) == ["ledger.csv", "minutes.csv", "rx.json"]


def test_where_nothing_can_be_written_nothing_is_left(desk: Desk) -> None:
    desk.lay(order(), WHOLE)
    for out in (desk.folder, desk.folder / "none" / "ledger.csv", desk.folder / ("x" * 300)):
        done = ran("ledger", "--minutes", desk.minutes, "--out", out)
        assert done.code == 1
        assert "cannot be written" in done.sentence
    assert sorted(path.name for path in desk.folder.iterdir()) == ["minutes.csv", "rx.json"]


# --- refusals -------------------------------------------------------------------------------------------------------

ROW = "2026-03-03T00:30Z,26.1,18.4,10.2,0.61,31.5"


@pytest.mark.parametrize(
    ("minutes", "place"),
    [
        ("time,ankle,pulse\n", "minutes.csv, line 1, column 3: "),
        (f"{HEADER}\n{ROW}\n{ROW.replace('18.4', 'x')}\n", "minutes.csv, line 3, column 3 (calf): "),
        (f"{HEADER}\n{ROW.replace('Z', '')}\n", "minutes.csv, line 2, column 1 (time): "),
        (f"{HEADER}\n{ROW}\n{ROW[:-10]}\n", "minutes.csv, line 3, column 5: "),
        (f"{HEADER}\n{ROW}\n{ROW.replace('26.1', '27')}\n", "minutes.csv, line 3, column 1 (time): "),
    ],
)
def test_a_bad_table_gets_one_sentence_and_nothing_is_written(desk: Desk, minutes: str, place: str) -> None:
    desk.lay(order(), minutes)
    out = desk.folder / "ledger.csv"
    out.write_text("as it was")
    for words in (("ledger", "--minutes", str(desk.minutes), "--out", str(out)), ("compute", *desk.both)):
        done = ran(*words)
        assert done.code == 2
        assert done.sentence.startswith(place)
    assert ran("ledger", *desk.both, "--out", "-").sentence.startswith(place)
    assert out.read_text() == "as it was"
    assert sorted(path.name for path in desk.folder.iterdir()) == ["ledger.csv", "minutes.csv", "rx.json"]


GOOD = '{"start": "2026-03-02T10:30:00+00:00",\n "timezone": "Europe/London",\n "phases": [\n  %s\n ]}'
PHASE = '{"days": 4, "mode": "continuous", "hours": 23, "days_required": 4}'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "rx.json, line 1, column 1: is not JSON"),
        ('{"start": }', "rx.json, line 1, column 11: is not JSON"),
        (GOOD % (PHASE + ","), "rx.json, line 5, column 2: is not JSON"),
        ('{"start": "x",\n "start": "y"}', 'rx.json, line 2, column 11 (/start): "start" is there twice'),
        ('{"a": 1,\n "phases": NaN}', "rx.json, line 1, column 1: is not JSON"),
        ("[]", "rx.json, line 1, column 1: must be an object"),
        ("{}", "rx.json, line 1, column 1 (/phases): is missing"),
        (GOOD % PHASE.replace("23", "25"), "rx.json, line 4, column 46 (/phases/0/hours): must be a number"),
        (GOOD % f"{PHASE},\n  {PHASE.replace('days_', 'day_')}", "rx.json, line 5, column 3 (/phases/1/days_required)"),
        (
            GOOD % PHASE.replace('"days":', '"weeks": 1, "days":'),
            "rx.json, line 4, column 13 (/phases/0/weeks): is not",
        ),
        ((GOOD % PHASE).replace("Europe/London", "Londinium"), "rx.json, line 2, column 14 (/timezone): must be"),
        ("\ufeff" + (GOOD % PHASE).replace("Europe/London", "é"), "rx.json, line 2, column 14 (/timezone): must be"),
        ('{"\\ud800\\u001b[2J": 1}', "rx.json, line 1, column "),
        ("[" * 100_000, "rx.json, line 1, column 1: is nested too deeply"),
        ('{"start": ' + "9" * 5000 + "}", "rx.json, line 1, column 1: is not JSON"),
    ],
)
def test_an_order_that_cannot_be_read_gets_one_sentence_with_its_place(desk: Desk, text: str, place: str) -> None:
    desk.lay({}, WHOLE)
    desk.order.write_text(text)
    done = ran("compute", *desk.both)
    assert done.code == 2
    assert done.sentence.startswith(place)
    assert done.sentence.isprintable()


def test_an_order_in_another_encoding_is_refused_where_it_shows(desk: Desk) -> None:
    desk.lay({}, WHOLE)
    desk.order.write_bytes(b'{"start":\n "\xfc"}')
    assert ran("compute", *desk.both).sentence.startswith("rx.json, line 2, column 3: is not UTF-8")


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_a_file_that_cannot_be_read_is_named(desk: Desk, name: str) -> None:
    desk.lay(order(), WHOLE)
    done = ran("compute", "--prescription", desk.order, "--minutes", f"{desk.folder}/{name}")
    assert done.code == 2
    assert "cannot be read" in done.sentence


# --- as people run it -----------------------------------------------------------------------------------------------


def calza(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "calza", "verdict", *words], capture_output=True, text=True, env=environment, timeout=60
    )


def test_the_command_itself_answers_refuses_and_ends_as_it_says(desk: Desk) -> None:
    desk.lay(order(), WHOLE)
    before = time.monotonic()
    done = calza("compute", *desk.both, "--json")
    assert time.monotonic() - before < 10, "half a second where nothing else runs"
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "met"
    desk.minutes.write_text(f"{HEADER}\nsoon,1,1,1,1,1\n")
    done = calza("compute", *desk.both, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('minutes.csv, line 2, column 1 (time): "soon" is not a time')
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [(), ("compute",), ("ledger",), ("explain",), ("export",), ("recompute",)])
def test_help_has_an_example_and_comes_without_the_heavy_libraries(words: tuple[str, ...]) -> None:
    program = (
        "import sys\nfrom calza.__main__ import main\n"
        f"try:\n    main({['verdict', *words, '--help']!r})\nexcept SystemExit:\n    pass\n"
        "print('LOADED', sorted({'numpy', 'fastapi', 'paho', 'sqlite3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "calza verdict" in done.stdout
    assert "LOADED []" in done.stdout
