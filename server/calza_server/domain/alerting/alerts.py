"""All alerts of a leg, from what its stockings showed, the ledger and the order. Pure; changes no wear and no verdict.

Each says what the garment or the recording shows and what to do about it, never what the patient has. The rules are in
`alert_rules`, the table for people in `docs/alerts.md`. Removals clustered for pain are not here: they need the
patient's own reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.alerting.alert_fit import fit_alerts
from calza_server.domain.alerting.alert_pressure import pressure_alerts, sensor_alerts
from calza_server.domain.alerting.alert_rules import DEFAULT_RULES, AlertRules
from calza_server.domain.alerting.alert_values import ORDER, Alert
from calza_server.domain.alerting.alert_wear import continuous_wear, silent, too_low, worn_past_order
from calza_server.domain.alerting.alert_worn import worn_minutes
from calza_server.domain.alerting.leg_baseline import fit_baseline
from calza_server.domain.ledgers.ledger import worn_ankle
from calza_server.domain.ledgers.leg import LegLedger, StockingLedger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.recording.grid import MinuteGrid


def alerts(
    grid: MinuteGrid, ledger: Ledger, order: Prescription, as_of_minute: int, rules: AlertRules = DEFAULT_RULES
) -> tuple[Alert, ...]:
    """Every alert of a leg with one stocking, from its grid and the leg's ledger, which cover the same minutes."""
    serial = ledger.sources[0].serial if ledger.sources else ""
    only = StockingLedger(serial, grid, ledger, worn_ankle(grid, ledger.state, grid.flags))
    return alerts_of_leg(LegLedger(ledger, grid.unplaced_minutes, (only,)), order, as_of_minute, rules)


def alerts_of_leg(
    leg: LegLedger, order: Prescription, as_of_minute: int, rules: AlertRules = DEFAULT_RULES
) -> tuple[Alert, ...]:
    """Every alert of a leg at `as_of_minute` (since 1970-01-01T00:00Z), most pressing first, always in the same order.

    Pressures are judged for each stocking by itself, wear and silence for the leg as a whole. A ledger that ends with
    the order cannot show wear past it.
    """
    days = order.days()
    ankle_max = None if order.garment is None else order.garment.ankle_max_mmhg
    found: list[Alert] = []
    for one in leg.stockings:
        seen = worn_minutes(one.serial, one.grid, one.ledger, leg.ledger, rules.dead_site_mmhg)
        baseline = fit_baseline(seen.sites, seen.usable & ~seen.dead, seen.worn, int(rules.baseline_worn_minutes))
        found += pressure_alerts(seen, ankle_max, rules)
        found += sensor_alerts(seen, baseline, rules)
        found += [] if baseline is None else fit_alerts(seen, baseline, rules)
    found += too_low(leg.worn_ankle, leg.ledger, order, days, rules)
    found += continuous_wear(leg.ledger, order, days, rules)
    found += worn_past_order(leg.ledger, order, rules)
    present = _present(leg.stockings, len(leg.ledger))
    found += silent(present, leg.ledger.start_minute, order, days, as_of_minute, rules)
    return tuple(sorted(found, key=lambda alert: (ORDER.index(alert.kind), alert.minutes, alert.serial, alert.sites)))


def _present(stockings: Sequence[StockingLedger], minutes: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Where any stocking has a reading."""
    present = np.zeros(minutes, np.bool_)
    for one in stockings:
        present |= one.grid.present
    return present
