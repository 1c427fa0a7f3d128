"""The registry file: read strictly, read again when it changed, and silent about its keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from calza_server.ports import Leg
from calza_server.registry.registry import FileRegistry, RegistryContent, RegistryError, with_fleet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "ab" * 32


def document() -> dict[str, list[dict[str, object]]]:
    return {
        "stockings": [{"serial": "CALZA-0001", "system_id": "01" * 8, "key": KEY, "leg": "ana-left"}],
        "legs": [{"id": "ana-left", "side": "left", "name": "Ana", "prescription": None}],
    }


def fleet() -> str:
    """What a stocking's maker hands over; the simulator writes it so."""
    rows = [
        {
            "serial": f"CALZA-{number:04d}",
            "system_id": f"{number:02d}" * 8,
            "key": KEY,
            "passkey": 123456,
            "side": side,
            "size": "M",
            "standard": "RAL-GZ 387/1",
            "class_label": "II",
            "ankle_min_mmhg": 23,
            "ankle_max_mmhg": 32,
        }
        for number, side in ((1, "left"), (2, "right"))
    ]
    return json.dumps(rows)


def test_what_was_written_is_read() -> None:
    content = RegistryContent.decode(json.dumps(document()))
    assert content.known_stockings[0].key == bytes.fromhex(KEY)
    assert content.known_legs[0].side == "left"
    assert RegistryContent.decode(content.encode()) == content


SLIPS: list[tuple[Callable[[dict[str, list[dict[str, object]]]], object], str]] = [
    (lambda d: d.pop("legs"), "the registry"),
    (lambda d: d["stockings"][0].update(more=1), r"stockings\[0\]"),
    (lambda d: d["stockings"][0].pop("key"), r"stockings\[0\]"),
    (lambda d: d["stockings"][0].update(key=KEY[:-2]), r"stockings\[0\]\.key"),
    (lambda d: d["stockings"][0].update(key="zz" * 32), r"stockings\[0\]\.key"),
    (lambda d: d["stockings"][0].update(system_id=7), r"stockings\[0\]\.system_id"),
    (lambda d: d["stockings"][0].update(serial="lower"), r"stockings\[0\]\.serial"),
    (lambda d: d["stockings"][0].update(leg="nobody"), r"stockings\[0\]\.leg"),
    (lambda d: d["stockings"].append(dict(d["stockings"][0])), "stockings"),
    (lambda d: d["legs"].append(dict(d["legs"][0])), "legs"),
    (lambda d: d["legs"][0].update(side="both"), r"legs\[0\]\.side"),
    (lambda d: d["legs"][0].update(id="a/b"), r"legs\[0\]\.id"),
    (lambda d: d["legs"][0].update(prescription=[]), r"legs\[0\]\.prescription"),
    (lambda d: d.update(legs={}), "legs"),  # type: ignore[call-overload]  # the slip is the type
]


@pytest.mark.parametrize(("slip", "where"), SLIPS)
def test_a_slip_is_refused_with_its_place_and_without_its_value(
    slip: Callable[[dict[str, list[dict[str, object]]]], object], where: str
) -> None:
    wrong = document()
    slip(wrong)
    with pytest.raises(RegistryError, match=f"^{where}: ") as caught:
        RegistryContent.decode(json.dumps(wrong))
    assert KEY[:16] not in str(caught.value)
    assert "zz" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(RegistryError):
        RegistryContent.decode(text)


def test_a_change_of_the_file_is_noticed_and_a_damaged_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    registry = FileRegistry(path)
    assert registry.legs() == ()
    path.write_text(json.dumps(document()))
    assert registry.stocking("CALZA-0001") is not None
    assert [leg.id for leg in registry.legs()] == ["ana-left"]
    path.write_text("{")
    assert registry.stocking("CALZA-0002") is None
    assert registry.problem
    assert registry.stocking("CALZA-0001") is not None
    changed = document()
    changed["stockings"][0]["serial"] = "CALZA-0002"
    path.write_text(json.dumps(changed))
    assert registry.stocking("CALZA-0002") is not None
    assert registry.problem == ""
    assert [each.serial for each in registry.stockings("ana-left")] == ["CALZA-0002"]
    path.unlink()
    assert registry.stocking("CALZA-0002") is not None


def test_a_known_stocking_costs_no_look_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(document()))
    registry = FileRegistry(path)
    monkeypatch.setattr(registry, "_look", lambda: pytest.fail("the file was looked at"))
    assert registry.stocking("CALZA-0001") is not None


def test_a_damaged_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text("{")
    with pytest.raises(RegistryError, match=r"registry\.json"):
        FileRegistry(tmp_path / "registry.json")


def test_no_text_made_from_a_registry_shows_a_key_or_who_wears_what(tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text(json.dumps(document()))
    registry = FileRegistry(tmp_path / "registry.json")
    content = RegistryContent.decode(json.dumps(document()))
    for text in (repr(registry), repr(content), repr(registry.stocking("CALZA-0001")), repr(registry.legs())):
        assert repr(bytes.fromhex(KEY))[2:20] not in text
        assert KEY[:16] not in text
        assert "Ana" not in text


def test_a_fleet_makes_a_registry() -> None:
    order: dict[str, object] = {"start": "2026-03-02T00:00:00Z"}
    legs = {"CALZA-0001": "ana-left", "CALZA-0002": "ana-right"}
    content = with_fleet(RegistryContent(), fleet(), legs, order)
    assert [(each.serial, each.leg) for each in content.known_stockings] == list(legs.items())
    assert [(leg.id, leg.side, leg.prescription) for leg in content.known_legs] == [
        ("ana-left", "left", order),
        ("ana-right", "right", order),
    ]
    again = with_fleet(content, fleet(), {"CALZA-0001": "ben-left"}, None)
    assert next((each.serial, each.leg) for each in again.known_stockings) == ("CALZA-0001", "ben-left")
    assert again.known_legs[0].prescription == order


def test_a_fleet_that_does_not_fit_is_refused() -> None:
    content = with_fleet(RegistryContent(), fleet(), {"CALZA-0001": "ana-left"}, None)
    with pytest.raises(RegistryError, match="right stocking"):
        with_fleet(content, fleet(), {"CALZA-0002": "ana-left"}, None)
    with pytest.raises(RegistryError, match="no stocking CALZA-0009"):
        with_fleet(content, fleet(), {"CALZA-0009": "ana-left"}, None)
    with pytest.raises(RegistryError, match="not JSON"):
        with_fleet(content, "", {}, None)


def test_earlier_orders_course_and_checklist_survive_the_file() -> None:
    leg = Leg("ana-left", "left", "Ana", {"phases": []}, ({"phases": [1]},), {"treatments": []}, {"items": []})
    content = RegistryContent((), (leg,))
    assert RegistryContent.decode(content.encode()) == content
    assert leg.orders == ({"phases": [1]}, {"phases": []})


def test_a_leg_nobody_ordered_anything_for_has_no_orders() -> None:
    assert Leg("ana-left", "left", "Ana", None).orders == ()
