"""The checklist before the first treatment, and what in it stands against compression or injection.

It holds thresholds against what people entered. It makes no diagnosis, and the clinician decides. What was not entered
is missing, never "no".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from calza_server.domain.courses.checklist_items import ASKED, Heart, Item, Scan, value_fault

if TYPE_CHECKING:
    from datetime import date

    from calza_server.domain.courses.checklist_items import Against

MEASURED_IF_IN_DOUBT: Final = frozenset({Item.ANKLE_PRESSURE, Item.TOE_PRESSURE, Item.TCPO2})  # our proposal
MUST_BE_YES: Final = frozenset({Item.EVALUATION, Item.CONSENT})
CAUTION_ONLY: Final = frozenset({Item.CLOT_HISTORY, Item.CONTRACEPTIVE_PILL})  # seed B is stricter than the guidelines


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of the measured items. Rules differ, and the stricter is the default (our proposal).

    Below `abpi_least`: no compression (CKS 0.8; the consensus says 0.6, the AVF 0.5 in mixed ulcers). Above
    `abpi_most`: avoid and refer (CKS). The rest in mmHg, from the consensus. Raises ValueError for limits that cross.
    """

    abpi_least: float = 0.8
    abpi_most: float = 1.3
    ankle_least_mmhg: float = 60.0
    toe_least_mmhg: float = 30.0
    tcpo2_least_mmhg: float = 20.0

    def __post_init__(self) -> None:
        """Refuse limits that cross."""
        if not 0 < self.abpi_least < self.abpi_most:
            raise ValueError("abpi_least must be above 0 and below abpi_most")


STRICTER: Final = Thresholds()


@dataclass(frozen=True, slots=True)
class Entry:
    """What was found for an item, when and by whom. Raises ValueError for a value the item cannot have."""

    item: Item
    value: bool | float | str
    date: date
    person: str

    def __post_init__(self) -> None:
        """Refuse what cannot be held against a threshold."""
        fault = value_fault(self.item, self.value)
        if fault is not None:
            raise ValueError(f"{self.item.value} {fault}")


@dataclass(frozen=True, slots=True)
class Override:
    """A clinician goes on in spite of an item. Raises ValueError without a reason and a person."""

    item: Item
    reason: str
    person: str
    date: date

    def __post_init__(self) -> None:
        """Nobody goes on for no reason, and nobody is nobody."""
        if not self.reason.strip() or not self.person.strip():
            raise ValueError("an override needs a reason and the person who decides")


@dataclass(frozen=True, slots=True)
class Checklist:
    """All entries and overrides for one person, at most one of each per item. Raises ValueError for a second one."""

    entries: tuple[Entry, ...] = ()
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two answers to one question."""
        for what in (self.entries, self.overrides):
            items = [each.item for each in what]
            if len(set(items)) != len(items):
                raise ValueError("an item has one entry and one override at most; replace the earlier one")


@dataclass(frozen=True, slots=True)
class Objection:
    """What stands against a treatment, in plain words, with its source; `override` is set when a clinician went on."""

    item: Item
    against: Against
    words: str
    source: str
    override: Override | None = None


class Weight(StrEnum):
    """How heavy a finding is."""

    BLOCK = "block"
    CAUTION = "caution"


@dataclass(frozen=True, slots=True)
class Clearance:
    """What blocks, what needs care (with what a clinician overrode), and what was not entered."""

    blocked: tuple[Objection, ...]
    cautions: tuple[Objection, ...]
    missing: tuple[Item, ...]

    @property
    def clear(self) -> bool:
        """Whether nothing blocks and nothing is missing. Cautions are the clinician's to weigh."""
        return not self.blocked and not self.missing


def clearance(checklist: Checklist, thresholds: Thresholds = STRICTER, *, first_treatment: bool = True) -> Clearance:
    """What stands against beginning; later treatments of a course need no scan of their own.

    An override moves a block, or something missing, to the cautions, where it is shown with its reason and person.
    """
    entered = {entry.item: entry for entry in checklist.entries}
    overrides = {each.item: each for each in checklist.overrides}
    blocked: list[Objection] = []
    cautions: list[Objection] = []
    missing: list[Item] = []
    for item, asked in ASKED.items():
        entry, override = entered.get(item), overrides.get(item)
        if entry is None:
            if item in MEASURED_IF_IN_DOUBT or (item is Item.SCAN and not first_treatment):
                continue
            if override is None:
                missing.append(item)
            else:
                cautions.append(
                    Objection(item, asked.against, f"{asked.question}: not entered", asked.source, override)
                )
            continue
        found = _weigh(item, entry.value, thresholds)
        if found is None:
            continue
        weight, words = found
        if weight is Weight.BLOCK and override is None:
            blocked.append(Objection(item, asked.against, words, asked.source))
        else:
            cautions.append(Objection(item, asked.against, words, asked.source, override))
    return Clearance(tuple(blocked), tuple(cautions), tuple(missing))


def _weigh(item: Item, value: bool | float | str, limits: Thresholds) -> tuple[Weight, str] | None:
    question = ASKED[item].question
    if isinstance(value, bool):
        if item in MUST_BE_YES:
            return None if value else (Weight.BLOCK, f"{question}: no")
        if not value:
            return None
        return (Weight.CAUTION if item in CAUTION_ONLY else Weight.BLOCK), question
    if isinstance(value, str):
        return _weigh_word(item, value)
    return _weigh_number(item, value, limits)


def _weigh_word(item: Item, value: str) -> tuple[Weight, str] | None:
    if item is Item.SCAN:
        found = value == Scan.FEEDERS_UNTREATED
        return (Weight.BLOCK, "The scan found varicose feeders, which must be treated first") if found else None
    if value in {Heart.III, Heart.IV}:
        return Weight.BLOCK, f"Heart failure, NYHA {value}" + (", not monitored" if value == Heart.III else "")
    return (Weight.CAUTION, "Heart failure, NYHA III, monitored") if value == Heart.III_MONITORED else None


def _weigh_number(item: Item, value: float, limits: Thresholds) -> tuple[Weight, str] | None:
    question = ASKED[item].question
    if item is Item.ABPI and value > limits.abpi_most:
        return Weight.BLOCK, f"{question} {value:g}: above {limits.abpi_most:g}; avoid compression and refer"
    least = {
        Item.ABPI: limits.abpi_least,
        Item.ANKLE_PRESSURE: limits.ankle_least_mmhg,
        Item.TOE_PRESSURE: limits.toe_least_mmhg,
        Item.TCPO2: limits.tcpo2_least_mmhg,
    }[item]
    return (Weight.BLOCK, f"{question} {value:g}: below {least:g}; no compression") if value < least else None
