"""Alerts about one stocking's pressures as such: very high, above what was ordered, or a site that shows nothing.

Names no condition of the patient; no source gives a pressure at which a stocking harms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calza_server.domain.alerting.alert_fit import doubled_calf
from calza_server.domain.alerting.alert_values import Alert, AlertKind, Figure
from calza_server.domain.alerting.alert_worn import NAMES, Worn
from calza_server.domain.alerting.leg_baseline import ANKLE, THIGH
from calza_server.domain.ledgers.dose import NOTHING_MMHG, UNCERTAINTY_AT_LEAST_MMHG

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.alerting.alert_rules import AlertRules
    from calza_server.domain.alerting.leg_baseline import LegBaseline


def pressure_alerts(seen: Worn, ankle_max_mmhg: float | None, rules: AlertRules) -> list[Alert]:
    """The alerts of one stocking; `ankle_max_mmhg` is the most the ordered garment should press, None if open."""
    return [*_excessive(seen, rules), *_over_class(seen, ankle_max_mmhg, rules)]


def _excessive(seen: Worn, rules: AlertRules) -> list[Alert]:
    with np.errstate(invalid="ignore"):  # a missing site is not high
        high = seen.usable & (seen.sites > rules.excessive_mmhg)
    long = [seen.held(site, rules.excessive_minutes) for site in high]
    sites = tuple(site for site, where in enumerate(long) if where.any())
    if not sites:
        return []
    where = np.logical_or.reduce(long)
    return [
        seen.alert(
            AlertKind.EXCESSIVE,
            f"The stocking presses very hard at the {' and the '.join(NAMES[site] for site in sites)}. Ask the patient "
            "to take it off and to contact the clinic before putting it on again.",
            f"any site above {rules.excessive_mmhg:g} mmHg for at least {rules.excessive_minutes:g} min worn",
            where,
            sites,
            *(Figure(NAMES[site], seen.middle(seen.sites[site], long[site]), "mmHg") for site in sites),
        )
    ]


def _over_class(seen: Worn, class_max_mmhg: float | None, rules: AlertRules) -> list[Alert]:
    if class_max_mmhg is None:
        return []
    bar = class_max_mmhg + rules.over_class_mmhg
    with np.errstate(invalid="ignore"):  # a missing site is not high
        where = seen.held(seen.usable[ANKLE] & (seen.sites[ANKLE] > bar), rules.over_class_minutes)
    if not where.any():
        return []
    return [
        seen.alert(
            AlertKind.OVER_CLASS,
            "The stocking presses harder at the ankle than what was ordered. Ask the patient to take it off and to "
            "contact the clinic; check that it is the ordered one, in the right size, and worn as one layer.",
            f"ankle more than {rules.over_class_mmhg:g} mmHg above the ordered {class_max_mmhg:g} mmHg for at least "
            f"{rules.over_class_minutes:g} min worn",
            where,
            (ANKLE,),
            Figure("ankle", seen.middle(seen.sites[ANKLE], where), "mmHg"),
        )
    ]


def sensor_alerts(seen: Worn, baseline: LegBaseline | None, rules: AlertRules) -> list[Alert]:
    """Sites that show nothing; a thigh that is bare because the stocking rolled down on the calf is none of them."""
    found = []
    dead = seen.dead.copy()
    if baseline is not None:
        dead &= ~_hardly_less(baseline)[:, None]
        dead[THIGH] &= ~doubled_calf(seen, baseline, rules)
    for site, name in enumerate(NAMES):
        where = seen.held(dead[site] | seen.disowned[site], rules.dead_site_minutes)
        if not where.any():
            continue
        slipped = " or the stocking has slipped below it" if site == THIGH else ""
        found.append(
            seen.alert(
                AlertKind.DEAD_SITE,
                f"The {name} sensor shows nothing while the others do: it may be broken{slipped}. Check the stocking; "
                "this says nothing about the leg, and wear is still counted from the other sites.",
                f"one site at {rules.dead_site_mmhg:g} mmHg or less, or disowned by the stocking itself, while the "
                f"others are normal, for at least {rules.dead_site_minutes:g} min worn",
                where,
                (site,),
                Figure(f"{name} without a reading", float(np.count_nonzero(where)), "min"),
            )
        )
    return found


def _hardly_less(baseline: LegBaseline) -> npt.NDArray[np.bool_]:
    """Sites that showed so little on the first day that showing nothing is within the sensor's doubt."""
    weak: npt.NDArray[np.bool_] = baseline.level <= UNCERTAINTY_AT_LEAST_MMHG + NOTHING_MMHG
    return weak
