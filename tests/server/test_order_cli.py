"""`calza server order` as a clinician's assistant types it: what is ordered, and what is said when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from calza_server.commands.order_cli import app
from calza_server.ports import Leg
from calza_server.registry.registry import REGISTRY_NAME, RegistryContent

GIVE = ("give", "ana-left", "--preset", "std-micro-14d", "--start", "2026-03-02T10:30+00:00")
CHOSEN = ("--choose", "stocking=ral-2", "--timezone", "Europe/London")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    content = RegistryContent((), (Leg("ana-left", "left", "Ana", None),))
    (tmp_path / REGISTRY_NAME).write_text(content.encode(), encoding="utf-8")
    return tmp_path


def run(state: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--state", str(state)])
    assert result.exit_code == code, result.output
    return result.output


def documents(state: Path) -> list[Any]:
    answer: list[Any] = json.loads(run(state, "show", "ana-left", "--json"))["orders"]
    return answer


def test_every_preset_is_listed_with_its_source_and_the_disabled_ones_with_the_reason() -> None:
    result = CliRunner().invoke(app, ["presets", "--json"])
    listed = {each["id"]: each for each in json.loads(result.output)["presets"]}
    assert {"none", "seedA-14d", "seedC-7d", "std-micro-14d"} <= set(listed)
    assert all(each["source"] and each["reference"] for each in listed.values())
    assert all(each["enabled"] != bool(each["disabled_reason"]) for each in listed.values())
    assert not listed["nootheti-28d"]["enabled"]
    assert "fourteen days" in listed["seedA-14d"]["conflict"]


def test_presets_are_readable_on_a_narrow_terminal() -> None:
    text = CliRunner().invoke(app, ["presets"]).output
    assert "cannot be ordered: Its numbers were never checked" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_an_order_is_made_from_a_preset(state: Path) -> None:
    assert "4 days continuous 23 h, then 10 days daytime 10 h" in run(state, *GIVE, *CHOSEN)
    (order,) = documents(state)
    assert (order["preset"], order["phases"][0]["ankle_floor_mmhg"]) == ("std-micro-14d", 23)


def test_the_next_treatments_order_supersedes(state: Path) -> None:
    run(state, *GIVE, *CHOSEN)
    run(state, "give", "ana-left", "--preset", "bayer-7d", "--start", "2026-03-10T10:30+00:00")
    first, second = documents(state)
    assert first["ended"]["why"] == "superseded"
    assert second["preset"] == "bayer-7d"


def test_pause_and_stop_change_the_newest_order(state: Path) -> None:
    run(state, *GIVE, *CHOSEN)
    times = ("--from", "2026-03-06T00:00+00:00", "--to", "2026-03-08T00:00+00:00")
    run(state, "pause", "ana-left", *times, "--reason", "blister")
    said = run(state, "stop", "ana-left", "--at", "2026-03-12T12:00+00:00", "--note", "rash")
    (order,) = documents(state)
    assert order["pauses"][0]["reason"] == "blister"
    assert order["ended"]["note"] == "rash"
    assert "order shortened" in said


def test_an_order_is_read_from_a_file(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "rx.json"
    file.write_text(json.dumps({"start": "2026-03-02T10:30:00+00:00", "timezone": "UTC", "phases": []}))
    assert "no compression" in run(state, "give", "ana-left", "--file", str(file))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (GIVE, 2, "choose stocking (ral-1, ral-2)"),
        (("give", "ana-left", "--preset", "nootheti-28d"), 2, "cannot be ordered"),
        (("give", "ana-left", "--preset", "nothing-like-it"), 2, "there is no preset nothing-like-it"),
        (("give", "ana-left"), 2, "--preset or --file"),
        ((*GIVE, "--choose", "stocking"), 2, "must be NAME=VALUE"),
        (("give", "ana-left", "--preset", "none", "--start", "2026-06-01"), 2, "with its offset"),
        (("give", "bea", "--preset", "none"), 1, "known: ana-left"),
        (("stop", "ana-left", "--at", "2026-03-12T12:00+00:00", "--note", "rash"), 1, "has no order"),
        (("show", "bea"), 1, "known: ana-left"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence_and_changes_nothing(
    state: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    before = (state / REGISTRY_NAME).read_text(encoding="utf-8")
    output = run(state, *words, code=code)
    assert said in output
    assert len(output.strip().splitlines()) == 1
    assert (state / REGISTRY_NAME).read_text(encoding="utf-8") == before


def test_a_faulty_file_is_told_with_its_place(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "rx.json"
    file.write_text('{"start": "2026-03-02T10:30:00+00:00",\n "timezone": "Mars", "phases": []}')
    assert "line 2, column" in run(state, "give", "ana-left", "--file", str(file), code=2)
