"""What happens to a garment: each event has the signature its line of the clinical facts gives it, and no other."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calza_sim.firmware.minutes import MinuteTable
from calza_sim.physics import LegPhysics
from calza_sim.physics import figures_events as fig
from calza_sim.scenarios import Scenario
from calza_sim.stocking import World
from calza_sim.truth import truth
from calza_sim.wearer import Activity, DayPlan, Itinerary, Wear, live
from calza_sim.wearer_events import OFF_LEG, Event, EventKind, TimedEvent
from tests.sim.lives import DAY_S, HOUR_S, OFF_S, ON_S, START_S, WEAR, at_hours, event, life_of

ANKLE, CALF, THIGH = range(3)
SEEDS = range(40)


def physics_with(
    activity: Activity, *events: TimedEvent, worn: bool, seed: int = 1, wears: tuple[Wear, ...] = (WEAR,)
) -> LegPhysics:
    return LegPhysics(life_of(activity, *(wears if worn else ()), events=events), seed=seed, name="a")


def pressures(physics: LegPhysics, *hours: float) -> NDArray[np.float64]:
    return physics.pressure(at_hours(*hours))


def on_leg(kind: EventKind, *, site: int | None = None, size: float | None = None) -> NDArray[np.float64]:
    """The pressure of many people before, during and after an event from 5 to 8 h, over that without: [seed, 3, 3]."""
    times_h = (4.5, 6.5, 9.0)
    during = event(kind, 5.0, 8.0, site=site, size=size)
    return np.array(
        [
            pressures(physics_with(Activity.SITTING, during, worn=True, seed=seed), *times_h)
            - pressures(physics_with(Activity.SITTING, worn=True, seed=seed), *times_h)
            for seed in SEEDS
        ]
    )


def normal(seed: int) -> NDArray[np.float64]:
    return pressures(physics_with(Activity.SITTING, worn=True, seed=seed), 6.5).reshape(3)


NORMAL = np.array([normal(seed) for seed in SEEDS])


# On the leg ---------------------------------------------------------------------------------------------------------


def test_a_roll_down_bares_the_thigh_and_doubles_the_calf() -> None:
    added = on_leg(EventKind.ROLLED_DOWN)
    assert not added[:, 0].any()
    assert not added[:, 2].any()
    during = NORMAL + added[:, 1]
    assert during[:, THIGH].min() >= 0.0
    assert during[:, THIGH].max() <= 3.0
    assert during[:, THIGH].std() > 0.3
    assert during[:, CALF] / NORMAL[:, CALF] == pytest.approx(1.7, abs=0.01)
    assert not added[:, 1, ANKLE].any()


def test_a_rolled_band_presses_the_thigh_and_nothing_else() -> None:
    added = on_leg(EventKind.ROLLED_BAND)
    factor = 1.0 + added[:, 1, THIGH] / NORMAL[:, THIGH]
    assert 1.69 <= factor.min() < 1.8
    assert 2.0 < factor.max() <= 2.2
    assert not added[:, :, [ANKLE, CALF]].any()


@pytest.mark.parametrize(("site", "meant"), [(None, ANKLE), (ANKLE, ANKLE), (CALF, CALF), (THIGH, THIGH)])
def test_a_wrinkle_adds_ten_to_twenty_at_one_site(site: int | None, meant: int) -> None:
    added = on_leg(EventKind.WRINKLE, site=site)[:, 1]
    assert 10.0 <= added[:, meant].min() < 12.0
    assert 18.0 < added[:, meant].max() <= 20.0
    assert not np.delete(added, meant, axis=1).any()
    assert on_leg(EventKind.WRINKLE, site=site, size=14.0)[:, 1, meant] == pytest.approx(14.0)


def test_a_bent_knee_presses_above_28_behind_it() -> None:
    added = on_leg(EventKind.KNEE_FLEXED)
    during = NORMAL + added[:, 1]
    assert during[:, [CALF, THIGH]].min() > 28.0
    assert not added[:, 1, ANKLE].any()
    reversed_share = np.mean(during[:, [CALF, THIGH]].max(axis=1) > during[:, ANKLE])
    assert reversed_share > 0.7  # so many profiles were reversed there
    at_thigh = on_leg(EventKind.KNEE_FLEXED, site=THIGH, size=31.0)[:, 1]
    assert NORMAL[:, THIGH] + at_thigh[:, THIGH] == pytest.approx(31.0)
    assert not at_thigh[:, [ANKLE, CALF]].any()


@pytest.mark.parametrize("kind", sorted(set(EventKind) - OFF_LEG))
def test_what_is_wrong_on_the_leg_leaves_it_warm_and_alive(kind: EventKind) -> None:
    during = event(kind, 5.0, 8.0)
    with_it, without = physics_with(Activity.ASLEEP, during, worn=True), physics_with(Activity.ASLEEP, worn=True)
    assert np.array_equal(with_it.skin(at_hours(6.5)), without.skin(at_hours(6.5)))
    assert np.all(with_it.motion(at_hours(6.5)).breath > 0.1)
    assert np.all(with_it.motion(at_hours(6.5)).pulse > 0.1)


@pytest.mark.parametrize("kind", sorted(set(EventKind) - OFF_LEG))
def test_on_leg_events_mean_nothing_off_the_leg(kind: EventKind) -> None:
    during = event(kind, 21.5, 23.5)
    for asked in (
        physics_with(Activity.SITTING, during, worn=True),
        physics_with(Activity.SITTING, during, worn=False),
    ):
        same = physics_with(Activity.SITTING, worn=asked.pressure(at_hours(6.5))[0, 0] > 5.0)
        assert np.array_equal(asked.pressure(at_hours(22.5)), same.pressure(at_hours(22.5)))
        assert np.array_equal(asked.motion(at_hours(22.5)).micro, same.motion(at_hours(22.5)).micro)


def test_it_slips_gradually_and_is_pulled_straight_at_once() -> None:
    physics = physics_with(Activity.SITTING, event(EventKind.ROLLED_DOWN, 5.0, 8.0), worn=True)
    thigh = physics.pressure(START_S + 5 * HOUR_S + np.arange(0.0, 300.0, 60.0))[:, THIGH]
    assert np.all(np.diff(thigh[:4]) < 0)
    around = physics.pressure(START_S + 8 * HOUR_S + np.array([-30.0, 30.0]))[:, THIGH]
    assert around[0] < 3.1
    assert around[1] > 5.0


def test_a_still_sleeper_lies_in_one_position_and_only_breathes() -> None:
    plan = DayPlan(((0.0, 24.0),), events=(Event(EventKind.STILL, 22.5, 480.0),))
    life = live((plan,) * 4, seed=6, start_s=START_S)
    begin = START_S + DAY_S + 22.5 * HOUR_S
    times_s = begin + np.arange(30.0, 8 * HOUR_S, 60.0)
    assert set(life.activity(times_s).tolist()) == {Activity.ASLEEP}
    assert len(np.unique(life.bout(times_s))) == 1
    motion = LegPhysics(life, seed=6, name="a").motion(times_s)
    assert not motion.micro.any()
    assert not motion.gait.any()
    assert np.all(motion.breath > 0.1)
    ends_s = begin + 8 * HOUR_S
    without = live((DayPlan(((0.0, 24.0),)),) * 4, seed=6, start_s=START_S)
    assert np.array_equal(life.activity(ends_s + times_s - begin), without.activity(ends_s + times_s - begin))
    assert ends_s in life.bout_start_s  # and moves again
    assert life.bout_start_s[-1] < life.end_s  # the last night is only begun


def test_a_knee_is_bent_sitting() -> None:
    plan = DayPlan(((0.0, 24.0),), events=(Event(EventKind.KNEE_FLEXED, 15.0, 120.0),))
    life = live((plan,) * 2, seed=6, start_s=START_S)
    assert set(life.activity(START_S + 15 * HOUR_S + np.arange(30.0, 7_200.0, 60.0)).tolist()) == {Activity.SITTING}


# Off the leg --------------------------------------------------------------------------------------------------------


def stored(
    kind: EventKind, *, size: float | None = None, seed: int = 1, activity: Activity = Activity.SITTING
) -> LegPhysics:
    return physics_with(activity, event(kind, 2.0, 14.0, size=size), worn=False, seed=seed)


def places(kind: EventKind, *, size: float | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pressures and temperatures eight hours into an event of many garments: [seed, 3] and [seed]."""
    all_of_them = [stored(kind, size=size, seed=seed) for seed in range(120)]
    return (
        np.array([each.pressure(at_hours(10.0))[0] for each in all_of_them]),
        np.array([each.skin(at_hours(10.0))[0] for each in all_of_them]),
    )


