"""The outbox file itself: what survives a kill, who may read it, what happens on a full disk or with a foreign file."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.ports import OutboxError, OutboxFullError
from calza_wire.messages import Receipt, StoredRanges
from calza_wire.ranges import RecordRange
from calza_wire.records import Record, decode_record

SERIAL = "CZ-0001"
LOG = bytes(8)

WRITER = """
import sys
from pathlib import Path
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_wire.records import Record
outbox = SqliteOutbox.open(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    group = [Record(number + i, (number + i).to_bytes(4, "big") * 200) for i in range(32)]
    outbox.put("CZ-0001", bytes(8), group, number)
    number += 32
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    """Five times: a writer says what it has committed, is killed in mid-write, and the next one goes on."""
    path = tmp_path / "outbox.db"
    start = 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for round_number in range(5):
        command = [sys.executable, "-c", WRITER, str(path), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as writer:
            assert writer.stdout is not None
            acknowledged = start
            for _ in range(20 + 7 * round_number):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        outbox = SqliteOutbox.open(path)
        held = {item.number: item.payload for item in outbox.pending(1_000_000)}
        outbox.close()
        assert held.keys() >= set(range(acknowledged))
        assert all(decode_record(held[n]).body == n.to_bytes(4, "big") * 200 for n in held)
        assert len(held) % 32 == 0, "half a group was kept"
        start = len(held)
    assert start > 500


def test_the_file_is_private_and_committed_fully(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox.open(path)
    outbox.put(SERIAL, LOG, [Record(1, b"x")], 0)
    modes = {item.name: item.stat().st_mode & 0o777 for item in tmp_path.iterdir()}
    assert modes == {"outbox.db": 0o600, "outbox.db-wal": 0o600, "outbox.db-shm": 0o600}
    database = outbox._database
    assert database.execute("pragma journal_mode").fetchone() == ("wal",)
    assert database.execute("pragma synchronous").fetchone() == (2,)
    outbox.close()


def test_a_full_disk_is_its_own_error_and_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox.open(path)
    outbox.put(SERIAL, LOG, [Record(1, b"x")], 0)
    pages = outbox._database.execute("pragma page_count").fetchone()[0]
    outbox._database.execute(f"pragma max_page_count = {pages + 4}")
    with pytest.raises(OutboxFullError, match="disk is full") as caught:
        outbox.put(SERIAL, LOG, [Record(n, bytes(4000)) for n in range(2, 60)], 0)
    assert caught.value.code == "disk_full"
    assert [item.number for item in outbox.pending(100)] == [1], "nothing of the group was kept"
    outbox._database.execute("pragma max_page_count = 1000000")
    assert outbox.put(SERIAL, LOG, [Record(2, b"y")], 0) == 1, "it goes on once there is room"
    outbox.close()


def test_a_newer_outbox_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    SqliteOutbox.open(path).close()
    with sqlite3.connect(path) as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(OutboxError, match="newer version") as caught:
        SqliteOutbox.open(path)
    assert caught.value.code == "outbox_too_new"


def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(OutboxError, match="move the file away") as caught:
        SqliteOutbox.open(path)
    assert caught.value.code == "outbox_damaged"


def test_a_folder_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutboxError) as caught:
        SqliteOutbox.open(tmp_path / "nowhere" / "outbox.db")
    assert caught.value.code == "outbox_unusable"


def test_a_reader_beside_it_sees_what_is_committed_and_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox.open(path)
    outbox.put(SERIAL, LOG, [Record(1, b"x")], 0)
    for _ in range(2):
        reader = SqliteOutbox.open_readonly(path)
        assert reader.counts().pending == 1
        with pytest.raises(OutboxError):
            reader.put(SERIAL, LOG, [Record(2, b"x")], 0)
        reader.close()
    outbox.close()
    reader = SqliteOutbox.open_readonly(path)
    assert reader.counts().pending == 1
    reader.close()


def test_threads_put_and_settle_at_once(tmp_path: Path) -> None:
    outbox = SqliteOutbox.open(tmp_path / "outbox.db")

    def write(base: int) -> None:
        for number in range(base, base + 50):
            outbox.put(SERIAL, LOG, [Record(number, b"x")], 0)

    def settle() -> None:
        for number in range(50):
            outbox.settle(Receipt(SERIAL, (StoredRanges(LOG.hex(), (RecordRange(number, number),)),)), 0)

    threads = [threading.Thread(target=write, args=(base,)) for base in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settler = threading.Thread(target=settle)
    settler.start()
    settler.join()
    assert outbox.waiting() == 100
    outbox.close()


def test_put_rate_with_group_commits(tmp_path: Path) -> None:
    """Printed for the record; the bound only catches a commit per record or a lost index."""
    outbox = SqliteOutbox.open(tmp_path / "outbox.db")
    groups = [[Record(base + i, bytes(873)) for i in range(32)] for base in range(0, 320 * 32, 32)]
    began = time.perf_counter()
    for group in groups:
        outbox.put(SERIAL, LOG, group, 0)
    rate = 320 * 32 / (time.perf_counter() - began)
    outbox.close()
    sys.stdout.write(f"\noutbox: {rate:,.0f} records/s in groups of 32, each group synced\n")
    assert rate > 1000
