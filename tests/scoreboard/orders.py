"""The orders every leg is judged by besides its own: regimens of clinical.md 2.4 as rx.json, from its fitting on.

Hours are our proposal throughout, since no source gives any. No order here is fitted to what somebody wore.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

MINUTE_S: Final = 60
OWN: Final = "its own"  # what the scenario, or the other world, says was ordered

_PHASES: Final[Mapping[str, tuple[Mapping[str, object], ...]]] = {
    "3 days and nights without removal, then 11 days": (
        {"days": 3, "mode": "continuous", "hours": 24, "days_required": 3, "removal": "none"},
        {"days": 11, "mode": "daytime", "hours": 8, "days_required": 9},
    ),
    "7 days and nights": ({"days": 7, "mode": "continuous", "hours": 23, "days_required": 6},),
    "14 days of 12 hours": ({"days": 14, "mode": "daytime", "hours": 12, "days_required": 12},),
}


def orders(own: Mapping[str, object], start_minute: int, timezone: str) -> dict[str, Mapping[str, object]]:
    """By name, all orders of a leg fitted in a minute since 1970-01-01T00:00Z: its own first."""
    start = datetime.fromtimestamp(start_minute * MINUTE_S, UTC).isoformat()
    others = {
        name: {"start": start, "timezone": timezone, "phases": [dict(phase) for phase in phases]}
        for name, phases in _PHASES.items()
    }
    return {OWN: own} | others
