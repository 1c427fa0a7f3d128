"""The log: minutes gather in RAM as an open block, closed blocks are sealed and written to flash. Asks no sensor."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from calza_sim.firmware.flash import Flash, SealedRecord, formatted
from calza_wire.elapsed_time import TimeStamp
from calza_wire.minute_block import MinuteBlock, Side, seal

BLOCK_MINUTES: Final = 60  # a block ends with the hour of device time, so it never has more

Row: TypeAlias = Sequence[int]  # raw ankle, calf, thigh, ripple, skin, flags


class BlockLog:
    """Writes minutes as sealed blocks. A minute is named by its device time in whole minutes.

    `stamp` turns a device time in seconds into a time stamp of the clock as it is now.
    """

    def __init__(
        self, flash: Flash, *, key: bytes, system_id: bytes, side: Side, stamp: Callable[[float], TimeStamp]
    ) -> None:
        self._flash = flash
        self._key = key
        self._system_id = system_id
        self._side = side
        self._stamp = stamp
        self._first_minute = 0
        self._open: list[Row] = []

    @property
    def open_minutes(self) -> int:
        """Complete minutes not yet sealed; they are lost with the power."""
        return len(self._open)

    def add(self, first_minute: int, rows: Sequence[Row]) -> None:
        """Add consecutive minutes; blocks are closed at each hour, and before `first_minute` if a minute is missing."""
        closed: list[MinuteBlock] = []
        if self._open and first_minute != self._first_minute + len(self._open):
            closed.append(self._take_open())
        taken = 0
        while taken < len(rows):
            minute = first_minute + taken
            room = BLOCK_MINUTES - minute % BLOCK_MINUTES
            if not self._open:
                self._first_minute = minute
            self._open.extend(rows[taken : taken + room])
            taken += room
            if taken <= len(rows):
                closed.append(self._take_open())
        self._write(closed)

    def close(self) -> None:
        """Seal what is open, if anything is."""
        if self._open:
            self._write([self._take_open()])

    def lose_open(self) -> None:
        """The power went: what was not sealed is gone."""
        self._open = []

    def _take_open(self) -> MinuteBlock:
        rows, self._open = self._open, []
        return MinuteBlock(self._stamp(self._first_minute * 60.0), self._side, *map(tuple, zip(*rows, strict=True)))

    def _write(self, blocks: Sequence[MinuteBlock]) -> None:
        if not blocks:
            return
        log_id = formatted(self._flash.head).log_id
        self._flash.append(
            [
                SealedRecord(
                    seal(block, key=self._key, system_id=self._system_id, log_id=log_id, record_number=number),
                    block.minutes,
                )
                for number, block in enumerate(blocks, start=self._flash.next_record)
            ]
        )
