"""The whole firmware on a simulated leg: what it logs, what survives, what splitting of time cannot change."""

import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calza_sim.firmware.flash import MemoryFlash
from calza_sim.firmware.flash_file import FileFlash
from calza_sim.manufacture import Manufacture, manufacture
from calza_sim.ports import RecordTransfer, StockingFirmware
from calza_sim.scenarios import SCENARIOS
from calza_sim.stocking import SimulatedStocking, World
from calza_wire.elapsed_time import ETS_EPOCH_UNIX_S, TimeSource, TimeStamp
from calza_wire.live_minute import LiveMinute
from calza_wire.minute_block import MinuteBlock, MinuteFlag, Side, open_sealed
from calza_wire.stocking_service import ControlResult

START_S = 1_768_003_210.0  # 2026-01-10 00:00:10 UTC, on purpose not a whole minute
HOUR_S, DAY_S = 3_600.0, 86_400.0
MADE: Manufacture = manufacture(11, "CALZA-0001", Side.LEFT)


@dataclass(frozen=True)
class Rig:
    stocking: SimulatedStocking
    flash: MemoryFlash

    def blocks(self) -> dict[int, MinuteBlock]:
        """Every record held, opened with the key it must have been sealed with."""
        return {
            number: open_sealed(
                self.flash.body(number) or b"", key=MADE.key, system_id=MADE.system_id, record_number=number
            ).block
            for number in range(self.flash.first_record, self.flash.next_record)
        }

    def octets(self) -> list[bytes | None]:
        return [self.flash.body(number) for number in range(self.flash.first_record, self.flash.next_record)]


def rig(
    name: str = "perfect", *, seed: int = 5, days: float = 32, live_s: float | None = None, clock_set: bool = True
) -> Rig:
    flash = MemoryFlash(days=days)
    stocking = SimulatedStocking.create(
        MADE, SCENARIOS[name], seed=seed, start_s=START_S, flash=flash, live_s=live_s, clock_set=clock_set
    )
    return Rig(stocking, flash)


def ntp(at_s: float) -> bytes:
    return TimeStamp.at(at_s, source=TimeSource.NTP).encode()


