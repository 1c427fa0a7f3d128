"""`calza verdict export`, `recompute` and `explain`: the same answer again without the server, and its reasons."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from calza_server.domain.verdicts.verdict import RULE_VERSION
from tests.server.clinic import LEFT, open_clinic, worn_as_ordered
from tests.server.clinic import ORDER as CLINIC_ORDER
from tests.server.verdict_files import Desk, ran
from tests.server.wear_days import DAY, every_day, grid_of, without

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = 29_540_160  # 2026-03-02T00:00Z
DAYS = 4
WORN = replace(grid_of(every_day(DAYS, 360, 1080)), start_minute=START)  # 06:00 to 18:00
TOLD = without(WORN, (DAY + 300, DAY + 900))
REASON = "skin [bold]check[/bold] é"
ORDER = {
    "start": "2026-03-02T00:00:00+00:00",
    "timezone": "UTC",
    "phases": [{"days": DAYS, "mode": "daytime", "hours": 10, "days_required": 4, "ankle_floor_mmhg": 18}],
    "pauses": [{"start": "2026-03-04T01:00:00Z", "end": "2026-03-04T03:00:00Z", "reason": REASON}],
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path).lay(ORDER, TOLD)


@pytest.fixture
def exported(desk: Desk) -> Path:
    out = desk.folder / "verdict.json"
    done = ran("export", *desk.both, "--out", out)
    assert (done.code, done.out, done.err) == (0, "", "")
    return out


def test_an_export_is_worked_out_again_to_the_same_answer(desk: Desk, exported: Path) -> None:
    computed = desk.compute()
    assert computed["verdict"] == "cannot_tell"
    desk.order.unlink()
    desk.minutes.unlink()
    again = ran("recompute", exported, "--json").document
    assert again["identical"] is True
    assert again["differences"] == []
    for name in ("verdict", "fingerprint", "evidence", "days", "phases", "completeness", "rule_version"):
        assert again[name] == computed[name], name
    done = ran("recompute", exported)
    assert done.code == 0
    assert str(computed["fingerprint"]) in done.out
    assert "identical" in done.out.splitlines()[-1]


@pytest.mark.parametrize("as_of", ["2026-02-20T00:00Z", "2026-03-03T12:00Z", "2026-03-05T00:00Z", "2030-01-01T00:00Z"])
def test_an_export_of_any_moment_is_worked_out_again(desk: Desk, as_of: str) -> None:
    out = desk.folder / "verdict.json"
    assert ran("export", *desk.both, "--as-of", as_of, "--out", out).code == 0
    again = ran("recompute", out, "--json").document
    assert again["identical"] is True
    assert again["fingerprint"] == desk.compute("--as-of", as_of)["fingerprint"]


def test_nothing_ordered_and_nothing_recorded_can_be_exported_too(desk: Desk) -> None:
    for phases, minutes in (([], ""), ([], TOLD), (ORDER["phases"], "")):
        desk.lay({"start": ORDER["start"], "timezone": "UTC", "phases": phases}, minutes)
        out = desk.folder / "verdict.json"
        assert ran("export", *desk.both, "--out", out).code == 0
        assert ran("recompute", out).code == 0


def test_an_export_stays_small_and_names_no_folder(desk: Desk, exported: Path) -> None:
    assert exported.stat().st_size < 20_000
    assert str(desk.folder) not in exported.read_text()
    assert ran("export", *desk.both, "--out", "-").out == exported.read_text()


def changed(path: Path, change: dict[str, Any] | None = None, **summary: object) -> None:
    document = json.loads(path.read_text())
    document["verdict"].update(summary)
    path.write_text(json.dumps(document | (change or {}), indent=1))


def test_what_was_changed_is_named(exported: Path) -> None:
    changed(exported, verdict="met", days_met_lower=4)
    done = ran("recompute", exported)
    assert (done.code, done.err) == (1, "")
    assert "the verdict is met; worked out anew: cannot tell" in " ".join(done.out.split())
    assert "lower bound of days is 4" in " ".join(done.out.split())
    assert "identical" not in done.out
    done = ran("recompute", exported, "--json")
    assert done.code == 1
    document = json.loads(done.out)
    assert document["identical"] is False
    assert document["verdict"] == "cannot_tell", "what is printed is the answer worked out anew"
    assert any("not as it was written" in each for each in document["differences"])


def test_a_ledger_that_was_changed_has_another_fingerprint(exported: Path) -> None:
    document = json.loads(exported.read_text())
    first = document["ledger"]["runs"][0]
    assert first["state"] == "not_worn"
    first.update(state="worn", reason="on_leg")
    exported.write_text(json.dumps(document))
    done = ran("recompute", exported)
    assert done.code == 1
    assert "fingerprint" in done.out


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "verdict.json, line 1, column 1: is not JSON"),
        ("[]", "verdict.json, line 1, column 1: "),
        (json.dumps(ORDER), "verdict.json, line 1, column 1 (/as_of): is missing"),
    ],
)
def test_what_is_no_export_is_refused_with_its_place(exported: Path, text: str, place: str) -> None:
    exported.write_text(text)
    done = ran("recompute", exported)
    assert done.code == 2
    assert done.sentence.startswith(place)


def test_a_fault_deep_in_an_export_has_its_line(exported: Path) -> None:
    lines = exported.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if '"reason": "no_pressure"' in line)
    lines[at] = lines[at].replace("no_pressure", "lost")
    exported.write_text("\n".join(lines))
    done = ran("recompute", exported)
    assert done.code == 2
    assert done.sentence.startswith(f"verdict.json, line {at + 1}, column ")
    assert "/ledger/runs/" in done.sentence


def test_an_export_of_another_rule_is_not_judged_by_this_one(exported: Path) -> None:
    changed(exported, {"rule_version": "calza-rule-0"})
    done = ran("recompute", exported)
    assert done.code == 1
    assert RULE_VERSION in done.sentence


# --- from a server --------------------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer to everything; its address, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_an_export_from_a_server_is_the_same_file(desk: Desk, exported: Path) -> None:
    out = desk.folder / "fetched.json"
    with answering(200, json.dumps(json.loads(exported.read_text())).encode()) as (server, asked):
        done = ran("export", "--server", f"{server}/clinic/", "--leg", "ana/left?", "--out", out)
        assert (
            ran("export", "--server", server, "--leg", "ana", "--order", "2", "--out", "-").out == exported.read_text()
        )
    assert done.code == 0, done.err
    assert asked == ["/clinic/api/v1/legs/ana%2Fleft%3F/export", "/api/v1/legs/ana/export?order=2"]
    assert out.read_text() == exported.read_text()
    assert ran("recompute", out).code == 0


def test_the_same_minutes_get_the_same_answer_here_and_behind_the_server(desk: Desk) -> None:
    """From the sealed blocks in a store, from the export of its API, and from a table of the same figures."""
    clinic = open_clinic()
    browser = clinic.browser()
    there = browser.get(f"/api/v1/legs/{LEFT}/verdict").json()
    with answering(200, browser.get(f"/api/v1/legs/{LEFT}/export").content) as (server, _):
        out = desk.folder / "fetched.json"
        assert ran("export", "--server", server, "--leg", LEFT, "--out", out).code == 0
    again = ran("recompute", out, "--json").document
    assert again["identical"] is True
    table = replace(worn_as_ordered(), ripple=worn_as_ordered().ripple.round(1))  # a stocking sends tenths
    as_of = datetime.fromtimestamp(clinic.clock.now_ms() / 1000, UTC).isoformat()
    here = desk.lay(CLINIC_ORDER, table).compute("--as-of", as_of)
    for name in ("verdict", "fingerprint", "days_met_lower", "days_met_upper", "days_required"):
        assert there[name] == again[name] == here[name], name
    assert there["verdict"] == "met"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b'{"title": "Unknown leg", "detail": "No leg is called that."}', "No leg is called that."),
        (404, b'{"detail": ["\x1b[2J"]}', "404 Not Found"),
        (503, b"<html>", "503"),
        (200, b"<html>", "the server's answer, line 1, column 1: is not JSON"),
        (200, b"{}", "is missing"),
        (200, b'{"a": "\xff"}', "is not UTF-8"),
    ],
)
def test_what_a_server_sends_instead_is_told_and_nothing_is_written(
    desk: Desk, status: int, body: bytes, said: str
) -> None:
    out = desk.folder / "fetched.json"
    with answering(status, body) as (server, _):
        done = ran("export", "--server", server, "--leg", "ana-left", "--out", out)
    assert done.code == 1
    assert said in done.sentence
    assert done.sentence.isprintable()
    assert not out.exists()


def test_a_server_that_is_not_there_is_named(desk: Desk) -> None:
    with answering(200, b"") as (server, _):
        pass
    done = ran("export", "--server", server, "--leg", "ana-left", "--out", desk.folder / "fetched.json")
    assert done.code == 1
    assert done.sentence.startswith(f"{server} cannot be reached: ")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--prescription", "rx.json"),
        ("--minutes", "minutes.csv"),
        ("--server", "http://127.0.0.1:1"),
        ("--leg", "ana-left"),
        ("--server", "http://127.0.0.1:1", "--leg", "ana-left", "--minutes", "minutes.csv"),
        ("--server", "http://127.0.0.1:1", "--leg", "ana-left", "--as-of", "2026-03-03T12:00Z"),
        ("--server", "file:///etc", "--leg", "ana-left"),
        ("--server", "127.0.0.1:8080", "--leg", "ana-left"),
        ("--server", "http://", "--leg", "ana-left"),
        ("--prescription", "rx.json", "--minutes", "minutes.csv", "--order", "1"),
        ("--server", "http://127.0.0.1:0", "--leg", "ana-left"),
        ("--server", "http://[", "--leg", "ana-left"),
        ("--server", "http://127.0.0.1:nine", "--leg", "ana-left"),
    ],
)
def test_an_export_comes_from_files_or_from_a_server(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = ran("export", *words, "--out", tmp_path / "verdict.json")
    assert done.code == 2
    assert done.sentence.isprintable()
    assert list(tmp_path.iterdir()) == []


# --- why ------------------------------------------------------------------------------------------------------------


def statements(desk: Desk, *words: str) -> list[dict[str, Any]]:
    found = ran("explain", *desk.both, "--json", *words).document["statements"]
    assert isinstance(found, list)
    return found


def test_a_day_is_explained_with_the_rows_and_lines_behind_it(desk: Desk) -> None:
    found = statements(desk, "--day", "2026-03-03")
    unknown = next(each for each in found if "nothing is known" in each["sentence"])
    assert unknown["rows"] == [
        {
            "from": "2026-03-03T05:00Z",
            "to": "2026-03-03T15:00Z",
            "minutes": 600,
            "state": "unknown",
            "reason": "no_data",
            "dose": "",
            "source": None,
            "first_line": None,
            "last_line": None,
        }
    ]
    lines = desk.minutes.read_text().splitlines()
    ledger = ran("ledger", *desk.both, "--out", "-").out.splitlines()
    worn = [row for each in found for row in each["rows"] if row["state"] == "worn"]
    assert worn
    for row in worn:
        assert row["source"] == "minutes.csv"
        assert lines[row["first_line"] - 1].startswith(row["from"])
        assert any(line.startswith(f"{row['from']},worn,{row['reason']},{row['dose']}") for line in ledger)


def test_the_whole_order_is_explained_in_sentences(desk: Desk) -> None:
    found = statements(desk)
    assert "cannot be told" in found[0]["sentence"]
    assert sum(row["minutes"] for row in found[0]["rows"] if row["state"] == "unknown") == 600
    told = ran("explain", *desk.both)
    flowing = " ".join(told.out.split())
    for each in found:
        assert each["sentence"] in flowing
    assert "2026-03-03T05:00Z to 2026-03-03T15:00Z unknown, no_data" in flowing
    beside = ran("compute", *desk.both, "--explain")
    assert found[0]["sentence"] in " ".join(beside.out.split())
    assert found[0]["sentence"] not in " ".join(ran("compute", *desk.both).out.split())
    assert desk.compute("--explain")["explanation"] == [each["sentence"] for each in found]
    assert desk.compute()["explanation"] == []


def test_what_somebody_wrote_in_an_order_cannot_drive_the_terminal(desk: Desk, exported: Path) -> None:
    told = ran("explain", *desk.both, "--day", "2026-03-04")
    assert "(skin [bold]check[/bold] é)" in " ".join(told.out.split())
    changed(exported, {"detector_version": "\x1b[2J[red]\ud800"})
    told = ran("recompute", exported)
    assert told.code == 1
    assert "?[2J[red]?" in told.out
    assert "\x1b" not in told.out


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30", "2026-03-04T10:00"])
def test_a_day_that_is_none_is_misuse(desk: Desk, day: str) -> None:
    done = ran("explain", *desk.both, "--day", day)
    assert done.code == 2
    assert "--day" in done.sentence


def test_a_day_outside_the_order_is_refused_with_those_inside(desk: Desk) -> None:
    done = ran("explain", *desk.both, "--day", "2026-03-06")
    assert done.code == 2
    assert done.sentence == "--day 2026-03-06 must be a day of the order: 2026-03-02 to 2026-03-05"
    desk.lay({**ORDER, "phases": [], "pauses": []}, TOLD)
    assert "it has none" in ran("explain", *desk.both, "--day", "2026-03-02").sentence
