"""The ledger of one leg: every minute's state, reason, dose and origin. Of an order it knows floor and spans only.

The ledger is the evidence a verdict rests on: whoever holds it and the order can work the verdict out again. Several
stockings on one leg are joined in `ledger_join`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.ledgers.dose import IMPOSSIBLE_MMHG, NOTHING_MMHG, dose_of_minutes
from calza_server.domain.recording.grid import NOWHERE
from calza_server.domain.states import Dose, Reason, State
from calza_wire.minute_block import MinuteFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from calza_server.domain.detection.detector import Detection
    from calza_server.domain.recording.grid import MinuteGrid

ANKLE_FAULT: Final = np.uint8(MinuteFlag.ANKLE_FAULT)  # as an octet: numpy would widen a whole column for an IntFlag


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

    def minutes_by_reason(self) -> dict[Reason, int]:
        """How many minutes have each reason; reasons that do not occur are left out."""
        counts = np.bincount(self.reason).tolist()
        return {Reason(value): count for value, count in enumerate(counts) if count}

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
    grid: MinuteGrid,
    detection: Detection,
    serial: str,
    floor_mmhg: npt.NDArray[np.float32] | None = None,
    missing: npt.NDArray[np.uint8] | None = None,
) -> Ledger:
    """One stocking's ledger.

    `floor_mmhg` is the ordered ankle pressure of each minute, NaN where none was ordered. `missing` gives each minute
    without a reading its reason (`Reason` values, see `gaps`); without it the detector's own word stands.
    """
    reason = detection.reason
    if missing is not None:
        reason = np.where(grid.present, reason, missing)
    return Ledger(
        start_minute=grid.start_minute,
        state=detection.state,
        reason=reason,
        dose=dose_of_minutes(worn_ankle(grid, detection.state, detection.faulty_sites), floor_mmhg),
        source=grid.log,
        record=grid.record,
        sources=tuple(Source(serial, log_id) for log_id in grid.logs),
    )


def worn_ankle(
    grid: MinuteGrid, state: npt.NDArray[np.uint8], faulty_sites: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """The ankle pressure of worn minutes in mmHg, NaN elsewhere and where the ankle site cannot be trusted."""
    sound = (state == State.WORN) & ((faulty_sites & ANKLE_FAULT) == 0)
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        sound &= (grid.ankle > NOTHING_MMHG) & (grid.ankle <= IMPOSSIBLE_MMHG)
    return np.where(sound, grid.ankle, np.float32(np.nan))


def excused(ledger: Ledger, pauses: Sequence[tuple[int, int]]) -> Ledger:
    """The ledger with every minute of the pauses, each [start, end), excused: neither worn nor missed."""
    return _overruled(ledger, pauses, State.EXCUSED, Reason.PAUSED)


def unsensed(ledger: Ledger, spans: Sequence[tuple[int, int]]) -> Ledger:
    """The ledger with every minute of the spans, each [start, end), unknown because no sensor sees what was put on."""
    return _overruled(ledger, spans, State.UNKNOWN, Reason.UNSENSED_BY_DESIGN)


def _overruled(ledger: Ledger, spans: Sequence[tuple[int, int]], its_state: State, its_reason: Reason) -> Ledger:
    if not spans:
        return ledger
    state, reason, dose = ledger.state.copy(), ledger.reason.copy(), ledger.dose.copy()
    for start, end in spans:
        inside = slice(max(0, start - ledger.start_minute), max(0, end - ledger.start_minute))
        state[inside], reason[inside], dose[inside] = its_state, its_reason, Dose.NOT_ASKED
    return replace(ledger, state=state, reason=reason, dose=dose)
