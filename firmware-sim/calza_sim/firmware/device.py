"""The firmware as a whole: clock, sampling, log, battery and what the radio asks for. Implements `StockingFirmware`.

Time is an argument and true; only the clock turns it into device time. Nothing here knows what a wearer did.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from calza_sim.firmware import racp
from calza_sim.firmware.battery import Battery
from calza_sim.firmware.clock import ClockRefusal, DeviceClock, check_write
from calza_sim.firmware.codes import log_rows
from calza_sim.firmware.flash import FLASH_DAYS, Flash, formatted
from calza_sim.firmware.log import BLOCK_MINUTES, BlockLog, Row
from calza_sim.firmware.minutes import (
    FEWEST_SAMPLES,
    MINUTE_S,
    SAMPLE_HZ,
    SAMPLES_PER_MINUTE,
    MinuteSource,
)
from calza_sim.manufacture import Manufacture
from calza_sim.ports import RecordTransfer
from calza_wire.elapsed_time import CurrentElapsedTime, TimeStamp
from calza_wire.live_minute import LiveMinute
from calza_wire.stocking_service import ControlResult, Identity, LogStatus, SamplingSettings

FIRMWARE_REVISION: Final = "1.0.0"
CATCH_UP_MINUTES: Final = 14 * 24 * 60  # taken at once, so that years need no more memory than this


class Firmware:
    """A stocking's firmware, switched on at `boot_s`. Flash that holds a log goes on with it.

    `draw_log_id` gives 8 octets never used before by this stocking, at a true time. Times are true Unix seconds.
    """

    def __init__(
        self,
        made: Manufacture,
        sensors: MinuteSource,
        flash: Flash,
        *,
        boot_s: float,
        draw_log_id: Callable[[float], bytes],
        drift_ppm: float = 0.0,
    ) -> None:
        self.identity = Identity(made.serial, made.system_id)
        self.label = made.label
        self.calibration = made.calibration
        self.sampling = SamplingSettings(sample_hz=SAMPLE_HZ, block_minutes=BLOCK_MINUTES, flash_days=FLASH_DAYS)
        self.passkey = made.passkey
        self.firmware_revision = FIRMWARE_REVISION
        self._sensors = sensors
        self._flash = flash
        self._draw_log_id = draw_log_id
        self._clock = DeviceClock(boot_s, drift_ppm)
        self._battery = Battery()
        self._log = BlockLog(flash, key=made.key, system_id=made.system_id, side=made.side, stamp=self._clock.stamp)
        self._newest: tuple[int, Row] | None = None
        if flash.head is None:
            flash.format(draw_log_id(boot_s))
        self._start(boot_s)

    def advance(self, now_s: float) -> None:
        """Catch up to `now_s`: sample, close minutes and blocks. A time in the past changes nothing."""
        complete = math.floor(self._clock.seconds(now_s) / MINUTE_S)
        for minute in range(self._next_minute, complete, CATCH_UP_MINUTES):
            self._sample(minute, min(CATCH_UP_MINUTES, complete - minute))

    def battery_percent(self, now_s: float) -> int:
        """Charge left, 0..100 %."""
        self.advance(now_s)
        return self._battery.percent

    def elapsed_time(self, now_s: float) -> CurrentElapsedTime:
        """The device clock as Current Elapsed Time reports it."""
        return self._clock.current(max(now_s, self._powered_s))

    def set_elapsed_time(self, octets: bytes, now_s: float) -> int:
        """Set the clock; 0, or the ATT error code to answer. A set clock begins a new timeline and a new block."""
        refusal = check_write(octets, self._clock.source)
        if refusal is not ClockRefusal.NONE:
            return int(refusal)
        self.advance(now_s)
        self._cut_minute(now_s)
        self._log.close()
        self._clock.set(TimeStamp.decode(octets), now_s)
        self._flash.begin_timeline()
        self._begin_sampling(now_s)
        return int(ClockRefusal.NONE)

    def log_status(self, now_s: float) -> LogStatus:
        """Which records exist in flash now, and how many complete minutes are still open."""
        self.advance(now_s)
        head = formatted(self._flash.head)
        return LogStatus(
            log_id=head.log_id,
            first_record=self._flash.first_record,
            next_record=self._flash.next_record,
            timeline_first_record=head.timeline_first_record,
            open_minutes=self._log.open_minutes,
        )

    def close_block(self, now_s: float) -> ControlResult:
        """Seal the complete minutes of the open block; SUCCESS also when there are none."""
        self.advance(now_s)
        self._log.close()
        return ControlResult.SUCCESS

    def racp(self, pdu: bytes, now_s: float) -> bytes | RecordTransfer:
        """Answer a Record Access Control Point write."""
        self.advance(now_s)
        return racp.answer(pdu, first_record=self._flash.first_record, next_record=self._flash.next_record)

    def racp_abort(self) -> bytes:
        """The indication that answers Abort."""
        return racp.abort()

    def record(self, number: int) -> bytes | None:
        """The sealed body of one record, or None when it is not in flash."""
        body = self._flash.body(number)
        if body is not None:
            self._battery.send_record()
        return body

    def live_minute(self, now_s: float) -> bytes | None:
        """The newest complete minute as an encoded observation; None when there is none since the last call."""
        self.advance(now_s)
        if self._newest is None:
            return None
        (minute, row), self._newest = self._newest, None
        return LiveMinute.of_raw(self._clock.stamp(minute * MINUTE_S), *row).encode()

    def power_loss(self, now_s: float, off_s: float) -> None:
        """Lose power at `now_s` for `off_s` seconds: open minutes and clock are gone, flash stays.

        Raises ValueError when `off_s` is negative.
        """
        if off_s < 0:
            raise ValueError(f"the power cannot come back {-off_s} s before it goes")
        self.advance(now_s)
        self._start(max(now_s, self._powered_s) + off_s)

    def factory_reset(self, now_s: float) -> None:
        """Erase the log, draw a new log id and start again at record 1; clock and battery go on."""
        self.advance(now_s)
        self._flash.format(self._draw_log_id(now_s))
        self._log.lose_open()
        self._newest = None

    def _start(self, on_s: float) -> None:
        """Power came: nothing is left in RAM, the clock counts from zero."""
        self._powered_s = on_s
        self._log.lose_open()
        self._newest = None
        self._clock.restart(on_s)
        self._flash.begin_timeline()
        self._begin_sampling(on_s)

    def _begin_sampling(self, now_s: float) -> None:
        self._sampled_from = self._clock.seconds(now_s)
        self._next_minute = math.floor(self._sampled_from / MINUTE_S)

    def _cut_minute(self, now_s: float) -> None:
        """The clock is about to change in the middle of a minute: keep it if half of it was sampled."""
        begun = max(self._next_minute * MINUTE_S, self._sampled_from)
        taken = math.floor((self._clock.seconds(now_s) - begun) * SAMPLE_HZ)
        if taken >= FEWEST_SAMPLES:
            self._sample(self._next_minute, 1, at_most=taken)

    def _sample(self, first_minute: int, count: int, *, at_most: int = SAMPLES_PER_MINUTE) -> None:
        """Take `count` consecutive minutes of device time into the log."""
        minutes = np.arange(first_minute, first_minute + count)
        begun = np.maximum(minutes * float(MINUTE_S), self._sampled_from)
        samples = np.floor(((minutes + 1) * float(MINUTE_S) - begun) * SAMPLE_HZ).astype(np.int64)
        samples = np.minimum(samples, at_most)
        enough = samples >= FEWEST_SAMPLES  # only the first minute after a start can be too short
        self._next_minute = first_minute + count
        if not enough.any():
            return
        table = self._sensors.minutes(self._clock.true_s_of(begun[enough]), samples[enough])
        rows: list[Row] = log_rows(table).tolist()
        self._log.add(int(minutes[enough][0]), rows)
        self._battery.live_through(table.charging)
        self._newest = (int(minutes[-1]), rows[-1])
