"""The named scenarios: what they promise, and that their truth comes to the right verdict whoever lives them."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from calza_server.domain.orders.rx_document import read_prescription
from calza_sim.scenarios import MODIFIERS, SCENARIOS, scenario
from calza_sim.scenarios.model import Scenario
from calza_sim.scenarios.moments import At
from calza_sim.truth import TrueVerdict, Truth, truth, truth_days, truth_open
from calza_sim.wearer import live

DAY_S = 86_400.0
EXPECTED = {"perfect": "met", "falls-short": "not_met", "week-without-phone": "met", "never-worn": "not_met"}


def standard_order(start: datetime, timezone: str = "UTC") -> dict[str, object]:
    return {
        "start": start.isoformat(),
        "timezone": timezone,
        "phases": [
            {"days": 4, "mode": "continuous", "hours": 23, "ankle_floor_mmhg": 23, "removal": "hygiene"}
            | {"days_required": 4},
            {"days": 10, "mode": "daytime", "hours": 10, "ankle_floor_mmhg": 23, "removal": "hygiene"}
            | {"days_required": 8},
        ],
    }


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("seed", range(12))
def test_the_truth_of_a_standard_order(name: str, seed: int) -> None:
    start = datetime(2026, 1, 12, 1, 5, tzinfo=UTC) + timedelta(hours=seed * 1.9)
    life = live(SCENARIOS[name].plans(16), seed=seed, start_s=start.timestamp())
    verdict = truth_days(truth(life, SCENARIOS[name]), standard_order(start))
    assert verdict.verdict == EXPECTED[name], verdict.days
    assert len(verdict.days) == 14
    if EXPECTED[name] == "met":
        assert all(day.met for day in verdict.days)
    else:
        assert not any(day.met for day in verdict.days[4:])


@pytest.mark.parametrize("timezone", ["Europe/Rome", "America/Los_Angeles", "Pacific/Auckland"])
def test_perfect_is_met_where_the_clock_changes(timezone: str) -> None:
    zone = ZoneInfo(timezone)
    for month, day in ((3, 25), (10, 22), (3, 5), (9, 24), (3, 30)):
        start = datetime(2026, month, day, 11, 40, tzinfo=zone)
        life = live(SCENARIOS["perfect"].plans(16), seed=month, start_s=start.timestamp(), zone=zone)
        known = truth(life, SCENARIOS["perfect"], zone=zone)
        assert truth_days(known, standard_order(start, timezone)).verdict == "met"


def test_falls_short_wears_about_five_hours() -> None:
    start = datetime(2026, 1, 12, 8, tzinfo=UTC)
    life = live(SCENARIOS["falls-short"].plans(16), seed=3, start_s=start.timestamp())
    days = truth_days(truth(life, SCENARIOS["falls-short"]), standard_order(start)).days
    assert all(4.0 <= day.worn_min / 60 <= 6.0 for day in days[4:])
    assert not days[1].met


def test_never_worn_is_never_worn() -> None:
    life = live(SCENARIOS["never-worn"].plans(16), seed=3, start_s=0.0)
    known = truth(life, SCENARIOS["never-worn"])
    assert not known.worn.any()
    assert set(known.reason) == {"in a drawer"}


def test_the_phone_is_away_on_days_three_to_nine() -> None:
    start = datetime(2026, 1, 12, 8, tzinfo=UTC)
    life = live(SCENARIOS["week-without-phone"].plans(16), seed=3, start_s=start.timestamp())
    known = truth(life, SCENARIOS["week-without-phone"])
    midnight_s = datetime(2026, 1, 12, tzinfo=UTC).timestamp()
    (first, second) = known.contact
    assert first == (start.timestamp(), midnight_s + 3 * DAY_S)
    assert second == (midnight_s + 10 * DAY_S, float("inf"))


def lived(each: Scenario, seed: int, hour: int = 9) -> tuple[Truth, float, float]:
    """The truth of a scenario's whole length, when it was fitted and when it ends."""
    zone = ZoneInfo(each.timezone)
    usual = datetime(2026, 3, 2, hour)  # noqa: DTZ001 - the zone is put in below
    moment = datetime.fromisoformat(each.starts) if each.starts else usual
    start_s = moment.replace(tzinfo=zone).timestamp()
    life = live(each.plans(each.length_days), seed=seed, start_s=start_s, zone=zone)
    return truth(life, each, zone=zone), start_s, At(each.length_days).true_s(start_s, zone)


