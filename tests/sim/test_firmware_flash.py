"""The flash log: a ring that keeps its promise, never reuses a number and survives being killed."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_sim.firmware.flash import FIRST_RECORD, Flash, FlashError, MemoryFlash, Ring, SealedRecord
from calza_sim.firmware.flash_file import FileFlash

LOG_ID = bytes(range(8))
FIRMWARE_SIM = Path(__file__).parents[2] / "firmware-sim"
WIRE = Path(__file__).parents[2] / "wire"


@pytest.fixture(params=["memory", "file"])
def flash(request: pytest.FixtureRequest, tmp_path: Path) -> Flash:
    return MemoryFlash(days=2) if request.param == "memory" else FileFlash(tmp_path / "flash.db", days=2)


def hours(*numbers: int) -> list[SealedRecord]:
    return [SealedRecord(b"record %d" % number, 60) for number in numbers]


def test_a_blank_chip_wants_to_be_formatted(flash: Flash) -> None:
    assert flash.head is None
    with pytest.raises(FlashError, match="format it first") as refused:
        flash.append(hours(1))
    assert refused.value.code == "flash_not_formatted"
    with pytest.raises(FlashError):
        flash.begin_timeline()
    flash.format(LOG_ID)
    assert flash.head is not None
    assert (flash.head.log_id, flash.head.timeline_first_record) == (LOG_ID, FIRST_RECORD)
    assert (flash.first_record, flash.next_record) == (1, 1)


def test_records_rise_by_one_and_the_oldest_is_overwritten(flash: Flash) -> None:
    flash.format(LOG_ID)
    for number in range(1, 101):
        assert flash.next_record == number
        flash.append(hours(number))
    assert (flash.first_record, flash.next_record) == (53, 101)  # two days of hours
    assert flash.body(52) is None
    assert flash.body(101) is None
    assert [flash.body(number) for number in range(53, 101)] == [b"record %d" % number for number in range(53, 101)]


def test_many_at_once_are_as_many_one_by_one(flash: Flash) -> None:
    flash.format(LOG_ID)
    flash.append(hours(*range(1, 101)))
    assert (flash.first_record, flash.next_record) == (53, 101)
    assert flash.body(53) == b"record 53"


def test_a_timeline_begins_with_the_next_record(flash: Flash) -> None:
    flash.format(LOG_ID)
    flash.append(hours(1, 2, 3))
    flash.begin_timeline()
    assert flash.head is not None
    assert flash.head.timeline_first_record == 4


def test_format_forgets_everything(flash: Flash) -> None:
    flash.format(LOG_ID)
    flash.append(hours(*range(1, 101)))
    flash.format(b"another.")
    assert (flash.first_record, flash.next_record) == (1, 1)
    assert flash.body(100) is None
    flash.append(hours(1))
    assert flash.body(1) == b"record 1"


@given(st.lists(st.lists(st.integers(1, 60), max_size=8), max_size=40), st.integers(60, 500))
def test_the_ring_always_holds_what_it_promised(batches: list[list[int]], capacity: int) -> None:
    ring, held = Ring(capacity), []
    for batch in batches:
        assert ring.first_after(batch) >= ring.first_record
        ring.push(batch)
        held += batch
        kept = held[ring.first_record - 1 :]
        assert ring.next_record == len(held) + 1
        assert sum(kept) >= min(capacity, sum(held))
        assert sum(kept[1:]) < capacity  # and nothing that could have been dropped


def test_a_file_is_the_same_log_when_opened_again(tmp_path: Path) -> None:
    first = FileFlash(tmp_path / "flash.db", days=2)
    first.format(LOG_ID)
    first.append(hours(*range(1, 101)))
    first.begin_timeline()
    first.append(hours(101))
    first.close()
    again = FileFlash(tmp_path / "flash.db", days=2)
    assert again.head == first.head
    assert (again.first_record, again.next_record) == (54, 102)
    assert [again.body(number) for number in (53, 54, 101)] == [None, b"record 54", b"record 101"]
    again.append(hours(102))
    assert (again.first_record, again.next_record) == (55, 103)
    again.close()


def test_what_is_no_flash_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "flash.db").write_bytes(b"this is a shopping list, not a database at all" * 30)
    with pytest.raises(FlashError, match=r"flash\.db cannot be used") as refused:
        FileFlash(tmp_path / "flash.db")
    assert refused.value.code == "flash_unusable"
    with pytest.raises(FlashError):
        FileFlash(tmp_path / "no such folder" / "flash.db")


WRITER = """
import sys
from pathlib import Path
from calza_sim.firmware.flash import SealedRecord
from calza_sim.firmware.flash_file import FileFlash
flash = FileFlash(Path(sys.argv[1]), days=1)
if flash.head is None:
    flash.format(bytes(range(8)))
while True:
    first = flash.next_record
    flash.append([SealedRecord(b"%d" % number * 100, 20) for number in range(first, first + 3)])
    print(flash.next_record, flush=True)
"""


def test_killed_at_any_moment_it_loses_nothing_it_had(tmp_path: Path) -> None:
    seed = 20_260_112
    chance = random.Random(seed)
    path = tmp_path / "flash.db"
    reached = FIRST_RECORD
    for _ in range(6):
        program = [sys.executable, "-c", WRITER, str(path)]
        environment = {"PYTHONPATH": f"{FIRMWARE_SIM}:{WIRE}"}
        with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment) as writer:
            assert writer.stdout is not None
            said = [int(writer.stdout.readline()) for _ in range(chance.randrange(1, 60))][-1]
            writer.kill()
        flash = FileFlash(path, days=1)
        assert flash.next_record >= said > reached, f"seed {seed}"
        assert (flash.next_record - 1) % 3 == 0  # each append is whole
        numbers = range(flash.first_record, flash.next_record)
        assert len(numbers) <= 72
        assert [flash.body(number) for number in numbers] == [b"%d" % number * 100 for number in numbers]
        assert flash.body(flash.next_record) is None
        assert flash.head is not None
        assert flash.head.log_id == LOG_ID
        reached = flash.next_record
        flash.close()
