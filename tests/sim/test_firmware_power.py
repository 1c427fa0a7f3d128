"""Power and clock: a flat battery stops the stocking until it is charged, and what is scheduled happens on time."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_sim.firmware.battery import FULL, Battery
from calza_sim.firmware.flash import MemoryFlash
from calza_sim.manufacture import Manufacture, manufacture
from calza_sim.scenarios import Scenario
from calza_sim.stocking import SimulatedStocking
from calza_sim.wearer import DayPlan
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.minute_block import MinuteBlock, MinuteFlag, Side, open_sealed
from tests.sim.lives import DAY_S, HOUR_S, START_S

MADE: Manufacture = manufacture(11, "CALZA-0001", Side.LEFT)
NEVER = Scenario("never", "in a drawer for ever", (DayPlan((), off_reason="in a drawer"),))
FORGOTTEN_DAYS = 48
CHARGED_ONCE = Scenario(
    "charged once",
    "charged on the 49th day",
    (*NEVER.days * FORGOTTEN_DAYS, DayPlan((), charging=((6.0, 9.0),)), *NEVER.days),
)


@dataclass(frozen=True)
class Rig:
    stocking: SimulatedStocking
    flash: MemoryFlash

    def blocks(self) -> list[MinuteBlock]:
        return [
            open_sealed(
                self.flash.body(number) or b"", key=MADE.key, system_id=MADE.system_id, record_number=number
            ).block
            for number in range(self.flash.first_record, self.flash.next_record)
        ]

    def octets(self) -> list[bytes | None]:
        return [self.flash.body(number) for number in range(self.flash.first_record, self.flash.next_record)]


def rig(
    lived: Scenario = NEVER,
    *,
    outages: tuple[tuple[float, float], ...] = (),
    clock_resets: tuple[float, ...] = (),
    days: float = 70.0,
) -> Rig:
    flash = MemoryFlash(days=days)
    stocking = SimulatedStocking.create(
        MADE, lived, seed=5, start_s=START_S, flash=flash, outages=outages, clock_resets=clock_resets
    )
    return Rig(stocking, flash)


def minutes(blocks: list[MinuteBlock]) -> int:
    return sum(block.minutes for block in blocks)


OUT = (START_S + 9 * DAY_S + 1_234.5, START_S + 10 * DAY_S + 4_321.0)


def test_an_outage_looks_like_a_lost_clock_and_leaves_no_minutes() -> None:
    one = rig(outages=(OUT,))
    assert not one.stocking.powered(OUT[0] + 1)
    assert not one.stocking.powered(OUT[1] - 1)
    assert one.stocking.battery_percent(OUT[1] - 1) == 0
    held = one.flash.next_record
    assert one.stocking.log_status(OUT[1] - 1).open_minutes == 0
    assert one.stocking.powered(OUT[1])
    now = one.stocking.elapsed_time(OUT[1] + 600.0)
    assert now.needs_set
    assert now.stamp.source is TimeSource.NOT_SYNCHRONISED
    assert abs(now.stamp.value - 600) <= 1
    assert one.stocking.log_status(OUT[1] + 600.0).timeline_first_record == held
    one.stocking.close_block(OUT[1] + DAY_S + 5.0)  # the crystal may be a second and more behind
    before, after = one.blocks()[: held - 1], one.blocks()[held - 1 :]
    assert all(block.start.synchronised for block in before)
    assert not any(block.start.synchronised for block in after)
    assert after[0].start.value == 0
    assert minutes(after) == 1_440
    lost_open = minutes(before) - (OUT[0] - START_S) / 60
    assert -60 <= lost_open <= 0  # what was not sealed went with the power
    assert one.stocking.battery_percent(OUT[1] + DAY_S) > 90  # somebody charged it


def test_a_battery_that_is_going_flat_is_low_beforehand() -> None:
    one = rig(outages=(OUT,))
    told = [one.stocking.battery_percent(START_S + day * DAY_S) for day in (0, 4, 8, 9)]
    assert told == sorted(told, reverse=True)
    assert told[0] < 30
    assert told[-1] <= 3
    assert rig().stocking.battery_percent(START_S) == 100


def test_a_clock_reset_loses_the_clock_and_no_minute() -> None:
    at_s = START_S + 6 * DAY_S + 12 * HOUR_S + 40.0  # 40 s into a minute: kept, and the 20 s after it are not
    one = rig(clock_resets=(at_s,))
    one.stocking.close_block(at_s + 10 * HOUR_S + 5.0)  # the crystal may be a second and more behind
    blocks = one.blocks()
    first_new = next(number for number, block in enumerate(blocks) if not block.start.synchronised)
    assert all(block.start.synchronised for block in blocks[:first_new])
    assert blocks[first_new].start.value == 0
    assert minutes(blocks[:first_new]) == (at_s - 40.0 - START_S) / 60 + 1
    assert minutes(blocks[first_new:]) == 600
    assert one.stocking.log_status(at_s + 10 * HOUR_S).timeline_first_record == first_new + 1
    assert one.stocking.elapsed_time(at_s + 10 * HOUR_S).needs_set
    again = rig(clock_resets=(at_s,))
    assert again.stocking.elapsed_time(at_s + 1).needs_set  # asked for the clock before anything else
    by_hand = TimeStamp.at(at_s + 1, source=TimeSource.MANUAL).encode()
    assert rig().stocking.set_elapsed_time(by_hand, at_s + 1) == 0x80  # a person may not overrule a time server
    assert rig(clock_resets=(at_s,)).stocking.set_elapsed_time(by_hand, at_s + 1) == 0  # but may set a lost clock


STEPS = st.lists(st.floats(1.0, 6 * DAY_S), min_size=1, max_size=30)


@settings(max_examples=25)
@given(STEPS, st.lists(st.floats(0.0, 14 * DAY_S), min_size=0, max_size=3))
def test_how_time_is_cut_does_not_matter(steps: list[float], resets: list[float]) -> None:
    outages = ((START_S + 2 * DAY_S, START_S + 2.5 * DAY_S), (START_S + 5 * DAY_S + 7.7, START_S + 7 * DAY_S))
    clock_resets = tuple(START_S + each for each in resets)
    end_s = START_S + 14 * DAY_S
    at_once, in_steps = (rig(outages=outages, clock_resets=clock_resets) for _ in range(2))
    set_s = START_S + 8 * DAY_S
    for one, cuts in ((at_once, []), (in_steps, [START_S + sum(steps[:n]) for n in range(1, len(steps) + 1)])):
        for at_s in sorted([*(cut for cut in cuts if cut < end_s), set_s, end_s]):
            if at_s == set_s:
                stamp = TimeStamp.at(at_s, source=TimeSource.NTP)
                assert one.stocking.set_elapsed_time(stamp.encode(), at_s) == 0
            one.stocking.advance(at_s)
    assert in_steps.octets() == at_once.octets()
    assert in_steps.stocking.log_status(end_s) == at_once.stocking.log_status(end_s)
    assert in_steps.stocking.battery_percent(end_s) == at_once.stocking.battery_percent(end_s)


def test_an_empty_battery_stops_sampling_until_the_charger() -> None:
    one = rig(CHARGED_ONCE)
    one.stocking.advance(START_S + 47 * DAY_S)
    stopped = one.flash.next_record
    assert minutes(one.blocks()) == pytest.approx(45 * 1_440, abs=60)
    assert not one.stocking.powered(START_S + 47 * DAY_S)
    assert one.stocking.battery_percent(START_S + 47 * DAY_S) == 0
    charger_s = START_S + FORGOTTEN_DAYS * DAY_S + 6 * HOUR_S
    one.stocking.advance(charger_s - 1)
    assert one.flash.next_record == stopped
    one.stocking.close_block(charger_s + 4 * HOUR_S)
    after = one.blocks()[stopped - one.flash.first_record :]
    assert not after[0].start.synchronised
    assert after[0].start.value == 0
    assert minutes(after) == pytest.approx(4 * 60, abs=2)
    charging = np.concatenate([block.flags for block in after]) & int(MinuteFlag.CHARGING) != 0
    assert np.count_nonzero(charging) == pytest.approx(3 * 60, abs=2)
    assert charging[0]
    assert one.stocking.battery_percent(charger_s + 4 * HOUR_S) >= 99


@settings(max_examples=3)  # each lives seven weeks
@given(st.lists(st.floats(1.0, 9 * DAY_S), min_size=1, max_size=20))
def test_how_time_is_cut_does_not_move_the_end_of_a_charge(steps: list[float]) -> None:
    end_s = START_S + 51 * DAY_S
    at_once, in_steps = rig(CHARGED_ONCE), rig(CHARGED_ONCE)
    at_once.stocking.advance(end_s)
    for n in range(1, len(steps) + 1):
        in_steps.stocking.advance(min(START_S + 44 * DAY_S + sum(steps[:n]), end_s))
    in_steps.stocking.advance(end_s)
    assert in_steps.octets() == at_once.octets()
    assert in_steps.stocking.battery_percent(end_s) == at_once.stocking.battery_percent(end_s)


def test_nothing_can_be_done_to_a_flat_stocking() -> None:
    one = rig(outages=(OUT,))
    middle_s = OUT[0] + 3_600.0
    one.stocking.advance(middle_s)
    held = one.flash.next_record
    one.stocking.power_loss(middle_s, 60.0)
    one.stocking.set_elapsed_time(TimeStamp.at(middle_s, source=TimeSource.NTP).encode(), middle_s)
    one.stocking.close_block(OUT[1] - 1)
    assert one.flash.next_record == held
    assert one.stocking.elapsed_time(OUT[1] + 5).needs_set


def test_a_stocking_resumed_within_an_outage_waits_for_its_end() -> None:
    flash = MemoryFlash()
    flash.format(b"log id 1")
    now_s = OUT[0] + 7_200.0
    one = SimulatedStocking.resume(
        MADE, NEVER, seed=5, start_s=START_S, now_s=now_s, flash=flash, outages=(OUT,), clock_resets=(START_S + 5.0,)
    )
    assert not one.powered(now_s)
    assert one.powered(OUT[1])
    assert one.elapsed_time(OUT[1] + 60.0).stamp.value == pytest.approx(60, abs=1)


@pytest.mark.parametrize(
    ("outages", "says"),
    [(((5.0, 5.0),), "ends after it begins"), (((1.0, 9.0), (8.0, 12.0)), "before the one that lasts until 9.0")],
)
def test_outages_there_cannot_be_are_refused(outages: tuple[tuple[float, float], ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rig(outages=outages)


def test_the_battery_counts_to_the_minute() -> None:
    battery = Battery(units=FULL)
    asleep, plugged = np.zeros(100_000, dtype=np.bool_), np.ones(30, dtype=np.bool_)
    assert battery.live_through(asleep) == 45 * 1_440
    assert battery.percent == 0
    assert battery.live_through(asleep[:1]) == 0
    assert battery.live_through(np.concatenate([plugged, asleep])) == 30 + 45 * 1_440 // 4
    assert battery.percent == 0
