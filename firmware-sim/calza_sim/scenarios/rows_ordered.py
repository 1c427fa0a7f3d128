"""Rows 16 to 25 of the acceptance set: what orders, patients and other parts do; the number is in `row`.

Where a row concerns a part that lives no scenario (server, pages), `expects` says what must be seen there.
"""

from typing import Final

from calza_sim.scenarios import orders
from calza_sim.scenarios.day_plans import (
    CONTINUOUS_DAY,
    DRAWER,
    FIRST_DAY,
    LAST_NIGHT,
    PERFECT_DAYS,
    PERFECT_WEEK_OF_NIGHTS,
    all_day,
    daytime,
    shower,
    unworn,
    with_events,
)
from calza_sim.scenarios.model import Scenario, SecondOrder
from calza_sim.scenarios.moments import At, Note, Outage
from calza_sim.scenarios.orders import Ending, Order, Stretch
from calza_sim.wearer import DayPlan
from calza_sim.wearer_events import Event, EventKind

ORDERED: Final = (
    Scenario(
        "showers-in-the-first-48-hours",
        "a 45-minute shower without the stocking every day, also in the 48 hours in which it must not come off",
        (*[all_day(shower(17.5, 45.0))] * 2, DayPlan(((0.0, 22.2),), (shower(17.5, 45.0),)), daytime()),
        order=orders.NO_REMOVAL_THEN_DAYS,
        row="16",
        truly="not_met",
        expected="Not met on the days without removal; from day 2 on the same shower is allowed.",
    ),
    Scenario(
        "still-sleeper",
        "worn all night for a week by someone who lies 8 hours without moving",
        with_events(PERFECT_WEEK_OF_NIGHTS, Event(EventKind.STILL, 22.9, 480.0)),
        order=orders.WEEK_THEN_DAYS,
        row="16b",
        truly="met",
        expected="Met; a still night stays worn, without a hole.",
    ),
    Scenario(
        "paused-for-a-blister",
        "perfect wear, but the clinic pauses days 5 and 6 for a blister",
        (*PERFECT_DAYS[:5], *[unworn("paused by the clinic")] * 2, *PERFECT_DAYS[7:]),
        order=Order(orders.STANDARD.phases, pauses=(Stretch(At(5), At(7), "blister on the skin"),)),
        row="17",
        truly="met",
        expected="Met; days 5 and 6 are excused and nothing was asked of them.",
    ),
    Scenario(
        "clocks-go-forward",
        "perfect wear in Rome over the last weekend of March: day 3 has 23 hours",
        PERFECT_DAYS,
        starts="2026-03-26T09:00",
        timezone="Europe/Rome",
        row="18",
        truly="met",
        expected="Met; the day of 23 hours asks for fewer.",
    ),
    Scenario(
        "clocks-go-back",
        "perfect wear in Rome over the last weekend of October: day 3 has 25 hours",
        PERFECT_DAYS,
        starts="2026-10-22T09:00",
        timezone="Europe/Rome",
        row="18",
        truly="met",
        expected="Met; the day of 25 hours asks for more.",
    ),
    Scenario(
        "second-session-on-day-30",
        "six weeks by day are ordered; on day 30 a second treatment takes their place with an order of its own",
        (*[daytime()] * 30, FIRST_DAY, *[CONTINUOUS_DAY] * 3, LAST_NIGHT, daytime()),
        order=Order(
            orders.SIX_WEEKS.phases, ended=Ending(At(30, 10.0), "superseded", "second session of the treatment")
        ),
        second_order=SecondOrder(At(30, 10.0), orders.STANDARD),
        lasts=38,
        row="19",
        truly="met",
        expected="The first order is closed on day 30 and met (superseded); the second is open.",
    ),
    Scenario(
        "nothing-ordered",
        "no compression is ordered and none is worn",
        (DRAWER,),
        order=orders.NOTHING,
        lasts=7,
        row="20",
        truly="not_applicable",
        expected="Not applicable, never not met.",
        expects="The page says that no compression was ordered; no target, no reproach.",
    ),
    Scenario(
        "worn-past-the-cap",
        "at most 7 days are ordered; it is worn by day until day 10",
        (*[daytime()] * 11, DRAWER),
        order=orders.CAPPED_WEEK,
        lasts=13,
        row="21",
        truly="met",
        expected="Met, and a notice that it is worn past the order.",
    ),
    Scenario(
        "left-and-right-swapped",
        "perfect wear, but of the stocking labelled for the other leg",
        PERFECT_DAYS,
        row="22",
        event="wrong leg",
        truly="met",
        expected="A verdict for each leg as the stockings are labelled.",
        expects="The report states that a swap cannot be seen in the readings.",
    ),
    Scenario(
        "says-worn-over-a-gap",
        "perfect wear; the battery is flat on days 5 to 9 and the patient writes 'wore it' for each",
        PERFECT_DAYS,
        outages=(Outage(At(5), 120.0),),
        self_reports=tuple(Note(At(day, 21.0), "Wore it all day.") for day in range(5, 10)),
        row="23",
        truly="met",
        expected="Cannot tell: the gap stays unknown whatever the patient writes. In truth it was met.",
        expects="The notes stand beside the unknown days; no minute turns into worn.",
    ),
    Scenario(
        "red-flag-at-night",
        "perfect wear; at half past two of night 6 the patient reports breathlessness and chest pain",
        PERFECT_DAYS,
        symptom_report=Note(At(6, 2.5), "Suddenly breathless, and a sharp pain in the chest when I breathe in."),
        row="24",
        truly="met",
        expected="Met; the report is no matter of wear.",
        expects="The emergency text is shown at once, at night too, and waits for nobody.",
    ),
    Scenario(
        "packets-replayed",
        "perfect wear; every record is sent a second time, the oldest last",
        PERFECT_DAYS,
        replayed=True,
        row="25",
        truly="met",
        expected="Met, with the very same minutes: each is counted once.",
        expects="Store, ledger and fingerprint are what they were before the second sending.",
    ),
)
