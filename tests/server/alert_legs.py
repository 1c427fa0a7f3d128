"""Hand-made legs for the tests of alerts, and the alerts they raise."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from calza_server.domain.alerting.alert_rules import DEFAULT_RULES, AlertRules
from calza_server.domain.alerting.alert_values import Alert, AlertKind
from calza_server.domain.alerting.alerts import alerts
from calza_server.domain.ledgers.leg import ledger_of_grids
from calza_server.domain.orders.prescription import Garment, Mode, Phase, Prescription
from calza_server.domain.recording.grid import MinuteGrid
from tests.server.wear_days import DAY, START, every_day, grid_of

HOUR = 60
START_AT = datetime.fromtimestamp(START * 60, UTC)
RAL_2 = Garment("RAL-GZ 387/1", "II", 23.0, 32.0)
SITES = ("ankle", "calf", "thigh")


def order(*, days: int = 14, floor: float | None = None, mode: Mode = Mode.DAYTIME, hours: float = 10) -> Prescription:
    return Prescription(START_AT, "UTC", (Phase(days, mode, hours, days, floor),))


def pressed(grid: MinuteGrid, start: int, end: int, **mmhg: float) -> None:
    """Set a site's pressure over [start, end), with a little noise."""
    rng = np.random.default_rng(5)
    for site, value in mmhg.items():
        getattr(grid, site)[start:end] = value + rng.normal(0, 0.2, end - start)


def raised(
    grid: MinuteGrid, given: Prescription | None = None, as_of: int | None = None, rules: AlertRules = DEFAULT_RULES
) -> dict[str, Alert]:
    """The alerts of a leg with one stocking, by kind (and site for a dead one)."""
    given = given or order()
    ledger = ledger_of_grids([("CZ-0001", grid)], given)
    found = alerts(grid, ledger, given, grid.end_minute if as_of is None else as_of, rules)
    by_name = {one.kind.value + ("-" + one.sites[0] if one.kind is AlertKind.DEAD_SITE else ""): one for one in found}
    assert len(by_name) == len(found)
    return by_name


def worn_days(days: int = 4) -> MinuteGrid:
    """Worn from the eighth to the 22nd hour of each day."""
    return grid_of(every_day(days, 8 * HOUR, 22 * HOUR))


THIRD_NOON = 2 * DAY + 12 * HOUR
