"""Scenarios that are no row of the acceptance set, judged in memory: recorded, placed, detected, held to the truth.

The rows themselves go the whole way, over the radio and the broker, in tests/e2e.
"""

from __future__ import annotations

from typing import Final

import pytest

from calza_server.domain.ledgers.leg import ledger_of_leg
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.verdicts.verdict import judge
from calza_sim.scenarios import SCENARIOS
from calza_sim.truth import truth_days
from tests.scoreboard.living import lived

SEED: Final = 60_000


@pytest.mark.parametrize("name", [each.name for each in SCENARIOS.values() if not each.row])
def test_the_answer_is_the_truths(name: str) -> None:
    scenario = SCENARIOS[name]
    life = lived(scenario, SEED)
    document = scenario.order.document(life.start_s, scenario.timezone)
    order = read_prescription(document)
    found = ledger_of_leg([life.recorded], order, life.start_minute, life.end_minute)
    said = judge(order, found.ledger, order.end_minute)
    true = truth_days(life.known, document)
    assert said.verdict == true.verdict, f"{name}: {[day.outcome for day in said.days]} but in truth {true.days}"
    for day, known in zip(said.days, true.days, strict=True):
        if day.outcome in {"met", "not_met"} and not day.borderline:
            assert (day.outcome == "met") == known.met, f"{name} {day.date}: {day} but in truth {known}"
