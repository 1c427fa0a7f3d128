"""What the API says of a leg beside its verdict: orders, reasons, alerts, dose, frozen versions, export, course."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from calza_server.adapters.memory_store import MemoryStore
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.verdicts.verdict_document import differences, read_export, recompute
from calza_server.freezing import freeze_due
from calza_server.ports import Leg, VerdictBookError
from calza_server.registry.orders import give, stop, with_papers
from calza_server.registry.registry import RegistryContent
from tests.server.clinic import FREE, LEFT, ORDER, RIGHT, START, Clinic, open_clinic, worn_as_ordered
from tests.server.recorded import blocks_of, heard
from tests.server.wear_days import DAY

MINUTE_MS = 60_000
AREAS = [{"side": "left", "zone": "calf"}]


def ask(clinic: Clinic, path: str, status: int = 200) -> Any:
    answer = clinic.browser().get(f"/api/v1/{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def later(clinic: Clinic, days: float) -> Clinic:
    """The same clinic so many days after the orders began."""
    clinic.clock.ms = round((START + days * DAY) * MINUTE_MS)
    return clinic


def freeze(clinic: Clinic) -> int:
    return freeze_due(clinic.store, clinic.registry, clinic.book, clinic.clock.now_ms())


def relegged(clinic: Clinic, leg: Leg) -> None:
    clinic.registry.known = [(leg if one.id == leg.id else one, serials) for one, serials in clinic.registry.known]


def silent() -> Clinic:
    """The left leg's stocking spoke on its first day and never again; it is the last day of its order."""
    clinic = open_clinic(days=3.9)
    clinic.store = MemoryStore()
    clinic.store.append(blocks_of(worn_as_ordered(), "CZ-0001")[:24])
    clinic.store.add_sync(heard("CZ-0001", b"log-one.", 24, clinic.clock.now_ms()), clinic.clock.now_ms())
    return clinic


def left_leg(clinic: Clinic) -> Leg:
    leg = clinic.registry.leg(LEFT)
    assert leg is not None
    return leg


# --- finality ---------------------------------------------------------------------------------------------------------


def test_nothing_is_frozen_before_the_days_of_grace_are_over() -> None:
    clinic = open_clinic(days=5)
    assert freeze(clinic) == 0
    standing = ask(clinic, f"legs/{LEFT}/verdict")["standing"]
    assert (standing["kind"], standing["until"]) == ("provisional", "2026-03-13T00:00:00Z")


def test_after_the_grace_an_answer_is_frozen_once() -> None:
    clinic = later(open_clinic(), 12)
    assert freeze(clinic) == 2, "both legs with an order that can be read"
    assert freeze(clinic) == 0
    found = ask(clinic, f"legs/{LEFT}/versions")
    assert found["standing"]["kind"] == "final"
    (version,) = found["versions"]
    assert (version["number"], version["why"], version["verdict"]) == (1, "grace_over", "met")


def test_late_data_amends_and_never_overwrites() -> None:
    clinic = later(open_clinic(), 12)
    freeze(clinic)
    clinic.store.append(blocks_of(worn_as_ordered(), "CZ-0002"))
    clinic.store.add_sync(heard("CZ-0002", b"log-one.", 96, clinic.clock.now_ms()), clinic.clock.now_ms())
    assert ask(clinic, f"legs/{RIGHT}/versions")["standing"]["kind"] == "changed"
    assert freeze(clinic) == 1
    found = ask(clinic, f"legs/{RIGHT}/versions")
    assert found["standing"]["kind"] == "amended"
    assert [(one["number"], one["verdict"]) for one in found["versions"]] == [(1, "cannot_tell"), (2, "met")]
    assert ask(clinic, f"legs/{LEFT}/versions")["standing"]["kind"] == "final", "the other leg is left alone"


def test_a_book_that_cannot_be_read_is_said_so() -> None:
    class Broken:
        def versions(self, leg: str, order: str) -> tuple[dict[str, object], ...]:
            raise VerdictBookError("book_broken", "secret place")

        def append(self, leg: str, order: str, version: object) -> None:
            raise AssertionError("never reached")

    clinic = replace(open_clinic(), book=Broken())
    problem = ask(clinic, f"legs/{LEFT}/verdict", status=503)
    assert problem["code"] == "book_broken"
    assert "secret" not in problem["detail"]
    assert freeze(later(clinic, 12)) == 0, "and it stops nothing else"


