"""Several stockings of one leg as one ledger. Knows no order and cannot tell which of two was on when both say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.recording.grid import NOWHERE
from calza_server.domain.states import Reason, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FIRST_RECORD: Final = 1  # the first number a log gives; a log whose beginning is held recorded nothing earlier

# By State: not worn yields to unknown, unknown to worn, all to excused.
_STATE_WEIGHT: Final = np.array([2, 4, 1, 6], np.int8)
_NO_SAY: Final = 0


def on_one_leg(ledgers: Sequence[Ledger], retired: Sequence[int | None] | None = None) -> Ledger:
    """Several stockings of one leg as one ledger; all must cover the same minutes.

    Worn if any was worn. Not worn only if all that have a say agree, for an unknown one may have been the one on the
    leg. A stocking without any reading in these minutes has no say (a spare in a drawer), nor has one before the
    beginning of its own log (a garment given out later) or after the minute it was `retired` (one entry per ledger),
    as far as it is unknown. Of two unknowns the one that can say why is kept. Raises ValueError when the spans differ
    or there is no ledger.
    """
    if len({(ledger.start_minute, len(ledger)) for ledger in ledgers}) != 1:
        raise ValueError("ledgers of one leg must cover the same minutes")
    until = dict(enumerate(retired or ()))
    weights = [_weight(ledger, until.get(i)) for i, ledger in enumerate(ledgers) if bool((ledger.source >= 0).any())]
    speaking = [ledger for ledger in ledgers if bool((ledger.source >= 0).any())] or [_telling(ledgers)]
    if len(speaking) == 1:
        return speaking[0]
    chosen = np.argmax(np.stack(weights), axis=0)
    shift = np.cumsum([0, *(len(ledger.sources) for ledger in speaking[:-1])])

    def pick(columns: Sequence[npt.NDArray[np.integer]]) -> npt.NDArray[np.integer]:
        picked: npt.NDArray[np.integer] = np.take_along_axis(np.stack(columns), chosen[None], axis=0)[0]
        return picked

    source = pick(
        [np.where(one.source >= 0, one.source + by, NOWHERE) for one, by in zip(speaking, shift, strict=True)]
    )
    return Ledger(
        start_minute=speaking[0].start_minute,
        state=pick([one.state for one in speaking]).astype(np.uint8),
        reason=pick([one.reason for one in speaking]).astype(np.uint8),
        dose=pick([one.dose for one in speaking]).astype(np.uint8),
        source=source.astype(np.int16),
        record=pick([one.record for one in speaking]).astype(np.int64),
        sources=tuple(source for one in speaking for source in one.sources),
    )


def _weight(ledger: Ledger, retired: int | None) -> npt.NDArray[np.int8]:
    unexplained = (ledger.state == State.UNKNOWN) & (ledger.reason == Reason.NO_DATA)
    weight: npt.NDArray[np.int8] = _STATE_WEIGHT[ledger.state]
    weight += (ledger.state == State.UNKNOWN) & ~unexplained
    first = int(np.argmax(ledger.source >= 0))
    if 0 <= ledger.record[first] <= FIRST_RECORD:
        weight[:first][unexplained[:first]] = _NO_SAY
    if retired is not None:
        after = slice(max(0, retired - ledger.start_minute), None)
        weight[after][unexplained[after]] = _NO_SAY
    return weight


def _telling(ledgers: Sequence[Ledger]) -> Ledger:
    """Of ledgers without any reading, the one that knows most about why."""
    return max(ledgers, key=lambda ledger: int(np.count_nonzero(ledger.reason != Reason.NO_DATA)))
