"""An answer as a file that anybody can work out again: written, read with places, compared. Knows no server.

What the document holds and how it is judged is the domain's, see `verdict_document`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calza_server.documents.json_places import fault_at, read_json, refuse_names_given_twice
from calza_server.documents.minutes_verdict import Answer
from calza_server.domain.verdicts.verdict_document import (
    DocumentError,
    OtherRuleError,
    differences,
    export,
    read_export,
    recompute,
)

if TYPE_CHECKING:
    from calza_server.domain.verdicts.verdict_document import Export


class JudgedByAnotherRule(OSError):
    """An export this release cannot judge. `code` is stable."""

    code: Final = "other_rule_version"


@dataclass(frozen=True, slots=True, eq=False)
class Recomputed:
    """An answer worked out anew, and where it differs from what its file says: sentences, empty if it does not."""

    answer: Answer
    differences: tuple[str, ...]


def export_text(answer: Answer) -> str:
    """The file of an answer."""
    return document_text(
        export(answer.order, answer.ledger, answer.report, answer.completeness, answer.detector_version)
    )


def document_text(document: object) -> str:
    """JSON as it is written to a file: one item a line, so that two files can be compared."""
    return json.dumps(document, indent=1) + "\n"


def recompute_file(octets: bytes, file: str) -> Recomputed:
    """Judge an export anew. Raises FileFault for what is no export, JudgedByAnotherRule."""
    held = read_export_file(octets, file)[0]
    report = recompute(held)
    answer = Answer(held.order, report, held.ledger, held.completeness, held.detector_version)
    return Recomputed(answer, differences(held, report))


def read_export_file(octets: bytes, file: str) -> tuple[Export, object]:
    """The export in a file, and its document. Raises FileFault, JudgedByAnotherRule."""
    document, text = read_json(octets, file, "export_invalid")
    refuse_names_given_twice(text, file, "export_invalid")
    try:
        return read_export(document), document
    except OtherRuleError as error:
        raise JudgedByAnotherRule(f"{file}: {error.sentence}") from error
    except DocumentError as error:
        raise fault_at(text, error.pointer, error.sentence, file, "export_invalid") from error