# --- orders -----------------------------------------------------------------------------------------------------------


def two_orders() -> Clinic:
    """The left leg with a second treatment on the third day; the first order is closed there."""
    clinic = open_clinic()
    second = {**ORDER, "start": "2026-03-04T12:00:00+00:00", "pauses": []}
    content = give(RegistryContent((), (left_leg(clinic),)), LEFT, read_prescription(second))
    relegged(clinic, content.known_legs[0])
    return clinic


def test_each_order_keeps_a_verdict_of_its_own() -> None:
    clinic = two_orders()
    first, second = ask(clinic, f"legs/{LEFT}/orders")["orders"]
    assert (first["number"], first["label"], first["verdict"]) == (1, "superseded by the next treatment", "met")
    assert (second["number"], second["label"], second["verdict"]) == (2, "", "can_be_met")
    assert ask(clinic, f"legs/{LEFT}/verdict")["order"] == 2
    assert ask(clinic, f"legs/{LEFT}/verdict?order=1")["fingerprint"] == first["fingerprint"]


def test_dose_is_told_of_every_order() -> None:
    assert ask(two_orders(), f"legs/{LEFT}/dose?order=1")["order"] == 1


@pytest.mark.parametrize(("order", "status", "code"), [(3, 404, "unknown_order"), (0, 422, "bad_request")])
def test_an_order_there_is_not(order: int, status: int, code: str) -> None:
    assert ask(two_orders(), f"legs/{LEFT}/verdict?order={order}", status=status)["code"] == code


def test_a_shortened_order_says_so() -> None:
    clinic = open_clinic()
    leg = left_leg(clinic)
    at = datetime.fromisoformat("2026-03-04T12:00:00+00:00")
    relegged(clinic, stop(RegistryContent((), (leg,)), LEFT, at, "rash").known_legs[0])
    body = ask(clinic, f"legs/{LEFT}/verdict")
    assert (body["label"], len(body["days"])) == ("order shortened", 3)
    assert any("shortened" in one["sentence"] for one in ask(clinic, f"legs/{LEFT}/explanation")["statements"])


# --- reasons, dose, alerts, export ------------------------------------------------------------------------------------


def test_the_explanation_rests_on_rows_of_the_ledger() -> None:
    found = ask(open_clinic(), f"legs/{LEFT}/explanation?day=2026-03-02")
    worn = [row for one in found["statements"] for row in one["rows"] if row["state"] == "worn"]
    assert sum(row["minutes"] for row in worn) >= 12 * 60
    assert {row["stocking"] for row in worn} == {"CZ-0001"}


def test_only_days_of_the_order_are_explained() -> None:
    assert ask(open_clinic(), f"legs/{LEFT}/explanation?day=2026-04-02", status=422)["code"] == "unknown_day"


def test_dose_has_its_doubt_and_stands_beside_the_verdict() -> None:
    found = ask(open_clinic(), f"legs/{LEFT}/dose")
    whole = found["whole"]
    assert whole["worn_minutes"] == 48 * 60
    assert whole["ankle_median_mmhg"] == pytest.approx(26.0, abs=0.2)
    assert whole["uncertainty_mmhg"] == pytest.approx(3.9, abs=0.1)
    assert (whole["reached_minutes"], whole["below_minutes"]) == (48 * 60, 0)
    assert len(found["days"]) == 4


def test_a_silent_stocking_is_an_alert_with_its_rule_and_its_minutes() -> None:
    (alert,) = (one for one in ask(silent(), f"legs/{LEFT}/alerts")["alerts"] if one["kind"] == "silent")
    assert alert["threshold"]
    assert alert["source"]
    assert sum(1 for _ in alert["when"]) >= 1


