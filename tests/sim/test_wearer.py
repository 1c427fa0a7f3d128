"""The wearer's life: seeded, growing without changing, and ordered in time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from calza_sim.scenarios import SCENARIOS, all_day, daytime, shower
from calza_sim.wearer import DOFFING_S, DONNING_S, Activity, Itinerary, Wear, live

START_S = datetime(2026, 3, 20, 9, 30, tzinfo=UTC).timestamp()


def wears_of(life: Itinerary) -> list[Wear]:
    return list(life.wears)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", range(5))
def test_edges_are_in_order_and_never_overlap(name: str, seed: int) -> None:
    life = live(SCENARIOS[name].plans(20), seed=seed, start_s=START_S)
    edges = [edge for each in life.wears for edge in (each.donning_s, each.on_s, each.doffing_s, each.off_s)]
    assert edges == sorted(edges)
    assert all(edge > START_S for edge in edges)
    assert np.all(np.diff(life.bout_start_s) > 0)


def test_donning_and_doffing_take_as_long_as_the_figures_say() -> None:
    life = live((daytime(),) * 40, seed=1, start_s=START_S)
    assert len(life.wears) == 40
    for each in life.wears:
        assert DONNING_S[0] <= each.on_s - each.donning_s <= DONNING_S[1]
        assert DOFFING_S[0] <= each.off_s - each.doffing_s <= DOFFING_S[1]


def test_more_days_begin_with_the_same_days() -> None:
    plans = SCENARIOS["perfect"].plans(30)
    short, long = (live(plans[:days], seed=4, start_s=START_S) for days in (10, 30))
    assert wears_of(long)[: len(short.wears)] == wears_of(short)
    shared = len(short.bout_start_s)
    assert np.array_equal(long.bout_start_s[:shared], short.bout_start_s)
    assert np.array_equal(long.bout_activity[:shared], short.bout_activity)


def test_another_seed_is_another_life() -> None:
    one, other = (live((daytime(),) * 3, seed=seed, start_s=START_S) for seed in (1, 2))
    assert wears_of(one) != wears_of(other)


def test_wear_across_midnight_is_one_wear() -> None:
    life = live((all_day(),) * 5, seed=1, start_s=START_S)
    assert len(life.wears) == 1
    assert life.wears[0].doffing_s == life.end_s


def test_a_shower_takes_the_stocking_off_for_hygiene() -> None:
    life = live((all_day(shower(hour=12.0, minutes=30.0)),) * 3, seed=1, start_s=START_S)
    assert len(life.wears) == 4
    for before, after in zip(life.wears[:-1], life.wears[1:], strict=True):
        assert before.reason_after == "hygiene"
        assert 24 * 60 <= after.on_s - before.doffing_s <= 36 * 60
        middle = np.array([(before.off_s + after.donning_s) / 2])
        assert life.activity(middle)[0] == Activity.SHOWERING


def test_a_day_is_the_wearers_own_and_survives_summer_time() -> None:
    zone = ZoneInfo("Europe/Rome")  # on 2026-03-29 the clock goes from 2 to 3 in the morning
    start_s = datetime(2026, 3, 28, 12, tzinfo=zone).timestamp()
    for seed in range(20):
        life = live((daytime(8.0, 20.0),) * 3, seed=seed, start_s=start_s, zone=zone)
        assert life.end_s == datetime(2026, 3, 31, tzinfo=zone).timestamp()
        assert np.all(np.diff(life.bout_start_s) >= 0)
        for wear in life.wears[1:]:
            assert 7 <= datetime.fromtimestamp(wear.on_s, zone).hour <= 8
            assert 19 <= datetime.fromtimestamp(wear.doffing_s, zone).hour <= 20


def test_the_wearer_sleeps_at_night_and_walks_by_day() -> None:
    life = live((daytime(),) * 28, seed=2, start_s=START_S)
    hours = np.arange(life.midnight_s + 86_400, life.end_s, 60.0)
    activity = life.activity(hours)
    at_three = activity[((hours - life.midnight_s) % 86_400) // 3_600 == 3]
    assert np.all(at_three == Activity.ASLEEP)
    walking_min_per_day = np.count_nonzero(activity == Activity.WALKING) / 27
    assert 20 < walking_min_per_day < 180
