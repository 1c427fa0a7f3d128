"""The simulated factory: repeatable, distinct, and careful with its keys."""

import json
import stat
from pathlib import Path

import pytest

from calza_sim.manufacture import fleet_json, manufacture, write_fleet
from calza_wire.minute_block import KEY_OCTETS, SYSTEM_ID_OCTETS, Side
from calza_wire.stocking_service import Calibration

FLEET = [manufacture(7, f"CALZA-{number:04}", side) for number in range(50) for side in Side]


def test_the_same_seed_makes_the_same_stocking() -> None:
    assert manufacture(7, "CALZA-0003", Side.LEFT) == FLEET[6]
    assert manufacture(8, "CALZA-0003", Side.LEFT).key != FLEET[6].key


def test_no_two_stockings_share_a_key_or_a_system_id() -> None:
    left = FLEET[::2]
    assert len({each.key for each in left}) == len({each.system_id for each in left}) == 50
    assert len({each.passkey for each in left}) > 45
    for each in FLEET:
        assert len(each.key) == KEY_OCTETS
        assert len(each.system_id) == SYSTEM_ID_OCTETS
        assert 0 <= each.passkey <= 999_999
        assert each.label.side is each.side


def test_calibration_is_small_and_fits_its_characteristic() -> None:
    for each in FLEET:
        for site in (each.calibration.ankle, each.calibration.calf, each.calibration.thigh):
            assert 0.95 <= site.gain.decimal <= 1.05
            assert -2 <= site.offset_mmhg.decimal <= 2
        assert Calibration.decode(each.calibration.encode()) == each.calibration


def test_a_serial_that_cannot_be_a_topic_is_refused() -> None:
    with pytest.raises(ValueError, match="serial"):
        manufacture(7, "left/1", Side.LEFT)


def test_a_printed_stocking_shows_no_secret() -> None:
    one = FLEET[0]
    shown = repr(one)
    assert repr(one.key) not in shown
    assert one.key.hex() not in shown
    assert str(one.passkey) not in shown


def test_the_fleet_is_what_a_registry_reads() -> None:
    rows = json.loads(fleet_json(FLEET[:2]))
    assert rows[0] == {
        "serial": "CALZA-0000",
        "system_id": FLEET[0].system_id.hex(),
        "key": FLEET[0].key.hex(),
        "passkey": FLEET[0].passkey,
        "side": "left",
        "size": "M",
        "standard": "RAL-GZ 387/1",
        "class_label": "II",
        "ankle_min_mmhg": 23,
        "ankle_max_mmhg": 32,
    }
    assert rows[1]["side"] == "right"


def test_the_fleet_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_text("old")
    path.chmod(0o644)
    (tmp_path / "fleet.json.partial").write_text("left over, and readable by all")
    write_fleet(path, FLEET)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == fleet_json(FLEET)
    assert [each.name for each in tmp_path.iterdir()] == ["fleet.json"]


def test_a_fleet_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.mkdir()
    with pytest.raises(OSError, match=r"fleet\.json"):
        write_fleet(path, FLEET)
    assert path.is_dir()
