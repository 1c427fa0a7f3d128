"""The demo's order is over whenever the demo is run, and its first day is one that can be met."""

from datetime import UTC, datetime, timedelta

import pytest

from calza_demo.prescription import DAYS, LATEST_FITTING_H, log_days, order_beginning_at
from calza_demo.truth import true_leg

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("minutes", range(0, 1440, 97))
def test_at_any_time_of_day_the_perfect_wearer_meets_an_order_that_is_over(minutes: int) -> None:
    now = NOON + timedelta(minutes=minutes)
    days = log_days(now.timestamp())
    fitted_s = now.timestamp() - days * 86_400
    order = order_beginning_at(fitted_s)
    start = datetime.fromisoformat(order["start"])
    midnight = start.replace(hour=0, minute=0) + timedelta(days=sum(phase["days"] for phase in order["phases"]))
    assert midnight <= now
    assert DAYS <= days < DAYS + (24 - LATEST_FITTING_H) / 24
    for seed in (1, 2, 3):
        perfect = true_leg("perfect", seed=seed, fitted_s=fitted_s, timezone="UTC", order=order)
        short = true_leg("falls-short", seed=seed, fitted_s=fitted_s, timezone="UTC", order=order)
        assert (perfect.verdict, short.verdict) == ("met", "not_met")