def test_the_export_gives_the_same_answer_offline() -> None:
    clinic = open_clinic()
    document = ask(clinic, f"legs/{RIGHT}/export")
    export = read_export(document)
    again = recompute(export)
    body = ask(clinic, f"legs/{RIGHT}/verdict")
    assert (again.verdict, again.fingerprint) == (body["verdict"], body["fingerprint"])
    assert differences(export, again) == ()


def test_unknown_minutes_are_counted_by_reason() -> None:
    clinic = open_clinic()
    body = ask(clinic, f"legs/{RIGHT}/verdict")
    assert sum(body["unknown_minutes"].values()) == sum(day["unknown_minutes"] for day in body["days"])
    assert body["unknown_minutes"]["no_data"] == 3 * DAY - (DAY + 300)


def test_a_replaced_stocking_does_not_make_the_new_ones_minutes_unknown() -> None:
    """The first fell silent on day one and the second goes on; only its retirement makes not worn certain again."""
    clinic = silent()
    new = replace(worn_as_ordered(), logs=(b"log-two.",))
    clinic.store.append([one for one in blocks_of(new, "CZ-0009") if one.record >= 24])
    clinic.store.add_sync(heard("CZ-0009", b"log-two.", 96, clinic.clock.now_ms()), clinic.clock.now_ms())
    clinic.registry.known[0] = (left_leg(clinic), ("CZ-0001", "CZ-0009"))
    in_doubt = ask(clinic, f"legs/{LEFT}/verdict")["days"][2]
    clinic.registry.retired["CZ-0001"] = START + DAY
    certain = ask(clinic, f"legs/{LEFT}/verdict")["days"][2]
    assert in_doubt["worn_minutes"] == certain["worn_minutes"] == 12 * 60
    assert (in_doubt["not_worn_minutes"], certain["not_worn_minutes"]) == (0, 12 * 60)


def test_a_leg_nobody_ordered_anything_for_has_nothing_to_stand() -> None:
    body = ask(open_clinic(), f"legs/{FREE}/verdict")
    assert (body["verdict"], body["order"], body["standing"]) == ("not_applicable", 0, None)
    assert ask(open_clinic(), f"legs/{FREE}/orders")["orders"] == []


# --- for those who prescribe ------------------------------------------------------------------------------------------


def test_presets_show_their_sources_and_contradictions() -> None:
    presets = {each["id"]: each for each in ask(open_clinic(), "presets")["presets"]}
    assert "fourteen days" in presets["seedC-7d"]["conflict"]
    assert presets["nootheti-28d"]["disabled_reason"]


def test_a_course_nobody_began_misses_everything_and_blocks_nothing() -> None:
    found = ask(open_clinic(), f"legs/{LEFT}/course")
    assert not found["clear"]
    assert found["blocked"] == []
    assert "scan" in found["missing"]


def test_a_course_says_what_is_due() -> None:
    clinic = open_clinic()
    course = {
        "treatments": [{"date": "2026-03-02", "kind": "micro", "operator": "Dr B", "areas": AREAS, "agent": None}],
        "outcomes": [],
        "planned": None,
    }
    leg = left_leg(clinic)
    relegged(clinic, with_papers(RegistryContent((), (leg,)), LEFT, course=course).known_legs[0])
    found = ask(clinic, f"legs/{LEFT}/course")
    assert [(one["kind"], one["first"]) for one in found["due"]] == [
        ("next-treatment", "2026-03-30"),
        ("review", "2026-06-02"),
    ]
    assert "scan" not in found["missing"], "asked before the first treatment only"


def test_papers_that_cannot_be_read_are_pointed_at() -> None:
    clinic = open_clinic()
    leg = left_leg(clinic)
    relegged(clinic, replace(leg, course={"treatments": 1}))
    assert ask(clinic, f"legs/{LEFT}/course", status=409)["code"] == "unreadable_papers"


def test_the_page_shows_reasons_alerts_and_how_final_it_is() -> None:
    clinic = later(open_clinic(), 12)
    freeze(clinic)
    page = clinic.browser().get("/").text
    assert "Final since" in page
    assert "Why, in plain words" in page
    assert "mmHg, give or take" in page
    assert "Soon:" in silent().browser().get("/").text