def device_minutes(blocks: list[MinuteBlock]) -> list[int]:
    return [block.start.value // 60 + minute for block in blocks for minute in range(block.minutes)]


def test_it_is_the_port_the_radio_codes_against() -> None:
    stocking: StockingFirmware = rig().stocking
    assert (stocking.identity.serial, stocking.identity.system_id) == ("CALZA-0001", MADE.system_id)
    assert stocking.label is MADE.label
    assert stocking.calibration is MADE.calibration
    assert stocking.sampling.sample_hz == 10
    assert stocking.sampling.flash_days >= 30
    assert stocking.passkey == MADE.passkey
    assert stocking.firmware_revision.count(".") == 2


def test_blocks_end_with_the_hour_and_follow_each_other() -> None:
    stocking = rig()
    stocking.stocking.advance(START_S + 2 * DAY_S)
    blocks = list(stocking.blocks().values())
    assert list(stocking.blocks()) == list(range(1, len(blocks) + 1))
    minutes = device_minutes(blocks)
    assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))
    assert all((block.start.value // 60 + block.minutes) % 60 == 0 for block in blocks)
    assert all(block.minutes == 60 for block in blocks[1:])
    assert all(block.start.value % 60 == 0 and block.side is Side.LEFT for block in blocks)
    status = stocking.stocking.log_status(START_S + 2 * DAY_S)
    assert (status.first_record, status.next_record, status.open_minutes) == (1, len(blocks) + 1, 0)


STEPS = st.lists(st.floats(0.01, 9_000.0), min_size=1, max_size=40)


@settings(max_examples=15)
@given(STEPS, st.integers(0, 3), st.booleans())
@example([59.999, 0.001, 60.0, 3_599.0, 1.0], 0, False)
def test_how_time_is_cut_changes_no_octet(steps: list[float], seed: int, live: bool) -> None:
    live_s = START_S + 3_000.0 if live else None
    at_once, in_steps = (rig("falls-short", seed=seed, live_s=live_s) for _ in range(2))
    end_s = START_S + 1.5 * HOUR_S + min(sum(steps), 5 * HOUR_S if live else 3 * DAY_S)
    events = (  # the same things happen at the same times to both
        (START_S + 1_000.0, "close"),
        (START_S + 2_345.6, "set"),
        (START_S + 4_000.0, "power"),
        (START_S + 4_700.0, "set"),
        (end_s, "end"),
    )
    for one, cuts in ((at_once, [end_s]), (in_steps, [START_S + sum(steps[:n]) for n in range(1, len(steps) + 1)])):
        schedule = sorted([*events, *((cut, "step") for cut in cuts if cut < end_s)])
        for at_s, what in schedule:
            if what == "close":
                one.stocking.close_block(at_s)
            elif what == "set":
                assert one.stocking.set_elapsed_time(ntp(at_s + 5.0), at_s) == 0
            elif what == "power":
                one.stocking.power_loss(at_s, 300.0)
            else:
                one.stocking.advance(at_s)
    assert in_steps.octets() == at_once.octets()
    assert in_steps.stocking.log_status(end_s) == at_once.stocking.log_status(end_s)
    assert in_steps.stocking.live_minute(end_s) == at_once.stocking.live_minute(end_s)
    assert in_steps.stocking.battery_percent(end_s) == at_once.stocking.battery_percent(end_s)


def test_thirty_days_and_more_are_held_then_the_oldest_goes() -> None:
    stocking = rig("never-worn")
    stocking.stocking.advance(START_S + 31 * DAY_S)
    assert stocking.flash.first_record == 1
    stocking.stocking.advance(START_S + 44 * DAY_S)
    status = stocking.stocking.log_status(START_S + 44 * DAY_S)
    assert status.first_record > 200
    assert stocking.stocking.record(status.first_record - 1) is None
    minutes = device_minutes(list(stocking.blocks().values()))
    assert len(minutes) >= 30 * 1_440
    assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))
    assert status.next_record - status.first_record == len(stocking.blocks())


def test_short_blocks_do_not_shorten_the_memory() -> None:
    stocking = rig("never-worn", days=1)
    for hour in range(36):
        for minute in range(0, 60, 5):
            stocking.stocking.close_block(START_S + hour * HOUR_S + minute * 60.0)
    assert sum(block.minutes for block in stocking.blocks().values()) >= 1_440


def test_closing_a_block_makes_its_minutes_fetchable_and_loses_none() -> None:
    stocking = rig()
    at_s = START_S + HOUR_S + 1_234.0
    stocking.stocking.advance(at_s)
    open_minutes = stocking.stocking.log_status(at_s).open_minutes
    assert open_minutes == 20
    before = stocking.flash.next_record
    assert stocking.stocking.close_block(at_s) is ControlResult.SUCCESS
    assert stocking.stocking.log_status(at_s).open_minutes == 0
    assert stocking.blocks()[before].minutes == open_minutes
    assert stocking.stocking.close_block(at_s + 1) is ControlResult.SUCCESS  # nothing open: no empty record
    assert stocking.flash.next_record == before + 1
    stocking.stocking.advance(START_S + 3 * HOUR_S)
    assert stocking.blocks()[before + 1].minutes == 60 - open_minutes
    minutes = device_minutes(list(stocking.blocks().values()))
    assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))


