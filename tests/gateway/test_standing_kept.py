"""From the supervisors' words to what others read: the book, `standing.json`, the status for a person."""

import asyncio
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.commands.status import read_status
from calza_gateway.commands.status_view import ago, view
from calza_gateway.ports import Contact, Moment, OutboxError
from calza_gateway.reporting import standing_keeper
from calza_gateway.reporting.events import (
    AdapterChanged,
    Broker,
    GatewayEvent,
    Problem,
    ReceiptCame,
    StockingChanged,
    SyncEnded,
)
from calza_gateway.reporting.standing import (
    AdapterStanding,
    AdapterState,
    GatewayStanding,
    Health,
    StockingStanding,
    StockingState,
)
from calza_gateway.reporting.standing_book import PROBLEM_LASTS_S, KnownProblem, StandingBook, codes, health
from calza_gateway.reporting.standing_file import STANDING_FILE, SavedStanding, read_standing, write_standing
from calza_gateway.reporting.standing_keeper import StandingKeeper
from calza_gateway.reporting.upkeep import Overview, Upkeep
from calza_gateway.state.bonds import PairedStocking, StateError
from calza_gateway.state.lock import only_one
from calza_wire.channels import Side
from calza_wire.messages import GatewayClock
from calza_wire.records import Record

SERIAL = "CZ-0001"
STUCK = AdapterStanding("hci0", AdapterState.STUCK, 5, "stack_stuck", "unplug the adapter and plug it in again", 2, 1)
LOST = StockingStanding(SERIAL, "hci0", StockingState.NEEDS_PERSON, 6, "bond_lost", "pair it again", 3, 99)


@dataclass
class Wound:
    """A clock that is wound by hand."""

    tick_s: float = 1_000.0

    def now(self) -> Moment:
        return Moment(1_767_225_600 + self.tick_s, self.tick_s)

    def offset_quarters(self) -> int:
        return 0

    def synchronised(self) -> bool | None:
        return True


@pytest.fixture
def clock() -> Wound:
    return Wound()


@pytest.fixture
def book(clock: Wound) -> StandingBook:
    return StandingBook(clock.now)


def told(book: StandingBook) -> tuple[str, ...]:
    return codes(book.standing, book.problems())


def synced(serial: str = SERIAL) -> SyncEnded:
    return SyncEnded(serial, 0, 0, 0, None, False, None)


# --- the book ---------------------------------------------------------------------------------------------------------


def test_the_newest_word_on_each_counts(book: StandingBook) -> None:
    assert health(book.standing, book.problems()) is Health.OK
    book.hear(AdapterChanged(STUCK))
    book.hear(StockingChanged(LOST))
    assert book.standing == GatewayStanding((STUCK,), (LOST,))
    assert (health(book.standing, ()), told(book)) == (Health.STUCK, ("bond_lost", "stack_stuck"))
    well = AdapterStanding("hci0", AdapterState.OK, 7)
    book.hear(AdapterChanged(well))
    book.hear(StockingChanged(replace(LOST, state=StockingState.IN_CONTACT, code=None)))
    assert book.standing.adapters == (well,)
    assert (health(book.standing, ()), told(book)) == (Health.OK, ())


def test_a_stocking_that_is_away_is_no_problem_of_the_gateway(book: StandingBook) -> None:
    book.hear(StockingChanged(replace(LOST, state=StockingState.AWAY, code="not_found")))
    book.hear(Problem("not_found", "not heard", SERIAL))
    assert (health(book.standing, book.problems()), told(book)) == (Health.OK, ())


@pytest.mark.parametrize(
    ("begin", "end", "code", "worst"),
    [
        (Problem("disk_full", "free some space", SERIAL), synced("CZ-0002"), "disk_full", Health.STUCK),
        (Problem("no_receipt", "sending again"), ReceiptCame(SERIAL, 1, 0, 0), "no_receipt", Health.DEGRADED),
        (Problem("unknown_stocking", "?", SERIAL), ReceiptCame(SERIAL, 1, 0, 0), "unknown_stocking", Health.STUCK),
        (Broker(False, "unreachable", "?"), Broker(True, "up", "connected"), "unreachable", Health.DEGRADED),
        (Broker(False, "bad_login", "?"), Broker(False, "unreachable", "?"), "bad_login", Health.STUCK),
        (Problem("not_authorised", "?"), Broker(True, "up", "connected"), "not_authorised", Health.STUCK),
    ],
)
def test_a_problem_lasts_until_an_event_ends_it_or_nobody_tells_it(
    begin: GatewayEvent, end: GatewayEvent, code: str, worst: Health, book: StandingBook, clock: Wound
) -> None:
    book.hear(begin)
    assert (told(book), health(book.standing, book.problems())) == ((code,), worst)
    book.hear(end)
    assert code not in told(book)
    book.hear(Broker(True, "up", "connected"))
    book.hear(begin)
    (first,) = [one for one in book.problems() if one.code == code]
    clock.tick_s += PROBLEM_LASTS_S - 1
    book.hear(begin)
    clock.tick_s += PROBLEM_LASTS_S - 1
    (still,) = [one for one in book.problems() if one.code == code]
    assert (still.since_ms, still.told_ms) == (first.since_ms, first.told_ms + int((PROBLEM_LASTS_S - 1) * 1000))
    clock.tick_s += 2
    assert (code in told(book)) is isinstance(begin, Broker), "of a broker that is away nobody tells a second time"