def room_c() -> NDArray[np.float64]:
    return np.array(
        [physics_with(Activity.SITTING, worn=False, seed=seed).skin(at_hours(10.0))[0] for seed in range(120)]
    )


@pytest.mark.parametrize(
    ("kind", "least_c", "most_c", "most_mmhg"),
    [
        (EventKind.HOT_ATTIC, 32.9, 33.1, 3.0),
        (EventKind.HOT_CAR, 30.0, 45.0, 3.0),
        (EventKind.RADIATOR, 35.0, 50.0, 3.0),
        (EventKind.BED_NOT_WORN, 28.0, 33.0, 5.0),
        (EventKind.POCKET, 28.0, 33.0, 14.0),
    ],
)
def test_a_warm_place_is_as_warm_as_its_figures_and_hardly_presses(
    kind: EventKind, least_c: float, most_c: float, most_mmhg: float
) -> None:
    mmhg, skin = places(kind)
    spread = most_c - least_c
    assert least_c - 0.01 <= skin.min() <= least_c + 0.1 * spread + 0.1
    assert most_c - 0.1 * spread - 0.1 <= skin.max() <= most_c + 0.01
    assert mmhg.min() >= 0.0
    assert mmhg.max() <= most_mmhg
    _, chosen = places(kind, size=36.5)
    assert chosen == pytest.approx(36.5, abs=0.01)