def test_power_loss_takes_ram_and_clock_and_nothing_else() -> None:
    stocking = rig()
    lost_s = START_S + 5 * HOUR_S + 1_800.0
    stocking.stocking.advance(lost_s)
    before, log_id = stocking.octets(), stocking.stocking.log_status(lost_s).log_id
    assert stocking.stocking.log_status(lost_s).open_minutes == 30
    stocking.stocking.power_loss(lost_s, 7_200.0)
    stocking.stocking.advance(lost_s + 3_600.0)  # still off
    assert stocking.octets() == before
    on_s = lost_s + 7_200.0
    now = stocking.stocking.elapsed_time(on_s + 10 * HOUR_S)
    assert now.needs_set
    assert now.stamp.source is TimeSource.NOT_SYNCHRONISED
    assert abs(now.stamp.value - 10 * HOUR_S) <= 2
    status = stocking.stocking.log_status(on_s + 10 * HOUR_S + 30)
    assert (status.log_id, status.timeline_first_record) == (log_id, len(before) + 1)
    assert stocking.octets()[: len(before)] == before
    after = [block for number, block in stocking.blocks().items() if number > len(before)]
    assert device_minutes(after) == list(range(600))
    assert not any(block.start.synchronised for block in after)


def test_setting_the_clock_begins_a_timeline_and_a_block() -> None:
    stocking = rig(clock_set=False)
    at_s = START_S + HOUR_S + 600.0
    assert stocking.stocking.elapsed_time(at_s).needs_set
    assert stocking.stocking.set_elapsed_time(ntp(at_s), at_s) == 0
    now = stocking.stocking.elapsed_time(at_s)
    assert (now.stamp.unix_s, now.needs_set) == (int(at_s), False)
    status = stocking.stocking.log_status(at_s)
    assert (status.next_record, status.timeline_first_record, status.open_minutes) == (3, 3, 0)
    stocking.stocking.advance(at_s + 2 * HOUR_S)
    blocks = stocking.blocks()
    assert [blocks[1].start.value, blocks[2].start.value] == [0, 3_600]
    assert [block.start.synchronised for block in blocks.values()] == [False, False, True, True]
    assert blocks[3].start.unix_s == int(at_s) - 10  # set 10 s into a minute: the 50 s left of it are enough


@pytest.mark.parametrize(
    ("second", "kept_before", "kept_after"), [(29, False, True), (30, True, True), (31, True, False)]
)
def test_a_cut_minute_is_kept_if_half_of_it_was_sampled(second: int, kept_before: bool, kept_after: bool) -> None:
    stocking = rig()
    minute_s = START_S - START_S % 60 + 60 * 25
    at_s = minute_s + second + 0.05  # the crystal's drift is far less than these 50 ms
    assert stocking.stocking.set_elapsed_time(ntp(at_s), at_s) == 0
    stocking.stocking.close_block(at_s + 120.0)
    before, after = stocking.blocks().values()
    minute = int(minute_s - ETS_EPOCH_UNIX_S) // 60
    assert (device_minutes([before])[-1] == minute) is kept_before
    assert (device_minutes([after])[0] == minute) is kept_after


def test_a_refused_write_changes_nothing() -> None:
    stocking = rig()
    at_s = START_S + 1_000.0
    status, now = stocking.stocking.log_status(at_s), stocking.stocking.elapsed_time(at_s)
    poor = TimeStamp.at(at_s + 50, source=TimeSource.MANUAL).encode()
    assert stocking.stocking.set_elapsed_time(poor, at_s) == 0x80
    assert stocking.stocking.set_elapsed_time(poor[:-1], at_s) == 0x0D
    assert stocking.stocking.log_status(at_s) == status
    assert stocking.stocking.elapsed_time(at_s) == now


def test_the_crystal_drifts_within_its_tolerance() -> None:
    errors = []
    for number in range(20):
        made = manufacture(11, f"CALZA-{number:04}", Side.LEFT)
        one = SimulatedStocking.create(made, SCENARIOS["never-worn"], seed=1, start_s=START_S, flash=MemoryFlash())
        late_s = START_S + 14 * DAY_S
        errors.append(one.elapsed_time(late_s).stamp.unix_s - late_s)
    assert 10 < max(map(abs, errors)) <= 14 * DAY_S * 20e-6 + 1
    assert min(errors) < 0 < max(errors)


