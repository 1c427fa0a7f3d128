"""An answer explained: sentences a patient understands, each with the ledger's rows that show it.

They say what was seen, what was needed and what is not known. They blame nobody and name no illness. The same order,
report and ledger always give the same sentences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from calza_server.domain.verdicts.explain_day import explain_day
from calza_server.domain.verdicts.explain_order import OrderInWords
from calza_server.domain.verdicts.explain_statement import Statement, Topic

if TYPE_CHECKING:
    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.verdicts.verdict import VerdictReport

__all__ = ["Statement", "Topic", "explain_day", "explain_verdict"]


def explain_verdict(order: Prescription, report: VerdictReport, ledger: Ledger) -> tuple[Statement, ...]:
    """The answer for the whole order in sentences; `report` must be that of this order and ledger."""
    return tuple(OrderInWords(order, report, ledger).statements())
