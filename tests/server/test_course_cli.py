"""`calza server course`: the checklist holds a treatment back, and what is due follows from what was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from calza_server.commands.course_cli import app
from calza_server.domain.courses.checklist_items import ASKED, Item
from calza_server.ports import Leg
from calza_server.registry.registry import REGISTRY_NAME, RegistryContent

BY = ("--by", "Dr Bea", "--date", "2026-03-02")
TREAT = ("treat", "ana-left", "--kind", "micro", "--area", "left:calf", *BY)
GOOD = {Item.SCAN: "no-feeders", Item.ABPI: "1.05", Item.HEART_FAILURE: "none"}
YES = {Item.EVALUATION, Item.CONSENT}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    content = RegistryContent((), (Leg("ana-left", "left", "Ana", None),))
    (tmp_path / REGISTRY_NAME).write_text(content.encode(), encoding="utf-8")
    return tmp_path


def run(state: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--state", str(state)])
    assert result.exit_code == code, result.output
    return result.output


def shown(state: Path, date: str = "2026-03-03") -> Any:
    return json.loads(run(state, "show", "ana-left", "--date", date, "--json"))


def fill(state: Path) -> None:
    for item in ASKED:
        run(
            state,
            "check",
            "ana-left",
            item.value,
            GOOD.get(item, "yes" if item in YES else "no"),
            *BY,
            code=CODES[item],
        )


CODES = dict.fromkeys(Item, 0) | dict.fromkeys((Item.ANKLE_PRESSURE, Item.TOE_PRESSURE, Item.TCPO2), 2)
"""What takes a number does not take the word `no`; those three are measured in doubt only and stay empty."""


def test_nothing_entered_is_missing_and_holds_the_first_treatment_back(state: Path) -> None:
    assert "scan" in shown(state)["missing"]
    assert "Missing: scan" in run(state, *TREAT, code=1)
    assert shown(state)["course"]["treatments"] == []


def test_a_filled_checklist_lets_the_treatment_in_and_says_what_is_due(state: Path) -> None:
    fill(state)
    assert shown(state)["clear"]
    run(state, *TREAT)
    found = shown(state)
    assert [(one["kind"], one["first"]) for one in found["due"]] == [
        ("next-treatment", "2026-03-30"),
        ("review", "2026-06-02"),
    ]


def test_veins_too_small_are_looked_at_again_after_six_months(state: Path) -> None:
    fill(state)
    run(state, *TREAT)
    run(state, "outcome", "ana-left", "too-small", "--by", "Dr Bea", "--date", "2026-04-01")
    assert ("recall", "2026-10-01") in {(one["kind"], one["first"]) for one in shown(state)["due"]}


def test_a_finding_blocks_until_a_person_overrides_it_with_a_reason(state: Path) -> None:
    fill(state)
    run(state, "check", "ana-left", "abpi", "0.7", *BY)
    assert "below 0.8" in run(state, *TREAT, code=1)
    run(state, "override", "ana-left", "abpi", "--reason", "vascular surgeon agrees", *BY)
    assert "vascular surgeon agrees" in run(state, "show", "ana-left")
    run(state, *TREAT)


def test_the_pill_is_a_caution_and_blocks_nothing(state: Path) -> None:
    fill(state)
    run(state, "check", "ana-left", "contraceptive-pill", "yes", *BY)
    found = shown(state)
    assert found["clear"]
    assert found["cautions"]


def test_an_item_entered_again_replaces_what_was_there(state: Path) -> None:
    run(state, "check", "ana-left", "abpi", "0.7", *BY)
    run(state, "check", "ana-left", "abpi", "1.0", *BY)
    (entry,) = shown(state)["checklist"]["entries"]
    assert entry["value"] == 1.0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("check", "ana-left", "abpi", "high", *BY), 2, "must be a number from 0 to 4"),
        (("check", "ana-left", "mood", "good", *BY), 2, "/entries/0/item"),
        (("check", "ana-left", "consent", "perhaps", *BY), 2, "must be true or false"),
        (("check", "bea", "consent", "yes", *BY), 1, "known: ana-left"),
        (("outcome", "ana-left", "fine", *BY), 2, "/outcomes/0/finding"),
        (("show", "ana-left", "--date", "soon"), 2, "must be a date"),
    ],
)
def test_what_cannot_be_entered_is_said_in_one_sentence_and_changes_nothing(
    state: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    before = (state / REGISTRY_NAME).read_text(encoding="utf-8")
    output = run(state, *words, code=code)
    assert said in output
    assert len(output.strip().splitlines()) == 1
    assert (state / REGISTRY_NAME).read_text(encoding="utf-8") == before


def test_it_is_for_legs_and_not_for_the_face(state: Path) -> None:
    fill(state)
    words = ("treat", "ana-left", "--kind", "micro", "--area", "left:cheek", *BY)
    assert "not for the face" in run(state, *words, code=2)