def test_factory_reset_draws_a_new_log_and_starts_at_one() -> None:
    stocking = rig()
    at_s = START_S + 5.5 * HOUR_S
    old = stocking.stocking.log_status(at_s)
    stocking.stocking.factory_reset(at_s)
    new = stocking.stocking.log_status(at_s)
    assert new.log_id != old.log_id
    assert (new.first_record, new.next_record, new.timeline_first_record, new.open_minutes) == (1, 1, 1, 0)
    assert not stocking.stocking.elapsed_time(at_s).needs_set
    stocking.stocking.advance(at_s + 2 * HOUR_S)
    assert list(stocking.blocks()) == [1, 2]
    stocking.stocking.factory_reset(at_s + 2 * HOUR_S)
    assert stocking.stocking.log_status(at_s + 2 * HOUR_S).log_id not in {old.log_id, new.log_id}


def test_a_transfer_of_everything_gives_every_record() -> None:
    stocking = rig()
    at_s = START_S + 10 * HOUR_S
    transfer = stocking.stocking.racp(bytes.fromhex("0701"), at_s)
    assert isinstance(transfer, RecordTransfer)
    assert [stocking.stocking.record(number) for number in transfer.numbers] == stocking.octets()
    assert transfer.response(len(transfer.numbers)) == bytes.fromhex("0800 0a000000")
    assert stocking.stocking.racp(bytes.fromhex("0401"), at_s) == bytes.fromhex("0500 0a000000")
    assert stocking.stocking.racp_abort() == bytes.fromhex("06000301")


def test_a_live_minute_comes_once_and_is_the_newest() -> None:
    stocking = rig()
    at_s = START_S + 2 * HOUR_S
    first = stocking.stocking.live_minute(at_s)
    assert first is not None
    assert stocking.stocking.live_minute(at_s + 1) is None
    second = stocking.stocking.live_minute(at_s + 61)
    assert second is not None
    stocking.stocking.close_block(at_s + 61)
    block = list(stocking.blocks().values())[-1]
    shown = LiveMinute.decode(second)
    assert shown.stamp.unix_s == block.start.unix_s + 60 * (block.minutes - 1)
    assert (shown.ankle_mmhg, shown.flags) == (Decimal(block.ankle[-1]) / 10, block.flags[-1])
    assert shown.skin_c == Decimal(block.skin[-1]) / 100 - 40
    stocking.stocking.power_loss(at_s + 130, 10.0)
    assert stocking.stocking.live_minute(at_s + 140) is None


def test_time_in_the_past_changes_nothing() -> None:
    stocking = rig()
    stocking.stocking.advance(START_S + 5 * HOUR_S)
    before = stocking.octets()
    stocking.stocking.advance(START_S + 2 * HOUR_S)
    assert stocking.octets() == before


def test_battery_lasts_weeks_and_is_charged() -> None:
    worn = rig("perfect").stocking
    assert worn.battery_percent(START_S) == 100
    assert 75 <= worn.battery_percent(START_S + 8 * DAY_S) <= 85
    assert worn.battery_percent(START_S + 9 * DAY_S) >= 95  # charged that night
    forgotten = rig("never-worn").stocking
    assert forgotten.battery_percent(START_S + 60 * DAY_S) == 0
    sent = rig("never-worn").stocking
    sent.advance(START_S + 14 * DAY_S)
    for _ in range(100):
        for number in range(1, 300):
            sent.record(number)
    assert sent.battery_percent(START_S + 14 * DAY_S) < rig("never-worn").stocking.battery_percent(START_S + 14 * DAY_S)