@pytest.mark.parametrize("kind", [EventKind.STORED_UNDER_LOAD, EventKind.STORED_FOLDED])
def test_what_is_stored_has_the_temperature_of_the_room(kind: EventKind) -> None:
    assert places(kind)[1] == pytest.approx(room_c(), abs=1e-9)


def test_folded_presses_zero_to_five_equally() -> None:
    mmhg, _ = places(EventKind.STORED_FOLDED)
    assert np.all(mmhg == mmhg[:, :1])
    assert 0.0 <= mmhg.min() < 0.5
    assert 4.5 < mmhg.max() <= 5.0


def test_a_load_is_any_constant_often_equal() -> None:
    mmhg, _ = places(EventKind.STORED_UNDER_LOAD)
    assert 1.5 <= mmhg.min() < 8.0
    assert 35.0 < mmhg.max() <= 40.0
    equal = np.mean(np.ptp(mmhg, axis=1) == 0.0)
    assert equal == pytest.approx(fig.UNDER_LOAD_EQUAL_SHARE, abs=0.12)
    physics = stored(EventKind.STORED_UNDER_LOAD, activity=Activity.WALKING)
    course = physics.pressure(START_S + np.arange(2.1, 13.9, 0.01) * HOUR_S)
    assert np.all(course == course[0])
    motion = physics.motion(at_hours(10.0))
    assert not any(each.any() for each in (motion.micro, motion.gait, motion.breath, motion.pulse))
    assert places(EventKind.STORED_UNDER_LOAD, size=22.0)[0].max() == 22.0


def test_each_time_under_a_load_is_another_load() -> None:
    morning = Wear(ON_S, ON_S + 60.0, ON_S + 4 * HOUR_S, ON_S + 4 * HOUR_S + 60.0, "off")
    evening = Wear(ON_S + 9 * HOUR_S, ON_S + 9 * HOUR_S + 60.0, OFF_S, OFF_S + 60.0, "off")
    physics = physics_with(
        Activity.SITTING, event(EventKind.STORED_UNDER_LOAD, 0.0, 24.0), worn=True, wears=(morning, evening)
    )
    loads = pressures(physics, 0.5, 8.0, 23.0).max(axis=1)
    assert len(set(loads.tolist())) == 3
    assert loads.min() >= 5.0


@pytest.mark.parametrize("kind", [EventKind.HOT_ATTIC, EventKind.HOT_CAR, EventKind.RADIATOR, EventKind.STORED_FOLDED])
def test_flat_places_are_flat(kind: EventKind) -> None:
    physics = stored(kind, activity=Activity.WALKING)
    assert not physics.motion(at_hours(10.0)).micro.any()
    course = physics.pressure(START_S + np.arange(2.1, 13.9, 0.01) * HOUR_S)
    assert np.all(course == course[0])


