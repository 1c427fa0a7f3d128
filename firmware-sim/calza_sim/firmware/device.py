"""The firmware as a whole: clock, sampling, log, battery and what the radio asks for. Implements `StockingFirmware`.

Time is an argument and true; only the clock turns it into device time. Nothing here knows what a wearer did.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from calza_sim.firmware import racp
from calza_sim.firmware.battery import Battery
from calza_sim.firmware.clock import ClockRefusal, DeviceClock, check_write
from calza_sim.firmware.codes import log_rows
from calza_sim.firmware.flash import FLASH_DAYS, Flash, formatted
from calza_sim.firmware.interruptions import LAST_DAY_S, Flat, interruptions
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
    `outages`: from..to the battery is flat, then charged; `clock_resets`: the clock is lost and nothing else. A battery
    that runs flat by itself is waited for until the garment lies on its charger.
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
        outages: Sequence[tuple[float, float]] = (),
        clock_resets: Sequence[float] = (),
    ) -> None:
        self.identity = Identity(made.serial, made.system_id)
        self.label = made.label
        self.calibration = made.calibration
        self.sampling = SamplingSettings(sample_hz=SAMPLE_HZ, block_minutes=BLOCK_MINUTES, flash_days=FLASH_DAYS)
        self.passkey = made.passkey
        self.oob = made.oob
        self.firmware_revision = FIRMWARE_REVISION
        self._sensors = sensors
        self._flash = flash
        self._draw_log_id = draw_log_id
        self._clock = DeviceClock(boot_s, drift_ppm)
        self._battery = Battery()
        self._log = BlockLog(flash, key=made.key, system_id=made.system_id, side=made.side, stamp=self._clock.stamp)
        self._newest: tuple[int, Row] | None = None
        self._to_come = interruptions(outages, clock_resets, boot_s=boot_s)
        self._flat: Flat | None = None
        if flash.head is None:
            flash.format(draw_log_id(boot_s))
        self._start(boot_s)

    def advance(self, now_s: float) -> None:
        """Catch up to `now_s`: sample, close minutes and blocks. A time in the past changes nothing."""
        while self._to_come and self._to_come[0].at_s <= now_s:
            each = self._to_come.pop(0)
            self._live_until(each.at_s)
            if each.until_s is not None:
                self._go_flat(each.at_s, back_s=each.until_s)
            elif self._flat is None:
                self._lose_clock(each.at_s)
        self._live_until(now_s)

    def powered(self, now_s: float) -> bool:
        """Whether it runs at all, and so could be on the air."""
        self.advance(now_s)
        return self._flat is None and now_s >= self._powered_s

    def battery_percent(self, now_s: float) -> int:
        """Charge left, 0..100 %."""
        self.advance(now_s)
        return self._battery.percent

    def elapsed_time(self, now_s: float) -> CurrentElapsedTime:
        """The device clock as Current Elapsed Time reports it."""
        self.advance(now_s)
        return self._clock.current(max(now_s, self._powered_s))

    def set_elapsed_time(self, octets: bytes, now_s: float) -> int:
        """Set the clock; 0, or the ATT error code to answer. A set clock begins a new timeline and a new block."""
        self.advance(now_s)
        refusal = check_write(octets, self._clock.source)
        if refusal is not ClockRefusal.NONE:
            return int(refusal)
        self._cut_minute(now_s)
        self._log.close()
        self._clock.set(TimeStamp.decode(octets), now_s)
        self._begin_timeline(now_s)
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
        self._begin_timeline(on_s)
        outage_s = next((each.at_s for each in self._to_come if each.until_s is not None), None)
        if outage_s is not None:  # only a battery that was low beforehand is flat by then
            self._battery.hold_at_most((outage_s + LAST_DAY_S - on_s) / MINUTE_S)

    def _live_until(self, now_s: float) -> None:
        """Sample up to `now_s`, and while the battery is flat look for the charger minute by minute."""
        while self._flat is None or self._wakes(self._flat, now_s):
            complete = math.floor(self._clock.seconds(now_s) / MINUTE_S)
            if complete <= self._next_minute:
                return
            self._sample(self._next_minute, min(CATCH_UP_MINUTES, complete - self._next_minute))

    def _go_flat(self, at_s: float, *, back_s: float | None = None) -> None:
        """No power from `at_s` on, until `back_s` or the charger: what is in RAM is gone."""
        self._battery.be_empty()
        self._log.lose_open()
        self._newest = None
        self._flat = Flat(at_s, back_s)

    def _wakes(self, flat: Flat, now_s: float) -> bool:
        if flat.back_s is not None:
            if flat.back_s > now_s:
                return False
            self._battery.be_full()
            self._wake(flat.back_s)
            return True
        while (minutes := min(math.floor((now_s - flat.looked_s) / MINUTE_S), CATCH_UP_MINUTES)) > 0:
            starts_s = flat.looked_s + MINUTE_S * np.arange(minutes, dtype=np.float64)
            charging = self._sensors.minutes(starts_s, np.full(minutes, SAMPLES_PER_MINUTE)).charging
            if charging.any():
                self._wake(float(starts_s[int(np.argmax(charging))]) + MINUTE_S)
                return True
            flat.looked_s += MINUTE_S * minutes
        return False

    def _wake(self, at_s: float) -> None:
        self._flat = None
        self._start(at_s)

    def _lose_clock(self, at_s: float) -> None:
        """The clock falls back to zero and unset; the log goes on in a new timeline."""
        self._cut_minute(at_s)
        self._log.close()
        self._clock.restart(at_s)
        self._begin_timeline(at_s)

    def _begin_timeline(self, now_s: float) -> None:
        self._flash.begin_timeline()
        self._sampled_from = self._clock.seconds(now_s)
        self._next_minute = math.floor(self._sampled_from / MINUTE_S)

    def _cut_minute(self, now_s: float) -> None:
        """The clock is about to change in the middle of a minute: keep it if half of it was sampled."""
        if self._flat is not None:
            return
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
        taken = minutes[enough]
        lasted = self._battery.live_through(table.charging)
        rows: list[Row] = log_rows(table).tolist()[:lasted]
        if rows:
            self._log.add(int(taken[0]), rows)
            self._newest = (int(taken[lasted - 1]), rows[-1])
        if lasted < len(taken):
            self._go_flat(float(self._clock.true_s_of(taken[lasted : lasted + 1] * float(MINUTE_S))[0]))