def test_the_flags_are_the_firmwares_own_guess() -> None:
    stocking = rig("perfect")
    end_s = START_S + 10 * DAY_S
    stocking.stocking.close_block(end_s)
    known = stocking.stocking.truth(end_s)
    blocks = list(stocking.blocks().values())
    flags = np.concatenate([block.flags for block in blocks])
    times_s = 60 * np.array(device_minutes(blocks)) + ETS_EPOCH_UNIX_S
    rows = (times_s - known.minute_s[0]) // 60
    inside = (rows >= 0) & (rows < len(known.worn))
    guessed = (flags[inside] & MinuteFlag.WORN_GUESS) != 0
    assert np.mean(guessed == known.worn[rows[inside]]) > 0.99
    walking = np.array(known.posture)[rows[inside]] == "walking"
    moving = (flags[inside] & MinuteFlag.MOVING) != 0
    assert moving[walking & guessed].mean() > 0.8
    assert np.count_nonzero(flags & MinuteFlag.CHARGING) == pytest.approx(210, abs=2)
    assert not np.any(flags & (MinuteFlag.ANKLE_FAULT | MinuteFlag.SKIN_FAULT))


def test_a_killed_simulator_goes_on_with_its_log(tmp_path: Path) -> None:
    path = tmp_path / "flash.db"
    flash = FileFlash(path)
    one = SimulatedStocking.create(MADE, SCENARIOS["perfect"], seed=5, start_s=START_S, flash=flash)
    one.advance(START_S + 2.5 * HOUR_S)
    before = one.log_status(START_S + 2.5 * HOUR_S)
    flash.close()  # a kill would do the same: see the flash's own tests

    flash = FileFlash(path)
    with pytest.raises(ValueError, match="resume"):
        SimulatedStocking.create(MADE, SCENARIOS["perfect"], seed=5, start_s=START_S, flash=flash)
    now_s = START_S + 4 * HOUR_S
    again = SimulatedStocking.resume(MADE, SCENARIOS["perfect"], seed=5, start_s=START_S, now_s=now_s, flash=flash)
    status = again.log_status(now_s)
    assert (status.log_id, status.first_record, status.next_record) == (before.log_id, 1, before.next_record)
    assert (status.timeline_first_record, status.open_minutes) == (before.next_record, 0)
    assert again.elapsed_time(now_s).needs_set
    again.close_block(now_s + 600)
    body = flash.body(before.next_record) or b""
    sealed = open_sealed(body, key=MADE.key, system_id=MADE.system_id, record_number=before.next_record)
    assert sealed.block.start.value == 0
    flash.close()


def test_a_world_grows_without_changing() -> None:
    world = World(SCENARIOS["perfect"], seed=5, name="CALZA-0001", start_s=START_S)
    at_s, samples = START_S + 60.0 * np.arange(5 * 1_440.0), np.full(5 * 1_440, 600, dtype=np.int64)
    wears, before = world.life(START_S).wears, world.minutes(at_s, samples)
    assert world.life(START_S + 200 * DAY_S).end_s >= START_S + 201 * DAY_S
    after = world.minutes(at_s, samples)
    assert world.life(START_S).wears[: len(wears)] == wears
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.skin, after.skin)


def test_both_legs_share_a_life_but_no_sensor() -> None:
    left, right = (
        SimulatedStocking.create(
            manufacture(11, serial, side), SCENARIOS["perfect"], seed=5, start_s=START_S, flash=MemoryFlash()
        )
        for serial, side in (("CALZA-L", Side.LEFT), ("CALZA-R", Side.RIGHT))
    )
    end_s = START_S + DAY_S
    assert np.array_equal(left.truth(end_s).worn, right.truth(end_s).worn)
    assert left.live_minute(end_s) != right.live_minute(end_s)


def test_a_month_in_a_moment() -> None:
    flash = MemoryFlash()
    stocking = SimulatedStocking.create(MADE, SCENARIOS["perfect"], seed=5, start_s=START_S, flash=flash)
    began = time.perf_counter()
    stocking.advance(START_S + 30 * DAY_S + 60.0)
    took_s = time.perf_counter() - began
    print(f"a month: {flash.next_record - 1} records in {took_s:.3f} s")  # noqa: T201 - the measurement is the point; pytest -s shows it
    assert flash.next_record - 1 == 720
    assert took_s < 20.0  # a figure to look at, not a race on a busy machine