def test_a_bed_ripples_less_than_a_pocket_and_a_pocket_less_than_a_leg() -> None:
    bed, pocket = (
        stored(kind).motion(at_hours(10.0)).micro[0, 0] for kind in (EventKind.BED_NOT_WORN, EventKind.POCKET)
    )
    leg = physics_with(Activity.SITTING, worn=True).motion(at_hours(10.0)).micro[0, 0]
    assert 0.0 < bed < pocket < leg
    course = stored(EventKind.POCKET).pressure(START_S + np.arange(2.1, 13.9, 0.01) * HOUR_S)
    assert np.all(course.std(axis=0) > 0.5)  # irregular
    walking = stored(EventKind.POCKET, activity=Activity.WALKING).motion(at_hours(10.0))
    assert walking.micro[0, 0] > 2 * pocket
    assert not walking.breath.any()


def test_a_wash_steps_to_the_water_then_dries_below_the_room() -> None:
    waters, dry = [], []
    for seed in range(120):
        physics, room = stored(EventKind.WASH, seed=seed), physics_with(Activity.SITTING, worn=False, seed=seed)
        times_s = START_S + 2 * HOUR_S + np.arange(0.0, 12 * HOUR_S, 30.0)
        skin = physics.skin(times_s)
        waters.append(skin[20])  # ten minutes: the shortest wash, and ten time constants
        shaken = physics.motion(times_s).micro[:, 0] > 0
        assert 10.0 <= shaken.sum() / 2 <= 40.5
        dry.append((skin - room.skin(times_s))[240])  # after two hours
    assert 24.0 <= min(waters) < 27.0
    assert 38.0 < max(waters) <= 40.0
    assert -2.1 <= min(dry) < -1.8
    assert -0.7 < max(dry) < -0.3  # the slowest is still on its way down from the water
    assert places(EventKind.WASH)[0].max() <= 3.0


def test_water_acts_within_a_minute_and_a_car_within_many() -> None:
    late_s = START_S + 2 * HOUR_S + np.array([180.0])
    water, car = (stored(kind, size=40.0).skin(late_s)[0] for kind in (EventKind.WASH, EventKind.HOT_CAR))
    assert water > 38.5
    assert car < 36.0


def test_a_wash_restores_what_ageing_took() -> None:
    weeks = tuple(
        Wear(
            START_S + day * DAY_S,
            START_S + day * DAY_S + 60.0,
            START_S + (day + 0.6) * DAY_S,
            START_S + (day + 0.6) * DAY_S + 60.0,
            "night",
        )
        for day in range(60)
    )
    washes = tuple(event(EventKind.WASH, 24 * day + 16.0, 24 * day + 17.0) for day in range(40, 60))
    while_worn = tuple(event(EventKind.WASH, 24 * day + 6.0, 24 * day + 7.0) for day in range(40, 60))

    def mmhg(*events: TimedEvent) -> float:
        physics = LegPhysics(life_of(Activity.ASLEEP, *weeks, events=events, hours=24.0 * 60), seed=2, name="a")
        return float(physics.pressure(START_S + 59 * DAY_S + np.array([8 * HOUR_S]))[0, ANKLE])

    assert 1.005 < mmhg(*washes) / mmhg() < 1.03
    assert mmhg(*while_worn) == mmhg()  # it was on the leg: no wash


@pytest.mark.parametrize("kind", sorted(OFF_LEG - {EventKind.WASH}))
def test_off_leg_events_mean_nothing_on_the_leg(kind: EventKind) -> None:
    with_it = physics_with(Activity.SITTING, event(kind, 5.0, 8.0), worn=True)
    without = physics_with(Activity.SITTING, worn=True)
    times_s = at_hours(4.5, 6.5, 9.0)
    assert np.array_equal(with_it.pressure(times_s), without.pressure(times_s))
    assert np.array_equal(with_it.motion(times_s).micro, without.motion(times_s).micro)
    assert with_it.skin(times_s) == pytest.approx(without.skin(times_s), abs=1e-9)


def test_under_a_load_in_a_hot_attic_is_both() -> None:
    physics = physics_with(
        Activity.SITTING,
        event(EventKind.STORED_UNDER_LOAD, 2.0, 14.0, size=20.0),
        event(EventKind.HOT_ATTIC, 3.0, 14.0),
        worn=False,
    )
    assert physics.pressure(at_hours(10.0)).max() == 20.0
    assert physics.skin(at_hours(10.0))[0] == pytest.approx(33.0, abs=0.1)


