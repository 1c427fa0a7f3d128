"""Finality: provisional while grace runs, frozen as version 1, amended by what changes later, never overwritten."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.orders.prescription import Mode, Phase, Prescription, minute_of
from calza_server.domain.states import Reason, State
from calza_server.domain.verdicts.finality import (
    StandingKind,
    VerdictVersion,
    Why,
    grace_end_minute,
    next_version,
    standing,
)
from calza_server.domain.verdicts.finality_document import read_versions, versions_document
from calza_server.domain.verdicts.verdict import Verdict, VerdictReport, judge
from calza_server.domain.verdicts.verdict_document_fields import DocumentError
from tests.server.drawn_ledgers import ledgers, short_orders

DAY = 1440
ORDER = Prescription(datetime(2026, 3, 20, tzinfo=UTC), "Europe/London", (Phase(5, Mode.DAYTIME, 10, 4),))
GRACE = grace_end_minute(ORDER)


def book(*worn_days: int) -> Ledger:
    """Worn on these days of the order, unknown on the others."""
    made = Ledger.unknown(ORDER.start_minute, ORDER.end_minute)
    for day in worn_days:
        made.state[day * DAY : (day + 1) * DAY] = State.WORN
        made.reason[day * DAY : (day + 1) * DAY] = Reason.ON_LEG
    return made


def report_at(minute: int, of: Ledger, order: Prescription = ORDER) -> VerdictReport:
    return judge(order, of, minute)


def frozen(*ledgers_in_time: Ledger) -> tuple[VerdictVersion, ...]:
    """The history after each ledger was seen on a day of its own, the first at the end of grace."""
    history: tuple[VerdictVersion, ...] = ()
    for day, each in enumerate(ledgers_in_time):
        found = next_version(history, ORDER, report_at(GRACE + day * DAY, each), GRACE + day * DAY)
        history += () if found is None else (found,)
    return history


def test_grace_is_calendar_days_of_the_orders_zone() -> None:
    """The clocks go forward on 29 March, so these seven days are an hour short."""
    assert minute_of(datetime(2026, 3, 31, 23, tzinfo=UTC)) == GRACE
    assert GRACE - ORDER.end_minute == 7 * DAY - 60
    assert grace_end_minute(replace(ORDER, grace_days=0)) == ORDER.end_minute


@pytest.mark.parametrize("now", [ORDER.start_minute, ORDER.end_minute - 1, ORDER.end_minute, GRACE - 1])
def test_nothing_is_frozen_while_the_order_or_its_grace_runs(now: int) -> None:
    report = report_at(now, book(0, 1))
    assert next_version((), ORDER, report, now) is None
    found = standing((), ORDER, report, now)
    assert (found.kind, found.version, found.until_minute) == (StandingKind.PROVISIONAL, None, GRACE)
    assert found.sentence(ORDER.timezone) == (
        "Provisional: data that arrives by Wed 1 April 2026, 00:00 is still counted."
    )


def test_late_data_within_grace_changes_the_answer_and_is_what_is_frozen() -> None:
    assert report_at(ORDER.end_minute, book(0, 1)).verdict is Verdict.CANNOT_TELL
    (only,) = frozen(book(0, 1, 2, 3))
    assert (only.number, only.frozen_at_minute, only.why) == (1, GRACE, Why.GRACE_OVER)
    assert (only.verdict, only.days_met_lower, only.days_met_upper, only.days_required) == (Verdict.MET, 4, 5, 4)
    report = report_at(GRACE + 5, book(0, 1, 2, 3))
    assert only.fingerprint == report.fingerprint
    found = standing((only,), ORDER, report, GRACE + 5)
    assert (found.kind, found.version) == (StandingKind.FINAL, only)
    assert found.sentence("Europe/London") == "Final since Wed 1 April 2026, 00:00 (version 1)."


def test_what_changes_nothing_makes_no_version() -> None:
    named = book(0, 1, 2)
    named.reason[3 * DAY :] = Reason.BATTERY_FLAT
    assert len(frozen(book(0, 1, 2), book(0, 1, 2), named)) == 1


def test_late_data_after_grace_amends_and_keeps_what_was() -> None:
    first, second = frozen(book(0, 1), book(0, 1, 2, 3))
    assert (first.number, first.verdict) == (1, Verdict.CANNOT_TELL)
    assert (second.number, second.verdict, second.why) == (2, Verdict.MET, Why.LATE_DATA)
    assert second.frozen_at_minute == GRACE + DAY
    now = report_at(GRACE + 3 * DAY, book(0, 1, 2, 3))
    found = standing((first, second), ORDER, now, GRACE + 3 * DAY)
    assert (found.kind, found.version) == (StandingKind.AMENDED, second)
    assert found.sentence("Europe/London") == (
        "Amended on Thu 2 April 2026, 00:00 (version 2), because data arrived later."
    )


def test_between_late_data_and_its_version_the_standing_says_so() -> None:
    history = frozen(book(0, 1))
    later = report_at(GRACE + 9, book(0, 1, 2))
    found = standing(history, ORDER, later, GRACE + 9)
    assert (found.kind, found.version) == (StandingKind.CHANGED, history[0])
    assert found.sentence("UTC") == (
        "What version 1 of Tue 31 March 2026, 23:00 rests on has changed since; an amended one is due."
    )


def test_data_that_goes_back_makes_a_third_version_not_the_first_again() -> None:
    history = frozen(book(0, 1), book(0, 1, 2), book(0, 1))
    assert [version.number for version in history] == [1, 2, 3]
    assert history[0].fingerprint == history[2].fingerprint


def test_a_changed_order_and_a_changed_detector_are_told_from_late_data() -> None:
    history = frozen(book(0, 1))
    asks_less = replace(ORDER, phases=(Phase(5, Mode.DAYTIME, 10, 2),))
    report = report_at(GRACE + 5, book(0, 1), asks_less)
    amended = next_version(history, asks_less, report, GRACE + 5)
    assert amended is not None
    assert (amended.why, amended.verdict) == (Why.ORDER_CHANGED, Verdict.MET)
    anew = next_version(history, ORDER, report_at(GRACE + 5, book(0)), GRACE + 5, detector_version="calza-detector-99")
    assert anew is not None
    assert (anew.why, anew.detector_version) == (Why.DETECTOR_CHANGED, "calza-detector-99")


def test_a_new_rule_alone_reopens_nothing() -> None:
    (first,) = frozen(book(0, 1))
    older = replace(first, rule_version="calza-rule-1", fingerprint="0" * 64)
    report = report_at(GRACE + 5, book(0, 1))
    assert next_version((older,), ORDER, report, GRACE + 5) is None
    assert standing((older,), ORDER, report, GRACE + 5).kind is StandingKind.FINAL


def test_an_order_prolonged_after_it_was_frozen_is_provisional_again() -> None:
    history = frozen(book(0, 1))
    longer = replace(ORDER, phases=(Phase(30, Mode.DAYTIME, 10, 24),))
    report = report_at(GRACE + 5, book(0, 1), longer)
    assert next_version(history, longer, report, GRACE + 5) is None
    found = standing(history, longer, report, GRACE + 5)
    assert (found.kind, found.version) == (StandingKind.PROVISIONAL, history[0])


def test_a_report_of_a_running_order_is_never_frozen() -> None:
    with pytest.raises(ValueError, match="judge it again"):
        next_version((), ORDER, report_at(ORDER.end_minute - 1, book(0)), GRACE)
    with pytest.raises(ValueError, match="judge it again"):
        standing(frozen(book(0)), ORDER, report_at(ORDER.end_minute - 1, book(0)), GRACE)


def test_a_history_with_a_hole_is_refused() -> None:
    first, second = frozen(book(0), book(0, 1))
    for history in ((second,), (second, first), (first, first)):
        with pytest.raises(ValueError, match="numbered"):
            next_version(history, ORDER, report_at(GRACE, book(0)), GRACE)


@given(st.data(), short_orders(), st.lists(st.integers(0, 20), min_size=1, max_size=6))
@settings(max_examples=60)
def test_history_only_grows_and_always_ends_in_what_is_held(
    data: st.DataObject, order: Prescription, hours: list[int]
) -> None:
    """Whatever arrives whenever: versions are kept, numbered and dated in order, and the last one is what is held."""
    history: tuple[VerdictVersion, ...] = ()
    now = order.start_minute
    for pause in hours:
        now += pause * 24 * 60
        report = judge(order, data.draw(ledgers(order)), now)
        found = next_version(history, order, report, now)
        before, history = history, history if found is None else (*history, found)
        assert history[: len(before)] == before
        if now < grace_end_minute(order):
            assert history == ()
        else:
            assert history[-1].evidence == report.evidence
            assert standing(history, order, report, now).kind in {StandingKind.FINAL, StandingKind.AMENDED}
            assert next_version(history, order, report, now) is None
    assert [version.number for version in history] == list(range(1, len(history) + 1))
    assert read_versions(json.loads(json.dumps(versions_document(history)))) == history


# --- the document ---------------------------------------------------------------------------------------------------


def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(versions_document(frozen(book(0, 1), book(0, 1, 2, 3)))))
    return made


def test_versions_are_written_and_read_back() -> None:
    assert read_versions(document()) == frozen(book(0, 1), book(0, 1, 2, 3))
    first = document()["versions"][0]
    assert (first["frozen_at"], first["verdict"], first["why"]) == ("2026-03-31T23:00Z", "cannot_tell", "grace_over")
    assert first["detector_version"] == DETECTOR_VERSION


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/format", "calza-verdict-versions-9"),
        ("/versions", {}),
        ("/versions/0", None),
        ("/versions/0/number", 2),
        ("/versions/1/number", 1),
        ("/versions/0/frozen_at", "2026-03-31T23:00:00Z"),
        ("/versions/0/frozen_at", "2026-13-31T23:00Z"),
        ("/versions/0/why", "because"),
        ("/versions/0/verdict", "perhaps"),
        ("/versions/0/days_met_lower", -1),
        ("/versions/0/days_met_lower", True),
        ("/versions/0/evidence", "abc"),
        ("/versions/0/surprise", 1),
    ],
)
def test_a_faulty_document_is_refused_with_its_place(pointer: str, value: object) -> None:
    faulty = copy.deepcopy(document())
    *path, last = pointer.strip("/").split("/")
    target: Any = faulty
    for step in path:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(last) if isinstance(target, list) else last] = value
    with pytest.raises(DocumentError) as caught:
        read_versions(faulty)
    assert caught.value.pointer.startswith(pointer)
    assert caught.value.code == "verdict_document_invalid"
