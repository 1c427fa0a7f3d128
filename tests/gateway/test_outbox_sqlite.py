"""The outbox file itself: what survives a kill, who may read it, what happens on a full disk or with a foreign file."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from calza_gateway.adapters import sqlite_outbox
from calza_gateway.adapters.outbox_schema import statements_from
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.ports import Contact, OutboxError, OutboxFullError
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


# What calza 0.1 wrote, word for word: version 1 of the file.
VERSION_1 = """
create table record (
    key integer primary key autoincrement, serial text not null, log_id blob not null, number integer not null,
    digest text not null, payload blob not null, put_ms integer not null,
    reason text, detail text, refused_ms integer, readings integer not null default 1,
    unique (serial, log_id, number, digest)
) strict;
create index record_waiting on record (key) where reason is null;
create index record_by_digest on record (serial, digest);
create table receipted (
    serial text not null, log_id blob not null, first integer not null, last integer not null,
    primary key (serial, log_id, first)
) strict, without rowid;
create table report (key integer primary key autoincrement, serial text not null, payload blob not null) strict;
create table contact (serial text primary key, tried_ms integer not null, outcome text not null, synced_ms integer)
    strict, without rowid;
insert into record (serial, log_id, number, digest, payload, put_ms)
    values ('CZ-0001', x'0000000000000000', 7, 'aa', x'0700000078', 5);
insert into receipted values ('CZ-0001', x'0000000000000000', 0, 6);
insert into report (serial, payload) values ('CZ-0001', x'7b7d');
insert into contact values ('CZ-0001', 9, 'not_found', 4);
pragma user_version = 1;
"""


def version_1(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = wal")
        database.executescript(VERSION_1)


def test_a_file_of_version_1_is_updated_and_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    version_1(path)
    for _ in range(2):
        outbox = SqliteOutbox.open(path)
        assert [(one.number, one.payload) for one in outbox.pending(10)] == [(7, b"\x07\0\0\0x")]
        assert outbox.receipted(SERIAL, LOG).count == 7
        assert [one.payload for one in outbox.reports(10)] == [b"{}"]
        assert outbox.contacts() == [Contact(SERIAL, 9, "not_found", 4)]
        outbox.close()
    outbox = SqliteOutbox.open(path)
    news = Contact(SERIAL, 10, "ok", 10, backlog=3, clock_error_ms=-5, battery_percent=70)
    outbox.note_contact(news)
    assert outbox.contacts() == [news]
    outbox.close()


def test_after_a_rollback_the_older_program_works_and_the_newer_one_again(tmp_path: Path) -> None:
    """The statements of version 1, those that name no columns above all, against a file of today."""
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox.open(path)
    outbox.put(SERIAL, LOG, [Record(1, b"x")], 0)
    outbox.note_contact(Contact(SERIAL, 10, "ok", 10, 0, 1, 50))
    outbox.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        assert older.execute("pragma user_version").fetchone()[0] <= 1, "version 1 refuses anything above"
        older.execute(
            "insert into contact values (?, ?, ?, ?) on conflict do update set tried_ms = excluded.tried_ms,"
            " outcome = excluded.outcome, synced_ms = coalesce(excluded.synced_ms, synced_ms)",
            (SERIAL, 20, "disconnected", None),
        )
        assert older.execute("select * from contact").fetchall() == [(SERIAL, 20, "disconnected", 10)]
        older.execute("delete from receipted where serial = ?", (SERIAL,))
        older.execute("insert into receipted values (?, ?, ?, ?)", (SERIAL, LOG, 0, 0))
        older.execute(
            "insert into record (serial, log_id, number, digest, payload, put_ms) values (?, ?, ?, ?, ?, ?)"
            " on conflict do update set readings = readings + 1 where reason is not null returning readings = 1",
            (SERIAL, LOG, 2, "bb", b"\x02\0\0\0y", 3),
        ).fetchall()
    outbox = SqliteOutbox.open(path)
    assert [one.number for one in outbox.pending(10)] == [1, 2]
    assert outbox.contacts() == [Contact(SERIAL, 20, "disconnected", 10)], "what the visit before found is not of this"
    outbox.close()


def test_a_newer_file_that_older_programs_may_open_is_opened_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    SqliteOutbox.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute("alter table record add column weight integer")
        newer.execute("create table future (a)")
        newer.execute("update about set version = 77")
    outbox = SqliteOutbox.open(path)
    assert outbox.put(SERIAL, LOG, [Record(1, b"x")], 0) == 1
    outbox.note_contact(Contact(SERIAL, 10, "ok", 10, 0, 1, 50))
    assert outbox.contacts()[0].battery_percent == 50
    outbox.close()
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("select version from about").fetchone() == (77,)


def test_an_update_that_fails_half_way_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.db"
    version_1(path)
    statements = statements_from(1)
    monkeypatch.setattr(sqlite_outbox, "statements_from", lambda _version: [*statements, "insert into nowhere values"])
    with pytest.raises(OutboxError):
        SqliteOutbox.open(path)
    monkeypatch.undo()
    with closing(sqlite3.connect(path)) as database:
        names = {name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")}
        assert names == {"record", "receipted", "report", "contact", "sqlite_sequence"}
        assert database.execute("pragma user_version").fetchone() == (1,)
    outbox = SqliteOutbox.open(path)
    assert outbox.waiting() == 1
    outbox.close()


def test_two_programs_that_update_at_once_do_it_once(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    version_1(path)
    failures: list[BaseException] = []

    def update() -> None:
        try:
            SqliteOutbox.open(path).close()
        except OutboxError as error:
            failures.append(error)

    threads = [threading.Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_status_of_a_gateway_not_started_since_the_update_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    version_1(path)
    reader = SqliteOutbox.open_readonly(path)
    assert reader.contacts() == [Contact(SERIAL, 9, "not_found", 4)]
    assert reader.counts().pending == 1
    reader.close()


FULL_DISK = """
import os, sys
from pathlib import Path
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.forwarding.outbox_limit import OutboxLimit
from calza_gateway.ports import OutboxFullError
from calza_wire.messages import Receipt, StoredRanges
from calza_wire.ranges import RecordRange
from calza_wire.records import Record

