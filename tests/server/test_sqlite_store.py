"""The SQLite store beyond the contract: kills, full disks, wrong files, readers beside a writer, size and speed."""

from __future__ import annotations

import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from calza_server.adapters import sqlite_schema
from calza_server.adapters.sqlite_store import SqliteStore
from calza_server.ports import Appended, StoreError
from calza_wire.minute_block import layout
from calza_wire.ranges import RangeSet
from tests.server.sealed import LOG_ID, OTHER_LOG_ID, START_S, block, body, garment, stored

if TYPE_CHECKING:
    from pathlib import Path

    from calza_server.ports import StoredBlock

# Appends groups of three for ever, and says after each commit how far it is.
WRITER = """
import sys
from pathlib import Path
from calza_server.adapters.sqlite_store import SqliteStore
from tests.server.sealed import block, stored
store = SqliteStore(Path(sys.argv[1]))
number = store.count("CALZA-0001")
while True:
    store.append([stored(number + i, minutes=block(number + i, minutes=2)) for i in (1, 2, 3)])
    number += 3
    print(number, flush=True)
"""


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "series.db")
    store.append([stored(n, log_id=log_id) for n in (2, 3, 7) for log_id in (OTHER_LOG_ID, LOG_ID)])
    held = store.held("CALZA-0001")
    store.close()
    again = SqliteStore(tmp_path / "series.db")
    assert again.held("CALZA-0001") == held
    assert held[0].log_id == OTHER_LOG_ID
    assert again.append([stored(7)]) == [Appended.DUPLICATE]
    assert len(again.read("CALZA-0001", 0, 2**40)) == 6 * 60
    again.close()


def test_whatever_was_committed_survives_a_kill(tmp_path: Path) -> None:
    """SIGKILL at seeded moments; after each, all that was announced is held, whole, and nothing twice."""
    rng = random.Random(20260901)
    path = tmp_path / "series.db"
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        assert child.stdout is not None
        for _ in range(rng.randint(1, 20)):
            announced = int(child.stdout.readline())
        time.sleep(rng.random() * 0.01)  # somewhere within the next groups
        child.send_signal(signal.SIGKILL)
        announced = max([announced, *(int(line) for line in child.stdout.read().split())])
        child.wait()
        child.stdout.close()
        store = SqliteStore(path)
        held = store.count("CALZA-0001")
        assert held >= announced
        assert held % 3 == 0, "a group is kept as a whole or not at all"
        assert store.held("CALZA-0001")[0].held == RangeSet.from_numbers(range(1, held + 1))
        assert len(store.read("CALZA-0001", 0, 2**40)) == 2 * held
        store.close()
        with sqlite3.connect(path) as check:
            assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        check.close()


def test_a_full_disk_keeps_the_group_out_and_the_store_alive(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "series.db")
    store.append([stored(1)])
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    many = [stored(n) for n in range(2, 100)]
    with pytest.raises(StoreError) as caught:
        store.append(many)
    assert caught.value.code == "full"
    assert store.held("CALZA-0001")[0].held == RangeSet.from_numbers([1])
    assert len(store.read("CALZA-0001", 0, 2**40)) == 60
    store._writer.execute("PRAGMA max_page_count = 1000000")
    assert store.append(many) == [Appended.STORED] * 98
    store.close()


def test_a_new_log_that_was_undone_is_made_again(tmp_path: Path) -> None:
    """The key of a log drawn in a transaction that failed must not be used for another log's records."""
    store = SqliteStore(tmp_path / "series.db")
    store._writer.execute(f"PRAGMA max_page_count = {store._writer.execute('PRAGMA page_count').fetchone()[0] + 1}")
    with pytest.raises(StoreError):
        store.append([stored(n) for n in range(1, 60)])
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store.append([stored(1, log_id=OTHER_LOG_ID)])
    store.append([stored(1)])
    assert {log.log_id: log.held.count for log in store.held("CALZA-0001")} == {OTHER_LOG_ID: 1, LOG_ID: 1}
    assert store.read("CALZA-0001", 0, 2**40).logs == (OTHER_LOG_ID, LOG_ID)
    store.close()


