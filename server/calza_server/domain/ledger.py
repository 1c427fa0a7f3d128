"""The ledger of one leg: every minute's state, reason, dose and origin. Of an order it knows floor and pauses only.

The ledger is the evidence a verdict rests on: whoever holds it and the order can work the verdict out again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.evidence import ANKLE_FAULT
from calza_server.domain.grid import NOWHERE
from calza_server.domain.states import Dose, Reason, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from calza_server.domain.detector import Detection
    from calza_server.domain.grid import MinuteGrid

UNCERTAINTY_SHARE: Final = 0.15  # our proposal, until a bench calibration says otherwise
UNCERTAINTY_AT_LEAST_MMHG: Final = 3.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where a minute was recorded: which stocking, which of its logs."""

    serial: str
    log_id: bytes


@dataclass(frozen=True, slots=True)
class LedgerRun:
    """Consecutive minutes, [start, end), that share state, reason, dose and source. Records: first and last, if any."""

    start_minute: int
    end_minute: int
    state: State
    reason: Reason
    dose: Dose
    source: Source | None
    first_record: int | None
    last_record: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Columns over [start_minute, start_minute + len), one row per UTC minute, `State`, `Reason` and `Dose` as numbers.

    `source` indexes `sources` (NOWHERE: no reading), `record` is the record number there.
    """

    start_minute: int
    state: npt.NDArray[np.uint8]
    reason: npt.NDArray[np.uint8]
    dose: npt.NDArray[np.uint8]
    source: npt.NDArray[np.int16]
    record: npt.NDArray[np.int64]
    sources: tuple[Source, ...] = field(default=())

    def __len__(self) -> int:
        """How many minutes it covers."""
        return len(self.state)

    @property
    def end_minute(self) -> int:
        """The first minute after it."""
        return self.start_minute + len(self)

    @classmethod
    def unknown(cls, start_minute: int, end_minute: int) -> Ledger:
        """Nothing is known of [start, end)."""
        n = max(0, end_minute - start_minute)
        return cls(
            start_minute=start_minute,
            state=np.full(n, State.UNKNOWN, np.uint8),
            reason=np.full(n, Reason.NO_DATA, np.uint8),
            dose=np.full(n, Dose.NOT_ASKED, np.uint8),
            source=np.full(n, NOWHERE, np.int16),
            record=np.full(n, NOWHERE, np.int64),
        )

    def window(self, start_minute: int, end_minute: int) -> Ledger:
        """Exactly [start, end): cut where the ledger is longer, unknown (no data) where it is shorter."""
        end_minute = max(start_minute, end_minute)
        low, high = max(start_minute, self.start_minute), min(end_minute, self.end_minute)
        out = Ledger.unknown(start_minute, end_minute)
        if low < high:
            to = slice(low - start_minute, high - start_minute)
            of = slice(low - self.start_minute, high - self.start_minute)
            out.state[to], out.reason[to], out.dose[to] = self.state[of], self.reason[of], self.dose[of]
            out.source[to], out.record[to] = self.source[of], self.record[of]
        return Ledger(out.start_minute, out.state, out.reason, out.dose, out.source, out.record, self.sources)

    def runs(self) -> list[LedgerRun]:
        """The same ledger, run-length encoded."""
        if not len(self):
            return []
        columns = (self.state, self.reason, self.dose, self.source)
        change = np.zeros(len(self), np.bool_)
        change[0] = True
        for column in columns:
            change[1:] |= column[1:] != column[:-1]
        starts = np.flatnonzero(change)
        ends = np.append(starts[1:], len(self))
        return [self._run(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]

    def _run(self, start: int, end: int) -> LedgerRun:
        source = int(self.source[start])
        return LedgerRun(
            start_minute=self.start_minute + start,
            end_minute=self.start_minute + end,
            state=State(int(self.state[start])),
            reason=Reason(int(self.reason[start])),
            dose=Dose(int(self.dose[start])),
            source=self.sources[source] if source >= 0 else None,
            first_record=int(self.record[start]) if source >= 0 else None,
            last_record=int(self.record[end - 1]) if source >= 0 else None,
        )


def ledger_of(
    grid: MinuteGrid, detection: Detection, serial: str, floor_mmhg: npt.NDArray[np.float32] | None = None
) -> Ledger:
    """One stocking's ledger. `floor_mmhg` is the ordered ankle pressure of each minute, NaN where none was ordered."""
    return Ledger(
        start_minute=grid.start_minute,
        state=detection.state,
        reason=detection.reason,
        dose=_dose(grid, detection, floor_mmhg),
        source=grid.log,
        record=grid.record,
        sources=tuple(Source(serial, log_id) for log_id in grid.logs),
    )


def _dose(grid: MinuteGrid, detection: Detection, floor_mmhg: npt.NDArray[np.float32] | None) -> npt.NDArray[np.uint8]:
    dose = np.full(len(grid), Dose.NOT_ASKED, np.uint8)
    if floor_mmhg is None:
        return dose
    doubt = np.maximum(UNCERTAINTY_AT_LEAST_MMHG, UNCERTAINTY_SHARE * grid.ankle)
    asked = (
        (detection.state == State.WORN)
        & np.isfinite(floor_mmhg)
        & np.isfinite(grid.ankle)
        & ((detection.faulty_sites & ANKLE_FAULT) == 0)
    )
    dose[asked] = Dose.UNCERTAIN
    with np.errstate(invalid="ignore"):  # NaN is never asked
        dose[asked & (grid.ankle - doubt >= floor_mmhg)] = Dose.REACHED
        dose[asked & (grid.ankle + doubt < floor_mmhg)] = Dose.BELOW
    return dose


def on_one_leg(ledgers: Sequence[Ledger]) -> Ledger:
    """Several stockings of one leg as one ledger; all must cover the same minutes.

    Worn if any was worn. Not worn only if all that speak say so, for an unknown one may have been the one on the leg.
    A stocking that has no reading at all in these minutes has no say, so a spare in a drawer harms nothing.
    Raises ValueError when the spans differ or there is no ledger.
    """
    if len({(ledger.start_minute, len(ledger)) for ledger in ledgers}) != 1:
        raise ValueError("ledgers of one leg must cover the same minutes")
    speaking = [ledger for ledger in ledgers if bool((ledger.source >= 0).any())] or [ledgers[0]]
    if len(speaking) == 1:
        return speaking[0]
    weight = np.array([1, 2, 0, 3], np.uint8)  # by State: not worn yields to unknown, unknown to worn, all to excused
    chosen = np.argmax(np.stack([weight[ledger.state] for ledger in speaking]), axis=0)
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


def excused(ledger: Ledger, pauses: Sequence[tuple[int, int]]) -> Ledger:
    """The ledger with every minute of the pauses, each [start, end), excused: neither worn nor missed."""
    if not pauses:
        return ledger
    state, reason, dose = ledger.state.copy(), ledger.reason.copy(), ledger.dose.copy()
    for start, end in pauses:
        inside = slice(max(0, start - ledger.start_minute), max(0, end - ledger.start_minute))
        state[inside], reason[inside], dose[inside] = State.EXCUSED, Reason.PAUSED, Dose.NOT_ASKED
    return Ledger(ledger.start_minute, state, reason, dose, ledger.source, ledger.record, ledger.sources)
