"""Presets: every one makes a good order, says where it is from, and leaves open what its source leaves open."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from importlib.resources import files
from itertools import product
from typing import Any

import pytest

from calza_server.domain.orders.prescription import Mode, Prescription
from calza_server.domain.orders.presets import PROPOSAL_WORDS, Mark, Preset, PresetError, Proposal, filled, prescribe
from calza_server.domain.orders.presets_document import read_presets
from calza_server.domain.orders.rx_document import RuleError, read_prescription
from calza_server.registry.shipped_presets import preset, presets

START = datetime(2026, 3, 27, 15, 30, tzinfo=UTC)  # the clocks change on the third day
IDS = [each.id for each in presets()]


def document() -> dict[str, Any]:
    text = files("calza_server").joinpath("data/presets.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def every_choice(one: Preset) -> list[dict[str, str]]:
    options = [[(need.name, option.value) for option in need.options] for need in one.needs]
    return [dict(chosen) for chosen in product(*options)]


def made(preset_id: str, **choices: str | int) -> Prescription:
    return prescribe(preset(preset_id), START, "Europe/London", **choices)


def test_every_row_of_the_table_is_there() -> None:
    assert IDS == [
        "none",
        "seedA-14d",
        "seedC-7d",
        "std-micro-14d",
        "std-large-14-21d",
        "nhs-48h-then-day",
        "nice-cap-7d",
        "kern-21d",
        "weiss-3d",
        "weiss-7d",
        "weiss-21d",
        "nootheti-28d",
        "hameldesnos-21d",
        "ohare-14d",
        "bayer-7d",
        "has-4-6w",
        "au-micro-7d-day",
        "palm-spider-4d",
        "davisville-3d",
        "drh-7d",
    ]


@pytest.mark.parametrize("preset_id", IDS)
def test_every_choice_of_a_preset_makes_an_order(preset_id: str) -> None:
    one = preset(preset_id)
    for choices in every_choice(one):
        order = filled(one, START, "Europe/London", choices)
        assert order.preset == preset_id
        assert read_prescription(order.document()) == order
        assert order.max_days is None or order.ordered_days <= order.max_days
        for phase in order.phases:
            if Proposal.HOURS not in one.proposals:
                assert phase.hours == 24
            if phase.ankle_floor_mmhg is not None and order.garment is not None:
                assert phase.ankle_floor_mmhg == order.garment.ankle_min_mmhg


@pytest.mark.parametrize("preset_id", IDS)
def test_every_preset_says_where_it_is_from(preset_id: str) -> None:
    one = preset(preset_id)
    assert one.source.text
    assert one.source.reference
    assert one.enabled is (one.source.mark is not Mark.MEMORY)
    assert one.enabled is (one.disabled_reason == "")


def test_what_we_propose_has_words() -> None:
    assert set(PROPOSAL_WORDS) == set(Proposal)


def test_fourteen_days_one_week_and_none_stand_side_by_side() -> None:
    """Three sources, three answers: the conflict is shown, not settled."""
    notes = {preset(name).conflict for name in ("seedA-14d", "seedC-7d", "none")}
    assert len(notes) == 1
    assert "fourteen days, one full week, or usually no compression" in notes.pop()
    assert [each.id for each in presets() if each.conflict] == ["none", "seedA-14d", "seedC-7d"]
    for mode in Mode:
        assert made("seedA-14d", mode=mode.value).ordered_days == 14
        assert made("seedC-7d", mode=mode.value).ordered_days == 7
    assert made("none").phases == ()


def test_the_early_days_of_the_week_have_a_verdict_of_their_own() -> None:
    early, rest = made("seedC-7d", mode="continuous").phases
    assert (early.critical, early.days, early.days_required) == (True, 3, 3)
    assert (rest.critical, rest.days, rest.hours) == (False, 4, 23)


def test_the_four_days_and_nights_of_the_maker() -> None:
    order = made("std-micro-14d", stocking="ral-2")
    assert [(p.days, p.mode, p.hours, p.days_required, p.ankle_floor_mmhg) for p in order.phases] == [
        (4, Mode.CONTINUOUS, 23, 4, 23),
        (10, Mode.DAYTIME, 10, 8, 23),
    ]
    assert order.garment is not None
    assert (order.garment.standard, order.garment.label) == ("RAL-GZ 387/1", "II")
    assert all(day.hygiene_minutes == 0 for day in order.days() if day.end_minute - day.start_minute == 1440)


def test_a_choice_may_be_a_number() -> None:
    assert made("nhs-48h-then-day", days=14).ordered_days == 16
    assert made("nhs-48h-then-day", days="7").ordered_days == 9


def test_the_ceiling_of_seven_days_is_kept() -> None:
    order = made("nice-cap-7d", days=5, mode="daytime")
    assert (order.max_days, order.ordered_days) == (7, 5)
    with pytest.raises(PresetError, match="must be one of 1, 2, 3, 4, 5, 6, 7, not 8"):
        made("nice-cap-7d", days=8, mode="daytime")


@pytest.mark.parametrize(("bandage", "hours", "phases"), [("24h", 24, (1, 13)), ("5d", 120, (5, 9))])
def test_nothing_is_required_of_the_days_under_a_bandage(bandage: str, hours: int, phases: tuple[int, int]) -> None:
    order = made("ohare-14d", bandage=bandage, mode="daytime")
    (span,) = order.unsensed
    assert span.start == START
    assert (span.end - span.start).total_seconds() == hours * 3600
    assert tuple(phase.days for phase in order.phases) == phases
    assert order.phases[0].days_required == 0
    assert order.phases[1].days_required > 0


def test_nights_may_be_left_out_where_the_source_lets_them() -> None:
    first, second = made("drh-7d", stocking="unstated").phases
    assert (first.night_optional, second.night_optional) == (True, False)
    assert first.ankle_floor_mmhg is None


def test_a_preset_from_memory_cannot_be_ordered() -> None:
    with pytest.raises(PresetError, match="never checked against the source") as caught:
        made("nootheti-28d", mode="daytime")
    assert caught.value.code == "preset_disabled"
    assert [each.id for each in presets() if not each.enabled] == ["nootheti-28d"]


def test_what_the_source_leaves_open_must_be_chosen() -> None:
    with pytest.raises(PresetError, match=r"choose mode \(continuous, daytime\)\. The source does not say") as caught:
        made("seedA-14d")
    assert caught.value.code == "choice_missing"


@pytest.mark.parametrize(
    ("preset_id", "choices"),
    [("none", {"mode": "daytime"}), ("seedA-14d", {"mode": "daytime", "hours": 9}), ("seedA-14d", {"mode": "nights"})],
)
def test_a_choice_that_is_not_offered_is_refused(preset_id: str, choices: dict[str, str]) -> None:
    with pytest.raises(PresetError) as caught:
        made(preset_id, **choices)
    assert caught.value.code == "choice_unknown"


def test_a_preset_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(PresetError, match="no preset 14d; there are none, seedA-14d") as caught:
        preset("14d")
    assert caught.value.code == "preset_unknown"


def test_start_and_zone_are_read_as_strictly_as_in_an_order() -> None:
    with pytest.raises(RuleError, match="offset"):
        prescribe(preset("davisville-3d"), START.replace(tzinfo=None), "UTC")
    with pytest.raises(RuleError, match="IANA"):
        prescribe(preset("davisville-3d"), START, "London")


def test_one_order_does_not_change_the_next() -> None:
    one = made("std-large-14-21d", stocking="ral-1", days="14")
    assert made("std-large-14-21d", stocking="ral-2", days="7") != one
    assert made("std-large-14-21d", stocking="ral-1", days="14") == one


def spoilt(preset_id: str, path: str, value: object) -> dict[str, Any]:
    whole = copy.deepcopy(document())
    target: Any = next(each for each in whole["presets"] if each["id"] == preset_id)
    *steps, last = path.split("/")
    for step in steps:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(last) if isinstance(target, list) else last] = value
    return whole


@pytest.mark.parametrize(
    ("preset_id", "path", "value", "sentence"),
    [
        ("none", "id", "seedA-14d", "already the id"),
        ("none", "title", "", "must be text"),
        ("none", "enabled", False, "must say why"),
        ("none", "disabled_reason", "no", "be null otherwise"),
        ("none", "price", 1, "not a field"),
        ("none", "source/mark", "M", "was never checked"),
        ("none", "source/mark", "?", "must be one of"),
        ("none", "proposals", ["colour"], "must be one of"),
        ("none", "order/surprise", 1, "not a field"),
        ("davisville-3d", "order/phases/0/days_required", 4, "from 0 to 3"),
        ("davisville-3d", "order/phases/0/hours", None, "above 0"),
        ("kern-21d", "order/max_days", 7, "the phases last 21 days"),
        ("std-micro-14d", "needs/0/options/0/sets", {"/phases/2/days": 1}, "no place in the order"),
        ("std-micro-14d", "needs/0/options/0/sets", {"/phases/0/colour": 1}, "no place in the order"),
        ("std-micro-14d", "needs/0/options/0/sets", {}, "must be an object of JSON Pointers"),
        ("std-micro-14d", "needs/0/options/0/sets", {"/phases/0/days": 3}, "from 0 to 3"),
        ("std-micro-14d", "needs/0/options/1/value", "ral-1", "already the value"),
        ("std-micro-14d", "needs/0/options", [], "at least two"),
        ("std-large-14-21d", "needs/1/name", "stocking", "already the name"),
        ("bayer-7d", "order/unsensed", {"hours": 0, "reason": "x"}, "from 1 to 336"),
    ],
)
def test_a_spoilt_file_is_refused_with_its_place(preset_id: str, path: str, value: object, sentence: str) -> None:
    with pytest.raises(RuleError, match=sentence) as caught:
        read_presets(spoilt(preset_id, path, value))
    assert caught.value.pointer.startswith("/presets/")


def test_a_file_of_another_format_is_refused() -> None:
    with pytest.raises(RuleError, match="calza-presets-1"):
        read_presets(document() | {"format": "calza-presets-2"})
    with pytest.raises(RuleError, match="no preset of this document"):
        read_presets(document() | {"conflicts": [{"presets": ["seedA-14d", "seedB"], "note": "x"}]})
