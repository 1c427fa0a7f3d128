"""`scan` and `pair` as a person or a program runs them: a process of its own against an air with real stockings."""

import asyncio
import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import typer
from typer.testing import CliRunner, Result

from calza_gateway.commands.cli_radio import register
from calza_wire.label_code import LabelCode
from tests.gateway.peripheral import PASSKEY, Air, Peripheral, Way

T = TypeVar("T")
GOOD_LABEL = LabelCode("CZ-000001", PASSKEY, bytes(16), bytes(16)).encode()
PROGRAM = (
    "import typer; from calza_gateway.commands.cli_radio import register; app = typer.Typer(); register(app); app()"
)


@dataclass
class Elsewhere:
    """An air in a thread with an event loop of its own, because the command has one too."""

    loop: asyncio.AbstractEventLoop
    air: Air

    def do(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def add(self, number: int = 1, name: str | None = None, way: Way = Way.PASSKEY) -> Peripheral:
        return self.do(self.air.add(f"F0:00:00:00:00:{number:02X}", name or f"Calza {number:04}", way=way))


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    air = asyncio.run_coroutine_threadsafe(Air.open(), loop).result(10)
    yield Elsewhere(loop, air)
    asyncio.run_coroutine_threadsafe(air.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def run(elsewhere: Elsewhere) -> Callable[..., Result]:
    app = typer.Typer()
    register(app)

    def run(*arguments: str, radio: str | None = None, scan: str = "") -> Result:
        return CliRunner().invoke(app, [*arguments, "--radio", radio or elsewhere.air.spec], input=scan)

    return run


def pair(run: Callable[..., Result], tmp_path: Path, wanted: str, passkey: int = PASSKEY, *more: str) -> Result:
    return run("pair", wanted, "--passkey", f"{passkey:06}", "--state", str(tmp_path), "--seconds", "0.4", *more)


# --- scan -------------------------------------------------------------------------------------------------------------


def test_scan_shows_a_table_with_serials(elsewhere: Elsewhere, run: Callable[..., Result]) -> None:
    elsewhere.add(1)
    elsewhere.add(2)
    result = run("scan", "--seconds", "0.4", "--serials")
    assert result.exit_code == 0, result.output
    for text in ("Calza 0001", "F0:00:00:00:00:02", "dBm", "CZ-000001", "CZ-000002"):
        assert text in result.stdout


def test_scan_for_programs_prints_one_document(elsewhere: Elsewhere, run: Callable[..., Result]) -> None:
    elsewhere.add(7)
    result = run("scan", "--seconds", "0.4", "--json")
    (stocking,) = json.loads(result.stdout)["stockings"]
    assert (stocking["address"], stocking["name"], stocking["serial"]) == ("F0:00:00:00:00:07", "Calza 0007", None)
    assert stocking["rssi_dbm"] < 0


def test_scan_of_an_empty_air_says_what_to_look_at(run: Callable[..., Result]) -> None:
    result = run("scan", "--seconds", "0.2")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "is it charged" in result.stderr


# --- pair -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["F0:00:00:00:00:02", "f0:00:00:00:00:02", "CZ-000002", "cz-000002", "Calza 0002"])
def test_pair_by_address_serial_or_name(
    elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path, wanted: str
) -> None:
    elsewhere.add(1)
    elsewhere.add(2)
    result = pair(run, tmp_path, wanted, PASSKEY, "--json")
    assert result.exit_code == 0, result.output
    expected = {"serial": "CZ-000002", "address": "F0:00:00:00:00:02", "side": "left", "adapter": None}
    assert json.loads(result.stdout) == expected
    written = tmp_path / "stockings.json"
    assert json.loads(written.read_text()) == [expected]
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("stockings.json", "bonds.json")} == {0o600}


def test_pairing_a_second_stocking_keeps_the_first(
    elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path
) -> None:
    for number in (1, 2):
        elsewhere.add(number)
        assert pair(run, tmp_path, f"CZ-{number:06}").exit_code == 0
    assert [s["serial"] for s in json.loads((tmp_path / "stockings.json").read_text())] == ["CZ-000001", "CZ-000002"]


def test_a_wrong_passkey_fails_in_one_sentence_and_writes_nothing(
    elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path
) -> None:
    elsewhere.add()
    result = pair(run, tmp_path, "CZ-000001", PASSKEY + 2, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "pairing_refused"
    assert "six digits printed on the garment's label" in result.stderr
    assert str(PASSKEY + 2) not in result.output
    assert not (tmp_path / "stockings.json").exists()


def test_pairing_again_cures_a_bond_the_stocking_has_lost(
    elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path
) -> None:
    peripheral = elsewhere.add()
    assert pair(run, tmp_path, "CZ-000001").exit_code == 0
    elsewhere.do(peripheral.forget_bonds())
    assert pair(run, tmp_path, "CZ-000001").exit_code == 0
    assert len(json.loads((tmp_path / "stockings.json").read_text())) == 1


def test_what_is_not_there_or_not_clear_is_said(
    elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path
) -> None:
    assert "no stocking was heard" in pair(run, tmp_path, "CZ-000009").stderr
    strange = elsewhere.add(1, "Calza")
    elsewhere.add(2, "Calza")
    result = pair(run, tmp_path, "Calza", PASSKEY, "--json")
    assert json.loads(result.stdout)["error"]["code"] == "ambiguous"
    assert "F0:00:00:00:00:01" in result.stderr
    strange.describes_itself = False
    result = pair(run, tmp_path, "CZ-000009")
    assert result.exit_code == 1
    assert "none of the 2 stockings in range is CZ-000009; 1 of them did not answer" in result.stderr
    assert "does not identify itself as a stocking" in pair(run, tmp_path, strange.address).stderr


def test_the_passkey_can_come_from_a_file(elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path) -> None:
    elsewhere.add()
    label = tmp_path / "label.txt"
    label.write_text(f"{PASSKEY:06}\n")
    result = run("pair", "CZ-000001", "--passkey-file", str(label), "--state", str(tmp_path), "--seconds", "0.4")
    assert result.exit_code == 0, result.output


def label_text(peripheral: Peripheral, serial: str | None = None) -> str:
    data = peripheral.print_label()
    return LabelCode(serial or peripheral.serial, PASSKEY, data.random, data.confirm).encode()


def pair_by_label(run: Callable[..., Result], tmp_path: Path, text: str, *more: str, scan: str = "") -> Result:
    return run("pair", *more, "--label", text, "--state", str(tmp_path), "--seconds", "0.4", scan=scan)


def test_a_scanned_label_is_all_it_takes(elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path) -> None:
    elsewhere.add(1)
    text = label_text(elsewhere.add(2))
    result = pair_by_label(run, tmp_path, text)
    assert result.exit_code == 0, result.output
    assert [s["serial"] for s in json.loads((tmp_path / "stockings.json").read_text())] == ["CZ-000002"]
    assert str(PASSKEY) not in result.output


def test_the_label_can_come_from_a_scanner(elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path) -> None:
    text = label_text(elsewhere.add())
    result = pair_by_label(run, tmp_path, "-", scan=f"{text}\r\n")
    assert result.exit_code == 0, result.output


def test_a_label_that_was_damaged_or_belongs_to_another_is_told_and_nothing_is_written(
    elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path
) -> None:
    peripheral = elsewhere.add()
    text = label_text(peripheral)
    result = pair_by_label(run, tmp_path, text[:-3])
    assert result.exit_code == 2
    assert "scan the QR code again" in result.stderr
    result = pair_by_label(run, tmp_path, label_text(peripheral, "CZ-000009"), peripheral.address, "--json")
    assert json.loads(result.stdout)["error"]["code"] == "wrong_label"
    label_text(peripheral)  # a later label: the data of the first one are void
    result = pair_by_label(run, tmp_path, text, "--json")
    assert json.loads(result.stdout)["error"]["code"] == "pairing_refused"
    assert "label of this stocking" in result.stderr
    assert not (tmp_path / "stockings.json").exists()


def test_a_number_that_nobody_can_compare_is_told(
    elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path
) -> None:
    elsewhere.add(1, way=Way.NUMBERS)
    result = pair(run, tmp_path, "CZ-000001", PASSKEY, "--json")
    assert json.loads(result.stdout)["error"]["code"] == "nobody_to_ask"
    assert not (tmp_path / "stockings.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pair"], "which stocking"),
        (["pair", "--label", GOOD_LABEL, "--passkey", "042017"], "give --label alone"),
        (["pair", "--label", "042017"], "not the text of a stocking's label"),
        (["pair", "CZ-000001"], "no terminal"),
        (["pair", "CZ-000001", "--passkey", "12345"], "six digits"),
        (["pair", "CZ-000001", "--passkey", "12345x"], "six digits"),
        (["pair", "CZ-000001", "--passkey-file", "/no/such/file"], "does not exist"),
        (["scan", "--seconds", "0"], "0.1"),
    ],
)
def test_misuse_is_exit_code_two(run: Callable[..., Result], arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("radio", ["sim:tcp://nowhere", "usb:0", "bluez:eth0"])
def test_a_radio_that_cannot_be_meant_is_misuse(run: Callable[..., Result], radio: str) -> None:
    result = run("scan", radio=radio)
    assert result.exit_code == 2
    assert "sim:tcp://" in result.stderr


def test_a_damaged_list_is_not_overwritten(elsewhere: Elsewhere, run: Callable[..., Result], tmp_path: Path) -> None:
    elsewhere.add()
    (tmp_path / "stockings.json").write_text("[")
    result = pair(run, tmp_path, "CZ-000001")
    assert result.exit_code == 1
    assert "is damaged" in result.stderr
    assert (tmp_path / "stockings.json").read_text() == "["


@pytest.mark.parametrize("command", ["scan", "pair"])
def test_help_shows_examples(run: Callable[..., Result], command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"calza gateway {command}" in result.stdout


# --- on a terminal ----------------------------------------------------------------------------------------------------


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.leader, follower = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "COLUMNS": "200"},
        )
        os.close(follower)

    def wait_for(self, text: str, seconds: float = 15) -> None:
        until = time.monotonic() + seconds
        while text not in self.seen:
            assert select.select([self.leader], [], [], max(0.0, until - time.monotonic()))[0], self.seen
            self.seen += os.read(self.leader, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self.leader, text.encode())

    def end(self) -> int:
        while select.select([self.leader], [], [], 15)[0]:
            try:
                self.seen += os.read(self.leader, 4096).decode()
            except OSError:  # how a terminal says that nobody is left
                break
        os.close(self.leader)
        return self.process.wait(15)


