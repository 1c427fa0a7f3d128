"""What may be joined to a scenario with `+`: weather, faults, garments, where it lies meanwhile. No minute of wear."""

from typing import Final

from calza_sim.conditions import Conditions
from calza_sim.scenarios.model import Modifier
from calza_sim.scenarios.moments import At, Outage
from calza_sim.wearer_events import Event, EventKind

WHOLE_DAY: Final = (0.0, 1_440.0)  # local hour, minutes: an event has effect only on the leg, or only off it
FROM_MORNING: Final = (8.0, 840.0)
SITES: Final = ("ankle", "calf", "thigh")
DIES_ON_DAY: Final = 3.0  # days after the fitting
LOOSE: Final = 0.75  # of the pressure of a garment that fits; too large or worn out is 0.6-0.85, our proposal
WINTER_SKIN_C: Final = 24.0
WINTER_HOME_C: Final = 18.0  # our assumption
WASH_HOUR: Final = 22.9  # after the day's wear
DRYING: Final = (23.6, 460.0)  # over night on the radiator, after the wash
NOISY_MMHG: Final = 1.0  # sd of a sample; our proposal of the worst that is sold
DRIFT_MMHG_PER_WEEK: Final = 4.0
FOR_EVER_DAY: Final = 3_650


def _lying(name: str, description: str, kind: EventKind, hours: tuple[float, float] = WHOLE_DAY) -> Modifier:
    return Modifier(name, description, events=(Event(kind, *hours),), expected="No wear is seen where there is none.")


def _on_the_leg(
    name: str, description: str, kind: EventKind, hours: tuple[float, float], *, site: int | None = None, to: str = ""
) -> Modifier:
    event = Event(kind, *hours, site=site)
    return Modifier(name, description, events=(event,), from_day=1, leg=True, expected=to or "Wear is still seen.")


def _dead(site: int) -> Modifier:
    return Modifier(
        f"dead-{SITES[site]}",
        f"the {SITES[site]} sensor dies three days after the fitting and the stocking does not notice",
        conditions=Conditions(dead_sites=((site, DIES_ON_DAY),)),
        expected="Wear is seen by the other sites, and the dead sensor is named.",
    )


def _flagged(site: int) -> Modifier:
    return Modifier(
        f"flagged-{SITES[site]}",
        f"the {SITES[site]} sensor fails three days after the fitting and the stocking says so",
        conditions=Conditions(flagged_sites=((site, DIES_ON_DAY),)),
        expected="Wear is seen by the other sites.",
    )


MODIFIERS: Final = (
    Modifier(
        "winter",
        "a cool home, and legs at 24 degC",
        conditions=Conditions(ambient_mean_c=WINTER_HOME_C, skin_mean_c=WINTER_SKIN_C),
        expected="Cold legs are still legs.",
    ),
    *(_dead(site) for site in range(len(SITES))),
    *(_flagged(site) for site in range(len(SITES))),
    Modifier(
        "drift",
        "all sensors drift by 4 mmHg a week",
        conditions=Conditions(drift_mmhg_per_week=DRIFT_MMHG_PER_WEEK),
        expected="The uncertainty is shown and no class changes.",
    ),
    Modifier(
        "noisy",
        "sensors with eight times the ordinary noise",
        conditions=Conditions(sample_noise_mmhg=NOISY_MMHG),
        expected="Noise is not taken for life.",
    ),
    Modifier(
        "loose",
        "a garment with three quarters of its pressure",
        conditions=Conditions(garment_factor=LOOSE),
        leg=True,
        expected="Wear is seen; the dose is low.",
    ),
    Modifier(
        "calf-over-ankle",
        "a healthy leg whose calf is pressed more than its ankle when lying",
        conditions=Conditions(calf_over_ankle=True),
        leg=True,
        expected="No alert.",
    ),
    _on_the_leg("rolled-down", "the thigh part has slipped to the calf by day", EventKind.ROLLED_DOWN, FROM_MORNING),
    _on_the_leg("rolled-band", "the top band is rolled over by day", EventKind.ROLLED_BAND, FROM_MORNING),
    _on_the_leg("wrinkle", "a wrinkle at the ankle by day", EventKind.WRINKLE, FROM_MORNING, site=0),
    _on_the_leg("knee-bent", "the knee is bent for two hours a day", EventKind.KNEE_FLEXED, (15.0, 120.0)),
    _on_the_leg("still-nights", "nobody moves from 23 h for 7 hours", EventKind.STILL, (23.0, 420.0)),
    _lying("hot-car", "in a hot car whenever it is off", EventKind.HOT_CAR),
    _lying("hot-attic", "in a hot attic whenever it is off", EventKind.HOT_ATTIC),
    _lying("bed-not-worn", "under the duvet whenever it is off", EventKind.BED_NOT_WORN),
    _lying("pocket", "in a pocket whenever it is off", EventKind.POCKET),
    _lying("stored-under-load", "under a pile of linen whenever it is off", EventKind.STORED_UNDER_LOAD),
    _lying("stored-folded", "folded in a drawer whenever it is off", EventKind.STORED_FOLDED),
    _lying("wash", "washed every evening", EventKind.WASH, (WASH_HOUR, 40.0)),
    _lying("radiator", "on a radiator over night", EventKind.RADIATOR, DRYING),
    Modifier(
        "battery-flat",
        "the battery is flat on days 9 and 10",
        outages=(Outage(At(9), 48.0),),
        expected="Days 9 and 10 stay unknown.",
    ),
    Modifier(
        "clock-reset",
        "the clock falls back to its beginning at noon of day 6",
        clock_resets=(At(6, 12.0),),
        expected="No minute is put where it does not belong.",
    ),
    Modifier(
        "no-phone",
        "no phone is near from day 3 on",
        phone_away=((3, FOR_EVER_DAY),),
        expected="All from day 3 on is unknown.",
    ),
)
