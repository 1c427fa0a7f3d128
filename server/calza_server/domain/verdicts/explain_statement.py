"""One sentence of an explanation, with the rows of the ledger that show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calza_server.domain.ledgers.ledger import LedgerRun


class Topic(StrEnum):
    """What a statement is about. Wear (patient), dose (garment) and coverage (system) are never one mixed score."""

    ANSWER = "answer"
    ORDER = "order"
    WEAR = "wear"
    COVERAGE = "coverage"
    DOSE = "dose"
    LIMITS = "limits"


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence a patient understands. `rows` is the evidence, empty where it speaks of the order or what is ahead."""

    sentence: str
    rows: tuple[LedgerRun, ...] = ()
    topic: Topic = Topic.WEAR
