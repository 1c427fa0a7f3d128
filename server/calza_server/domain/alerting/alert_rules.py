"""The thresholds of the alerts: each with its unit, its default and where it comes from. `docs/alerts.md` shows them.

Marks: V read in the named source, S in a secondary one, M from memory and unchecked, P our proposal for a clinician to
sign off. No source gives a pressure at which a stocking harms, nor any validated alert for one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Final, get_type_hints

from calza_server.domain.alerting.alert_values import AlertKind

PROPOSAL: Final = "P: our proposal"
SUPPORTER: Final = (
    "V: authors of a supporter study hold that 10 mmHg or less between adjoining parts rarely acts as a tourniquet "
    "(scite excerpt on gaiters and stockings); the direction is not clear there, the rest is our proposal"
)
NO_NAKED_COMPARISON: Final = (
    "P: a bare comparison of two sites would fire on most healthy wearers: a continuous fall in 66 % of legs only (V), "
    "a reversed profile in over 70 % of people in thigh-length stockings (V)"
)
KNEE: Final = "P: a bent knee lifts calf and thigh together, above 28 mmHg (V: 17 volunteers); few sit so for longer"
DOUBT: Final = "P: what a pressure may be off by at least"
STANDING: Final = "P: more than standing lifts an ordinary calf, 4.2 mmHg (V: PMID 23641266)"
KNEE_CALF: Final = "P: 28 mmHg was read behind a bent knee (V: 17 volunteers), less the sensor's 15 %"
DOUBLED: Final = "P: two layers press 1.7 times as hard as one (V: PMID 23641266); a part of that is asked for"
OVER_DRIFT: Final = "P: more than a sensor is thought to drift, 5 mmHg"
VERY_STRONG: Final = (
    "M: from memory, unchecked: above 60 counts as very strong; doubled stockings reach 46 to 52 (V: PMID 23641266); "
    "no harm threshold for a stocking was found"
)
OFTEN_LOW: Final = (
    "P: one day may be a bad fit; 32 % of correctly supplied class 2 stockings were out of range, three quarters of "
    "them low (V)"
)
NO_RELIEF: Final = (
    "P: pressure ulcers were reported where stockings stayed on without relief (V: 3 cases, PMC5722637); a leaflet "
    "asks for 30 minutes off daily (V: Ipswich Hospital)"
)
HABIT: Final = "P: nobody takes it off at the same minute every day"
MIDNIGHT: Final = "P: an order ends at midnight, and nobody is to get up for it"
CAP: Final = "P: our proposal; for a ceiling as such: NICE, no more than 7 days (V)"

AGAINST_BASELINE: Final = (AlertKind.TOURNIQUET, AlertKind.ROLLED_DOWN, AlertKind.ROLLED_BAND)


@dataclass(frozen=True, slots=True)
class Rule:
    """The unit of a threshold, where it comes from (the mark first), and the alerts it belongs to."""

    unit: str
    source: str
    kinds: tuple[AlertKind, ...]


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Every threshold of every alert; all may be changed. Units and sources are in `rule_table`."""

    baseline_worn_minutes: Annotated[float, Rule("min", NO_NAKED_COMPARISON, AGAINST_BASELINE)] = 480
    tourniquet_mmhg: Annotated[float, Rule("mmHg", SUPPORTER, (AlertKind.TOURNIQUET,))] = 10
    tourniquet_over_baseline_mmhg: Annotated[float, Rule("mmHg", NO_NAKED_COMPARISON, (AlertKind.TOURNIQUET,))] = 5
    tourniquet_minutes: Annotated[float, Rule("min", PROPOSAL, AGAINST_BASELINE)] = 30
    knee_bent_minutes: Annotated[float, Rule("min", KNEE, (AlertKind.TOURNIQUET, AlertKind.ROLLED_BAND))] = 240
    knee_bent_rise_mmhg: Annotated[float, Rule("mmHg", DOUBT, (AlertKind.TOURNIQUET, AlertKind.ROLLED_BAND))] = 3
    knee_bent_calf_mmhg: Annotated[float, Rule("mmHg", KNEE_CALF, (AlertKind.TOURNIQUET, AlertKind.ROLLED_BAND))] = 23.8
    rolled_down_calf_factor: Annotated[float, Rule("times", DOUBLED, (AlertKind.ROLLED_DOWN,))] = 1.45
    rolled_down_calf_rise_mmhg: Annotated[float, Rule("mmHg", STANDING, (AlertKind.ROLLED_DOWN,))] = 5
    rolled_down_thigh_factor: Annotated[float, Rule("times", PROPOSAL, (AlertKind.ROLLED_DOWN,))] = 0.4
    rolled_down_thigh_mmhg: Annotated[float, Rule("mmHg", PROPOSAL, (AlertKind.ROLLED_DOWN,))] = 3
    rolled_down_thigh_fall_mmhg: Annotated[float, Rule("mmHg", DOUBT, (AlertKind.ROLLED_DOWN,))] = 3
    rolled_band_factor: Annotated[float, Rule("times", DOUBLED, (AlertKind.ROLLED_BAND,))] = 1.5
    rolled_band_rise_mmhg: Annotated[float, Rule("mmHg", OVER_DRIFT, (AlertKind.ROLLED_BAND,))] = 6
    excessive_mmhg: Annotated[float, Rule("mmHg", VERY_STRONG, (AlertKind.EXCESSIVE,))] = 60
    excessive_minutes: Annotated[float, Rule("min", PROPOSAL, (AlertKind.EXCESSIVE,))] = 10
    over_class_mmhg: Annotated[float, Rule("mmHg", PROPOSAL, (AlertKind.OVER_CLASS,))] = 10
    over_class_minutes: Annotated[float, Rule("min", PROPOSAL, (AlertKind.OVER_CLASS,))] = 60
    too_low_days: Annotated[float, Rule("days", OFTEN_LOW, (AlertKind.TOO_LOW,))] = 2
    too_low_worn_minutes: Annotated[float, Rule("min", PROPOSAL, (AlertKind.TOO_LOW,))] = 120
    dead_site_mmhg: Annotated[float, Rule("mmHg", PROPOSAL, (AlertKind.DEAD_SITE,))] = 1
    dead_site_minutes: Annotated[float, Rule("min", PROPOSAL, (AlertKind.DEAD_SITE,))] = 60
    continuous_wear_hours: Annotated[float, Rule("h", NO_RELIEF, (AlertKind.CONTINUOUS_WEAR,))] = 24
    continuous_wear_leeway_hours: Annotated[float, Rule("h", HABIT, (AlertKind.CONTINUOUS_WEAR,))] = 2
    off_interval_minutes: Annotated[float, Rule("min", PROPOSAL, (AlertKind.CONTINUOUS_WEAR,))] = 10
    past_order_grace_hours: Annotated[float, Rule("h", MIDNIGHT, (AlertKind.WORN_PAST_ORDER,))] = 12
    past_order_minutes: Annotated[float, Rule("min", CAP, (AlertKind.WORN_PAST_ORDER,))] = 60
    silent_hours: Annotated[float, Rule("h", PROPOSAL, (AlertKind.SILENT,))] = 24
    silent_daytime_hours: Annotated[float, Rule("h", PROPOSAL, (AlertKind.SILENT,))] = 48

    def __post_init__(self) -> None:
        """Refuse thresholds that could raise nothing or everything."""
        for one in fields(self):
            if not 0 < getattr(self, one.name) < 100_000:  # NaN is neither
                raise ValueError(f"{one.name} must be a number above 0 and below 100,000")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One threshold for people to read."""

    name: str
    value: float
    rule: Rule


def rule_table(rules: AlertRules) -> tuple[RuleRow, ...]:
    """Every threshold with its unit, its source and the alerts it belongs to, in the order of `AlertRules`."""
    return tuple(RuleRow(name, getattr(rules, name), rule) for name, rule in _RULES.items())


def source_of(kind: AlertKind) -> str:
    """The sources of an alert's thresholds, each once."""
    return _SOURCES[kind]


_RULES: Final[dict[str, Rule]] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(AlertRules, include_extras=True).items()
}
_SOURCES: Final = {
    kind: "; ".join(dict.fromkeys(rule.source for rule in _RULES.values() if kind in rule.kinds)) for kind in AlertKind
}
DEFAULT_RULES: Final = AlertRules()
