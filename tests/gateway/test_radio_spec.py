"""`--radio` and the state files of the radio: what is taken, what is refused, and with which sentence."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from bumble.keys import PairingKeys

from calza_gateway.adapters.bumble_keyring import BONDS_FILE, Keyring
from calza_gateway.adapters.radios import open_radio
from calza_gateway.ports import RadioError
from calza_gateway.settings.radio_spec import (
    BluezRadio,
    NativeRadio,
    RadioSpec,
    RadioSpecError,
    SimulatedRadio,
    default_radio,
    parse_radio,
    parse_radios,
    resolved,
)
from calza_gateway.state.bonds import (
    STOCKINGS_FILE,
    PairedStocking,
    StateError,
    read_stockings,
    remember,
    write_private,
    write_stockings,
)
from calza_wire.minute_block import Side

LEFT = PairedStocking("CZ-000001", "F0:00:00:00:00:01", Side.LEFT)
RIGHT = PairedStocking("CZ-000002", "F0:00:00:00:00:02", Side.RIGHT, "bluez:hci1")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("bluez", BluezRadio(None)),
        ("bluez:hci1", BluezRadio("hci1")),
        ("sim:tcp://127.0.0.1:7800", SimulatedRadio("127.0.0.1", 7800)),
        ("sim:tcp://[::1]:7800", SimulatedRadio("::1", 7800)),
        ("sim:tcp://radio.local:1", SimulatedRadio("radio.local", 1)),
        ("native", NativeRadio()),
    ],
)
def test_what_a_radio_can_be(text: str, spec: RadioSpec) -> None:
    assert parse_radio(text) == spec
    assert spec.name == text


def test_several_radios_have_commas_between_them() -> None:
    assert parse_radios("bluez:hci0, bluez:hci1") == (BluezRadio("hci0"), BluezRadio("hci1"))
    for wrong in ("bluez:hci0,", "bluez:hci0,bluez:hci0", ",", "bluez:hci0;bluez:hci1"):
        with pytest.raises(RadioSpecError):
            parse_radios(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bluez:",
        "bluez:wlan0",
        "bluez:hci1/../x",
        "BlueZ",
        "hci0",
        "sim",
        "sim:",
        "sim:7800",
        "sim:tcp://127.0.0.1",
        "sim:tcp://:7800",
        "sim:tcp://127.0.0.1:0",
        "sim:tcp://127.0.0.1:99999",
        "sim:tcp://127.0.0.1:port",
        "sim:tcp://127.0.0.1:7800/path",
        "sim:tcp://me@127.0.0.1:7800",
        "sim:udp://127.0.0.1:7800",
        "sim:tcp://[::1:7800",
        "usb:0",
    ],
)
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(RadioSpecError, match="sim:tcp://"):
        parse_radio(text)


def test_bluez_is_the_default_where_there_is_an_adapter(tmp_path: Path) -> None:
    (tmp_path / "hci0").mkdir()
    assert default_radio(tmp_path, "linux") == BluezRadio(None)


@pytest.mark.parametrize("platform", ["darwin", "win32", "android"])
def test_other_systems_use_their_own(tmp_path: Path, platform: str) -> None:
    assert default_radio(tmp_path, platform) == NativeRadio()


async def test_every_radio_comes_with_the_care_of_its_adapter(tmp_path: Path) -> None:
    names = {"bluez:hci1": "hci1", "native": "native", "sim:tcp://127.0.0.1:7800": "sim:tcp://127.0.0.1:7800"}
    for text, name in names.items():
        assert open_radio(parse_radio(text), tmp_path).care.name == name
    care = open_radio(NativeRadio(), None).care
    assert await care.present()
    for remedy in (care.reset, care.restart_stack):
        with pytest.raises(RadioError, match="in the settings of this system"):
            await remedy()


@pytest.mark.parametrize("entries", [[], ["hci0:64"], ["other"]])
def test_without_an_adapter_a_sentence_says_what_to_give(tmp_path: Path, entries: list[str]) -> None:
    for entry in entries:
        (tmp_path / entry).mkdir()
    with pytest.raises(RadioSpecError, match="--radio sim:tcp://"):
        default_radio(tmp_path, "linux")
    with pytest.raises(RadioSpecError):
        default_radio(tmp_path / "no-such-folder", "linux")


def test_no_bluetooth_library_is_loaded_before_a_radio_is_opened() -> None:
    code = (
        "import sys, calza_gateway.settings.radio_spec, calza_gateway.pairing.pairing, calza_gateway.state.bonds;"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'bleak', 'bumble', 'dbus_fast'}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


# --- stockings.json ---------------------------------------------------------------------------------------------------


def test_paired_stockings_come_back_as_written_and_private(tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    assert read_stockings(state) == ()
    write_stockings(state, (LEFT, RIGHT))
    assert read_stockings(state) == (LEFT, RIGHT)
    assert stat.S_IMODE((state / STOCKINGS_FILE).stat().st_mode) == 0o600
    assert json.loads((state / STOCKINGS_FILE).read_text()) == [
        {"serial": "CZ-000001", "address": "F0:00:00:00:00:01", "side": "left", "adapter": None},
        {"serial": "CZ-000002", "address": "F0:00:00:00:00:02", "side": "right", "adapter": "bluez:hci1"},
    ]


def test_a_list_from_before_there_were_several_adapters_is_read(tmp_path: Path) -> None:
    (tmp_path / STOCKINGS_FILE).write_text('[{"serial": "CZ-000001", "address": "F0:00:00:00:00:01", "side": "left"}]')
    assert read_stockings(tmp_path) == (LEFT,)


def test_a_stocking_is_remembered_once() -> None:
    moved = PairedStocking(LEFT.serial, "F0:00:00:00:00:07", Side.LEFT)
    assert remember((LEFT, RIGHT), moved) == (RIGHT, moved)
    other = PairedStocking("CZ-000009", RIGHT.address, Side.RIGHT)
    assert remember((LEFT, RIGHT), other) == (LEFT, other)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '[{"serial": "A", "address": "B"}]',
        '[{"serial": "A", "address": "B", "side": "left", "more": 1}]',
        '[{"serial": "A", "address": "B", "side": "both"}]',
        '[{"serial": "A", "address": "B", "side": ["left"]}]',
        '[{"serial": "A", "address": "B", "side": "left", "adapter": ""}]',
        '[{"serial": "A", "address": "B", "side": "left", "adapter": 1}]',
        '[{"serial": 1, "address": "B", "side": "left"}]',
        '[{"serial": "", "address": "B", "side": "left"}]',
        '[{"serial": "A", "address": "B", "side": "left"}, {"serial": "A", "address": "C", "side": "right"}]',
        '[{"serial": "A", "address": "B", "side": "left"}, {"serial": "C", "address": "B", "side": "right"}]',
    ],
)
def test_a_damaged_list_is_never_half_believed(tmp_path: Path, content: str) -> None:
    (tmp_path / STOCKINGS_FILE).write_text(content)
    with pytest.raises(StateError, match="is damaged") as caught:
        read_stockings(tmp_path)
    assert caught.value.code == "state_damaged"


def test_what_a_crash_left_behind_does_not_widen_the_mode(tmp_path: Path) -> None:
    draft = tmp_path / "x.json.new"
    draft.write_text("half")
    draft.chmod(0o644)
    write_private(tmp_path / "x.json", "{}")
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == 0o600
    assert not draft.exists()


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError) as caught:
        write_stockings(tmp_path / "state", ())
    assert caught.value.code == "state_unwritable"


# --- bonds.json -------------------------------------------------------------------------------------------------------


def keyring(state: Path | None, first: int = 1) -> Keyring:
    return Keyring(state, lambda count: bytes(range(first, first + count)))


async def test_address_and_bonds_are_kept_private_and_come_back(tmp_path: Path) -> None:
    ring = keyring(tmp_path)
    ring.open()
    address = ring.address
    assert address.is_static
    await ring.update("F0:00:00:00:00:01", PairingKeys(ltk=PairingKeys.Key(bytes(range(16)), authenticated=True)))
    ring.close()
    assert stat.S_IMODE((tmp_path / BONDS_FILE).stat().st_mode) == 0o600
    again = keyring(tmp_path, first=9)
    again.open()
    assert again.address == address
    assert again.has("f0:00:00:00:00:01")
    keys = await again.get("F0:00:00:00:00:01")
    assert keys is not None
    assert keys.ltk == PairingKeys.Key(bytes(range(16)), authenticated=True)
    assert again.forget("F0:00:00:00:00:01")
    assert not again.forget("F0:00:00:00:00:01")
    again.close()
    third = keyring(tmp_path)
    third.open()
    assert not third.has("F0:00:00:00:00:01")
    third.close()


def test_one_state_serves_one_process_at_a_time(tmp_path: Path) -> None:
    one, two = keyring(tmp_path), keyring(tmp_path)
    one.open()
    with pytest.raises(StateError, match="another gateway") as caught:
        two.open()
    assert caught.value.code == "state_in_use"
    one.close()
    two.open()
    two.close()


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"version": 1, "address": "F0:00:00:00:00:01"}',
        '{"version": 2, "address": "F0:00:00:00:00:01", "bonds": {}}',
        '{"version": 1, "address": "00:00:00:00:00:01", "bonds": {}}',
        '{"version": 1, "address": "F0", "bonds": {}}',
        '{"version": 1, "address": 7, "bonds": {}}',
        '{"version": 1, "address": "F0:00:00:00:00:01", "bonds": []}',
        '{"version": 1, "address": "F0:00:00:00:00:01", "bonds": {"F0:00:00:00:00:02": {"ltk": {"value": "xy"}}}}',
        '{"version": 1, "address": "F0:00:00:00:00:01", "bonds": {"F0:00:00:00:00:02": {"ltk": {}}}}',
    ],
)
def test_damaged_bonds_are_refused_and_the_lock_is_let_go(tmp_path: Path, content: str) -> None:
    (tmp_path / BONDS_FILE).write_text(content)
    with pytest.raises(StateError, match="is damaged"):
        keyring(tmp_path).open()
    (tmp_path / BONDS_FILE).unlink()
    ring = keyring(tmp_path)
    ring.open()
    ring.close()


def test_bluez_without_a_name_is_the_lowest_adapter_by_its_name(tmp_path: Path) -> None:
    for name in ("hci10", "hci2", "rfkill0"):
        (tmp_path / name).mkdir()
    assert resolved(BluezRadio(None), tmp_path) == BluezRadio("hci2")
    assert resolved(BluezRadio("hci10"), tmp_path) == BluezRadio("hci10")
    assert resolved(BluezRadio(None), tmp_path / "nowhere") == BluezRadio("hci0")


def test_without_a_state_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ring = keyring(None)
    ring.open()
    assert ring.address.is_static
    ring.close()
    assert list(tmp_path.iterdir()) == []