def test_a_store_locked_by_another_program_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_schema, "BUSY_MS", 20)
    store = SqliteStore(tmp_path / "series.db")
    other = sqlite3.connect(tmp_path / "series.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught:
        store.append([stored(1)])
    assert caught.value.code == "busy"
    other.execute("ROLLBACK")
    other.close()
    assert store.append([stored(1)]) == [Appended.STORED]
    store.close()


def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "series.db")
    store.append([stored(1)])
    found: list[int] = []
    with store._writes() as writer:
        writer.execute("DELETE FROM block")
        reader = threading.Thread(
            target=lambda: found.extend([len(store.read("CALZA-0001", 0, 2**40)), store.count("CALZA-0001")])
        )
        reader.start()
        reader.join(5)
        assert found == [60, 1]
    store.close()


def test_files_of_others_and_of_the_future_are_refused_untouched(tmp_path: Path) -> None:
    foreign, future, text = tmp_path / "foreign.db", tmp_path / "future.db", tmp_path / "text.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    SqliteStore(future).close()
    with sqlite3.connect(future) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    text.write_text("this is no database, and long enough to be looked at as one" * 20)
    for path, words in ((foreign, "something else"), (future, "schema 99"), (text, "not a database")):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=words) as caught:
            SqliteStore(path)
        assert caught.value.code == "broken"
        assert path.read_bytes() == before


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "deep" / "series.db")
    store.append([stored(1)])
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "deep").iterdir()} == {0o600}
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "series.db")
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append([stored(1)])
    with pytest.raises(StoreError, match="closed"):
        store.read("CALZA-0001", 0, 1)


def fortnight(legs: int) -> list[list[StoredBlock]]:
    """Fourteen days of hourly blocks of so many legs in the order they would arrive, hour by hour."""
    where = layout(60)
    pattern = bytearray(body(1, minutes=block(1, start_s=START_S)))
    hours = []
    for hour in range(14 * 24):
        clock = START_S - 946_684_800 + 3600 * hour
        pattern[where.time_value : where.time_value + 6] = clock.to_bytes(6, "little")
        hours.append(
            [
                replace(stored_like, body=bytes(pattern), record=hour + 1, received_ms=(START_S + 3600 * hour) * 1000)
                for stored_like in (
                    replace(stored(1), serial=f"CALZA-{leg:04d}", gateway=f"g-{leg}") for leg in range(legs)
                )
            ]
        )
    return hours


def test_size_and_speed_are_within_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sixteen octets a minute with indexes; 14 days of a leg into columns in about a millisecond."""
    legs = 40
    store = SqliteStore(tmp_path / "series.db")
    hours = fortnight(legs)
    began = time.perf_counter()
    for blocks in hours:
        store.append(blocks)
    append_s = time.perf_counter() - began
    times = []
    for turn in range(80):
        began = time.perf_counter()
        found = store.read(f"CALZA-{turn % legs:04d}", START_S, START_S + 14 * 86_400)
        times.append((time.perf_counter() - began) * 1000)
        assert len(found) == 14 * 1440
    store.close()
    octets = (tmp_path / "series.db").stat().st_size / (legs * 14 * 1440)
    with capsys.disabled():
        print(  # noqa: T201 - a figure for the log of the test run
            f"\nSQLite store: {octets:.2f} octets a minute, 14 days of a leg read in {statistics.median(times):.2f} ms "
            f"(p50), {legs * 336 / append_s:,.0f} records/s appended in groups of {legs}"
        )
    assert octets <= 16
    assert statistics.median(times) < 20, "far beyond the figure of 1 ms: not noise but a scan"


def test_garment_secrets_stay_out_of_texts() -> None:
    secret = garment()
    assert secret.key.hex() not in repr(secret.registered())
    assert repr(secret.key) not in repr(secret.registered())
