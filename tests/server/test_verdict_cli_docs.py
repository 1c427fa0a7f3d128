"""docs/bring-your-own-data.md is true: its example is run as it stands, and its refusal is refused."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from calza_server.documents.minutes_cells import LIMITS
from calza_server.documents.minutes_csv import EXTENT_AT_MOST_DAYS
from tests.server.verdict_files import ran

PAGE = Path(__file__).parents[2] / "docs" / "bring-your-own-data.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def answer(words: list[str]) -> list[str]:
    done = ran(*words)
    assert done.code == 0, done.err
    return [line.rstrip() for line in done.out.splitlines()]


def test_the_example_answers_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rx.json").write_text(blocks("json")[0])
    (tmp_path / "make_minutes.py").write_text(blocks("python")[0])
    runpy.run_path("make_minutes.py")
    usual, *examples = [block.splitlines() for block in blocks("sh")]
    local = [line for lines in [usual, *examples] for line in lines if "--server" not in line]
    assert len(local) == 8
    printed = {line: answer(shlex.split(line)[2:]) for line in local}
    said = blocks("text")[0].splitlines()
    judged = next(lines for line, lines in printed.items() if line.endswith("--as-of 2026-03-06T00:00Z"))
    assert judged[: len(said)] == said
    assert {"ledger.csv", "verdict.json"} <= {path.name for path in tmp_path.iterdir()}


def test_the_rows_shown_are_rows(tmp_path: Path) -> None:
    (tmp_path / "minutes.csv").write_text(blocks("csv")[0])
    out = ran("ledger", "--minutes", tmp_path / "minutes.csv", "--out", "-").out
    assert [line[:17] for line in out.splitlines()[1:]] == ["2026-03-02T10:31Z", "2026-03-02T10:32Z"]


def test_the_refusal_shown_is_the_refusal(tmp_path: Path) -> None:
    rows = blocks("csv")[0].splitlines()
    rows[2] = rows[2].replace("25.10", '"25,1"')
    (tmp_path / "minutes.csv").write_text("\n".join(rows))
    done = ran("ledger", "--minutes", tmp_path / "minutes.csv", "--out", "-")
    assert done.code == 2
    assert done.sentence == blocks("text")[1].strip()


def test_the_limits_on_the_page_are_those_of_the_reader() -> None:
    for name, limits in LIMITS.items():
        row = next(line for line in TEXT.splitlines() if line.startswith("|") and f"`{name}`" in line)
        assert row.endswith(f"| {limits.least:g} to {limits.most:g} |"), name
    assert f"At most {EXTENT_AT_MOST_DAYS} days" in TEXT
