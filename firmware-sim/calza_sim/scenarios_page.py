"""docs/scenarios.md, written from the scenarios themselves, so that it cannot say what is not so."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Final

from calza_sim.cohort import LYING, MISAPPLIED, SOURCES, USUAL, Shares
from calza_sim.cohort_days import PATTERNS
from calza_sim.scenarios import MODIFIERS, SCENARIOS

INTRODUCTION: Final = """\
# Scenarios

What a simulated wearer may live through. This page is printed by `calza sim scenarios --markdown`.

A scenario is data: days of wear, circumstances, what goes wrong with phone, power and clock, and what is ordered.
The order is four days and nights of 23 hours (all four must count) and ten days of 10 hours (eight must), at least
18 mmHg at the ankle, unless the scenario needs another. What is *expected* is written for people; verdicts are judged
against `truth_days`, which knows who wore what and shares no code with the server.

`calza sim export perfect --out DIR` writes a scenario as files without any radio:

| file | holds |
|---|---|
| `minutes.csv` | what a server holds at the end, a row a minute: `time,ankle,calf,thigh,ripple,skin`; mmHg and degC |
| `truth.csv` | who wore it, minute by minute |
| `truth.json` | what the order comes to when nothing is missing, day by day |
| `prescription.json` | the order; `prescription-2.json` where a second treatment follows |
| `events.json` | power, clock and phone, what the patient wrote, and how many minutes are left out for which reason |

A minute nobody holds has no row: the battery was flat, or its time cannot be known, or no phone came for it. A site
the stocking itself calls faulty is an empty cell. In `truth.json` an order that is not over is `already_met`,
`can_be_met` or `cannot_be_met`.
"""

JOINING: Final = """\
A name may be joined with `+`: the wear is that of the scenario, the rest is added by the modifiers, as in
`calza sim export perfect+dead-calf+winter --out DIR` or `calza sim run --stocking CALZA-0001:left:perfect+winter`.
A modifier changes no minute of wear. Contradictions (two places at once, two skin temperatures) are refused.
"""

COHORT: Final = """\
`calza sim cohort --persons 100 --seed 7 --out DIR` writes a folder per person, and `cohort.csv` with what each drew
and what the truth says. Person k of a seed is the same however many are asked for. Draws are independent of each
other, because no source gives how they go together. Marks: V read in the source, P our proposal.
"""


def scenarios_page() -> str:
    """The page, in Markdown."""
    rows = [each for each in SCENARIOS.values() if each.row]
    others = [each for each in SCENARIOS.values() if not each.row]
    parts = (
        INTRODUCTION,
        "## The acceptance set\n",
        _table(
            ("row", "scenario", "what happens", "expected", "what else must be seen"),
            ((each.row, f"`{each.name}`", each.description, each.expected, each.expects) for each in rows),
        ),
        "## Everyday lives, and every event on its own\n",
        _table(
            ("scenario", "event", "what happens", "expected", "what else must be seen"),
            ((f"`{each.name}`", each.event, each.description, each.expected, each.expects) for each in others),
        ),
        "## Modifiers\n\n" + JOINING,
        _table(
            ("modifier", "what happens", "expected"),
            ((f"`{each.name}`", each.description, each.expected) for each in MODIFIERS.values()),
        ),
        "## Cohorts\n\n" + COHORT,
        _table(
            ("of persons", "share", "source"),
            ((each.name.replace("_", " "), _share(each.name), SOURCES[each.name]) for each in fields(Shares)),
        ),
    )
    return "\n".join(parts)


def _share(name: str) -> str:
    value = getattr(USUAL, name)
    words = {"patterns": PATTERNS, "misapplied": MISAPPLIED, "lying": LYING}
    if name in words:
        return ", ".join(f"{word} {part:.1%}" for word, part in zip(words[name], value, strict=True))
    return f"{value:.1%}"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
