"""What a gateway that runs for months writes into the journal: with priorities, and not too much of it."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from calza_gateway.reporting import journal_log
from calza_gateway.reporting.events import (
    AdapterChanged,
    Broker,
    Connected,
    GatewayEvent,
    LiveMinuteCame,
    Problem,
    Progress,
    ReceiptCame,
    StockingChanged,
    SyncBegan,
    SyncEnded,
)
from calza_gateway.reporting.journal_log import JournalFormatter, SaidOnce, is_journal, journal_lines
from calza_gateway.reporting.standing import AdapterStanding, AdapterState, StockingStanding, StockingState

SERIAL = "CZ-0001"
DAY_S = 86_400


class Journal:
    """The gateway's log through the journal's handler, with the time told by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_767_225_600.0
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(JournalFormatter())
        self.handler.addFilter(SaidOnce(lambda: self.now_s))
        self.log = logging.getLogger("calza.gateway")
        monkeypatch.setattr(self.log, "propagate", False)
        monkeypatch.setattr(self.log, "handlers", [self.handler])
        monkeypatch.setattr(self.log, "level", logging.INFO)
        self.log.manager._clear_cache()  # type: ignore[attr-defined]  # private: levels are cached
        self.tell = journal_lines(lambda: self.now_s)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Journal:
    return Journal(monkeypatch)


def visit(journal: Journal, serial: str, fetched: int) -> None:
    journal.tell(Connected(serial))
    journal.tell(SyncBegan(serial, fetched))
    for number in range(fetched):
        journal.tell(Progress(serial, number + 1, fetched))
    journal.tell(SyncEnded(serial, fetched, fetched, 0, 0.0, False, 80))
    journal.tell(ReceiptCame(serial, fetched, 0, 0))


def test_a_day_on_which_all_is_well(journal: Journal) -> None:
    """Two stockings, a visit a minute: 2,880 visits."""
    journal.tell(Broker(True, "up", "connected to the broker, MQTT 5"))
    for minute in range(1440):
        journal.now_s += 60
        for serial in (SERIAL, "CZ-0002"):
            visit(journal, serial, int(minute % 15 == 0))
            journal.tell(LiveMinuteCame(serial, 20, 15, 10, 30))
    sys.stdout.write(f"\njournal: {len(journal.lines)} lines on a day on which all is well\n")
    assert len(journal.lines) <= 30
    assert journal.lines[0] == "<6>connected to the broker, MQTT 5"
    assert journal.lines[2].endswith("8 records fetched, 8 records stored by the server, 120 syncs")
    assert not [line for line in journal.lines if "mmHg" in line], "readings do not belong into a log"


def test_a_month_of_troubles(journal: Journal) -> None:
    """No broker, a stocking that fails at every visit, an adapter that flaps, a library that warns: for 30 days."""
    rng = Random(7)
    paho = logging.getLogger("calza.gateway.paho")
    per_day = []
    for _day in range(30):
        before = len(journal.lines)
        for _ in range(1440):
            journal.now_s += 60
            code = rng.choice(["unreachable", "no_answer"])
            journal.tell(Broker(False, code, f"the broker cannot be reached ({code})"))
            journal.tell(Problem("disconnected", "the connection was lost", SERIAL))
            journal.tell(Problem("no_receipt", f"no receipt for {rng.randrange(400)} records"))
            for state in (AdapterState.RESETTING, AdapterState.OK):
                journal.tell(AdapterChanged(AdapterStanding("hci0", state, 0)))
            paho.warning("failed %d times", rng.randrange(9))
            journal.log.error("a fault in the gateway itself")
        per_day.append(len(journal.lines) - before)
    sys.stdout.write(f"\njournal: {per_day[0]} lines on the first day of trouble, {per_day[-1]} on the thirtieth\n")
    assert per_day[0] <= 150
    assert max(per_day[1:]) <= 80
    assert any("times before)" in line for line in journal.lines)


