"""docs/alerts.md says what the rules say."""

from __future__ import annotations

import re
from pathlib import Path

from calza_server.domain.alerting.alert_rules import DEFAULT_RULES, rule_table
from calza_server.domain.alerting.alert_values import ORDER, SEVERITY

PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"


def rows(columns: int) -> list[list[str]]:
    """The rows of the page's table with so many columns, without its head."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    return [row for row in cells if len(row) == columns]


def test_every_alert_is_in_the_table_with_its_severity_most_pressing_first() -> None:
    assert [(row[0].strip("`"), row[1]) for row in rows(4)] == [(kind.value, SEVERITY[kind].value) for kind in ORDER]


def test_every_threshold_is_in_the_table_with_default_unit_alerts_and_source() -> None:
    said = [(row[0].strip("`"), row[1], row[2], tuple(re.findall(r"`(\w+)`", row[3])), row[4]) for row in rows(5)]
    assert said == [
        (row.name, f"{row.value:g}", row.rule.unit, tuple(kind.value for kind in row.rule.kinds), row.rule.source)
        for row in rule_table(DEFAULT_RULES)
    ]
