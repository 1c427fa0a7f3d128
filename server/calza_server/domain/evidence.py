"""What the minutes of a stocking show: pressure, warmth and life, judged against this leg and this sensor themselves.

Evidence only; what it amounts to is decided in `detector`. Every figure below is *our proposal*: no validated wear
detector for compression stockings has been published, and a fixed temperature threshold is known to be wrong by hours
a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.stretches import Mask, held_for, held_since, seen_near
from calza_wire.minute_block import MinuteFlag

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.grid import MinuteGrid

    Columns = npt.NDArray[np.float32]

# Pressure. A graduated stocking is weakest at the thigh (20 to 60 % of the ankle), so its bar is lower.
ENTER_MMHG: Final = (8.0, 8.0, 5.0)  # ankle, calf, thigh: more than cloth lying about, less than the weakest stocking
SLACK_MMHG: Final = 4.0  # below this a site presses on nothing (sensor offset sd is 1.5)
SLACK_SHARE: Final = 0.3  # ... or below this share of what it presses on this leg, where an offset has grown
SLACK_SITES: Final = 2  # so many sites must be slack, and the third may not press as a worn one does
WORN_SITE_MMHG: Final = 8.0
IMPOSSIBLE_MMHG: Final = 150.0  # no stocking, not even doubled and rolled, presses so hard: the sensor is wrong
OFF_AT_LEAST_MIN: Final = 10  # a stocking pulled straight for a moment is slack for less

# Life: pressure ripple within the minute, which a still object does not have.
LIFE_MMHG: Final = 0.20  # above the usual sensor noise (0.10 to 0.15), below a quiet sleeper (0.3 to 0.6)
LIFE_OVER_NOISE: Final = 1.5  # ... and above this sensor's own noise, seen while it was surely off
STRONG_LIFE_MMHG: Final = 1.0  # walking, or handling
DEAD_FLAT_MMHG: Final = 0.04  # less than any working sensor's noise: the channel is dead
LIFE_WINDOW_MIN: Final = 15
LIFE_TIMES: Final = 3  # one lively minute may be a door slammed

# Warmth, against this leg's own baseline and this stocking's own surroundings.
LEAST_SAMPLE_MIN: Final = 30  # fewer minutes make no median worth having
COOLING_MIN: Final = 20  # a garment taken off is still warm for so long
BASELINE_BELOW_C: Final = 4.0
BASELINE_ABOVE_C: Final = 5.0
OVER_SURROUNDINGS_C: Final = 4.0
SURE_LEG_C: Final = (28.0, 37.0)  # bare 31.2 +/- 1.2, at the warmest 34.8 +/- 1.0: believable without contrast
COLDEST_LEG_C: Final = 22.0  # thin clothing in winter: 22 to 27; believable only if nothing contradicts it
HOTTEST_LEG_C: Final = 41.0  # warmer is a radiator or a parked car
FAR_BELOW_BASELINE_C: Final = 6.0
LIKE_SURROUNDINGS_C: Final = 1.5
NO_LEG_WITHOUT_BASELINE_C: Final = 24.0  # used only beside "no life"; a cold leg that moves is judged by its life

# as octets, because numpy would widen a whole column for an IntFlag
ANKLE_FAULT: Final = np.uint8(MinuteFlag.ANKLE_FAULT)
CALF_FAULT: Final = np.uint8(MinuteFlag.CALF_FAULT)
THIGH_FAULT: Final = np.uint8(MinuteFlag.THIGH_FAULT)
SKIN_FAULT: Final = np.uint8(MinuteFlag.SKIN_FAULT)
CHARGING: Final = np.uint8(MinuteFlag.CHARGING)
SITES: Final = (ANKLE_FAULT, CALF_FAULT, THIGH_FAULT)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One truth value or count per minute. `firm`: sites pressing like a worn stocking; `holding`: sites not slack."""

    present: Mask
    usable_sites: npt.NDArray[np.int8]
    firm: npt.NDArray[np.int8]
    holding: npt.NDArray[np.int8]
    slack: Mask  # two sites slack and none pressing as a worn one does
    charging: Mask
    lively: Mask  # ripple above the noise in this minute
    strong: Mask
    dead_flat: Mask
    warm: Mask  # warmth this leg would give
    cold: Mask  # clearly not the warmth of a leg
    skin_usable: Mask
    faulty_sites: npt.NDArray[np.uint8]  # MinuteFlag bits of the sites that cannot be trusted


