"""What an alert is: a sentence about the garment, the rule behind it and the minutes that raised it. Raises none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlertKind(StrEnum):
    """What is wrong with the garment or the recording. None of them is a finding about the patient."""

    TOURNIQUET = "tourniquet"
    ROLLED_DOWN = "rolled_down"
    ROLLED_BAND = "rolled_band"
    EXCESSIVE = "excessive"
    OVER_CLASS = "over_class"
    TOO_LOW = "too_low"
    DEAD_SITE = "dead_site"
    CONTINUOUS_WEAR = "continuous_wear"
    WORN_PAST_ORDER = "worn_past_order"
    SILENT = "silent"


class Severity(StrEnum):
    """How soon the clinic should act, most pressing first."""

    TODAY = "today"
    SOON = "soon"
    NOTE = "note"


SEVERITY: dict[AlertKind, Severity] = {
    AlertKind.EXCESSIVE: Severity.TODAY,
    AlertKind.TOURNIQUET: Severity.TODAY,
    AlertKind.ROLLED_DOWN: Severity.TODAY,
    AlertKind.ROLLED_BAND: Severity.TODAY,
    AlertKind.OVER_CLASS: Severity.TODAY,
    AlertKind.CONTINUOUS_WEAR: Severity.SOON,
    AlertKind.TOO_LOW: Severity.SOON,
    AlertKind.DEAD_SITE: Severity.SOON,
    AlertKind.SILENT: Severity.SOON,
    AlertKind.WORN_PAST_ORDER: Severity.NOTE,
}
ORDER = tuple(SEVERITY)  # most pressing first


@dataclass(frozen=True, slots=True)
class Figure:
    """One number behind an alert, with its unit: 'mmHg', 'min', 'h', 'days'."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about the garment or the recording that somebody should look at.

    `sentence` says what was seen and what to do; `threshold` is the rule in words and `source` where it comes from.
    `minutes` are the stretches, [start, end) since 1970-01-01T00:00Z, that raised it. `serial` is empty where the alert
    is about the whole leg. `sites` are of 'ankle', 'calf', 'thigh'.
    """

    kind: AlertKind
    serial: str
    sentence: str
    threshold: str
    source: str
    minutes: tuple[tuple[int, int], ...]
    sites: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()

    @property
    def severity(self) -> Severity:
        """How soon the clinic should act."""
        return SEVERITY[self.kind]

    @property
    def total_minutes(self) -> int:
        """How long it lasted in all."""
        return sum(end - start for start, end in self.minutes)
