"""When an answer becomes final: frozen as version 1 after the days of grace, amended by later data, never overwritten.

Pure: whoever keeps the history asks, stores what is returned, and asks again. A new rule alone reopens nothing, since a
frozen answer was given by the rule of its day; order, ledger and detector are what it rests on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.orders.prescription import minute_of
from calza_server.domain.verdicts.explain_words import moment
from calza_server.domain.verdicts.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.verdicts.verdict import Verdict, VerdictReport


class Why(StrEnum):
    """Why a version was made."""

    GRACE_OVER = "grace_over"
    LATE_DATA = "late_data"
    ORDER_CHANGED = "order_changed"
    DETECTOR_CHANGED = "detector_changed"


@dataclass(frozen=True, slots=True)
class VerdictVersion:
    """A frozen answer. Versions of an order are numbered from 1; `frozen_at_minute` is since 1970-01-01T00:00Z.

    `order` is the digest of the order's document and `evidence` that of order and minutes, both without the rule.
    """

    number: int
    frozen_at_minute: int
    why: Why
    verdict: Verdict
    early: Verdict | None
    label: str
    days_met_lower: int
    days_met_upper: int
    days_required: int
    rule_version: str
    detector_version: str
    order: str
    evidence: str
    fingerprint: str


class StandingKind(StrEnum):
    """How final an answer is."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    AMENDED = "amended"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Standing:
    """How final an answer is, and the latest version, if there is one.

    `until_minute`: when the days of grace are over, while provisional. CHANGED: what the latest version rests on is no
    longer what is held, and the next version is due.
    """

    kind: StandingKind
    version: VerdictVersion | None
    until_minute: int | None

    def sentence(self, timezone: str) -> str:
        """The same in words, with times in the zone."""
        zone = ZoneInfo(timezone)
        if self.kind is StandingKind.PROVISIONAL and self.until_minute is not None:
            return f"Provisional: data that arrives by {moment(self.until_minute, zone)} is still counted."
        if self.version is None:
            return "Provisional."
        at = moment(self.version.frozen_at_minute, zone)
        match self.kind:
            case StandingKind.FINAL:
                return f"Final since {at} (version {self.version.number})."
            case StandingKind.AMENDED:
                return f"Amended on {at} (version {self.version.number}), because {_BECAUSE[self.version.why]}."
            case _:
                return f"What version {self.version.number} of {at} rests on has changed since; an amended one is due."


_BECAUSE = {
    Why.GRACE_OVER: "the days of grace were over",
    Why.LATE_DATA: "data arrived later",
    Why.ORDER_CHANGED: "the order was changed",
    Why.DETECTOR_CHANGED: "the minutes were worked out anew by another version of the detector",
}


def grace_end_minute(order: Prescription) -> int:
    """The first minute after the days of grace: so many calendar days of the order's zone after its end."""
    end = datetime.fromtimestamp(order.end_minute * 60, UTC).astimezone(ZoneInfo(order.timezone))
    return minute_of(end + timedelta(days=order.grace_days))


def next_version(
    history: Sequence[VerdictVersion],
    order: Prescription,
    report: VerdictReport,
    now_minute: int,
    *,
    detector_version: str = DETECTOR_VERSION,
) -> VerdictVersion | None:
    """The version to add to the history now; None while the order or its grace runs, and when nothing changed.

    `report` must be judged at `now_minute` or, at the earliest, at the end of the order. Raises ValueError when it was
    judged while the order still ran, or when the history is not numbered from 1.
    """
    last = _latest(history)
    if now_minute < grace_end_minute(order):
        return None
    _must_be_over(report)
    if last is not None and last.evidence == report.evidence:
        return None
    order_digest = digest(order.document())
    return VerdictVersion(
        number=len(history) + 1,
        frozen_at_minute=now_minute,
        why=_why(last, order_digest, detector_version),
        verdict=report.verdict,
        early=None if report.early is None else report.early.verdict,
        label=report.label,
        days_met_lower=report.days_met_lower,
        days_met_upper=report.days_met_upper,
        days_required=report.days_required,
        rule_version=report.rule_version,
        detector_version=detector_version,
        order=order_digest,
        evidence=report.evidence,
        fingerprint=report.fingerprint,
    )


def standing(
    history: Sequence[VerdictVersion], order: Prescription, report: VerdictReport, now_minute: int
) -> Standing:
    """How final the answer is now. Raises ValueError as `next_version` does."""
    last, until = _latest(history), grace_end_minute(order)
    if last is None or now_minute < until:
        return Standing(StandingKind.PROVISIONAL, last, until)
    _must_be_over(report)
    if last.evidence != report.evidence:
        return Standing(StandingKind.CHANGED, last, None)
    return Standing(StandingKind.FINAL if last.number == 1 else StandingKind.AMENDED, last, None)


def _latest(history: Sequence[VerdictVersion]) -> VerdictVersion | None:
    if [version.number for version in history] != list(range(1, len(history) + 1)):
        raise ValueError("the versions of a verdict must be numbered 1, 2, 3 ... in order")
    return history[-1] if history else None


def _must_be_over(report: VerdictReport) -> None:
    if report.running:
        raise ValueError("the report was judged while the order still ran; judge it again at the present minute")


def _why(last: VerdictVersion | None, order_digest: str, detector_version: str) -> Why:
    """The first of these that applies: more than one may have changed, and data cannot be told from its detector."""
    if last is None:
        return Why.GRACE_OVER
    if last.order != order_digest:
        return Why.ORDER_CHANGED
    if last.detector_version != detector_version:
        return Why.DETECTOR_CHANGED
    return Why.LATE_DATA
