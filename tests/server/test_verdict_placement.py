"""From sealed blocks to a verdict: their order, repetition, cutting and overlap never matter."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_server.adapters.memory_store import MemoryStore
from calza_server.domain.ledgers.leg import Recorded, ledger_of_leg
from calza_server.domain.orders.prescription import Mode, Phase, Prescription
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.verdicts.verdict import Verdict, VerdictReport, judge
from calza_server.ports import StoredBlock
from tests.server.recorded import blocks_of
from tests.server.wear_days import DAY, START, every_day, grid_of, without

SERIAL = "CZ-0001"
BEGIN = START - START % DAY + DAY  # the first midnight after the recording began
ORDER = Prescription(datetime.fromtimestamp(BEGIN * 60, UTC), "UTC", (Phase(2, Mode.DAYTIME, 10, 2),))
WORN = grid_of(every_day(3, 7 * 60, 20 * 60))
HOLES = st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(1, 900)), max_size=3)


def cut(grid: MinuteGrid, lengths: list[int]) -> MinuteGrid:
    """The same minutes in records of these lengths, over and over; a hole ends a record."""
    record: npt.NDArray[np.int64] = np.full(len(grid), -1, np.int64)
    number, left = 0, lengths[0]
    for minute in range(len(grid)):
        if not grid.present[minute]:
            left = 0
            continue
        if not left:
            number += 1
            left = lengths[number % len(lengths)]
        record[minute] = number
        left -= 1
    return replace(grid, record=record)


def answer(batches: list[list[StoredBlock]]) -> VerdictReport:
    store = MemoryStore()
    for batch in batches:
        store.append(batch)
    recorded = Recorded(SERIAL, store.read(SERIAL, 0, 2**40), ())
    end = ORDER.end_minute
    return judge(ORDER, ledger_of_leg([recorded], ORDER, START, end).ledger, end)


def holed(holes: list[tuple[int, int]]) -> MinuteGrid:
    return without(WORN, *((start, min(3 * DAY, start + minutes)) for start, minutes in holes))


@given(holes=HOLES, seed=st.integers(0, 2**32), batch=st.integers(1, 40))
@settings(max_examples=25)
def test_order_and_repetition_of_blocks_never_matter(holes: list[tuple[int, int]], seed: int, batch: int) -> None:
    blocks = blocks_of(cut(holed(holes), [60]), SERIAL)
    chance = random.Random(seed)
    shuffled = [*blocks, *chance.choices(blocks, k=len(blocks))] if blocks else []
    chance.shuffle(shuffled)
    batches = [shuffled[at : at + batch] for at in range(0, len(shuffled), batch)]
    assert answer(batches) == answer([blocks])


@given(holes=HOLES, lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6))
@settings(max_examples=25)
def test_how_minutes_are_cut_into_blocks_never_matters(holes: list[tuple[int, int]], lengths: list[int]) -> None:
    grid = holed(holes)
    assert answer([blocks_of(cut(grid, lengths), SERIAL)]) == answer([blocks_of(cut(grid, [60]), SERIAL)])


@given(seed=st.integers(0, 2**32), first=st.integers(0, DAY), last=st.integers(2 * DAY, 3 * DAY))
@settings(max_examples=15)
def test_overlapping_blocks_of_two_logs_count_their_minutes_once(seed: int, first: int, last: int) -> None:
    """The stocking began a new log and wrote some minutes into both: the answer is that of one log."""
    early, late = without(WORN, (last, 3 * DAY)), replace(without(WORN, (0, first)), logs=(b"log-two.",))
    blocks = [*blocks_of(cut(early, [60]), SERIAL), *blocks_of(cut(late, [47]), SERIAL)]
    random.Random(seed).shuffle(blocks)
    assert answer([blocks]) == answer([blocks_of(cut(WORN, [60]), SERIAL)])


def test_the_recording_is_one_that_is_met() -> None:
    """So that the properties above do not hold for want of anything to judge."""
    report = answer([blocks_of(cut(WORN, [60]), SERIAL)])
    assert (report.verdict, report.days_met_lower) == (Verdict.MET, 2)
    assert answer([[]]).verdict is Verdict.CANNOT_TELL
