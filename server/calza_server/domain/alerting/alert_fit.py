"""Alerts about how the stocking sits, against this leg's own first day: tourniquet, rolled down, band rolled.

A healthy leg may press harder at the calf than at the ankle, and a bent knee lifts calf and thigh for hours; neither is
an alert. Names no condition of the patient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.alerting.alert_values import Alert, AlertKind, Figure
from calza_server.domain.alerting.alert_worn import NAMES, Worn
from calza_server.domain.alerting.leg_baseline import ANKLE, CALF, PAIRS, THIGH
from calza_server.domain.stretches import stretches

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.alerting.alert_rules import AlertRules
    from calza_server.domain.alerting.leg_baseline import LegBaseline
    from calza_server.domain.stretches import Mask


def fit_alerts(seen: Worn, baseline: LegBaseline, rules: AlertRules) -> list[Alert]:
    """The alerts of one stocking, from where its baseline is learned on."""
    after = np.arange(len(seen.worn)) >= baseline.ready
    usable = seen.usable & after
    if not usable.any():
        return []
    over = seen.sites - baseline.level[:, None].astype(np.float32)
    return [
        *_tourniquet(seen, usable & ~seen.dead, over, baseline, rules),
        *_rolled_down(seen, usable, over, baseline, rules),
        *_rolled_band(seen, usable & ~seen.dead, over, baseline, rules),
    ]


def _tourniquet(
    seen: Worn, usable: npt.NDArray[np.bool_], over: npt.NDArray[np.float32], baseline: LegBaseline, rules: AlertRules
) -> list[Alert]:
    where = np.zeros(len(seen.worn), np.bool_)
    sites: set[int] = set()
    excess = np.full(len(where), np.nan, np.float32)
    for pair, (above, below) in enumerate(PAIRS):
        known = usable[above] & usable[below]
        difference = np.where(known, seen.sites[above] - seen.sites[below], np.float32(np.nan))
        with np.errstate(invalid="ignore"):  # what is not known is not compared
            if not (difference > rules.tourniquet_mmhg).any():
                continue
            ordinary = baseline.ordinary(pair, difference)
            higher = difference > np.maximum(rules.tourniquet_mmhg, ordinary + rules.tourniquet_over_baseline_mmhg)
        long = _long(seen, higher, over, rules)
        if long.any():
            where |= long
            sites |= {above, below}
            excess = np.where(long, np.fmax(excess, difference), excess)
    if not where.any():
        return []
    names = ", ".join(NAMES[site] for site in sorted(sites))
    return [
        seen.alert(
            AlertKind.TOURNIQUET,
            f"The stocking presses harder higher up than further down ({names}), and more so than on the first day it "
            "was worn. Ask the patient to take it off, look at the skin, and put it on again without folds; if it "
            "stays so, have the fit checked.",
            f"a higher site more than {rules.tourniquet_mmhg:g} mmHg above a lower one, and more than "
            f"{rules.tourniquet_over_baseline_mmhg:g} mmHg above this leg's own first day, for at least "
            f"{rules.tourniquet_minutes:g} min worn; with the knee bent only after {rules.knee_bent_minutes:g} min",
            where,
            tuple(sorted(sites)),
            Figure("higher site above lower site", seen.middle(excess, where), "mmHg"),
        )
    ]


def _knee_bent(seen: Worn, over: npt.NDArray[np.float32], rules: AlertRules) -> Mask:
    """Thigh risen, and the calf with it or already where a bent knee would put it: a posture, not a fold."""
    common = np.where(np.isfinite(over[ANKLE]), over[ANKLE], np.float32(0.0))
    with np.errstate(invalid="ignore"):  # a missing site has not risen
        risen = (over[[CALF, THIGH]] - common >= rules.knee_bent_rise_mmhg) & seen.usable[[CALF, THIGH]]
        bent: Mask = risen[1] & (risen[0] | (seen.usable[CALF] & (seen.sites[CALF] >= rules.knee_bent_calf_mmhg)))
    return bent


def _long(seen: Worn, higher: Mask, over: npt.NDArray[np.float32], rules: AlertRules) -> Mask:
    """Where it lasts long enough; with a bent knee that is longer than anybody sits."""
    if not higher.any():
        return higher
    straight = seen.held(higher & ~_knee_bent(seen, over, rules), rules.tourniquet_minutes)
    return straight | seen.held(higher, rules.knee_bent_minutes)


def doubled_calf(seen: Worn, baseline: LegBaseline, rules: AlertRules) -> Mask:
    """Where the calf presses as under two layers."""
    level = float(baseline.level[CALF])
    bar = max(rules.rolled_down_calf_factor * level, level + rules.rolled_down_calf_rise_mmhg)
    with np.errstate(invalid="ignore"):  # a missing site, or one without a baseline, is not compared
        doubled: Mask = seen.sites[CALF] >= bar
    return doubled


def _rolled_down(
    seen: Worn, usable: npt.NDArray[np.bool_], over: npt.NDArray[np.float32], baseline: LegBaseline, rules: AlertRules
) -> list[Alert]:
    _, calf, thigh = baseline.level.tolist()
    bare = max(rules.rolled_down_thigh_mmhg, rules.rolled_down_thigh_factor * thigh)
    with np.errstate(invalid="ignore"):  # a missing site, or one without a baseline, is not compared
        fallen = usable[THIGH] & (seen.sites[THIGH] <= bare) & (over[THIGH] <= -rules.rolled_down_thigh_fall_mmhg)
    doubled = fallen & usable[CALF] & doubled_calf(seen, baseline, rules)
    if not doubled.any():
        return []
    where = seen.held(fallen, rules.tourniquet_minutes)
    # a thigh sensor that died beside a calf that rises now and then, as calves do in standing, is no rolled stocking
    count = np.concatenate(([0], np.cumsum(doubled, dtype=np.int32)))
    for start, end in zip(*stretches(where), strict=True):
        where[start:end] = 2 * (count[end] - count[start]) >= end - start
    if not where.any():
        return []
    return [
        seen.alert(
            AlertKind.ROLLED_DOWN,
            "The stocking seems to have rolled down: the thigh shows next to nothing and the calf much more than on "
            "the first day it was worn. Ask the patient to pull it up or put it on afresh and to look at the skin; if "
            "it comes back, have size and length checked.",
            f"calf at {rules.rolled_down_calf_factor:g} times this leg's own first day or more, and "
            f"{rules.rolled_down_calf_rise_mmhg:g} mmHg or more above it, while the thigh is at "
            f"{rules.rolled_down_thigh_factor:g} times or {rules.rolled_down_thigh_mmhg:g} mmHg or less, and "
            f"{rules.rolled_down_thigh_fall_mmhg:g} mmHg or more below it, for at least "
            f"{rules.tourniquet_minutes:g} min worn",
            where,
            (CALF, THIGH),
            Figure("calf", seen.middle(seen.sites[CALF], where), "mmHg"),
            Figure("calf on the first day", round(calf, 1), "mmHg"),
            Figure("thigh", seen.middle(seen.sites[THIGH], where), "mmHg"),
            Figure("thigh on the first day", round(thigh, 1), "mmHg"),
        )
    ]


def _rolled_band(
    seen: Worn, usable: npt.NDArray[np.bool_], over: npt.NDArray[np.float32], baseline: LegBaseline, rules: AlertRules
) -> list[Alert]:
    thigh = float(baseline.level[THIGH])
    with np.errstate(invalid="ignore"):  # a missing site, or one without a baseline, is not compared
        common = np.fmax(np.float32(0.0), np.fmax(over[ANKLE], over[CALF]))  # drift, posture, a bent knee
        alone = over[THIGH] - common
        higher = usable[THIGH] & (alone >= rules.rolled_band_rise_mmhg)
        higher &= alone >= (rules.rolled_band_factor - 1.0) * thigh
    where = _long(seen, higher, over, rules)
    if not where.any():
        return []
    return [
        seen.alert(
            AlertKind.ROLLED_BAND,
            "The upper band seems to be rolled: the thigh alone shows much more than on the first day it was worn. Ask "
            "the patient to roll it out flat and to look at the skin; if it comes back, have size and length checked.",
            f"thigh at {rules.rolled_band_factor:g} times this leg's own first day or more and "
            f"{rules.rolled_band_rise_mmhg:g} mmHg or more above it, ankle and calf not, for at least "
            f"{rules.tourniquet_minutes:g} min worn",
            where,
            (THIGH,),
            Figure("thigh", seen.middle(seen.sites[THIGH], where), "mmHg"),
            Figure("thigh on the first day", round(thigh, 1), "mmHg"),
        )
    ]
