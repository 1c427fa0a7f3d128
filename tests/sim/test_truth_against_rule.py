"""The truth and the server's rule, written apart, agree on any order and any wear when nothing is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.states import Reason, State
from calza_server.domain.verdicts.verdict import judge
from calza_sim.truth import Truth, truth_days, truth_open

MINUTE_S = 60
DAY_MIN = 1_440
ZONES = ("UTC", "Europe/Rome", "America/New_York", "Pacific/Chatham")
STARTS = (datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))


@st.composite
def phases(draw: st.DrawFn) -> dict[str, Any]:
    days = draw(st.integers(1, 4))
    mode = draw(st.sampled_from(["continuous", "daytime"]))
    removal = draw(st.sampled_from(["none", "hygiene"]))
    phase: dict[str, Any] = {
        "days": days,
        "mode": mode,
        "hours": draw(st.sampled_from([4, 10, 10.5, 20, 23, 23.5, 24])),
        "days_required": draw(st.integers(0, days)),
        "removal": removal,
    }
    if removal == "hygiene":
        phase["hygiene_minutes"] = draw(st.sampled_from([0, 30, 60, 90]))
        phase["night_optional"] = mode == "continuous" and draw(st.booleans())
    if draw(st.booleans()):
        phase["tolerance"] = draw(st.sampled_from([0, 0.02, 0.1, 0.25]))
    return phase


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(st.sampled_from(STARTS)) + timedelta(minutes=draw(st.integers(0, DAY_MIN - 1)))
    several = draw(st.lists(phases(), min_size=1, max_size=3))
    order: dict[str, Any] = {"start": start.isoformat(), "timezone": draw(st.sampled_from(ZONES)), "phases": several}
    most = (sum(each["days"] for each in several) - 1) * DAY_MIN  # surely inside the order
    if draw(st.booleans()):
        order["night"] = {"start": draw(st.sampled_from(["21:30", "22:00", "00:30"])), "end": "06:15"}
    if most > 1 and draw(st.booleans()):
        at = start + timedelta(minutes=draw(st.integers(1, most)))
        order["ended"] = {"at": at.isoformat(), "why": draw(st.sampled_from(["shortened", "superseded"]))}
    if most > 1 and draw(st.booleans()):
        begin = draw(st.integers(0, most - 1))
        end = begin + draw(st.integers(1, 2 * DAY_MIN))
        stretch = (start + timedelta(minutes=each) for each in (begin, end))
        order["pauses"] = [dict(zip(("start", "end"), (each.isoformat() for each in stretch), strict=True))]
        order["pauses"][0]["reason"] = "blister"
    return order


@st.composite
def wears(draw: st.DrawFn, minutes: int) -> Any:
    """Runs of wear and none by turns."""
    lengths = draw(st.lists(st.integers(1, 1_500), min_size=4, max_size=30))
    worn = np.concatenate([np.full(length, number % 2 == 0) for number, length in enumerate(lengths)])
    return np.resize(worn, minutes)


@settings(max_examples=300)
@given(data=st.data(), order=orders())
def test_truth_and_rule_agree_day_by_day(data: st.DataObject, order: dict[str, Any]) -> None:
    read = read_prescription(order)
    first = read.start_minute
    minutes = read.ordered_end_minute - first
    worn = data.draw(wears(minutes))
    at = (first + np.arange(minutes, dtype=np.int64)) * MINUTE_S
    known = Truth(at, worn, ("sitting",) * minutes, ("",) * minutes, ())
    ledger = Ledger.unknown(first, first + minutes)
    ledger.state[:] = np.where(worn, State.WORN, State.NOT_WORN)
    ledger.reason[:] = np.where(worn, Reason.ON_LEG, Reason.NO_PRESSURE)

    mine, theirs = truth_days(known, order), judge(read, ledger, first + minutes)
    assert [(day.day, day.worn_min, day.met) for day in mine.days] == [
        (day.date, day.worn_minutes, day.outcome.value == "met") for day in theirs.days
    ]
    assert [(each.days, each.days_met, each.days_required) for each in mine.phases] == [
        (each.days, each.days_met_lower, each.days_required) for each in theirs.phases
    ]
    assert mine.verdict == theirs.verdict.value

    as_of = first + data.draw(st.integers(0, minutes))
    seen = Ledger.unknown(first, as_of)
    seen.state[:], seen.reason[:] = ledger.state[: as_of - first], ledger.reason[: as_of - first]
    assert truth_open(known, order, as_of * MINUTE_S).verdict == judge(read, seen, as_of).verdict.value