@pytest.fixture
def terminal(elsewhere: Elsewhere, tmp_path: Path) -> Iterator[Terminal]:
    """`pair` of stocking 1, which is on the air."""
    elsewhere.add()
    spec = elsewhere.air.spec
    terminal = Terminal("pair", "CZ-000001", "--radio", spec, "--state", str(tmp_path), "--seconds", "0.4")
    yield terminal
    terminal.process.kill()
    terminal.process.wait(15)


def test_on_a_terminal_the_passkey_is_asked_for_once_the_stocking_is_found(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.add()
    terminal = Terminal(
        "pair", "CZ-000001", "--radio", elsewhere.air.spec, "--state", str(tmp_path), "--seconds", "0.4"
    )
    terminal.wait_for("Passkey of CZ-000001")
    terminal.type(f"{PASSKEY:06}\n")
    assert terminal.end() == 0, terminal.seen
    assert "paired with CZ-000001 (left leg)" in terminal.seen


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("no", 1), ("", 1)])
def test_on_a_terminal_numbers_are_compared(elsewhere: Elsewhere, tmp_path: Path, answer: str, code: int) -> None:
    peripheral = elsewhere.add(1, way=Way.NUMBERS)
    terminal = Terminal(
        "pair", "CZ-000001", "--radio", elsewhere.air.spec, "--state", str(tmp_path), "--seconds", "0.4"
    )
    terminal.wait_for("(yes or no)")
    assert f"Does CZ-000001 show {peripheral.shown[0]:06}?" in terminal.seen
    terminal.type(f"{answer}\n")
    assert terminal.end() == code, terminal.seen
    assert (tmp_path / "stockings.json").exists() == (code == 0)


def test_ctrl_c_at_the_question_disconnects_first(elsewhere: Elsewhere, tmp_path: Path) -> None:
    peripheral = elsewhere.add()
    terminal = Terminal(
        "pair", "CZ-000001", "--radio", elsewhere.air.spec, "--state", str(tmp_path), "--seconds", "0.4"
    )
    terminal.wait_for("Passkey of CZ-000001")
    assert peripheral.device.connections
    ended: list[int] = []
    peripheral.link.once("disconnection", ended.append)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() != 0
    assert "Traceback" not in terminal.seen
    assert ended == [0x13]  # hung up on, not left to time out
    assert not (tmp_path / "stockings.json").exists()
