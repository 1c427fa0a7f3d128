"""`calza gateway run` and `status` as a person or a program meets them: in a process of their own."""

import asyncio
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.ports import Contact
from calza_gateway.state.bonds import PairedStocking, write_stockings
from calza_gateway.state.lock import LockedError, is_running, only_one
from calza_wire.channels import Side
from calza_wire.gateway_status import GatewayStatus
from calza_wire.messages import Receipt, Refusal, RefusalReason, StoredRanges
from calza_wire.ranges import RecordRange
from calza_wire.records import Record, digest, encode_record
from tests.gateway.mosquitto import PASSWORDS, Mosquitto, Server

ROOT = Path(__file__).parents[2]
SERIAL = "CZ-0001"
DEAD_RADIO = "sim:tcp://127.0.0.1:9"  # the discard port: nothing listens there
STATUS = "calza/v1/up/home/status"
LIMIT_S = 30


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CALZA_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1", "COLUMNS": "120", **more}


def calza(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "calza", "gateway", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), cwd=ROOT, timeout=LIMIT_S)


def documents(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with one paired stocking."""
    folder = tmp_path / "state"
    write_stockings(folder, [PairedStocking(SERIAL, "F0:00:00:00:00:01", Side.LEFT)])
    return folder


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    (tmp_path / "broker").mkdir()
    broker = Mosquitto.prepare(tmp_path / "broker")
    broker.start()
    yield broker
    broker.kill()


class Running:
    """`calza gateway run --json` as a child."""

    def __init__(self, state: Path, broker: Mosquitto, *more_words: str, **more: str) -> None:
        command = [sys.executable, "-m", "calza", "gateway", "run", "--id", "home", "--json", "--radio", DEAD_RADIO]
        command += ["--state", str(state), "--broker", f"mqtt://127.0.0.1:{broker.port}", "--interval", "1"]
        command += more_words
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(CALZA_GATEWAY_PASSWORD=PASSWORDS["home"], **more),
            cwd=ROOT,
        )

    def wait_for(self, name: str) -> dict[str, object]:
        """The next event of that name."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            document: dict[str, object] = json.loads(line)
            if document["event"] == name:
                return document
        raise AssertionError(f"it ended without {name}: {self.process.stderr and self.process.stderr.read()}")

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("command", [(), ("run",), ("status",), ("scan",), ("pair",)])
def test_help_has_examples(command: tuple[str, ...]) -> None:
    shown = calza(*command, "--help")
    assert shown.returncode == 0
    assert "calza gateway" in shown.stdout
    assert re.search(r"Examples?:|Start with", shown.stdout)


@pytest.mark.parametrize(
    ("words", "more", "sentence"),
    [
        (("--radio", DEAD_RADIO), {}, "--id"),
        (("--id", "home", "--radio", DEAD_RADIO, "--live", "--once"), {}, "not both"),
        (("--id", "home", "--radio", DEAD_RADIO), {"CALZA_GATEWAY_IDD": "x"}, "CALZA_GATEWAY_IDD"),
        (("--id", "home", "--radio", "wifi"), {}, "wifi"),
        (("--id", "home", "--radio", DEAD_RADIO, "--interval", "0"), {}, "interval"),
        (("--id", "home", "--radio", DEAD_RADIO, "--metrics", "everywhere"), {}, "metrics"),
        (("--id", "home", "--radio", DEAD_RADIO, "--outbox-limit", "3"), {}, "outbox_limit"),
        (("--id", "home", "--radio", DEAD_RADIO), {"CALZA_GATEWAY_FREE_DISK": "much"}, "free_disk"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(
    words: tuple[str, ...], more: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    done = calza("run", "--state", tmp_path / "state", *words, **more)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "state").exists(), "a misuse leaves no trace"


def test_nothing_paired_is_one_sentence(tmp_path: Path) -> None:
    done = calza("run", "--id", "home", "--radio", DEAD_RADIO, "--state", tmp_path / "state")
    assert done.returncode == 1
    assert "calza gateway pair" in done.stderr


def test_a_second_gateway_on_the_same_folder_is_refused_and_the_first_goes_on(
    state: Path, mosquitto: Mosquitto
) -> None:
    with Running(state, mosquitto) as first:
        first.wait_for("broker")
        second = calza("run", "--id", "home", "--radio", DEAD_RADIO, "--state", state, "--json")
        assert second.returncode == 1
        (document,) = documents(second.stdout)
        assert (document["event"], document["reason"]) == ("error", "already_running")
        assert first.process.poll() is None
        assert json.loads(calza("status", "--state", state, "--json").stdout)["running"] is True
        first.process.kill()
        first.process.wait()
        assert json.loads(calza("status", "--state", state, "--json").stdout)["running"] is False
    with Running(state, mosquitto) as again:
        assert again.wait_for("broker")["up"] is True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(number: signal.Signals, state: Path, mosquitto: Mosquitto) -> None:
    offline = re.compile(r'"state":"offline"')
    with Server(mosquitto.port) as server, Running(state, mosquitto) as gateway:
        gateway.wait_for("broker")
        gateway.process.send_signal(number)
        rest, errors = gateway.process.communicate(timeout=LIMIT_S)
        assert gateway.process.returncode == 0, errors
        assert "Traceback" not in errors
        documents(rest)
        with server.changed:
            heard = server.changed.wait_for(
                lambda: any(t == STATUS and offline.search(p.decode()) for t, p, _ in server.heard), 10
            )
        assert heard
        said = [GatewayStatus.decode(payload).state for topic, payload, _ in server.heard if topic == STATUS]
        assert (set(said[:-1]), said[-1]) == ({"online"}, "offline"), "the goodbye is said once, not by the will too"
    assert not is_running(state)


def test_a_box_tells_everybody_how_it_is(state: Path, mosquitto: Mosquitto, tmp_path: Path) -> None:
    """The service manager, Prometheus, the server and a person beside it; and what stays when it was killed."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager, Server(mosquitto.port) as server:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LIMIT_S)
        words = ("--metrics", f"127.0.0.1:{port}")
        with Running(state, mosquitto, *words, NOTIFY_SOCKET=str(tmp_path / "notify")) as gateway:
            assert manager.recv(4096).decode().startswith("READY=1\nSTATUS=")
            said = ""
            while "no_adapter" not in said:
                said = manager.recv(4096).decode()
            assert "WATCHDOG=1" in said, "a radio that is away is no reason for a restart"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT_S) as answer:
                assert b"calza_gateway_broker_up 1.0" in answer.read()

            def reported() -> list[GatewayStatus]:
                said = [GatewayStatus.decode(payload) for topic, payload, _ in server.heard if topic == STATUS]
                return [one for one in said if one.report is not None and "no_adapter" in one.report.codes]

            with server.changed:
                assert server.changed.wait_for(lambda: bool(reported()), 60)
            running = json.loads(calza("status", "--state", state, "--json").stdout)
            assert (running["running"], running["stockings"][0]["standing"]["serial"]) == (True, SERIAL)
            gateway.process.kill()
            gateway.process.wait()
    left = json.loads(calza("status", "--state", state, "--json").stdout)
    assert (left["running"], left["standing_ms"]) == (False, running["standing_ms"])
    assert "history" in calza("status", "--state", state).stdout


def test_metrics_that_cannot_be_offered_are_one_sentence(state: Path, mosquitto: Mosquitto) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = calza(
            *("run", "--id", "home", "--radio", DEAD_RADIO, "--state", state, "--broker", mosquitto.url()),
            *("--metrics", f"127.0.0.1:{port}"),
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dead_radio_is_told_and_once_fails_with_a_sentence(state: Path, mosquitto: Mosquitto) -> None:
    done = calza(
        *("run", "--once", "--timeout", "5", "--id", "home", "--radio", DEAD_RADIO, "--state", state, "--json"),
        *("--broker", mosquitto.url()),
    )
    assert done.returncode == 1
    assert f"not synced: {SERIAL}" in done.stderr
    errors = [one for one in documents(done.stdout) if one["event"] == "error"]
    assert errors
    assert errors[0]["reason"] == "no_adapter"
    assert PASSWORDS["home"] not in done.stdout + done.stderr


def test_log_lines_where_nobody_watches(state: Path, mosquitto: Mosquitto) -> None:
    done = calza(
        *("run", "--once", "--timeout", "3", "--id", "home", "--radio", DEAD_RADIO, "--state", state),
        *("--broker", mosquitto.url()),
    )
    assert done.stdout == ""
    assert f"{SERIAL}: no simulated radio answers" in done.stderr
    assert "\x1b" not in done.stderr


def test_status_of_a_gateway_that_never_ran(tmp_path: Path) -> None:
    document = json.loads(calza("status", "--state", tmp_path / "nothing", "--json").stdout)
    assert document.pop("clock") in {"synchronised", "unsynchronised", "unknown"}
    assert document == {
        "running": False,
        "standing_ms": None,
        "health": None,
        "adapters": [],
        "problems": [],
        "pending": 0,
        "oldest_ms": None,
        "refused": 0,
        "reports": 0,
        "stockings": [],
        "refusals": [],
    }
    assert not (tmp_path / "nothing").exists()


def test_status_tells_what_waits_what_was_refused_and_the_last_contact(state: Path) -> None:
    outbox = SqliteOutbox.open(state / "outbox.db")
    outbox.put(SERIAL, bytes(8), [Record(n, b"body") for n in range(5)], 1_000)
    outbox.settle(Receipt(SERIAL, (StoredRanges(bytes(8).hex(), (RecordRange(0, 1),)),)), 2_000)
    refusal = Refusal(digest(encode_record(2, b"body")), 2, RefusalReason.FORGED, "the tag does not fit")
    outbox.settle(Receipt(SERIAL, (), (refusal,)), 3_000)
    outbox.note_contact(Contact(SERIAL, 5_000, "not_found", None))
    outbox.close()
    document = json.loads(calza("status", "--state", state, "--json").stdout)
    assert (document["pending"], document["refused"], document["oldest_ms"]) == (2, 1, 1_000)
    assert document["stockings"] == [
        {
            "serial": SERIAL,
            "side": "left",
            "pending": 2,
            "refused": 1,
            "receipted": 2,
            "tried_ms": 5_000,
            "outcome": "not_found",
            "synced_ms": None,
            "backlog": None,
            "clock_error_ms": None,
            "battery_percent": None,
            "standing": None,
        }
    ]
    assert document["refusals"][0]["reason"] == "forged"
    shown = calza("status", "--state", state).stdout
    for words in (SERIAL, "never", "not_found", "2 records wait", "forged", "the tag does not fit"):
        assert words in shown


def test_the_lock_is_free_again_whatever_happened(tmp_path: Path) -> None:
    def hold_and_fail() -> None:
        with only_one(tmp_path):
            assert is_running(tmp_path)
            with pytest.raises(LockedError) as caught, only_one(tmp_path):
                pass
            assert caught.value.code == "already_running"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hold_and_fail()
    assert not is_running(tmp_path)
    with only_one(tmp_path):
        pass


def test_a_state_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = calza("run", "--id", "home", "--radio", DEAD_RADIO, "--state", tmp_path / "file" / "state")
    assert done.returncode == 1
    assert "cannot be used" in done.stderr


async def test_bars_on_a_terminal(state: Path, mosquitto: Mosquitto) -> None:
    """With a terminal at standard error there are colours and bars, and Ctrl-C leaves it in order."""
    leader, follower = pty.openpty()
    words = ["run", "--id", "home", "--radio", DEAD_RADIO, "--state", str(state), "--broker", mosquitto.url()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "calza", "gateway", *words, stderr=follower, cwd=ROOT, env=environment(TERM="xterm")
    )
    os.close(follower)
    seen = b""
    while b"connected to the broker" not in seen:
        seen += await asyncio.to_thread(os.read, leader, 4096)
    process.send_signal(signal.SIGINT)
    reading = asyncio.create_task(asyncio.to_thread(_drain, leader))
    assert await asyncio.wait_for(process.wait(), LIMIT_S) == 0
    assert b"Traceback" not in seen + await reading
    os.close(leader)


def _drain(leader: int) -> bytes:
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:  # how Linux says that the other side of a terminal is gone
        pass
    return seen
