"""The export: whoever holds it works out the same answer, a changed file is told in words, a faulty one refused."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.ledgers.ledger import Ledger, Source
from calza_server.domain.orders.prescription import Mode, Pause, Phase, Prescription
from calza_server.domain.recording.completeness import Completeness
from calza_server.domain.states import Dose, Reason, State
from calza_server.domain.verdicts.explain import explain_verdict
from calza_server.domain.verdicts.fingerprint import digest
from calza_server.domain.verdicts.verdict import RULE_VERSION, Verdict, VerdictReport, judge
from calza_server.domain.verdicts.verdict_document import (
    DocumentError,
    OtherRuleError,
    differences,
    export,
    read_export,
    recompute,
    report_document,
)
from tests.server.drawn_ledgers import ledgers, short_orders

DAY = 1440
ALL_HELD = Completeness(48, 47, 1)
ORDER = Prescription(
    datetime(2026, 3, 2, 0, 0, tzinfo=UTC),
    "Europe/London",
    (Phase(2, Mode.DAYTIME, 10, 2, 18.0, critical=True), Phase(3, Mode.DAYTIME, 10, 2)),
    pauses=(Pause(datetime(2026, 3, 3, 12, tzinfo=UTC), datetime(2026, 3, 3, 13, tzinfo=UTC), "blister"),),
)


def book() -> Ledger:
    """Five days: worn but for the third, which is unknown, and the mornings of the others."""
    made = Ledger.unknown(ORDER.start_minute, ORDER.end_minute)
    made.state[:], made.reason[:], made.dose[:] = State.WORN, Reason.ON_LEG, Dose.REACHED
    made.source[:], made.record[:] = 0, np.arange(len(made)) // 60
    for day in range(5):
        morning = slice(day * DAY, day * DAY + 480)
        made.state[morning], made.reason[morning], made.dose[morning] = State.NOT_WORN, Reason.NO_PRESSURE, 0
    third = slice(2 * DAY, 3 * DAY)
    made.state[third], made.reason[third], made.dose[third] = State.UNKNOWN, Reason.BATTERY_FLAT, 0
    made.source[third], made.record[third] = -1, -1
    return replace(made, sources=(Source("CZ-0001", b"log-one."),))


def report() -> VerdictReport:
    return judge(ORDER, book(), ORDER.end_minute + 60)


def document() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(export(ORDER, book(), report(), ALL_HELD, DETECTOR_VERSION)))
    return made


def changed(pointer: str, value: object, *, forged: bool = False) -> dict[str, Any]:
    """The document with one field set; `forged`: with a digest that fits again."""
    made = copy.deepcopy(document())
    *path, last = pointer.strip("/").split("/")
    target: Any = made
    for step in path:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(last) if isinstance(target, list) else last] = value
    if forged:
        made["digest"] = digest({name: field for name, field in made.items() if name != "digest"})
    return made


# --- the round trip -------------------------------------------------------------------------------------------------


@given(st.data(), short_orders())
@settings(max_examples=60)
def test_whoever_holds_the_export_comes_to_the_same_answer(data: st.DataObject, order: Prescription) -> None:
    ledger = data.draw(ledgers(order))
    as_of = data.draw(st.integers(order.start_minute - 10, order.end_minute + 10_000))
    found = judge(order, ledger, as_of, borderline_minutes=data.draw(st.integers(0, 120)))
    expected = data.draw(st.integers(0, 500))
    missing = data.draw(st.integers(0, expected))
    complete = Completeness(expected, expected - missing, missing)
    text = json.dumps(export(order, ledger, found, complete, "calza-detector-x"))
    read = read_export(json.loads(text))
    assert recompute(read) == found
    assert recompute(read).fingerprint == found.fingerprint
    assert differences(read, recompute(read)) == ()
    assert (read.completeness, read.detector_version, read.intact) == (complete, "calza-detector-x", True)
    again = export(read.order, read.ledger, recompute(read), read.completeness, read.detector_version)
    assert json.dumps(again) == text
    assert explain_verdict(read.order, found, read.ledger) == explain_verdict(order, found, ledger)


def test_the_ledger_comes_back_minute_for_minute() -> None:
    read = read_export(document()).ledger
    whole = book()
    judged = Ledger.unknown(0, 0) if not len(whole) else whole
    pause = slice(DAY + 720, DAY + 780)
    judged.state[pause], judged.reason[pause], judged.dose[pause] = State.EXCUSED, Reason.PAUSED, Dose.NOT_ASKED
    for name in ("state", "reason", "dose", "source", "record"):
        assert getattr(read, name).tolist() == getattr(judged, name).tolist()
        assert getattr(read, name).dtype == getattr(judged, name).dtype
    assert (read.start_minute, read.sources) == (judged.start_minute, judged.sources)


def test_the_document_says_what_it_is() -> None:
    made = document()
    assert (made["format"], made["rule_version"]) == ("calza-verdict-1", RULE_VERSION)
    assert made["as_of"] == "2026-03-07T01:00Z"
    assert made["ledger"]["start"] == "2026-03-02T00:00Z"
    assert made["ledger"]["runs"][8] == {
        "minutes": 60,
        "state": "worn",
        "reason": "on_leg",
        "dose": "yes",
        "source": 0,
        "record": 8,
    }
    assert made["ledger"]["sources"] == [{"stocking": "CZ-0001", "log": b"log-one.".hex()}]
    assert made["completeness"] == {"records_expected": 48, "records_held": 47, "records_missing": 1}
    assert made["verdict"]["verdict"] == report().verdict == Verdict.MET
    assert made["verdict"]["days"][2] == {"date": "2026-03-04", "outcome": "cannot_tell"}
    assert made["fingerprint"] == report().fingerprint


def test_how_a_whole_number_is_spelled_makes_no_other_fingerprint() -> None:
    """A language without a type for whole numbers writes 10.0 as 10, and reads it so."""
    floats = replace(ORDER, phases=tuple(replace(phase, hours=10.0) for phase in ORDER.phases))
    assert judge(floats, book(), 10**9).fingerprint == judge(ORDER, book(), 10**9).fingerprint
    made = document()
    assert made["order"]["phases"][0]["ankle_floor_mmhg"] == 18.0
    made["order"]["phases"][0]["ankle_floor_mmhg"] = 18
    read = read_export(json.loads(json.dumps(made)))
    assert differences(read, recompute(read)) == ()


# --- what was changed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "value", "sentence"),
    [
        ("/verdict/verdict", "not_met", "The file says the verdict is not met; worked out anew: met."),
        ("/verdict/early", None, "The file says the early verdict is none; worked out anew: met."),
        (
            "/verdict/days_met_lower",
            1,
            "The file says the lower bound of days is 1; worked out anew: 4.",
        ),
        (
            "/verdict/worn_minutes_upper",
            1,
            "The file says the upper bound of worn minutes is 1; worked out anew: 5220.",
        ),
        ("/verdict/borderline", True, "The file says that a day is borderline is true; worked out anew: false."),
        (
            "/verdict/days/2/outcome",
            "met",
            "The file says Wed 4 March is met; worked out anew: cannot tell.",
        ),
        ("/verdict/days", [], "The days in the file are not the 5 days of its order."),
        (
            "/fingerprint",
            "0" * 64,
            "The fingerprint in the file is not that of its rule, order and ledger.",
        ),
        ("/evidence", "0" * 64, "The evidence digest in the file is not that of its order and ledger."),
    ],
)
def test_a_changed_answer_is_told_even_if_the_digest_was_made_to_fit(
    pointer: str, value: object, sentence: str
) -> None:
    read = read_export(changed(pointer, value, forged=True))
    assert differences(read, recompute(read)) == (sentence,)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/order/phases/1/days_required", 3),
        ("/order/pauses", []),
        ("/ledger/runs/8/state", "not_worn"),
        ("/ledger/runs/0/state", "worn"),
        ("/as_of", "2026-03-06T00:00Z"),
    ],
)
def test_changed_evidence_no_longer_fits_the_fingerprint(pointer: str, value: object) -> None:
    made = changed(pointer, value)
    if "/state" in pointer:
        run = made["ledger"]["runs"][int(pointer.split("/")[3])]
        run["reason"], run["dose"] = ("on_leg", "yes") if value == "worn" else ("no_pressure", "")
    if pointer == "/as_of":
        made["ledger"]["runs"] = made["ledger"]["runs"][:-24]
    if pointer == "/order/pauses":  # the pause is in the ledger too; whoever forges must change both
        paused = next(run for run in made["ledger"]["runs"] if run["state"] == "excused")
        paused.update(state="worn", reason="on_leg", dose="yes")
    read = read_export(made)
    told = differences(read, recompute(read))
    assert "The fingerprint in the file is not that of its rule, order and ledger." in told
    assert "The file is not as it was written: its digest does not fit its content." in told


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/ledger/runs/8/dose", "no"),
        ("/completeness", {"records_expected": 9, "records_held": 9, "records_missing": 0}),
    ],
)
def test_what_the_answer_does_not_rest_on_is_found_by_the_digest_alone(pointer: str, value: object) -> None:
    read = read_export(changed(pointer, value))
    assert differences(read, recompute(read)) == (
        "The file is not as it was written: its digest does not fit its content.",
    )


def test_an_export_of_another_rule_is_refused_and_both_rules_are_named() -> None:
    with pytest.raises(OtherRuleError) as caught:
        read_export(changed("/rule_version", "calza-rule-1"))
    assert caught.value.code == "other_rule_version"
    assert caught.value.sentence == (
        "this was judged by calza-rule-1, but this program judges by calza-rule-2; "
        "use the release of Calza that wrote it"
    )


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/format", "calza-verdict-9"),
        ("/as_of", "2026-03-07T01:00:00Z"),
        ("/as_of", "2026-03-07T01:00+00:00"),
        ("/as_of", 5),
        ("/borderline_minutes", -1),
        ("/order", None),
        ("/order/phases/0/days", 0),
        ("/order/timezone", "Europe/Atlantis"),
        ("/ledger", []),
        ("/ledger/start", "2026-03-02T00:01Z"),
        ("/ledger/sources/0/log", "xyz"),
        ("/ledger/runs", []),
        ("/ledger/runs/0/minutes", 0),
        ("/ledger/runs/0/minutes", 61),
        ("/ledger/runs/0/minutes", 10**15),
        ("/ledger/runs/0/state", "asleep"),
        ("/ledger/runs/0/reason", "on_leg"),
        ("/ledger/runs/0/reason", "no_reason"),
        ("/ledger/runs/0/dose", "yes"),
        ("/ledger/runs/0/source", 1),
        ("/ledger/runs/0/source", None),
        ("/ledger/runs/0/surprise", 1),
        ("/completeness/records_held", 46),
        ("/verdict/verdict", "perhaps"),
        ("/verdict/running", 0),
        ("/verdict/days/0/date", "2nd of March"),
        ("/fingerprint", "short"),
        ("/surprise", 1),
    ],
)
def test_a_faulty_export_is_refused_with_its_place(pointer: str, value: object) -> None:
    with pytest.raises(DocumentError) as caught:
        read_export(changed(pointer, value))
    expected = {"/ledger/runs/0/source": "/ledger/runs/0", "/completeness/records_held": "/completeness"}
    within = "/ledger/runs" if pointer == "/ledger/runs/0/minutes" else expected.get(pointer, pointer)
    assert caught.value.pointer.startswith(within)
    assert caught.value.sentence
    assert caught.value.code == "verdict_document_invalid"


def places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where every value of a document lies."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in inside for place in places(item, (*at, key)))]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


WHOLE = document()


@given(place=st.sampled_from(places(WHOLE)[1:]), value=JSON_VALUES)
@settings(max_examples=200)
def test_anything_in_any_place_is_refused_or_told(place: tuple[str | int, ...], value: object) -> None:
    made: Any = copy.deepcopy(WHOLE)
    target = made
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    try:
        read = read_export(made)
    except DocumentError:
        return
    assert bool(differences(read, recompute(read))) is (digest(made) != digest(WHOLE))


def test_an_order_for_nothing_can_be_exported_too() -> None:
    nothing = replace(ORDER, phases=(), pauses=())
    found = judge(nothing, book(), 10**7)
    read = read_export(json.loads(json.dumps(export(nothing, book(), found, ALL_HELD, DETECTOR_VERSION))))
    assert recompute(read) == found
    assert found.verdict is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("name", sorted(document()))
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(DocumentError, match="is missing") as caught:
        read_export({key: value for key, value in document().items() if key != name})
    assert caught.value.pointer == f"/{name}"


@pytest.mark.parametrize("value", [None, 5, "text", [], [1]])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(DocumentError, match="must be an object"):
        read_export(value)


# --- the report -----------------------------------------------------------------------------------------------------


def test_the_report_for_programs_has_every_bound_and_day() -> None:
    made = json.loads(json.dumps(report_document(ORDER, report(), ALL_HELD, ledger=book())))
    assert (made["verdict"], made["running"], made["label"], made["as_of"]) == ("met", False, "", "2026-03-07T01:00Z")
    assert (made["days_met_lower"], made["days_met_upper"], made["days_required"]) == (4, 5, 4)
    assert (made["worn_hours_lower"], made["worn_hours_upper"]) == (63.0, 87.0)
    assert made["early"]["verdict"] == "met"
    assert [phase["verdict"] for phase in made["phases"]] == ["met", "met"]
    assert made["days"][1] == {
        "date": "2026-03-03",
        "phase": 0,
        "start": "2026-03-03T00:00Z",
        "end": "2026-03-04T00:00Z",
        "worn_minutes": 900,
        "not_worn_minutes": 480,
        "unknown_minutes": 0,
        "excused_minutes": 60,
        "forgiven_minutes": 0,
        "ahead_minutes": 0,
        "target_minutes": 600.0,
        "required_minutes": 480,
        "required_minutes_lower": 480,
        "outcome": "met",
        "borderline": False,
    }
    assert made["explanation"] == [each.sentence for each in explain_verdict(ORDER, report(), book())]
    assert (made["rule_version"], made["detector_version"]) == (RULE_VERSION, DETECTOR_VERSION)
    assert made["fingerprint"] == document()["fingerprint"]
    assert made["completeness"] == document()["completeness"]


def test_without_a_ledger_nothing_is_explained() -> None:
    assert report_document(ORDER, report(), ALL_HELD)["explanation"] == []
