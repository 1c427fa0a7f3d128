"""Reads rx.json, an order in a file; what is not understood is told with line and column. Knows no registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calza_server.documents.json_places import fault_at, read_json, refuse_names_given_twice
from calza_server.domain.orders.rx_document import RuleError, read_prescription

if TYPE_CHECKING:
    from calza_server.domain.orders.prescription import Prescription


def read_order(octets: bytes, file: str = "rx.json") -> Prescription:
    """The order in a file; `file` is what to call it in a sentence. Raises FileFault and nothing else."""
    document, text = read_json(octets, file, "rule_invalid")
    refuse_names_given_twice(text, file, "rule_invalid")
    try:
        return read_prescription(document)
    except RuleError as error:
        raise fault_at(text, error.pointer, error.sentence, file, "rule_invalid") from error
