"""The circumstances of a run: each changes what it names, by as much as it says, and nothing else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.firmware.codes import log_rows
from calza_sim.firmware.minutes import MinuteTable
from calza_sim.scenarios import Scenario
from calza_sim.stocking import World
from calza_sim.wearer import DayPlan
from calza_wire.minute_block import MinuteFlag
from tests.sim.lives import START_S

DAYS = 15
FAULTS = MinuteFlag.ANKLE_FAULT | MinuteFlag.CALF_FAULT | MinuteFlag.THIGH_FAULT
MINUTE_DAYS = np.arange(DAYS * 1_440) / 1_440


def lived(conditions: Conditions = ORDINARY, *, seed: int = 2, days: tuple[DayPlan, ...] | None = None) -> MinuteTable:
    """Fifteen days and nights on the leg, unless other days are given."""
    plan = days or (DayPlan(((0.0, 24.0),)),)
    world = World(Scenario("x", "x", plan, conditions=conditions), seed=seed, name="S-1", start_s=START_S)
    count = DAYS * 1_440
    return world.minutes(START_S + 60.0 * np.arange(float(count)), np.full(count, 600, dtype=np.int64))


WORN = lived()
LATE = MINUTE_DAYS > 1.0  # warm, settled


def test_a_loose_garment_keeps_its_ratio() -> None:
    rates = []
    for seed in range(12):
        tight, loose = lived(seed=seed), lived(Conditions(garment_factor=0.7), seed=seed)
        rates.append((loose.mean[LATE].mean(axis=0), tight.mean[LATE].mean(axis=0)))
    lost = np.array([tight - loose for loose, tight in rates])
    kept = np.array([tight for _, tight in rates])
    assert np.median(lost / kept, axis=0) == pytest.approx(0.3, abs=0.06)  # offsets of the sensors stay


@pytest.mark.parametrize("asked_c", [24.0, 22.0, 27.0])
def test_winter_legs_are_as_cold_as_asked(asked_c: float) -> None:
    skin = lived(Conditions(skin_mean_c=asked_c, ambient_mean_c=19.0)).skin[LATE]
    assert skin.mean() == pytest.approx(asked_c, abs=1.2)
    assert np.array_equal(lived(Conditions(skin_mean_c=asked_c)).mean, WORN.mean)


def test_a_home_is_as_warm_as_asked() -> None:
    never = (DayPlan((), off_reason="in a drawer"),)
    for asked_c in (14.0, 29.0):
        skin = lived(Conditions(ambient_mean_c=asked_c), days=never).skin[LATE]
        assert skin.mean() == pytest.approx(asked_c, abs=0.9)  # the sensor's own offset


def test_a_calf_over_ankle_leg_is_so_lying_down() -> None:
    at_night = (MINUTE_DAYS % 1.0 > 0.05) & (MINUTE_DAYS % 1.0 < 0.2) & LATE
    over = []
    for seed in range(12):
        mean = lived(Conditions(calf_over_ankle=True), seed=seed).mean[at_night].mean(axis=0)
        over.append(mean[1] / mean[0])
    assert 1.0 < np.median(over) < 1.45


def dead(table: MinuteTable, site: int, from_day: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return table.mean[round(from_day * 1_440) :, site], log_rows(table)[:, 5]


@pytest.mark.parametrize("site", range(3))
def test_a_dead_site_reads_near_zero_and_nobody_notices(site: int) -> None:
    table = lived(Conditions(dead_sites=((site, 3.0),)))
    readings, flags = dead(table, site, 3.0)
    assert 0.0 <= readings.mean() <= 0.4
    assert readings.std() < 0.02
    assert not (flags & int(FAULTS)).any()
    before = MINUTE_DAYS < 3.0
    assert np.array_equal(table.mean[before], WORN.mean[before])
    others = [each for each in range(3) if each != site]
    assert np.array_equal(table.mean[:, others], WORN.mean[:, others])


@pytest.mark.parametrize("site", range(3))
def test_a_flagged_site_says_so_from_its_day_on(site: int) -> None:
    table = lived(Conditions(flagged_sites=((site, 3.5),)))
    readings, flags = dead(table, site, 3.5)
    assert 0.0 <= readings.min() == readings.max() <= 0.4
    fault = (flags & (int(MinuteFlag.ANKLE_FAULT) << site)) != 0
    assert np.array_equal(fault, MINUTE_DAYS >= 3.5)
    others = int(FAULTS) & ~(int(MinuteFlag.ANKLE_FAULT) << site)
    assert not (flags & others).any()


def test_drift_is_as_steady_as_asked() -> None:
    offset = lived(Conditions(drift_mmhg_per_week=4.0), days=(DayPlan(()),)).mean
    assert offset[-1] - offset[0] == pytest.approx(4.0 * DAYS / 7, abs=1.0)
    middle = offset[len(offset) // 2] - offset[0]
    assert middle == pytest.approx(4.0 * DAYS / 14, abs=1.0)


def test_noise_is_as_loud_as_asked() -> None:
    loud = lived(Conditions(sample_noise_mmhg=1.0), days=(DayPlan(()),))
    assert loud.deviation.mean() == pytest.approx(1.0, abs=0.01)
    assert lived(days=(DayPlan(()),)).deviation.mean() == pytest.approx(0.12, abs=0.002)


def test_liveliness_scales_the_signs_of_life() -> None:
    asleep = (MINUTE_DAYS % 1.0 > 0.05) & (MINUTE_DAYS % 1.0 < 0.2) & LATE
    quiet, lively = (np.median(lived(Conditions(liveliness=of)).deviation[asleep]) for of in (0.5, 1.5))
    noise = 0.12
    assert np.sqrt(lively**2 - noise**2) / np.sqrt(quiet**2 - noise**2) == pytest.approx(3.0, rel=0.05)
    gone = lived(Conditions(liveliness=0.0)).deviation[asleep]
    assert np.median(gone) == pytest.approx(noise, abs=0.01)


@pytest.mark.parametrize(
    "bad",
    [
        {"garment_factor": 0.0},
        {"garment_factor": float("nan")},
        {"sample_noise_mmhg": -0.1},
        {"liveliness": -1.0},
        {"dead_sites": ((3, 0.0),)},
        {"flagged_sites": ((0, -1.0),)},
    ],
)
def test_conditions_there_cannot_be_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"not|0 or more"):
        Conditions(**bad)  # type: ignore[arg-type]  # the wrong values are the point
