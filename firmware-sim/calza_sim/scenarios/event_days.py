"""Every event of a garment's life as a scenario of its own, named in `event`; some are in the acceptance set already.

Off the leg the question is whether anything is mistaken for wear, on the leg whether wear is still seen.
"""

from typing import Final

from calza_sim.conditions import Conditions
from calza_sim.scenarios.day_plans import PERFECT_DAYS, PERFECT_FORTNIGHT_BY_DAY, all_day, unworn, with_events
from calza_sim.scenarios.model import Scenario
from calza_sim.scenarios.orders import FORTNIGHT_BY_DAY
from calza_sim.wearer import Break, DayPlan
from calza_sim.wearer_events import Event, EventKind

ANKLE: Final = 0
CALF: Final = 1
TOO_LARGE: Final = 0.85  # of the pressure of a garment that fits; 0.6-0.85, our proposal
FROM_MORNING: Final = (8.0, 840.0)  # local hour, minutes: all the waking day
NIGHT_IN_BED: Final = (22.0, 600.0)
SHOWN: Final = "Met; wear is seen through it."
NOT_MISTAKEN: Final = "Not met: what it does off the leg is not mistaken for wear."


def _morning_then(reason: str, *events: Event) -> tuple[DayPlan, ...]:
    """Worn from eight to noon, then off for the rest of the day."""
    return (DayPlan(((8.0, 12.0),), off_reason=reason, events=events),)


EVENT_DAYS: Final = (
    Scenario(
        "put-on-many-times-a-day",
        "put on again five times a day after a quarter of an hour without it",
        (DayPlan(((7.7, 22.2),), tuple(Break(hour, 15.0, "a short break") for hour in (9.5, 12.0, 14.5, 17.0, 19.5))),),
        event="donning",
        order=FORTNIGHT_BY_DAY,
        truly="met",
        expected="Met; every donning is seen from ankle to thigh.",
    ),
    Scenario(
        "off-for-the-afternoon",
        "worn day and night, but taken off at noon for four and a half hours",
        (all_day(Break(12.0, 270.0, "taken off")),),
        event="doffing",
        truly="not_met",
        expected="Not met: the afternoons are missing from the first four days.",
    ),
    Scenario(
        "rolled-down-all-day",
        "perfect wear, but the thigh part has slipped to the calf all day long",
        with_events(PERFECT_DAYS, Event(EventKind.ROLLED_DOWN, *FROM_MORNING), from_day=1),
        event="roll-down / slipped band",
        truly="met",
        expected="Met by the ankle and calf; a gradient alert.",
    ),
    Scenario(
        "band-rolled-at-the-thigh",
        "perfect wear, but the top band is rolled over at the thigh all day long",
        with_events(PERFECT_DAYS, Event(EventKind.ROLLED_BAND, *FROM_MORNING), from_day=1),
        event="rolled band at thigh",
        truly="met",
        expected="Met; a tourniquet alert.",
    ),
    Scenario(
        "wrinkle-at-the-ankle",
        "perfect wear with a wrinkle at the ankle, all day long",
        with_events(PERFECT_DAYS, Event(EventKind.WRINKLE, *FROM_MORNING, site=ANKLE), from_day=1),
        event="wrinkle at ankle/popliteal",
        truly="met",
        expected=SHOWN,
    ),
    Scenario(
        "wrinkle-behind-the-knee",
        "perfect wear with a wrinkle at the calf below the knee, all day long",
        with_events(PERFECT_DAYS, Event(EventKind.WRINKLE, *FROM_MORNING, site=CALF), from_day=1),
        event="wrinkle at ankle/popliteal",
        truly="met",
        expected=SHOWN,
    ),
    Scenario(
        "too-large",
        "perfect wear of a garment one size too large",
        PERFECT_DAYS,
        conditions=Conditions(garment_factor=TOO_LARGE),
        event="too large / worn out",
        truly="met",
        expected=SHOWN,
    ),
    Scenario(
        "stored-folded-away",
        "14 days folded in a drawer",
        (unworn("folded in a drawer", Event(EventKind.STORED_FOLDED, 0.0, 1_440.0)),),
        event="stored folded",
        truly="not_met",
        expected="Not met, and not one minute worn.",
    ),
    Scenario(
        "carried-in-a-pocket",
        "worn for four hours in the morning, then carried in a trouser pocket",
        _morning_then("in a pocket", Event(EventKind.POCKET, 12.0, 600.0)),
        event="in pocket/bag next to body",
        truly="not_met",
        expected=NOT_MISTAKEN,
    ),
    Scenario(
        "dried-on-a-radiator",
        "worn for four hours in the morning, then on a radiator until night",
        _morning_then("on a radiator", Event(EventKind.RADIATOR, 12.0, 600.0)),
        event="drying on radiator",
        truly="not_met",
        expected=NOT_MISTAKEN,
    ),
    Scenario(
        "washed-every-evening",
        "perfect wear by day; washed each evening and dry by morning",
        with_events(PERFECT_FORTNIGHT_BY_DAY, Event(EventKind.WASH, 22.9, 40.0)),
        event="washing",
        order=FORTNIGHT_BY_DAY,
        truly="met",
        expected="Met; the wash is no wear.",
    ),
    Scenario(
        "left-in-a-hot-car",
        "worn for four hours in the morning, then left in a hot car until night",
        _morning_then("left in the car", Event(EventKind.HOT_CAR, 12.0, 600.0)),
        event="hot room or car",
        truly="not_met",
        expected=NOT_MISTAKEN,
    ),
    Scenario(
        "in-bed-but-not-worn",
        "worn by day, at night beside the sleeper under the duvet, where nights were ordered too",
        with_events((DayPlan(((7.7, 21.8),)),), Event(EventKind.BED_NOT_WORN, *NIGHT_IN_BED)),
        event="bed, not wearing, stocking under duvet",
        truly="not_met",
        expected="Not met: the warm nights beside the leg are not mistaken for wear.",
    ),
    Scenario(
        "worn-on-the-wrong-leg",
        "perfect wear, on the leg that was not treated",
        PERFECT_DAYS,
        event="wrong leg",
        truly="met",
        expected="Met, as far as a stocking can know.",
        expects="The report states that the wrong leg cannot be seen in the readings.",
    ),
    Scenario(
        "worn-by-someone-else",
        "perfect wear, by somebody else",
        PERFECT_DAYS,
        event="worn by someone else",
        truly="met",
        expected="Met, as far as a stocking can know.",
        expects="The report states that whose leg it was cannot be seen in the readings.",
    ),
)
