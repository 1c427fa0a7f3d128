"""Rows 1 to 15 of the acceptance set: what wear, legs, garments and sensors do; the number is in `row`."""

from typing import Final

from calza_sim.conditions import Conditions
from calza_sim.scenarios.day_plans import DRAWER, PERFECT_DAYS, SHORT_DAYS, daytime, unworn, with_events
from calza_sim.scenarios.model import Scenario
from calza_sim.scenarios.moments import At, Outage
from calza_sim.wearer_events import Event, EventKind

WHOLE_DAY_MIN: Final = 1_440.0
SKIN_WINTER_C: Final = 24.0  # row 7; ankle skin falls to 22-27 under thin clothing in the cold
ATTIC_C: Final = 33.0  # row 6
WORN_OUT: Final = 0.65  # of the pressure a sound garment has; 0.6-0.85, our proposal
DRIFT_MMHG_PER_WEEK: Final = 4.0  # row 12
PHONE_LOST: Final = ((3, 8),)


SENSED: Final = (
    Scenario(
        "perfect",
        "14 days as ordered: 4 days and nights with short hygiene breaks, then daytime",
        PERFECT_DAYS,
        row="1",
        truly="met",
        expected="Met, and both bounds equal.",
    ),
    Scenario(
        "phone-lost-found-day-15",
        "perfect wear; the phone is lost on days 3 to 8 and what it held is sent on day 15",
        PERFECT_DAYS,
        phone_away=PHONE_LOST,
        late_upload_day=15,
        lasts=17,
        row="2",
        truly="met",
        expected="Cannot tell until day 15, then met.",
    ),
    Scenario(
        "phone-lost-for-good",
        "perfect wear; the phone is lost on days 3 to 8 with what it held",
        PERFECT_DAYS,
        phone_away=PHONE_LOST,
        never_uploaded=True,
        row="3",
        truly="met",
        expected="Cannot tell, for ever: day 3 had to count and nobody knows it. In truth it was met.",
    ),
    Scenario(
        "five-hours-a-day",
        "worn 5 hours every day, nights in a drawer",
        (daytime(9.0, 14.0),),
        row="4",
        truly="not_met",
        expected="Not met, with nothing missing.",
    ),
    Scenario(
        "stored-under-a-pile",
        "14 days under a pile of linen: a steady pressure at room temperature",
        (unworn("in a drawer", Event(EventKind.STORED_UNDER_LOAD, 0.0, WHOLE_DAY_MIN)),),
        row="5",
        event="stored under load",
        truly="not_met",
        expected="Not met, and not one minute worn.",
    ),
    Scenario(
        "stored-in-a-hot-attic",
        "14 days in an attic at 33 degC: as warm as a leg, but no pressure",
        (unworn("in the attic", Event(EventKind.HOT_ATTIC, 0.0, WHOLE_DAY_MIN, size=ATTIC_C)),),
        row="6",
        event="hot room or car",
        truly="not_met",
        expected="Not met, and not one minute worn.",
    ),
    Scenario(
        "cold-legs-in-winter",
        "perfect wear on legs whose skin is at 24 degC",
        PERFECT_DAYS,
        conditions=Conditions(skin_mean_c=SKIN_WINTER_C),
        row="7",
        truly="met",
        expected="Met; a fixed temperature threshold would have failed this patient.",
    ),
    Scenario(
        "worn-out-garment",
        "perfect wear of a garment that has lost a third of its pressure",
        PERFECT_DAYS,
        conditions=Conditions(garment_factor=WORN_OUT),
        row="8",
        event="too large / worn out",
        truly="met",
        expected="Met, for wear is the patient's; a garment alert that the dose is low.",
    ),
    Scenario(
        "rolls-down-in-the-afternoon",
        "perfect wear, but from day 2 on the thigh part rolls down every afternoon",
        with_events(PERFECT_DAYS, Event(EventKind.ROLLED_DOWN, 13.0, 300.0), from_day=2),
        row="9",
        truly="met",
        expected="Met; a gradient alert, but not before the margin to this leg's own baseline is passed.",
    ),
    Scenario(
        "calf-over-ankle-lying",
        "perfect wear on a healthy leg whose calf is pressed more than its ankle when lying",
        PERFECT_DAYS,
        conditions=Conditions(calf_over_ankle=True),
        row="10",
        truly="met",
        expected="Met, and no alert.",
    ),
    Scenario(
        "knee-bent-for-hours",
        "perfect wear, sitting with the knee bent twice a day: a peak behind the knee",
        with_events(PERFECT_DAYS, Event(EventKind.KNEE_FLEXED, 10.0, 90.0), Event(EventKind.KNEE_FLEXED, 16.0, 90.0)),
        row="11",
        truly="met",
        expected="Met, and no alert.",
    ),
    Scenario(
        "sensors-drift",
        "perfect wear while all sensors drift by 4 mmHg a week",
        PERFECT_DAYS,
        conditions=Conditions(drift_mmhg_per_week=DRIFT_MMHG_PER_WEEK),
        row="12",
        truly="met",
        expected="Met; pressures shown with their uncertainty, no false change of class.",
    ),
    Scenario(
        "calf-sensor-dies",
        "perfect wear; the calf sensor dies three days after the fitting and the stocking does not notice",
        PERFECT_DAYS,
        conditions=Conditions(dead_sites=((1, 3.0),)),
        row="13",
        truly="met",
        expected="Met by the other two sites, and a note that the calf sensor is dead.",
    ),
    Scenario(
        "battery-flat-on-days-9-and-10",
        "perfect wear, never charged; the battery is flat for the whole of days 9 and 10",
        (*PERFECT_DAYS[:8], daytime()),
        outages=(Outage(At(9), 48.0),),
        row="14",
        truly="met",
        expected="Met without days 9 and 10, which stay unknown (battery flat).",
    ),
    Scenario(
        "clock-resets-to-1970",
        "perfect wear; at noon of day 6 the stocking's clock falls back to its beginning; a phone comes on day 8",
        PERFECT_DAYS,
        phone_away=((6, 7),),
        clock_resets=(At(6, 12.0),),
        row="15",
        truly="met",
        expected="Met; until a phone has compared clocks the minutes are unknown, and no wear is invented meanwhile.",
    ),
)

EVERYDAY: Final = (
    Scenario(
        "falls-short",
        "long breaks in the first days, then about 5 hours a day",
        SHORT_DAYS,
        truly="not_met",
        expected="Not met.",
    ),
    Scenario(
        "week-without-phone",
        "perfect wear, but no phone near on days 3 to 9",
        PERFECT_DAYS,
        phone_away=((3, 9),),
        truly="met",
        expected="Met once the phone is back: the stocking kept it all.",
    ),
    Scenario("never-worn", "14 days in a drawer", (DRAWER,), truly="not_met", expected="Not met, and nothing worn."),
)
