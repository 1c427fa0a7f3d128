"""What counts as an outage, as recovered and as overdue; and what counts as growth."""

from dataclasses import replace
from itertools import pairwise

from tests.soak.forecast import Fault, Kind, forecast
from tests.soak.outages import Service
from tests.soak.vitals import Vitals, growth

BOUND_S = 100.0
DAY_S = 86_400.0


def fault(number: int, kind: Kind = Kind.CUT) -> Fault:
    return Fault(number, 0.0, kind, None, 0.0, None, 0.0, worse=False)


def test_an_outage_is_recovered_by_the_first_proof_after_its_last_fault() -> None:
    service = Service("contact", BOUND_S)
    service.began(fault(1, Kind.AWAY))
    service.began(fault(2, Kind.ADAPTER_OUT))
    service.ended(fault(1, Kind.AWAY), 50.0)
    service.proved(60.0)  # not yet: the adapter is out, so this came from before
    service.ended(fault(2, Kind.ADAPTER_OUT), 70.0)
    service.began(fault(3))
    service.ended(fault(3), 75.0)
    assert service.tally.outages == 0
    service.proved(90.0)
    assert service.tally.outages == 1
    assert service.tally.recovered == {Kind.AWAY: 1, Kind.ADAPTER_OUT: 1, Kind.CUT: 1}
    assert service.tally.longest_s == 15.0
    service.proved(95.0)
    assert service.tally.outages == 1
    assert service.complaints == []


def test_one_complaint_for_each_outage_that_lasts_too_long() -> None:
    service = Service("contact", BOUND_S)
    service.began(fault(1))
    assert service.check(500.0) is None, "nothing is owed while the fault lasts"
    service.ended(fault(1), 500.0)
    assert service.check(600.0) is None
    complaint = service.check(600.1)
    assert complaint is not None
    assert "cut (fault 1)" in complaint
    assert service.check(700.0) is None
    service.proved(701.0)
    assert service.check(801.5) is not None, "silence with no fault at all is one too"


def test_the_same_seed_is_the_same_weather_and_another_is_not() -> None:
    serials = ["A", "B"]
    month = list(forecast(7, 30 * DAY_S, serials))
    assert month == list(forecast(7, 30 * DAY_S, serials))
    assert month != list(forecast(8, 30 * DAY_S, serials))
    assert {each.kind for each in month} == set(Kind)
    assert 250 < len(month) / 30 < 330, "every few minutes"
    assert all(one.at_s <= other.at_s for one, other in pairwise(month))


def test_growth_is_seen_and_noise_is_not() -> None:
    flat = [Vitals(day, 700_000 + 500 * (day % 3), 100 * 2**20, 2, 17 + day % 2, 26) for day in range(31)]
    assert growth(flat) == []
    warming = [replace(each, blocks=each.blocks // 2) if each.day < 3 else each for each in flat]
    assert growth(warming) == [], "what fills up in the first days is no leak"
    two_objects_a_visit = [replace(each, blocks=each.blocks + int(each.day) * 96 * 4) for each in flat]
    (sentence,) = growth(two_objects_a_visit)
    assert sentence.startswith("allocated objects grew from 702,036 to 711,")
    one_kib_a_visit = [replace(each, resident=each.resident + int(each.day) * 192 * 1024) for each in flat]
    (sentence,) = growth(one_kib_a_visit)
    assert sentence.startswith("resident memory grew")
    a_task_a_day = [replace(each, tasks=each.tasks + int(each.day)) for each in flat]
    (sentence,) = growth(a_task_a_day)
    assert sentence.startswith("tasks grew")
    assert growth(two_objects_a_visit[:8]) == [], "too short to say anything"
