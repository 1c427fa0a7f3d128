"""Legs of the simulator as ready grids: sensors straight into minutes, without firmware, radio and store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import numpy as np

from calza_server.domain.alerting.alert_rules import DEFAULT_RULES, AlertRules
from calza_server.domain.alerting.alert_values import Alert
from calza_server.domain.alerting.alerts import alerts
from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.ledgers.leg import ledger_of_grids
from calza_server.domain.orders.prescription import Prescription
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.recording.grid import MinuteGrid
from calza_sim.firmware.codes import CELSIUS_STEP, CELSIUS_ZERO, MMHG_STEP, log_rows
from calza_sim.scenarios import scenario
from calza_sim.stocking import World

SERIAL = "CZ-0001"
START_S = datetime(2026, 3, 2, 18, tzinfo=UTC).timestamp()  # fitted on a Monday evening
MINUTE_S = 60


@dataclass(frozen=True, slots=True, eq=False)
class LivedLeg:
    """What one stocking recorded of a scenario, what the leg's ledger makes of it, and the order."""

    grid: MinuteGrid
    ledger: Ledger
    order: Prescription

    def alerts(self, rules: AlertRules = DEFAULT_RULES) -> tuple[Alert, ...]:
        return alerts(self.grid, self.ledger, self.order, self.grid.end_minute, rules)

    def kinds(self) -> list[str]:
        return [alert.kind.value for alert in self.alerts()]


@cache
def lived(name: str, *, seed: int = 1, days: int = 14) -> LivedLeg:
    """The first days of a scenario, by the name of `calza_sim.scenarios`."""
    chosen = scenario(name)
    world = World(chosen, seed=seed, name=SERIAL, start_s=START_S)
    starts_s = START_S + MINUTE_S * np.arange(days * 1440, dtype=np.float64)
    rows = log_rows(world.minutes(starts_s, np.full(len(starts_s), 600)))
    start = round(START_S) // MINUTE_S
    grid = MinuteGrid.empty(start, start + len(starts_s), (b"log-one.",))
    grid.ankle[:], grid.calf[:], grid.thigh[:], grid.ripple[:] = rows[:, :4].T * MMHG_STEP
    grid.skin[:] = rows[:, 4] * CELSIUS_STEP + CELSIUS_ZERO
    grid.flags[:] = rows[:, 5]
    grid.present[:] = True
    grid.record[:] = 1 + np.arange(len(grid)) // MINUTE_S
    grid.log[:] = 0
    order = read_prescription(chosen.order.document(START_S, chosen.timezone))
    return LivedLeg(grid, ledger_of_grids([(SERIAL, grid)], order), order)


def ordered(leg: LivedLeg, **changed: object) -> LivedLeg:
    """The same recording under an order that differs in the given fields."""
    order = replace(leg.order, **changed)  # type: ignore[arg-type]  # the tests name real fields of the order
    return LivedLeg(leg.grid, ledger_of_grids([(SERIAL, leg.grid)], order), order)
