"""What alerts say: of the garment, never of the patient; with rule, source and minutes. And how a rule is changed."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import numpy as np
import pytest

from calza_server.domain.alerting.alert_rules import DEFAULT_RULES, AlertRules, rule_table
from calza_server.domain.alerting.alert_values import SEVERITY, Alert, AlertKind, Severity
from tests.server.alert_legs import HOUR, RAL_2, THIRD_NOON, order, pressed, raised, worn_days
from tests.server.wear_days import DAY, grid_of, worn_between

NAMES_A_CONDITION = re.compile(
    r"thrombo|dvt|embol|ischaem|ischem|ulcer|necros|infection|diagnos|suffer|swelling|disease|arter|clot", re.IGNORECASE
)


def every_alert() -> list[Alert]:
    """One of each kind."""
    hard = worn_days()
    pressed(hard, THIRD_NOON, THIRD_NOON + 60, calf=66.0, ankle=50.0)
    pressed(hard, 3 * DAY + 9 * HOUR, 3 * DAY + 11 * HOUR, calf=31.5, thigh=0.5)
    pressed(hard, 3 * DAY + 13 * HOUR, 3 * DAY + 15 * HOUR, thigh=18.0)
    pressed(hard, 3 * DAY + 17 * HOUR, 3 * DAY + 19 * HOUR, ankle=0.2)
    weak = grid_of(worn_between(5 * DAY, (0, 3 * DAY)), mmhg=(12.0, 10.0, 7.0))
    found = [*raised(hard, replace(order(), garment=RAL_2)).values()]
    found += raised(weak, order(days=2, floor=23.0), as_of=weak.end_minute).values()
    found += raised(weak, order(floor=23.0), as_of=weak.end_minute + 3 * DAY).values()
    return found


def test_every_kind_can_be_raised_and_speaks_of_the_garment_only() -> None:
    found = every_alert()
    assert {one.kind for one in found} == set(AlertKind)
    for one in found:
        assert not NAMES_A_CONDITION.search(one.sentence)
        assert re.search(r"[Ss]tocking|sensor|reading|band", one.sentence)
        assert one.sentence.endswith(".")
        assert one.source[:2] in {"P:", "V:", "M:", "S:"}
        assert re.search(r"\d", one.threshold)
        assert all(start < end for start, end in one.minutes)
        assert one.total_minutes > 0
        assert all(figure.unit in {"mmHg", "min", "h"} and np.isfinite(figure.value) for figure in one.figures)


def test_the_most_pressing_comes_first_and_the_answer_is_always_the_same() -> None:
    found, again = every_alert(), every_alert()
    assert found == again
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 60, calf=66.0)
    pressed(grid, 3 * DAY, 4 * DAY, thigh=0.2)
    severities = [list(Severity).index(one.severity) for one in raised(grid).values()]
    assert severities == sorted(severities)
    assert len(severities) > 1
    assert set(SEVERITY) == set(AlertKind)


@pytest.mark.parametrize("name", [one.name for one in fields(AlertRules)])
def test_every_threshold_has_a_unit_a_marked_source_and_an_alert_it_moves(name: str) -> None:
    row = next(row for row in rule_table(DEFAULT_RULES) if row.name == name)
    assert row.rule.unit in {"mmHg", "min", "h", "days", "times"}
    assert re.match(r"[VSDMP]: \S", row.rule.source)
    assert row.rule.kinds
    for bad in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(ValueError, match=name):
            replace(DEFAULT_RULES, **{name: bad})


def test_a_threshold_can_be_changed() -> None:
    grid = worn_days()
    pressed(grid, THIRD_NOON, THIRD_NOON + 45, calf=35.0)
    assert raised(grid) == {}
    strict = AlertRules(tourniquet_mmhg=8.0)
    assert "8 mmHg" in raised(grid, rules=strict)["tourniquet"].threshold
