"""`calza sim` as a program: ready line, state folder, restart, exit codes, faults from another process."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from calza_sim.cli import app
from calza_sim.export_folder import FILES
from calza_sim.faults import FAULTS, Fault, FaultError, ask
from calza_sim.scenarios import MODIFIERS, SCENARIOS
from calza_wire.label_code import LabelCode

ROOT = Path(__file__).parents[2]
PARTS = ("wire", "firmware-sim", "gateway", "server", "demo")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *(str(ROOT / part) for part in PARTS)])}
WAIT_S = 60.0
FEW_DAYS = "0.25"

runner = CliRunner()


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "calza", "sim", *words]


@contextmanager
def simulator(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running simulator and its ready line."""
    process = subprocess.Popen(
        command("run", "--json", *words), cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def flash(state: Path) -> list[dict[str, Any]]:
    result = runner.invoke(app, ["flash", "--state", str(state), "--json"])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)["stockings"]
    return rows


def test_ready_line_files_and_a_clean_end(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with simulator("--state", str(state), "--days", FEW_DAYS) as (process, ready):
        assert ready["event"] == "ready"
        assert ready["hci"].startswith("sim:tcp://127.0.0.1:")
        assert [(each["serial"], each["side"], each["scenario"]) for each in ready["stockings"]] == [
            ("CALZA-0001", "left", "perfect"),
            ("CALZA-0002", "right", "perfect"),
        ]
        host, _, port = ready["hci"].removeprefix("sim:tcp://").partition(":")
        socket.create_connection((host, int(port)), 5).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    fleet = json.loads((state / "fleet.json").read_text())
    assert (state / "fleet.json").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert [each["passkey"] for each in fleet] == [each["passkey"] for each in ready["stockings"]]
    labels = [LabelCode.decode(each["label"]) for each in ready["stockings"]]
    assert [(each.serial, each.passkey) for each in labels] == [(each["serial"], each["passkey"]) for each in fleet]
    truth = json.loads((state / "CALZA-0001.truth.json").read_text())
    assert 355 <= sum(run["minutes"] for run in truth["runs"]) <= 365
    assert (state / "CALZA-0002.truth.csv").exists()


def test_a_restart_goes_on_with_the_same_log(tmp_path: Path) -> None:
    words = ("--state", str(tmp_path), "--days", FEW_DAYS, "--seed", "7", "--stocking", "ABCD-1:right:never-worn")
    with simulator(*words) as (process, first):
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 0
    before = flash(tmp_path)
    with simulator("--state", str(tmp_path)) as (process, second):
        assert second["stockings"] == first["stockings"]
        process.kill()
        process.wait(WAIT_S)
    after = flash(tmp_path)
    assert [each["log_id"] for each in after] == [each["log_id"] for each in before]
    assert after[0]["records"][: len(before[0]["records"])] == before[0]["records"]
    assert before[0]["next_record"] >= 6


def test_flash_names_every_record_by_the_digest_of_its_payload(tmp_path: Path) -> None:
    with simulator("--state", str(tmp_path), "--days", FEW_DAYS):
        rows = flash(tmp_path)  # while the simulator runs
    for row in rows:
        numbers = [each["record"] for each in row["records"]]
        assert numbers == [*range(row["first_record"], row["next_record"])]
        assert len({each["sha256"] for each in row["records"]}) == len(numbers)
        assert all(len(each["sha256"]) == hashlib.sha256().digest_size * 2 for each in row["records"])


def test_the_same_seed_makes_the_same_stockings() -> None:
    def stockings(*words: str) -> object:
        with simulator("--days", "0", *words) as (_, ready):
            return ready["stockings"]

    assert stockings("--seed", "5") == stockings("--seed", "5") != stockings("--seed", "6")


def test_faults_from_another_process(tmp_path: Path) -> None:
    with simulator("--days", "0") as (_, ready):
        control = ready["control"]

        def fault(*words: str) -> list[dict[str, Any]]:
            result = runner.invoke(app, ["fault", *words, "--control", control, "--json"])
            assert result.exit_code == 0, result.output
            met: list[dict[str, Any]] = json.loads(result.stdout)["stockings"]
            return met

        assert [each["in_range"] for each in fault("out-of-range", "--serial", "CALZA-0001")] == [False]
        assert [each["in_range"] for each in fault("status")] == [False, True]
        assert [each["in_range"] for each in fault("in-range")] == [True, True]
        assert [each["in_range"] for each in fault("drop", "--seconds", "60", "--serial", "CALZA-0002")] == [False]
        assert [each["lossy"] for each in fault("lossy", "--rate", "0.25")] == [0.25, 0.25]
        assert all(each["next_record"] == 1 for each in fault("factory-reset"))
        assert [each["bonds"] for each in fault("forget-bonds")] == [0, 0]
        assert len(fault("power-loss", "--seconds", "0.1")) == len(fault("cut")) == 2
        assert "CALZA-0001" in runner.invoke(app, ["fault", "status", "--control", control]).stdout
        refused = runner.invoke(app, ["fault", "cut", "--control", control, "--serial", "NOBODY-1"])
        assert refused.exit_code == 1
        assert "NOBODY-1" in refused.stderr


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b'{"fault": "explode"}\n',
        b'{"fault": "drop"}\n',
        b'{"fault": "drop", "seconds": "3"}\n',
        b'{"fault": "drop", "seconds": NaN}\n',
        b'{"fault": "lossy", "rate": 2}\n',
        b'{"fault": "cut", "serial": 5}\n',
        b'{"fault": "cut", "extra": 1}\n',
    ],
)
def test_broken_fault_requests_are_refused(line: bytes) -> None:
    with pytest.raises(FaultError) as refused:
        Fault.decode(line)
    assert refused.value.code == "bad_request"