def gather(grid: MinuteGrid) -> Evidence:
    """Read the evidence off a grid; never raises, whatever the figures are."""
    present = grid.present
    usable, faulty = _usable_sites(grid)
    pressures = np.stack([grid.ankle, grid.calf, grid.thigh])
    charging = present & ((grid.flags & CHARGING) != 0)
    skin_usable = present & ((grid.flags & SKIN_FAULT) == 0) & np.isfinite(grid.skin)
    with np.errstate(invalid="ignore"):  # NaN compares as False, which is what a missing reading is worth
        firm = _sites_at_least(pressures, usable, np.array(ENTER_MMHG, np.float32))
        sites = usable.sum(axis=0, dtype=np.int8)
        _, slack = _slack(pressures, usable, np.full(len(SITES), SLACK_MMHG, np.float32))
        noise = _median(grid.ripple, held_for(slack & ~charging, LEAST_SAMPLE_MIN) & (grid.ripple <= STRONG_LIFE_MMHG))
        lively = present & (grid.ripple >= max(LIFE_MMHG, LIFE_OVER_NOISE * (noise or 0.0)))
        on_a_leg = skin_usable & (firm >= 2) & seen_near(lively, minutes=LIFE_WINDOW_MIN, times=LIFE_TIMES)
        holding, slack = _slack(pressures, usable, _slack_bars(pressures, usable & on_a_leg))
        surely_off = held_for(slack & ~charging, LEAST_SAMPLE_MIN)
        surroundings = _median(grid.skin, skin_usable & held_since(surely_off, COOLING_MIN))
        baseline = _believable(_median(grid.skin, on_a_leg), surroundings)
        return Evidence(
            present=present,
            usable_sites=sites,
            firm=firm,
            holding=holding,
            slack=slack,
            charging=charging,
            lively=lively,
            strong=present & (grid.ripple >= STRONG_LIFE_MMHG),
            dead_flat=present & (grid.ripple < DEAD_FLAT_MMHG),
            warm=skin_usable & _warm(grid.skin, baseline, surroundings),
            cold=skin_usable & _cold(grid.skin, baseline, surroundings),
            skin_usable=skin_usable,
            faulty_sites=faulty,
        )


def _usable_sites(grid: MinuteGrid) -> tuple[Mask, npt.NDArray[np.uint8]]:
    faulty = np.zeros(len(grid), np.uint8)
    usable = np.empty((len(SITES), len(grid)), np.bool_)
    for row, (site, flag) in enumerate(zip((grid.ankle, grid.calf, grid.thigh), SITES, strict=True)):
        trusted = ((grid.flags & flag) == 0) & (site <= IMPOSSIBLE_MMHG)  # NaN is not <= anything
        usable[row] = grid.present & trusted
        faulty[grid.present & ~trusted] |= flag
    return usable, faulty


def _sites_at_least(pressures: Columns, usable: Mask, bars: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    count: npt.NDArray[np.int8] = (usable & (pressures >= bars[:, None])).sum(axis=0, dtype=np.int8)
    return count


def _slack(pressures: Columns, usable: Mask, bars: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], Mask]:
    """How many sites hold above their bars; and where so few do that the stocking hangs loose."""
    holding = _sites_at_least(pressures, usable, bars)
    loose = usable.sum(axis=0, dtype=np.int8) - holding >= SLACK_SITES
    none_worn = _sites_at_least(pressures, usable, np.full(len(SITES), WORN_SITE_MMHG, np.float32)) == 0
    return holding, loose & none_worn


def _slack_bars(pressures: Columns, on_a_leg: Mask) -> npt.NDArray[np.float32]:
    """The pressure below which each site is slack: a share of what it presses on this leg, within fixed limits."""
    levels = [_median(site, among) or 0.0 for site, among in zip(pressures, on_a_leg, strict=True)]
    bars: npt.NDArray[np.float32] = np.clip(SLACK_SHARE * np.array(levels, np.float32), SLACK_MMHG, ENTER_MMHG)
    return bars


def _median(values: npt.NDArray[np.float32], among: Mask) -> float | None:
    chosen = values[among]
    chosen = chosen[np.isfinite(chosen)]
    return float(np.median(chosen)) if len(chosen) >= LEAST_SAMPLE_MIN else None


def _believable(baseline: float | None, surroundings: float | None) -> float | None:
    """A baseline taken in a shaking car boot must not pass for a leg's."""
    if baseline is None or not COLDEST_LEG_C <= baseline <= HOTTEST_LEG_C:
        return None
    if SURE_LEG_C[0] <= baseline <= SURE_LEG_C[1]:
        return baseline
    contrast = surroundings is None or baseline >= surroundings + LIKE_SURROUNDINGS_C * 2
    return baseline if contrast else None


def _warm(skin: npt.NDArray[np.float32], baseline: float | None, surroundings: float | None) -> Mask:
    warm = np.zeros(len(skin), np.bool_)
    if baseline is not None:
        warm |= (skin >= baseline - BASELINE_BELOW_C) & (skin <= baseline + BASELINE_ABOVE_C)
    if surroundings is not None:
        warm |= skin >= surroundings + OVER_SURROUNDINGS_C
    return warm & (skin <= HOTTEST_LEG_C)


def _cold(skin: npt.NDArray[np.float32], baseline: float | None, surroundings: float | None) -> Mask:
    """Clearly not a leg's: far below the leg's own, or like the surroundings where those differ; or far too hot."""
    if baseline is None:
        cold = skin < NO_LEG_WITHOUT_BASELINE_C
    else:
        cold = skin < baseline - FAR_BELOW_BASELINE_C
        if surroundings is not None and baseline >= surroundings + OVER_SURROUNDINGS_C:
            cold |= skin < surroundings + LIKE_SURROUNDINGS_C
    result: Mask = cold | (skin > HOTTEST_LEG_C + 1.0)
    return result