def judged(name: str, seed: int = 1, hour: int = 9) -> TrueVerdict:
    each = SCENARIOS[name]
    known, start_s, end_s = lived(each, seed, hour)
    return truth_open(known, each.order.document(start_s, each.timezone), end_s)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize(("seed", "hour"), [(1, 9), (2, 14), (3, 19)])
def test_the_truth_comes_to_what_the_scenario_claims(name: str, seed: int, hour: int) -> None:
    verdict = judged(name, seed, hour)
    assert verdict.verdict == SCENARIOS[name].truly, verdict.days


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_expected_agrees_with_what_is_claimed(name: str) -> None:
    each = SCENARIOS[name]
    begins = {"met": "Met", "not_met": "Not met", "not_applicable": "Not applicable"}[each.truly]
    assert each.expected.startswith(begins) or each.row in {"2", "3", "19", "22", "23"}, each.expected
    assert each.expected.endswith(".")
    assert each.description


def test_every_row_of_the_acceptance_set_has_a_scenario() -> None:
    rows = {each.row for each in SCENARIOS.values()} - {""}
    assert rows == {*(str(number) for number in range(1, 26)), "16b"}


def test_every_event_of_a_garments_life_has_a_scenario() -> None:
    assert {each.event for each in SCENARIOS.values()} - {""} == {
        "donning",
        "doffing",
        "roll-down / slipped band",
        "rolled band at thigh",
        "wrinkle at ankle/popliteal",
        "too large / worn out",
        "stored folded",
        "stored under load",
        "in pocket/bag next to body",
        "drying on radiator",
        "washing",
        "hot room or car",
        "bed, not wearing, stocking under duvet",
        "wrong leg",
        "worn by someone else",
    }


def test_names_say_one_thing_each() -> None:
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in (*SCENARIOS, *MODIFIERS))
    assert not set(SCENARIOS) & set(MODIFIERS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_order_is_one_the_server_reads(name: str) -> None:
    each = SCENARIOS[name]
    start_s = datetime(2026, 3, 2, 9, 0, 30, tzinfo=UTC).timestamp()
    order = read_prescription(each.order.document(start_s, each.timezone))
    assert order.start.timestamp() == start_s + 30
    assert sum(phase.days for phase in order.phases) == each.order.days
    if each.second_order is not None:
        read_prescription(each.second_order.order.document(start_s, each.timezone))


def test_showers_are_forbidden_for_48_hours_and_allowed_from_then_on() -> None:
    days = judged("showers-in-the-first-48-hours").days
    assert [day.met for day in days] == [False, False, *[True] * 7]


def test_paused_days_ask_for_nothing() -> None:
    days = judged("paused-for-a-blister").days
    assert [(day.worn_min, day.needed_min, day.excused_min) for day in days[5:7]] == [(0, 0.0, 1440)] * 2
    assert all(day.excused_min == 0 for day in (*days[:5], *days[7:]))


@pytest.mark.parametrize(("name", "hours"), [("clocks-go-forward", 23), ("clocks-go-back", 25)])
def test_a_day_that_is_shorter_or_longer_asks_for_its_share(name: str, hours: int) -> None:
    day = judged(name).days[3]
    assert day.needed_min == pytest.approx(23 * 60 * 0.9 * hours / 24)
    assert hours * 60 - 90 < day.worn_min < hours * 60


def test_the_second_session_closes_the_first_order_and_opens_its_own() -> None:
    each = SCENARIOS["second-session-on-day-30"]
    known, start_s, end_s = lived(each, seed=1)
    first = truth_open(known, each.order.document(start_s, "UTC"), end_s)
    assert (first.verdict, first.label, len(first.days)) == ("met", "superseded", 31)
    assert [(phase.days, phase.days_required) for phase in first.phases] == [(31, 26)]  # ceil(34 / 42 * 31)
    assert each.second_order is not None
    second_s = each.second_order.at.true_s(start_s, ZoneInfo("UTC"))
    second = truth_open(known, each.second_order.order.document(second_s, "UTC"), end_s)
    assert second.verdict == "can_be_met"
    assert second.days[0].day.isoformat() == "2026-04-01"


def test_an_unknown_scenario_is_named_with_those_there_are() -> None:
    assert scenario("perfect").name == "perfect"
    with pytest.raises(ValueError, match=r"'nonsense'.*falls-short"):
        scenario("nonsense")