@pytest.mark.parametrize("kind", FAULTS)
def test_faults_survive_the_wire(kind: str) -> None:
    fault = Fault(kind, "CALZA-0001", seconds=2.5 if kind in ("drop", "power-loss") else 0.0)
    assert Fault.decode(fault.encode()) == fault


@pytest.mark.parametrize("control", ["nonsense", "127.0.0.1:", "127.0.0.1:1"])
def test_no_simulator_is_a_plain_sentence(control: str) -> None:
    with pytest.raises(FaultError):
        ask(control, Fault("status"))
    result = runner.invoke(app, ["fault", "status", "--control", control])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_a_busy_port_is_one_plain_sentence_and_exit_code_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            command("run", "--days", "0", "--port", str(port)),
            cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=WAIT_S, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"calza sim: port {port} is in use: give another one, or 0 for any free one\n"


def test_two_simulators_cannot_share_a_folder(tmp_path: Path) -> None:
    with simulator("--state", str(tmp_path), "--days", "0"):
        result = runner.invoke(app, ["run", "--state", str(tmp_path), "--days", "0"])
    assert result.exit_code == 1
    assert "another simulator is running" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--stocking", "X:left:perfect"),
        ("--stocking", "CALZA-0001:left"),
        ("--stocking", "CALZA-0001:middle:perfect"),
        ("--stocking", "CALZA-0001:left:unheard-of"),
        ("--stocking", "CALZA-0001:left:perfect+hot-car+pocket"),
        ("--stocking", "CALZA-0001:left:perfect", "--stocking", "CALZA-0001:right:perfect"),
        ("--stocking", "CALZA-0001:left:perfect", "--stockings", "2"),
        ("--timezone", "Mars/Olympus"),
        ("--port", "70000"),
        ("--days", "-1"),
    ],
)
def test_misuse_is_exit_code_2(words: tuple[str, ...]) -> None:
    assert runner.invoke(app, ["run", *words]).exit_code == 2


