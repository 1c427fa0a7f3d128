"""From what the stockings of one leg recorded to that leg's ledger: placing, detecting, dose, joining, excusing.

The one composition of the domain, so that server, export and offline recomputation cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.detector import detect
from calza_server.domain.ledger import Ledger, excused, ledger_of, on_one_leg
from calza_server.domain.placement import ClockSighting, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from calza_server.domain.prescription import Prescription
    from calza_server.domain.readings import Readings


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """All that one stocking recorded, and every look a gateway had at its clock."""

    serial: str
    readings: Readings
    sightings: tuple[ClockSighting, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LegLedger:
    """A leg's ledger, and how many minutes are held that no clock can place on it."""

    ledger: Ledger
    unplaced_minutes: int


def ledger_of_leg(recorded: Sequence[Recorded], order: Prescription, start_minute: int, end_minute: int) -> LegLedger:
    """The ledger of [start, end), in minutes since 1970-01-01T00:00Z."""
    floor = ordered_floor(order, start_minute, end_minute)
    ledgers = []
    unplaced = 0
    for stocking in recorded:
        grid = place(stocking.readings, stocking.sightings, start_minute, end_minute)
        unplaced += grid.unplaced_minutes
        ledgers.append(ledger_of(grid, detect(grid), stocking.serial, floor))
    joined = on_one_leg(ledgers) if ledgers else Ledger.unknown(start_minute, end_minute)
    return LegLedger(excused(joined, [pause.minutes for pause in order.pauses]), unplaced)


def ordered_floor(order: Prescription, start_minute: int, end_minute: int) -> npt.NDArray[np.float32]:
    """The ankle pressure ordered for each minute of [start, end) in mmHg, NaN where none was."""
    floor = np.full(max(0, end_minute - start_minute), np.nan, np.float32)
    for day in order.days():
        ordered = order.phases[day.phase].ankle_floor_mmhg
        if ordered is not None:
            floor[max(0, day.start_minute - start_minute) : max(0, day.end_minute - start_minute)] = ordered
    return floor