def test_a_receipt_for_one_stocking_says_nothing_of_another(book: StandingBook) -> None:
    book.hear(Problem("unknown_stocking", "?", SERIAL))
    book.hear(ReceiptCame("CZ-0002", 1, 0, 0))
    assert told(book) == ("unknown_stocking",)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_read_again_and_is_nobody_elses_business(tmp_path: Path) -> None:
    problem = KnownProblem("disk_full", "free some space", None, 1, 2)
    saved = SavedStanding(42, GatewayStanding((STUCK,), (LOST, replace(LOST, next_try_ms=None, code=None))), (problem,))
    assert read_standing(tmp_path) is None
    write_standing(tmp_path, saved)
    assert read_standing(tmp_path) == saved
    assert (tmp_path / STANDING_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", ["v", "adapters", "state", "since_ms", "problems", "stockings"])
def test_a_damaged_file_is_a_sentence_and_hides_nothing_else(tmp_path: Path, place: str) -> None:
    write_standing(tmp_path, SavedStanding(42, GatewayStanding((STUCK,), (LOST,)), ()))
    path = tmp_path / STANDING_FILE
    path.write_text(path.read_text().replace(f'"{place}"', '"x"', 1))
    with pytest.raises(StateError) as caught:
        read_standing(tmp_path)
    assert caught.value.code == "state_damaged"
    status = read_status(tmp_path, (PairedStocking(SERIAL, "F0:00:00:00:00:01", Side.LEFT),), GatewayClock.UNKNOWN, 1)
    assert [one.code for one in status.problems] == ["state_damaged"]
    assert [one.serial for one in status.stockings] == [SERIAL]


def overview(clock: Wound, standing: GatewayStanding, *problems: KnownProblem) -> Overview:
    outbox = MemoryOutbox()
    return Overview(clock.now(), 2, standing, problems, outbox.counts(), (), True, 1)


class Writes:
    """Counts what is written, on the real disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(standing_keeper, "write_standing", self._write)

    def _write(self, state: Path, saved: SavedStanding) -> None:
        self.count += 1
        write_standing(state, saved)


async def test_the_first_look_replaces_history_and_then_only_what_matters_is_written(
    tmp_path: Path, clock: Wound, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_standing(tmp_path, SavedStanding(1, GatewayStanding((STUCK,), (LOST,)), ()))
    writes, keeper = Writes(monkeypatch), StandingKeeper(tmp_path, print)
    empty = GatewayStanding((), ())
    await keeper.see(overview(clock, empty))
    saved = read_standing(tmp_path)
    assert saved is not None
    assert saved.standing == empty
    for _ in range(500):
        clock.tick_s += 10
        await keeper.see(overview(clock, empty))
    assert writes.count == 1, "nothing new, nothing written"
    for turn in range(360):  # an hour in which the next try moves with every look
        clock.tick_s += 10
        await keeper.see(overview(clock, GatewayStanding((), (replace(LOST, next_try_ms=turn),))))
    assert writes.count == 1 + 1 + 1, "one for the new state, the rest now and then"


async def test_a_state_that_flaps_all_day_is_written_once_a_minute(
    tmp_path: Path, clock: Wound, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, keeper = Writes(monkeypatch), StandingKeeper(tmp_path, print)
    for turn in range(8_640):
        clock.tick_s += 10
        await keeper.see(overview(clock, GatewayStanding((replace(STUCK, resets=turn),), ())))
    assert 1_400 <= writes.count <= 1_440 + standing_keeper.CHANGES_AT_ONCE


async def test_the_first_changes_after_a_calm_time_are_written_as_they_come(
    tmp_path: Path, clock: Wound, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, keeper = Writes(monkeypatch), StandingKeeper(tmp_path, print)
    for turn in range(standing_keeper.CHANGES_AT_ONCE):
        await keeper.see(overview(clock, GatewayStanding((replace(STUCK, resets=turn),), ())))
        assert writes.count == turn + 1
        clock.tick_s += 1


async def test_a_folder_that_cannot_be_written_is_told_and_tried_again(tmp_path: Path, clock: Wound) -> None:
    heard: list[GatewayEvent] = []
    (tmp_path / "state").write_text("a file where the folder should be")
    keeper = StandingKeeper(tmp_path / "state", heard.append)
    await keeper.see(overview(clock, GatewayStanding((), ())))
    assert [event.reason for event in heard if isinstance(event, Problem)] == ["state_unwritable"]
    (tmp_path / "state").unlink()
    await keeper.see(overview(clock, GatewayStanding((), ())))
    assert read_standing(tmp_path / "state") is not None


# --- upkeep -----------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """A chore that remembers."""

    overviews: list[Overview] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def see(self, overview: Overview) -> None:
        self.overviews.append(overview)
        self.news.set()


class BrokenOutbox(MemoryOutbox):
    """Cannot be read while broken."""

    broken = False

    def contacts(self) -> list[Contact]:
        if self.broken:
            raise OutboxError("outbox_unusable", "input/output error")
        return super().contacts()


async def test_upkeep_passes_on_what_it_sees_and_a_broken_outbox_is_told(book: StandingBook, clock: Wound) -> None:
    outbox, seen = BrokenOutbox(), Seen()
    outbox.put(SERIAL, bytes(8), [Record(1, b"x")], 7)
    outbox.note_contact(Contact(SERIAL, 10, "ok", 10, 0, 1, 80))
    upkeep = Upkeep(book=book, outbox=outbox, clock=clock, tell=book.hear, stockings=2, chores=[seen])
    task = asyncio.create_task(upkeep.run())
    async with asyncio.timeout(5):
        await seen.news.wait()
    task.cancel()
    (first,) = seen.overviews
    assert (first.counts.pending, first.counts.oldest_ms, first.stockings, first.health) == (1, 7, 2, Health.OK)
    outbox.broken = True
    again = await upkeep.look()
    assert (again.counts, again.contacts) == (first.counts, first.contacts), "the figures stay as they were"
    assert (again.codes, again.health) == (("outbox_unusable",), Health.STUCK)


# --- the status for a person ------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder with history: a stuck adapter, a lost bond, a full disk."""
    outbox = SqliteOutbox.open(tmp_path / "outbox.db")
    outbox.note_contact(Contact(SERIAL, 40_000, "ok", 40_000, backlog=3, clock_error_ms=-7_200_000, battery_percent=12))
    outbox.close()
    problem = KnownProblem("disk_full", "free some space", None, 1, 2)
    write_standing(tmp_path, SavedStanding(42_000, GatewayStanding((STUCK,), (LOST,)), (problem,)))
    return tmp_path


def shown(state: Path, now_ms: int, width: int = 80) -> str:
    paired = (PairedStocking(SERIAL, "F0:00:00:00:00:01", Side.LEFT),)
    status = read_status(state, paired, GatewayClock.UNSYNCHRONISED, now_ms)
    json.dumps(status.document())
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(view(status, now_ms))
    return capture.get()


def test_everything_that_is_wrong_comes_with_what_to_do(state: Path) -> None:
    with only_one(state):
        text = shown(state, 100_000)
    assert text.startswith("running, stuck\n")
    for words in (
        "adapter hci0: stuck for 1 min; 2 resets, 1 restarts",
        "unplug the adapter and plug it in again",
        f"{SERIAL}, left leg: needs person",
        "pair it again",
        "free some space",
        "ok, 3 records left in it, its clock 2 h slow, battery 12 %",
        "no time server keeps this machine's clock",
    ):
        assert words in " ".join(text.split()), words


def test_the_standing_of_a_gateway_that_does_not_run_is_history_with_its_age(state: Path) -> None:
    assert shown(state, 42_000 + 3 * 86_400_000).startswith("not running; the states below are history, 3 days old\n")


def test_no_line_is_cut_at_eighty_columns(state: Path) -> None:
    assert all(len(line) <= 80 for line in shown(state, 100_000).splitlines())


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(-5, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (7_200_000, "2 h"), (10**9, "11 days")],
)
def test_spans_in_words(milliseconds: int, words: str) -> None:
    assert ago(milliseconds) == words


def test_who_may_only_read_the_folder_may_look(state: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    state.chmod(0o500)
    try:
        assert shown(state, 100_000).startswith("not running")
    finally:
        state.chmod(0o700)
