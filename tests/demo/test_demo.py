"""`calza demo` as a person or a program meets it: the answer, the mistakes, and that nothing is left behind."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from calza_demo import cli
from calza_demo.processes import last_sentence

PATIENCE_S = 120.0
CALZA = [sys.executable, "-m", "calza"]


def run_demo(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CALZA, "demo", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process that works in a folder; each of the demo's children has it on its command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words):
            found.append(process)
    return found


def flash_of(folder: Path) -> dict[str, int]:
    """Records in each stocking's flash, by leg."""
    done = subprocess.run(
        [*CALZA, "sim", "flash", "--state", str(folder / "sim"), "--json"], capture_output=True, text=True, check=True
    )
    return {each["side"]: len(each["records"]) for each in json.loads(done.stdout)["stockings"]}


@pytest.mark.slow
def test_the_demo_answers_as_the_truth_does_and_stores_what_was_in_flash(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = run_demo("--once", "--json", "--state", str(folder))
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    legs = {leg["side"]: leg for leg in json.loads(line)["legs"]}
    assert {side: leg["verdict"] for side, leg in legs.items()} == {"left": "met", "right": "not_met"}
    flash = flash_of(folder)
    for side, leg in legs.items():
        assert leg["verdict"] == leg["truth"]["verdict"]
        assert leg["records"] == {"expected": flash[side], "stored": flash[side], "missing": 0}
        assert leg["worn_hours"] == pytest.approx(leg["truth"]["worn_hours"], rel=0.01)
    assert not processes_of(folder)


@pytest.mark.slow
def test_never_worn_is_not_met_and_nothing_is_invented(tmp_path: Path) -> None:
    done = run_demo("--once", "--json", "--unpaced", "--left", "never-worn", "--state", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    left = next(leg for leg in json.loads(done.stdout)["legs"] if leg["side"] == "left")
    assert (left["verdict"], left["worn_hours"]) == ("not_met", 0.0)


def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_demo("--once", "--http-port", port, "--state", str(tmp_path / "demo"))
    assert done.returncode == 1
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if line.startswith("calza demo:")]
    assert len(told) == 1
    assert port in told[0]
    assert not processes_of(tmp_path)


HIDE_MOSQUITTO = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /usr/sbin/mosquitto && exec "$@"', "sh"]


def without_mosquitto(*words: str) -> subprocess.CompletedProcess[str]:
    """The demo on this machine as it would be if nobody had installed Mosquitto."""
    if subprocess.run([*HIDE_MOSQUITTO, "true"], capture_output=True).returncode != 0:
        pytest.skip("hiding Mosquitto needs a private mount: root, outside a chroot, and a Mosquitto to hide")
    command = [*HIDE_MOSQUITTO, *CALZA, "demo", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)


def test_no_broker_to_be_had_is_one_sentence(tmp_path: Path) -> None:
    done = without_mosquitto("--once", "--broker", "mosquitto", "--state", str(tmp_path / "demo"))
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("calza demo:")]
    assert len(told) == 1
    assert "mosquitto" in told[0]
    assert not processes_of(tmp_path)


@pytest.mark.slow
def test_without_mosquitto_the_built_in_broker_does_and_is_named(tmp_path: Path) -> None:
    done = without_mosquitto("--once", "--json", "--unpaced", "--state", str(tmp_path / "demo"))
    assert done.returncode == 0, done.stderr
    assert {leg["verdict"] for leg in json.loads(done.stdout)["legs"]} == {"met", "not_met"}
    assert "amqtt" in done.stderr


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 100, 0))
    done = CliRunner().invoke(cli.app, ["--once", "--state", str(tmp_path / "demo")])
    assert done.exit_code == 1
    assert "free some space" in " ".join(done.stderr.split())


def test_an_unknown_scenario_is_named_with_those_there_are(tmp_path: Path) -> None:
    done = run_demo("--once", "--left", "nope", "--state", str(tmp_path / "demo"))
    assert done.returncode == 2
    assert "falls-short" in done.stderr
    assert not (tmp_path / "demo").exists()


def test_the_last_sentence_of_a_child_is_found_inside_a_frame(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Usage: ...\n╭─ Error ───╮\n│ a port is missing │\n╰───────────╯\n", encoding="utf-8")
    assert last_sentence(log) == "a port is missing"


@contextmanager
def tiny_disk(folder: Path, octets: int) -> Iterator[Path]:
    """A file system of so many octets."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={octets}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a real full disk needs the right to mount a small file system, which only root has")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_is_one_sentence(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 1024 * 1024) as disk:
        done = run_demo("--once", "--state", str(disk / "demo"))
        assert done.returncode == 1
        told = [line for line in done.stderr.splitlines() if line.startswith("calza demo:")]
        assert len(told) == 1
        assert not processes_of(disk)


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine", encoding="utf-8")
    done = run_demo("--once", "--state", str(tmp_path))
    assert done.returncode == 2
    assert "not empty" in " ".join(done.stderr.split())
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sign", "moment"),
    [(signal.SIGTERM, "simulator"), (signal.SIGINT, "gateway"), (signal.SIGKILL, "gateway")],
    ids=["terminated-at-the-start", "Ctrl-C-while-fetching", "killed-while-fetching"],
)
def test_ending_it_leaves_no_process_and_no_lock(tmp_path: Path, sign: signal.Signals, moment: str) -> None:
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [*CALZA, "demo", "--http-port", "0", "--state", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: (folder / "logs" / f"{moment}.log").exists(), f"the {moment} was not started")
        demo.send_signal(sign)
        ended = demo.wait(PATIENCE_S)
    finally:
        demo.kill()
        demo.wait()
    assert ended == (-signal.SIGKILL if sign is signal.SIGKILL else 0)
    wait_until(lambda: not processes_of(folder), "a process was left behind")
    for name in ("sim", "server"):  # a lock that was left would refuse this
        if (folder / name / "lock").exists() or (folder / name / "server.lock").exists():
            assert lockable(folder / name)


def lockable(folder: Path) -> bool:
    for path in folder.glob("*lock"):
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


def wait_until(condition: Callable[[], bool], complaint: str) -> None:
    """Look again and again: files and foreign processes give no event to wait for."""
    due = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < due, complaint
        time.sleep(0.05)