@pytest.mark.parametrize("spoil", [lambda text: text[:20], lambda _: "{}", lambda text: text.replace("left", "top")])
def test_a_spoilt_plan_is_refused(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    with simulator("--state", str(tmp_path), "--days", "0"):
        pass
    plan = tmp_path / "sim.json"
    plan.write_text(spoil(plan.read_text()))
    for words in (["run", "--state", str(tmp_path)], ["flash", "--state", str(tmp_path)]):
        result = runner.invoke(app, words)
        assert result.exit_code == 1
        assert "is not a plan" in result.stderr


def test_flash_of_a_folder_that_is_none(tmp_path: Path) -> None:
    result = runner.invoke(app, ["flash", "--state", str(tmp_path)])
    assert result.exit_code == 1
    assert "no state folder" in result.stderr


def test_scenarios_are_listed() -> None:
    document = json.loads(runner.invoke(app, ["scenarios", "--json"]).stdout)
    assert {each["name"] for each in document["scenarios"]} == set(SCENARIOS)
    assert {each["name"] for each in document["modifiers"]} == set(MODIFIERS)
    assert all(each["description"] and each["expected"] for each in document["scenarios"] + document["modifiers"])
    table = runner.invoke(app, ["scenarios"]).stdout
    assert all(name in table for name in (*SCENARIOS, *MODIFIERS))


def test_the_page_of_scenarios_is_made_from_them() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    printed = runner.invoke(app, ["scenarios", "--markdown"]).stdout
    assert page == printed, "calza sim scenarios --markdown > docs/scenarios.md"


def test_export_writes_a_folder_and_names_its_files(tmp_path: Path) -> None:
    words = ["export", "perfect+dead-calf+winter", "--out", str(tmp_path / "lived"), "--days", "2", "--seed", "3"]
    done = runner.invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    files = [Path(each) for each in json.loads(done.stdout)["files"]]
    assert sorted(each.name for each in files) == sorted(FILES)
    assert all(each.parent == tmp_path / "lived" and each.stat().st_size for each in files)
    assert json.loads((tmp_path / "lived" / "truth.json").read_text())["seed"] == 3

    before = files[0].read_bytes()
    refused = runner.invoke(app, words)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    again = runner.invoke(app, [*words, "--force", "--start", "2026-05-01T10:00", "--timezone", "Europe/Rome"])
    assert again.exit_code == 0
    assert "can be met" in again.stdout
    assert files[0].read_bytes() != before
    assert files[0].read_text().splitlines()[1].startswith("2026-05-01T08:00Z,")


@pytest.mark.parametrize(
    "words",
    [
        ["unheard-of"],
        ["perfect+unheard-of"],
        ["perfect+hot-car+pocket"],
        ["winter"],
        ["perfect", "--start", "soon"],
        ["perfect", "--timezone", "Mars/Olympus"],
        ["perfect", "--days", "0"],
    ],
)
def test_a_wrong_wish_for_an_export_is_exit_code_2(tmp_path: Path, words: list[str]) -> None:
    done = runner.invoke(app, ["export", *words, "--out", str(tmp_path / "lived")])
    assert done.exit_code == 2
    assert not (tmp_path / "lived").exists()


def test_a_folder_that_cannot_be_made_is_one_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = runner.invoke(app, ["export", "perfect", "--days", "1", "--out", str(tmp_path / "file" / "lived")])
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1


def test_fourteen_days_are_exported_in_a_moment(tmp_path: Path) -> None:
    began = time.process_time()  # not the clock on the wall: the machine may be busy with others
    assert runner.invoke(app, ["export", "perfect", "--days", "14", "--out", str(tmp_path)]).exit_code == 0
    assert time.process_time() - began < 2.0


def test_a_cohort_is_a_folder_per_person(tmp_path: Path) -> None:
    words = ["cohort", "--persons", "2", "--seed", "5", "--jobs", "1", "--out", str(tmp_path / "all")]
    done = runner.invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert len(Path(document["cohort"]).read_text().splitlines()) == 3
    for folder in document["persons"]:
        assert {each.name for each in Path(folder).iterdir()} == set(FILES)
    assert runner.invoke(app, words).exit_code == 2
    assert runner.invoke(app, [*words, "--force"]).exit_code == 0
    assert runner.invoke(app, [*words[:-1], str(tmp_path / "else"), "--timezone", "Mars"]).exit_code == 2


def test_a_joined_scenario_is_put_on_the_air_and_kept(tmp_path: Path) -> None:
    words = ("--state", str(tmp_path), "--days", FEW_DAYS, "--stocking", "CALZA-0001:left:perfect+winter")
    with simulator(*words) as (process, ready):
        assert ready["stockings"][0]["scenario"] == "perfect+winter"
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    with simulator("--state", str(tmp_path)) as (_, again):
        assert again["stockings"] == ready["stockings"]


def test_a_flat_battery_and_a_lost_clock_reach_the_firmware(tmp_path: Path) -> None:
    words = ("--state", str(tmp_path), "--days", "12", "--stocking", "CALZA-0001:left:perfect+battery-flat+clock-reset")
    with simulator(*words):
        (row,) = flash(tmp_path)
    hours = (12 - 2) * 24
    # a record an hour; an hour is cut in two where a timeline begins or ends, and one is lost with the power
    assert hours - 2 <= len(row["records"]) <= hours + 3


@pytest.mark.parametrize(
    "words", [[], ["run"], ["flash"], ["scenarios"], ["export"], ["cohort"], ["fault"], ["fault", "lossy"]]
)
def test_help_everywhere(words: list[str]) -> None:
    result = runner.invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout
