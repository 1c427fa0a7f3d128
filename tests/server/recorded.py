"""Recordings put into a real store as sealed blocks, and the small doubles API and page need beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from calza_server.domain.recording.grid import MinuteGrid
from calza_server.ports import Health, Leg, RegisteredStocking, StoredBlock
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.messages import SyncReport
from calza_wire.minute_block import MinuteBlock, Side, seal

ALL_WELL = Health(broker_connected=True, store_ok=True)
KEY, SYSTEM_ID = bytes(32), bytes(8)


def blocks_of(
    grid: MinuteGrid, serial: str, *, slow_s: int = 0, source: TimeSource = TimeSource.NTP
) -> list[StoredBlock]:
    """A recording as the blocks a stocking would have sealed, by a clock that is so many seconds slow."""
    blocks = []
    for record in np.unique(grid.record[grid.present]).tolist():
        rows = np.flatnonzero(grid.record == record)
        assert rows[-1] - rows[0] == len(rows) - 1, "a block has no hole in it"
        start_s = (grid.start_minute + int(rows[0])) * 60 - slow_s

        def tenths(column: np.ndarray[tuple[int], np.dtype[np.float32]], rows: np.ndarray = rows) -> tuple[int, ...]:
            return tuple(np.rint(column[rows] * 10).astype(int).tolist())

        block = MinuteBlock(
            start=TimeStamp.at(start_s, source=source),
            side=Side.LEFT,
            ankle=tenths(grid.ankle),
            calf=tenths(grid.calf),
            thigh=tenths(grid.thigh),
            ripple=tenths(grid.ripple),
            skin=tuple(np.rint((grid.skin[rows] + 40) * 100).astype(int).tolist()),
            flags=tuple(grid.flags[rows].tolist()),
        )
        log_id = grid.logs[0]
        body = seal(block, key=KEY, system_id=SYSTEM_ID, log_id=log_id, record_number=record)
        blocks.append(StoredBlock(serial, log_id, record, body, "home", 0))
    return blocks


def heard(serial: str, log_id: bytes, records: int, at_ms: int) -> SyncReport:
    """A sync in which the stocking's clock was right and its log held the records from 0 up."""
    return SyncReport(
        serial=serial,
        phase="ended",
        log_id=log_id.hex(),
        first_record=0,
        next_record=records,
        timeline_first_record=0,
        device_time=TimeStamp.at(at_ms / 1000, source=TimeSource.CELLULAR),
        needs_set=False,
        gateway_ms=at_ms,
        battery_percent=80,
        firmware="1.0",
        rssi=-60,
        mtu=247,
        fetched=records,
    )


@dataclass
class MemoryRegistry:
    """Legs and their stockings."""

    known: list[tuple[Leg, tuple[str, ...]]]
    retired: dict[str, int] = field(default_factory=dict)

    def stocking(self, serial: str) -> RegisteredStocking | None:
        return next((one for leg in self.legs() for one in self.stockings(leg.id) if one.serial == serial), None)

    def stockings(self, leg: str) -> tuple[RegisteredStocking, ...]:
        return tuple(
            RegisteredStocking(serial, SYSTEM_ID, KEY, leg, self.retired.get(serial))
            for one, serials in self.known
            if one.id == leg
            for serial in serials
        )

    def leg(self, leg_id: str) -> Leg | None:
        return next((leg for leg in self.legs() if leg.id == leg_id), None)

    def legs(self) -> tuple[Leg, ...]:
        return tuple(leg for leg, _ in self.known)


@dataclass
class FixedClock:
    """A clock that shows what it was set to."""

    ms: int

    def now_ms(self) -> int:
        return self.ms