# All ----------------------------------------------------------------------------------------------------------------

ALL_DAY = tuple(
    Event(kind, hour, 90.0)
    for hour, kind in zip(np.linspace(0.5, 22.0, len(EventKind)).tolist(), EventKind, strict=True)
)
EVENTFUL = Scenario("eventful", "everything happens", (DayPlan(((8.0, 13.0), (16.0, 22.0)), events=ALL_DAY),))
MINUTES = 2 * 1_440


def world() -> World:
    return World(EVENTFUL, seed=7, name="S-1", start_s=START_S)


def minutes_of(asked: World, which: NDArray[np.int64]) -> MinuteTable:
    return asked.minutes(START_S + 60.0 * which.astype(np.float64), np.full(len(which), 600, dtype=np.int64))


WHOLE = minutes_of(world(), np.arange(MINUTES))


@settings(max_examples=25)
@given(st.lists(st.integers(0, MINUTES - 1), min_size=1, max_size=30, unique=True))
def test_minutes_may_be_asked_in_any_order_and_company(which: list[int]) -> None:
    chosen = np.array(which)
    table = minutes_of(world(), chosen)
    assert np.array_equal(table.mean, WHOLE.mean[chosen])
    assert np.array_equal(table.deviation, WHOLE.deviation[chosen])
    assert np.array_equal(table.skin, WHOLE.skin[chosen])


def test_events_take_nothing_from_the_truth() -> None:
    quiet = Scenario("quiet", "nothing happens", (DayPlan(((8.0, 13.0), (16.0, 22.0))),))
    known, same = (truth(live(each.plans(5), seed=3, start_s=START_S), each) for each in (EVENTFUL, quiet))
    assert known.worn.any()
    assert np.array_equal(known.worn, same.worn)
    assert known.reason == same.reason


@pytest.mark.parametrize("kind", EventKind)
def test_a_longer_life_with_events_begins_the_same(kind: EventKind) -> None:
    day = DayPlan(((8.0, 20.0),), events=(Event(kind, 18.0, 1_440.0),))
    short, long = (LegPhysics(live((day,) * days, seed=5, start_s=START_S), seed=5, name="a") for days in (6, 20))
    times_s = START_S + np.arange(0.0, 5 * DAY_S, 97.0)
    if kind is EventKind.WASH:  # the time in water is at most half of the wash, and this one has no end
        times_s = times_s[times_s < START_S + 18 * HOUR_S]
    assert np.array_equal(short.pressure(times_s), long.pressure(times_s))
    assert np.array_equal(short.skin(times_s), long.skin(times_s))
    assert np.array_equal(short.motion(times_s).micro, long.motion(times_s).micro)


def test_an_event_over_midnight_goes_on_as_one() -> None:
    day = DayPlan((), events=(Event(EventKind.STORED_UNDER_LOAD, 0.0, 1_440.0), Event(EventKind.HOT_CAR, 12.0, 60.0)))
    life: Itinerary = live((day,) * 5, seed=5, start_s=START_S)
    loads = [each for each in life.events if each.kind is EventKind.STORED_UNDER_LOAD]
    assert [(each.start_s, each.end_s) for each in loads] == [(START_S, START_S + 5 * DAY_S)]
    assert len(life.events) == 6


def test_an_event_keeps_to_the_wearers_own_clock() -> None:
    start_s = datetime(2026, 1, 9, 23, tzinfo=UTC).timestamp()  # still the ninth in UTC
    life = live((DayPlan((), events=(Event(EventKind.HOT_CAR, 12.0, 60.0),)),) * 2, seed=1, start_s=start_s)
    assert [each.start_s for each in life.events] == [START_S + 12 * HOUR_S, START_S + DAY_S + 12 * HOUR_S]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"hour": 25.0, "minutes": 5.0}, "0..24"),
        ({"hour": 1.0, "minutes": 0.0}, "more than 0 minutes"),
        ({"hour": 1.0, "minutes": 5.0, "site": 3}, "site 0 ankle"),
        ({"hour": 1.0, "minutes": 5.0, "site": 1}, "leave site out"),
        ({"hour": 1.0, "minutes": 5.0, "size": 1.0}, "leave size out"),
    ],
)
def test_what_is_no_event_is_refused(bad: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Event(EventKind.ROLLED_DOWN, **bad)  # type: ignore[arg-type]  # the wrong values are the point
