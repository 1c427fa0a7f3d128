"""Compression classes by standard, in mmHg at the ankle: the same class is another pressure in another country.

Marks: V read in the source, S read in a secondary source. A pressure between two classes belongs to no class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calza_server.domain.orders.garment import Garment


class GarmentError(Exception):
    """A class that cannot be ordered as it was named. `code` is stable."""

    code: Final = "garment_unknown"


@dataclass(frozen=True, slots=True)
class PressureClass:
    """One class: mmHg at the ankle, both ends included unless said otherwise; None: the standard names no such end."""

    label: str
    least_mmhg: float | None
    most_mmhg: float | None
    mark: str
    source: str
    least_excluded: bool = False
    most_excluded: bool = False

    def holds(self, mmhg: float) -> bool:
        """Whether a pressure lies in the class."""
        low, high = self.least_mmhg, self.most_mmhg
        above = low is None or (mmhg > low if self.least_excluded else mmhg >= low)
        below = high is None or (mmhg < high if self.most_excluded else mmhg <= high)
        return above and below


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard or an established convention, its classes from light to strong, and what must be known to use it."""

    name: str
    region: str
    classes: tuple[PressureClass, ...]
    note: str = ""


RAL: Final = "RAL-GZ 387/1"
BRITISH: Final = "BS 6612:1985"
PRESTANDARD: Final = "ENV 12718:2001"
FRENCH: Final = "NF G30-102B"
US: Final = "US convention"
CHINESE: Final = "YY/T 0853"
AUSTRALIAN: Final = "Therapeutic Guidelines (AU)"

_GZG = "RAL-GZ 387/1 page, January 2008 edition, gzg-kompressionsstruempfe.de"
_UK = "credenhill.co.uk, How much compression?; A4Medicine table citing NICE CKS"
_LYMED = "lymed.fi, comparison of compression standards"
_MONITEUR = "Moniteur des pharmacies, La compression medicale"
_SIGVARIS = "sigvaris.com/fr-fr, classes"
_EUROCOM = "eurocom-info.de, glossary"
_LI_LONG = "Li Long, review of graduated stockings (2021), citing YY/T 0853-2011, since replaced by YY/T 0853-2024"
_ETG = "mirror of the eTG wound guideline"

STANDARDS: Final = (
    Standard(
        RAL,
        "Germany; practice in Austria, Switzerland and the Netherlands",
        (
            PressureClass("I", 18, 21, "V", _GZG),
            PressureClass("II", 23, 32, "V", _GZG),
            PressureClass("III", 34, 46, "V", _GZG),
            PressureClass("IV", 49, None, "V", _GZG),
        ),
        "leaves gaps: 22, 33, 47 and 48 mmHg belong to no class",
    ),
    Standard(
        BRITISH,
        "United Kingdom (Drug Tariff specification 40)",
        (
            PressureClass("1", 14, 17, "S", _UK),
            PressureClass("2", 18, 24, "S", _UK),
            PressureClass("3", 25, 35, "S", _UK),
        ),
        "the document in force is BS 661210:2018+A1, whose numbers were not readable; these are the older ones",
    ),
    Standard(
        PRESTANDARD,
        "Europe",
        (
            PressureClass("A", 10, 14, "S", _LYMED),
            PressureClass("I", 15, 21, "S", _LYMED),
            PressureClass("II", 23, 32, "S", _LYMED),
            PressureClass("III", 34, 46, "S", _LYMED),
            PressureClass("IV", 49, None, "S", _LYMED, least_excluded=True),
        ),
        "a prestandard that never became a standard and was superseded by a test method: there is no 'EN class II'",
    ),
    Standard(
        FRENCH,
        "France (ASQUAL rules)",
        (
            PressureClass("1", 10, 15, "V", _MONITEUR),
            PressureClass("2", 15.1, 20, "V", _MONITEUR),
            PressureClass("3", 20.1, 36, "V", _MONITEUR),
            PressureClass("4", 36, None, "V", _MONITEUR, least_excluded=True),
        ),
    ),
    Standard(
        US,
        "United States",
        (
            PressureClass("8-15", 8, 15, "S", "shop listings only"),
            PressureClass("15-20", 15, 20, "V", _SIGVARIS),
            PressureClass("20-30", 20, 30, "V", _SIGVARIS),
            PressureClass("30-40", 30, 40, "V", _SIGVARIS),
            PressureClass("40-50", 40, 50, "V", _EUROCOM),
        ),
        "no standard, an established convention; neighbours share an end, and a pressure there belongs to no one class",
    ),
    Standard(
        CHINESE,
        "China",
        (
            PressureClass("I", 15, 21, "S", _LI_LONG),
            PressureClass("II", 23, 32, "S", _LI_LONG),
            PressureClass("III", 34, 46, "S", _LI_LONG),
            PressureClass("IV", 49, None, "S", _LI_LONG),
        ),
    ),
    Standard(
        AUSTRALIAN,
        "Australia",
        (
            PressureClass("I", None, 20, "S", _ETG, most_excluded=True),
            PressureClass("II", 20, 29, "S", _ETG),
            PressureClass("III", 30, 40, "S", _ETG),
        ),
        "class I names no lower end",
    ),
)

_BY_NAME: Final = {standard.name: standard for standard in STANDARDS}


def garment(standard: str, label: str) -> Garment:
    """The garment of a class in a standard of the table, with its range in mmHg. Raises GarmentError."""
    found = _class(standard, label)
    if found is None:
        known = "; ".join(f"{each.name}: {', '.join(one.label for one in each.classes)}" for each in STANDARDS)
        raise GarmentError(f"{standard!r} class {label!r} is not in the table; known are {known}")
    if found.least_mmhg is None:
        raise GarmentError(f"{standard} class {label} names no lower end; state the range in mmHg yourself")
    return Garment(
        standard, label, float(found.least_mmhg), None if found.most_mmhg is None else float(found.most_mmhg)
    )


def class_of(standard: str, mmhg: float) -> str | None:
    """The one class of a standard that a pressure in mmHg lies in; None in a gap or where two meet: show the number.

    Raises GarmentError for a standard that is not in the table.
    """
    known = _BY_NAME.get(standard)
    if known is None:
        raise GarmentError(f"{standard!r} is not in the table; known are {', '.join(_BY_NAME)}")
    found = [each.label for each in known.classes if each.holds(mmhg)]
    return found[0] if len(found) == 1 else None


def class_fault(ordered: Garment) -> tuple[str, str] | None:
    """The field of a garment that contradicts its own standard, and the sentence to say so; None when nothing does.

    A standard that is not in the table is taken as it is given: its range is stated, which is what counts.
    """
    if ordered.standard not in _BY_NAME:
        return None
    found = _class(ordered.standard, ordered.label)
    if found is None:
        known = ", ".join(each.label for each in _BY_NAME[ordered.standard].classes)
        return "class", f"is no class of {ordered.standard}; its classes are {known}"
    for field, stated, own in (
        ("ankle_min_mmhg", ordered.ankle_min_mmhg, found.least_mmhg),
        ("ankle_max_mmhg", ordered.ankle_max_mmhg, found.most_mmhg),
    ):
        # class I of the Australian wording has no lower end, so whoever orders it states one
        if own != stated and not (field == "ankle_min_mmhg" and own is None):
            wanted = "left open (null)" if own is None else f"{own:g} mmHg"
            return field, f"must be {wanted} for {ordered.standard} class {ordered.label}"
    return None


def _class(standard: str, label: str) -> PressureClass | None:
    known = _BY_NAME.get(standard)
    return next((each for each in known.classes if each.label == label), None) if known else None
