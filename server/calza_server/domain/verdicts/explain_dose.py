"""Whether the pressure reached the order while the stocking was on: an axis of its own, apart from wear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calza_server.domain.states import Dose, State
from calza_server.domain.verdicts.explain_rows import by_dose
from calza_server.domain.verdicts.explain_statement import Statement, Topic
from calza_server.domain.verdicts.explain_words import listed, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from calza_server.domain.ledgers.ledger import LedgerRun

ABOUT_THE_STOCKING: Final = "This tells about the stocking, not about how it was worn, and leaves the answer as it is."
_IN_WORDS: Final = (
    (Dose.REACHED, "reached {floor} for"),
    (Dose.BELOW, "was below it for"),
    (Dose.UNCERTAIN, "was too close to it to tell for"),
    (Dose.NOT_ASKED, "was not measured for"),
)


def dose_statements(floors_mmhg: Sequence[float | None], rows: tuple[LedgerRun, ...]) -> Iterator[Statement]:
    """One statement over the worn rows, none where no floor was ordered or nothing was worn.

    `floors_mmhg`: the ordered ankle pressures that apply to the rows.
    """
    worn = tuple(run for run in rows if run.state is State.WORN)
    ordered = {floor for floor in floors_mmhg if floor is not None}
    if not worn or not ordered:
        return
    floor = f"the ordered {ordered.pop():g} mmHg" if len(ordered) == 1 else "what was ordered"
    minutes = by_dose(worn)
    parts = [f"{words.format(floor=floor)} {span(minutes[dose])}" for dose, words in _IN_WORDS if minutes[dose]]
    if not minutes[Dose.REACHED]:  # the floor must be named before it is 'it'
        parts[0] = parts[0].replace(" it ", f" {floor} ")
    yield Statement(
        f"While the stocking was on, the pressure at the ankle {listed(parts)}. {ABOUT_THE_STOCKING}", worn, Topic.DOSE
    )