def test_the_first_time_is_said_at_once_and_the_next_with_a_count(journal: Journal) -> None:
    for _ in range(61):
        journal.tell(Problem("stalled", "12 requests brought nothing", SERIAL))
        journal.now_s += 10
    journal.tell(Problem("stalled", "another sentence", "CZ-0002"))
    first, *_rest, third = said = [line for line in journal.lines if "last hour" not in line]
    assert first == f"<4>{SERIAL}: 12 requests brought nothing"
    assert said[1] == f"<4>{SERIAL}: 12 requests brought nothing (and 59 times before)"
    assert third == "<4>CZ-0002: another sentence"


def test_what_was_quiet_for_long_is_news_again(journal: Journal) -> None:
    for _ in range(3):
        journal.tell(Problem("stalled", "nothing new", SERIAL))
        journal.now_s += DAY_S
    assert [line for line in journal.lines if "stalled" in line or "nothing new" in line] == [
        f"<4>{SERIAL}: nothing new"
    ] * 3


def test_a_clock_that_is_set_back_hides_nothing(journal: Journal) -> None:
    journal.tell(Problem("stalled", "nothing new", SERIAL))
    journal.now_s -= DAY_S
    journal.tell(Problem("stalled", "nothing new", SERIAL))
    assert len(journal.lines) == 2


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (AdapterChanged(AdapterStanding("hci0", AdapterState.OK, 0)), "<6>adapter hci0: ok"),
        (
            AdapterChanged(AdapterStanding("hci0", AdapterState.STUCK, 0, "stack_stuck", "unplug it")),
            "<4>adapter hci0: unplug it",
        ),
        (
            StockingChanged(StockingStanding(SERIAL, "hci0", StockingState.NEEDS_PERSON, 0, "bond_lost", "pair it")),
            f"<4>{SERIAL}: pair it",
        ),
        (StockingChanged(StockingStanding(SERIAL, "hci0", StockingState.IN_CONTACT, 0)), f"<6>{SERIAL}: in contact"),
        (ReceiptCame(SERIAL, 1, 2, 0), f"<4>{SERIAL}: 1 records stored by the server, 2 refused, 0 waiting"),
    ],
)
def test_changes_are_said_with_their_priority_and_once(event: GatewayEvent, line: str, journal: Journal) -> None:
    journal.tell(event)
    journal.tell(event)
    assert journal.lines == [line]


def test_every_line_of_a_traceback_has_its_priority(journal: Journal) -> None:
    try:
        journal.now_s /= 0
    except ZeroDivisionError:
        journal.log.exception("it failed")
    assert len(journal.lines) >= 3
    assert all(line.startswith("<3>") for line in journal.lines)


def test_memory_does_not_grow_with_ever_new_messages(journal: Journal) -> None:
    for number in range(5 * journal_log.KEYS_MAX):
        journal.tell(Problem(f"code_{number}", "new", SERIAL))
    (said_once,) = journal.handler.filters
    assert isinstance(said_once, SaidOnce)
    assert len(said_once._known) <= journal_log.KEYS_MAX


def test_the_journal_is_known_by_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not is_journal(stream, {})
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


def test_a_program_whose_stderr_is_the_journal_writes_priorities(tmp_path: Path) -> None:
    program = (
        "import logging, os, sys\nfrom calza_gateway.reporting.journal_log import log_to\n"
        "found = os.fstat(2)\n"
        "journal = log_to(sys.stderr, {'JOURNAL_STREAM': f'{found.st_dev}:{found.st_ino}'} if sys.argv[1:] else {})\n"
        "logging.getLogger('calza.gateway').info('hello')\nlogging.getLogger('bleak').info('never')\n"
        "logging.getLogger('bleak').warning('from a library')\nprint(journal)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for words, said in (("x", "<6>hello\n<4>from a library\n"), ("", "hello\nfrom a library\n")):
        done = subprocess.run(
            [sys.executable, "-c", program, *words.split()], capture_output=True, text=True, env=environment
        )
        assert (done.stderr, done.stdout.strip()) == (said, str(bool(words)))
