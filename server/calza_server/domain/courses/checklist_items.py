"""What is looked at before the first treatment: each item, what may be entered for it, and where it comes from.

Marks: V read in the source, S read in a secondary source. Knows no thresholds and no person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Item(StrEnum):
    """One thing to look at."""

    SCAN = "scan"
    EVALUATION = "evaluation"
    CONSENT = "consent"
    ABPI = "abpi"
    ANKLE_PRESSURE = "ankle-pressure"
    TOE_PRESSURE = "toe-pressure"
    TCPO2 = "tcpo2"
    EPIFASCIAL_BYPASS = "epifascial-bypass"
    HEART_FAILURE = "heart-failure"
    FABRIC_ALLERGY = "fabric-allergy"
    SEVERE_NEUROPATHY = "severe-neuropathy"
    SCLEROSANT_ALLERGY = "sclerosant-allergy"
    ACUTE_CLOT = "acute-clot"
    PAST_REACTION = "past-reaction"
    ACUTE_ILLNESS = "acute-illness"
    LIMB_ISCHAEMIA = "limb-ischaemia"
    CLOT_HISTORY = "clot-history"
    CONTRACEPTIVE_PILL = "contraceptive-pill"


class Against(StrEnum):
    """What an item stands against."""

    COMPRESSION = "compression"
    INJECTION = "injection"
    TREATMENT = "treatment"  # both: it must not begin


class Scan(StrEnum):
    """What the duplex scan found: feeders, hidden varicose veins, must be treated first (seed A)."""

    NO_FEEDERS = "no-feeders"
    FEEDERS_TREATED = "feeders-treated"
    FEEDERS_UNTREATED = "feeders-untreated"


class Heart(StrEnum):
    """Heart failure by NYHA class; III is bearable only under monitoring."""

    NONE = "none"
    I = "I"  # noqa: E741  the name of the class is a capital letter
    II = "II"
    III = "III"
    III_MONITORED = "III-monitored"
    IV = "IV"


@dataclass(frozen=True, slots=True)
class Asked:
    """One item: its question, what may be entered (a number to `most`, one of `words`, or yes and no), its source."""

    question: str
    against: Against
    source: str
    most: float | None = None
    words: tuple[str, ...] = ()


_CONSENSUS: Final = "Rabe and Pannier, Risks and contraindications; Rabe 2020, PMC7383414 [V]"
_CKS: Final = "NICE CKS as quoted by A4Medicine [S]"
_IUP: Final = "IUP 2023 consensus via droracle.ai [S]"

ASKED: Final = {
    Item.SCAN: Asked(
        "Duplex scan for hidden varicose feeders", Against.TREATMENT, "seed A", words=tuple(each.value for each in Scan)
    ),
    Item.EVALUATION: Asked("Medical evaluation done", Against.TREATMENT, "seed B"),
    Item.CONSENT: Asked("Benefits, risks and expectations discussed, and consent given", Against.TREATMENT, "seed B"),
    Item.ABPI: Asked("Ankle-brachial pressure index", Against.COMPRESSION, _CKS, most=4),
    Item.ANKLE_PRESSURE: Asked("Ankle pressure, mmHg", Against.COMPRESSION, _CONSENSUS, most=350),
    Item.TOE_PRESSURE: Asked("Toe pressure, mmHg", Against.COMPRESSION, _CONSENSUS, most=350),
    Item.TCPO2: Asked("Transcutaneous oxygen, mmHg", Against.COMPRESSION, _CONSENSUS, most=150),
    Item.EPIFASCIAL_BYPASS: Asked("Epifascial bypass at risk", Against.COMPRESSION, _CONSENSUS),
    Item.HEART_FAILURE: Asked(
        "Heart failure, NYHA class", Against.COMPRESSION, _CONSENSUS, words=tuple(each.value for each in Heart)
    ),
    Item.FABRIC_ALLERGY: Asked("Allergy to the stocking's material", Against.COMPRESSION, _CONSENSUS),
    Item.SEVERE_NEUROPATHY: Asked(
        "Severe diabetic neuropathy with sensory loss or microangiopathy", Against.COMPRESSION, _CONSENSUS
    ),
    Item.SCLEROSANT_ALLERGY: Asked("Allergy to the sclerosant", Against.INJECTION, _IUP),
    Item.ACUTE_CLOT: Asked("Acute venous thromboembolism", Against.INJECTION, _IUP),
    Item.PAST_REACTION: Asked("Severe neurological or cardiac reaction to an earlier one", Against.INJECTION, _IUP),
    Item.ACUTE_ILLNESS: Asked("Acute severe illness or infection", Against.INJECTION, _IUP),
    Item.LIMB_ISCHAEMIA: Asked("Critical limb ischaemia", Against.TREATMENT, _IUP),
    Item.CLOT_HISTORY: Asked("History of blood clots", Against.INJECTION, "seed B"),
    Item.CONTRACEPTIVE_PILL: Asked("Takes the contraceptive pill", Against.INJECTION, "seed B"),
}


def value_fault(item: Item, value: object) -> str | None:
    """What is wrong with a value entered for an item, as the rest of a sentence; None when nothing is."""
    asked = ASKED[item]
    if asked.words:
        return None if value in asked.words else f"must be one of {', '.join(asked.words)}"
    if asked.most is not None:
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= asked.most
        return None if number else f"must be a number from 0 to {asked.most:g}"
    return None if isinstance(value, bool) else "must be true or false"
