"""From what the stockings of one leg recorded to that leg's ledger: placing, detecting, dose, joining, excusing.

The one composition of the domain, so that server, export and offline recomputation cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.detection.detector import detect
from calza_server.domain.ledgers.ledger import Ledger, excused, ledger_of, unsensed, worn_ankle
from calza_server.domain.ledgers.ledger_join import on_one_leg
from calza_server.domain.recording.gaps import RefusedRecord, reasons_of_absent
from calza_server.domain.recording.placement import ClockSighting, place
from calza_server.domain.states import Reason, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from calza_server.domain.orders.prescription import Prescription
    from calza_server.domain.recording.grid import MinuteGrid
    from calza_server.domain.recording.readings import Readings


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """All that one stocking recorded, every look a gateway had at its clock, and what of it was refused.

    `retired_minute` (since 1970-01-01T00:00Z): from then on the clinic knows it out of use, lost or replaced.
    """

    serial: str
    readings: Readings
    sightings: tuple[ClockSighting, ...]
    refused: tuple[RefusedRecord, ...] = ()
    retired_minute: int | None = None

    @property
    def heard(self) -> bool:
        """Whether anything at all has ever come from this stocking."""
        return bool(len(self.readings) or self.sightings or self.refused)


@dataclass(frozen=True, slots=True, eq=False)
class StockingLedger:
    """One stocking of a leg: its minutes, and what they say of it alone; pauses and unsensed spans not yet applied.

    `worn_ankle` is the ankle pressure of its worn minutes in mmHg, NaN elsewhere and where the site is no use.
    """

    serial: str
    grid: MinuteGrid
    ledger: Ledger
    worn_ankle: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LegLedger:
    """A leg's ledger, the stockings it was made from, and how many minutes are held that no clock can place on it."""

    ledger: Ledger
    unplaced_minutes: int
    stockings: tuple[StockingLedger, ...] = ()

    @property
    def worn_ankle(self) -> npt.NDArray[np.float32]:
        """The ankle pressure of the leg's worn minutes in mmHg, by the stocking that decided each; NaN elsewhere."""
        ankle = np.full(len(self.ledger), np.nan, np.float32)
        for one in self.stockings:
            decided = self._decided_by(one) & (self.ledger.state == State.WORN)
            ankle[decided] = one.worn_ankle[decided]
        return ankle

    @property
    def clock(self) -> npt.NDArray[np.uint8]:
        """How well it is known when each minute was (`ClockConfidence`), by the stocking that decided it."""
        confidence = np.zeros(len(self.ledger), np.uint8)
        for one in self.stockings:
            decided = self._decided_by(one)
            confidence[decided] = one.grid.clock[decided]
        return confidence

    def _decided_by(self, one: StockingLedger) -> npt.NDArray[np.bool_]:
        its_own = np.array([*(source.serial == one.serial for source in self.ledger.sources), False])
        decided: npt.NDArray[np.bool_] = its_own[self.ledger.source]  # NOWHERE is -1: the last, False
        return decided

    @property
    def minutes_by_reason(self) -> dict[Reason, int]:
        """How many minutes of the ledger have each reason; reasons that do not occur are left out."""
        return self.ledger.minutes_by_reason()


def ledger_of_leg(recorded: Sequence[Recorded], order: Prescription, start_minute: int, end_minute: int) -> LegLedger:
    """The ledger of [start, end), in minutes since 1970-01-01T00:00Z."""
    if not any(stocking.heard for stocking in recorded):
        nothing = _not_paired(order, start_minute, end_minute)
        return LegLedger(_as_ordered(nothing, order), 0)
    stockings = []
    for stocking in recorded:
        grid = place(stocking.readings, stocking.sightings, start_minute, end_minute)
        absent = reasons_of_absent(grid, stocking.sightings, stocking.refused)
        stockings.append(_stocking_ledger(stocking.serial, grid, order, absent))
    joined = on_one_leg([one.ledger for one in stockings], [stocking.retired_minute for stocking in recorded])
    unplaced = sum(one.grid.unplaced_minutes for one in stockings)
    return LegLedger(_as_ordered(joined, order), unplaced, tuple(stockings))


def ledger_of_grids(grids: Sequence[tuple[str, MinuteGrid]], order: Prescription) -> Ledger:
    """The ledger of one leg from ready grids, each with its stocking's serial; shorter grids are unknown elsewhere.

    Raises ValueError when there is no grid.
    """
    if not grids:
        raise ValueError("a leg without any recording has no ledger")
    ledgers = [_stocking_ledger(serial, grid, order, reasons_of_absent(grid)).ledger for serial, grid in grids]
    start, end = min(one.start_minute for one in ledgers), max(one.end_minute for one in ledgers)
    return _as_ordered(on_one_leg([one.window(start, end) for one in ledgers]), order)


def _stocking_ledger(
    serial: str, grid: MinuteGrid, order: Prescription, absent: npt.NDArray[np.uint8]
) -> StockingLedger:
    floor = ordered_floor(order, grid.start_minute, grid.end_minute)
    detection = detect(grid)
    return StockingLedger(
        serial,
        grid,
        ledger_of(grid, detection, serial, floor, absent),
        worn_ankle(grid, detection.state, detection.faulty_sites),
    )


def _as_ordered(ledger: Ledger, order: Prescription) -> Ledger:
    """With what the clinic asked for laid over what was recorded; a pause overrules everything."""
    ledger = unsensed(ledger, [span.minutes for span in order.unsensed])
    return excused(ledger, [pause.minutes for pause in order.pauses])


def _not_paired(order: Prescription, start_minute: int, end_minute: int) -> Ledger:
    """No stocking of this leg has ever been heard, which from the beginning of the order on is the reason."""
    ledger = Ledger.unknown(start_minute, end_minute)
    ledger.reason[max(0, order.start_minute - start_minute) :] = Reason.NOT_PAIRED
    return ledger


def ordered_floor(order: Prescription, start_minute: int, end_minute: int) -> npt.NDArray[np.float32]:
    """The ankle pressure ordered for each minute of [start, end) in mmHg, NaN where none was."""
    floor = np.full(max(0, end_minute - start_minute), np.nan, np.float32)
    for day in order.days():
        ordered = order.phases[day.phase].ankle_floor_mmhg
        if ordered is not None:
            floor[max(0, day.start_minute - start_minute) : max(0, day.end_minute - start_minute)] = ordered
    return floor
