"""docs/accuracy.md is whole, belongs to this detector and this rule, and names no machine and no hour."""

import re
from pathlib import Path

import pytest

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.verdicts.verdict import RULE_VERSION
from calza_sim.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
SIMULATED = ("Fitting seeds", "Held-out seeds", "Held-out seeds, noisy sensors")
HEADINGS = (
    "How it is counted",
    "The figures to reach",
    "Beside others",
    "Orders",
    "What was left unknown, and why",
    *SIMULATED,
    "A cohort",
    "Another world",
    "What missed a figure",
)
AGAIN = "run `make scoreboard` and commit docs/accuracy.md"


def part(heading: str) -> str:
    return TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_it_belongs_to_this_detector_and_this_rule() -> None:
    for version in (DETECTOR_VERSION, RULE_VERSION):
        assert f"({version})" in TEXT, f"measured with another version than {version}: {AGAIN}"


def test_its_parts_stand_in_order() -> None:
    assert re.findall(r"^## (.+)$", TEXT, re.MULTILINE) == list(HEADINGS)


def test_every_figure_of_the_design_is_reached_or_missed_for_every_source() -> None:
    figures = rows(part("The figures to reach"))
    judged = [row for row in figures if row[1] not in {"", "---", "to reach"}]
    assert [row[0] for row in judged] == [
        "minute F1",
        "hours a day, error",
        "don/doff, median",
        "don/doff, p95",
        "orders falsely met",
    ]
    for row in judged:
        assert len(row) == 2 + len(SIMULATED) + 2
        assert all(cell.endswith((" reached", " **missed**")) for cell in row[2:]), row


@pytest.mark.parametrize("source", SIMULATED)
def test_every_scenario_was_judged(source: str) -> None:
    named = {row[0] for row in rows(part(source))} - {"scenario", "---"}
    assert named == set(SCENARIOS), f"{source}: {AGAIN}"


def test_tables_have_as_many_cells_in_every_row() -> None:
    table: list[list[str]] = []
    for line in [*TEXT.splitlines(), ""]:
        if line.startswith("|"):
            table.append(line.split("|"))
        else:
            assert len({len(row) for row in table}) <= 1, table[0]
            table = []


def test_whatever_missed_says_how_to_see_it_again() -> None:
    for row in rows(part("What missed a figure"))[2:]:
        assert re.fullmatch(r"`[a-z0-9+-]+ --seed \d+`|`--seed \d+`, person \d+|`legs\(\d+\)`", row[5]), row


def test_it_says_that_no_real_leg_was_measured() -> None:
    assert "**No real leg was measured.**" in TEXT


def test_it_names_no_hour_and_no_machine() -> None:
    assert not re.search(r"\d\d:\d\d", TEXT)
    assert not re.search(r"(?<![\w.])/(work|home|root|tmp|usr)\b", TEXT)
    assert not re.search(r"\bcores?\b|\bGiB\b|\bLinux\b|\bPython\b", TEXT)