folder = Path(sys.argv[1])
outbox = SqliteOutbox.open(folder / "outbox.db", OutboxLimit.on_disk(folder, 100_000, 8_000_000))
number = 0
while True:
    try:
        outbox.put("CZ-0001", bytes(8), [Record(n, bytes(800)) for n in range(number, number + 32)], 0)
        number += 32
    except OutboxFullError as error:
        assert error.code == "disk_full", error.code
        break
filler = folder / "filler"
with filler.open("wb", buffering=0) as file:  # somebody else takes the rest, to the last octet
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
free = os.statvfs(folder).f_bavail
waited = False
for first in range(0, number, 500):  # as the server sends them
    ranges = (RecordRange(first, first + 499),)
    receipt = Receipt("CZ-0001", (StoredRanges(bytes(8).hex(), ranges),))
    try:
        outbox.settle(receipt, 0)
    except OutboxFullError:
        waited = True
        filler.unlink()
        outbox.settle(receipt, 0)
filler.unlink(missing_ok=True)
outbox.put("CZ-0001", bytes(8), [Record(999_999, b"x")], 0)
left = [one.number for one in outbox.pending(10)]
assert left == [999_999], left
how = "waited until there was room" if waited else "settled on the full disk"
print(f"{number} records held when it stopped, {free} blocks free then, receipts {how}, and it went on by itself")
outbox.close()
"""


def test_a_disk_that_is_really_full_to_the_last_octet(tmp_path: Path) -> None:
    """On a tmpfs of 16 MB in a namespace of its own, as anybody where that is allowed."""
    mount = f"mount -t tmpfs -o size=16m tmpfs {tmp_path} && exec {sys.executable} - {tmp_path}"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    may = shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0
    if not may:
        pytest.skip("this machine lets nobody mount a small disk in a namespace of its own")
    done = subprocess.run([*command, mount], input=FULL_DISK, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "went on by itself" in done.stdout
    sys.stdout.write(f"\n{done.stdout}")


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
