"""The versions of an answer as JSON, read back strictly. Knows nothing of when a version is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calza_server.domain.verdicts.finality import VerdictVersion, Why
from calza_server.domain.verdicts.verdict import Verdict
from calza_server.domain.verdicts.verdict_document_fields import DocumentError, Fields, minute_spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSIONS_FORMAT: Final = "calza-verdict-versions-1"


def versions_document(history: Sequence[VerdictVersion]) -> dict[str, object]:
    """All versions of an order's answer as plain JSON values, the first one first."""
    return {"format": VERSIONS_FORMAT, "versions": [version_document(version) for version in history]}


def version_document(version: VerdictVersion) -> dict[str, object]:
    """One version as plain JSON values."""
    return {
        "number": version.number,
        "frozen_at": minute_spelled(version.frozen_at_minute),
        "why": version.why.value,
        "verdict": version.verdict.value,
        "early": None if version.early is None else version.early.value,
        "label": version.label,
        "days_met_lower": version.days_met_lower,
        "days_met_upper": version.days_met_upper,
        "days_required": version.days_required,
        "rule_version": version.rule_version,
        "detector_version": version.detector_version,
        "order": version.order,
        "evidence": version.evidence,
        "fingerprint": version.fingerprint,
    }


def read_versions(document: object) -> tuple[VerdictVersion, ...]:
    """The versions in a document. Raises DocumentError, also where they are not numbered 1, 2, 3 ... in order."""
    top = Fields(document, "", {"format", "versions"})
    if top.text("format") != VERSIONS_FORMAT:
        raise DocumentError("/format", f"must be {VERSIONS_FORMAT}")
    return tuple(_version(item, number) for number, item in enumerate(top.items("versions"), start=1))


def _version(item: object, number: int) -> VerdictVersion:
    names = {
        "number",
        "frozen_at",
        "why",
        "verdict",
        "early",
        "label",
        "days_met_lower",
        "days_met_upper",
        "days_required",
        "rule_version",
        "detector_version",
        "order",
        "evidence",
        "fingerprint",
    }
    fields = Fields(item, f"/versions/{number - 1}", names)
    return VerdictVersion(
        number=fields.whole("number", number, number),
        frozen_at_minute=fields.minute("frozen_at"),
        why=fields.word("why", Why),
        verdict=fields.word("verdict", Verdict),
        early=fields.word_or_none("early", Verdict),
        label=fields.text("label"),
        days_met_lower=fields.whole("days_met_lower"),
        days_met_upper=fields.whole("days_met_upper"),
        days_required=fields.whole("days_required"),
        rule_version=fields.text("rule_version"),
        detector_version=fields.text("detector_version"),
        order=fields.digest("order"),
        evidence=fields.digest("evidence"),
        fingerprint=fields.digest("fingerprint"),
    )
