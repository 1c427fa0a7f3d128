"""From samples to the integers of the log: the accumulator, the median ripple, the flags, the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calza_sim.firmware.codes import log_rows
from calza_sim.firmware.flash import MemoryFlash
from calza_sim.firmware.log import BlockLog
from calza_sim.firmware.minutes import MinuteAccumulator, MinuteTable
from calza_wire.elapsed_time import STOCKING_CLOCK_FLAGS, TimeSource, TimeStamp
from calza_wire.minute_block import MinuteFlag, Side, open_sealed

KEY, SYSTEM_ID, LOG_ID = bytes(range(32)), bytes(range(8)), b"log id 1"


def samples(seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal([25.0, 18.0, 10.0, 32.0], [0.5, 0.4, 0.3, 0.1], (600, 4))


def row_of(fed: NDArray[np.float64], *, charging: bool = False) -> list[int]:
    accumulator = MinuteAccumulator()
    accumulator.feed(fed)
    row: list[int] = log_rows(accumulator.close(charging=charging))[0].tolist()
    return row


@given(st.lists(st.integers(0, 600), max_size=10))
def test_how_samples_are_fed_does_not_matter(cuts: list[int]) -> None:
    whole, fed = MinuteAccumulator(), MinuteAccumulator()
    whole.feed(samples())
    for piece in np.split(samples(), sorted(cuts)):
        fed.feed(piece)
    assert fed.count == 600
    one, other = whole.close(charging=False), fed.close(charging=False)
    assert np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.deviation, other.deviation)
    assert fed.count == 0


def test_a_minute_is_its_means_and_the_median_of_its_deviations() -> None:
    fed = samples()
    ankle, calf, thigh, ripple, skin, flags = row_of(fed)
    assert [ankle, calf, thigh] == np.rint(fed[:, :3].mean(axis=0) * 10).astype(int).tolist()
    assert ripple == round(float(fed[:, 1].std()) * 10) == 4
    assert skin == round((fed[:, 3].mean() + 40) * 100)
    assert flags == MinuteFlag.WORN_GUESS


@pytest.mark.parametrize("site", range(3))
def test_one_dead_site_cannot_hide_life(site: int) -> None:
    fed = samples()
    fed[:, site] = 3.0
    row = row_of(fed)
    assert row[3] >= 3
    assert row[5] & (MinuteFlag.ANKLE_FAULT | MinuteFlag.CALF_FAULT | MinuteFlag.THIGH_FAULT) == 8 << site


@pytest.mark.parametrize("site", range(3))
def test_one_noisy_site_cannot_fake_life(site: int) -> None:
    fed = np.random.default_rng(2).normal(2.0, 0.12, (600, 4))
    fed[:, site] += np.random.default_rng(3).normal(0.0, 20.0, 600)
    row = row_of(fed)
    assert row[3] == 1
    assert not row[5] & (MinuteFlag.WORN_GUESS | MinuteFlag.MOVING)


def test_values_beyond_the_format_are_held_at_its_ends() -> None:
    fed = samples()
    fed[:, 0] -= 40.0
    fed[:, 1] += 1e5
    fed[:, 3] = -60.0
    ankle, calf, _, _, skin, flags = row_of(fed, charging=True)
    assert (ankle, calf, skin) == (0, 0x7FFF, 0)
    assert flags == MinuteFlag.ANKLE_FAULT | MinuteFlag.CALF_FAULT | MinuteFlag.SKIN_FAULT | MinuteFlag.CHARGING


def test_what_cannot_be_a_minute_is_refused() -> None:
    accumulator = MinuteAccumulator()
    with pytest.raises(ValueError, match="without samples"):
        accumulator.close(charging=False)
    with pytest.raises(ValueError, match=r"\[k, 4\]"):
        accumulator.feed(np.zeros((3, 5)))
    assert (
        len(MinuteTable.joined([MinuteTable(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(2), np.zeros(2, bool))])) == 2
    )


RUNS = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 300), st.booleans()), min_size=1, max_size=8)


@given(RUNS, st.integers(0, 10_000))
def test_every_minute_is_logged_once_in_blocks_that_never_span_a_gap(
    runs: list[tuple[int, int, bool]], first_minute: int
) -> None:
    flash = MemoryFlash()
    flash.format(LOG_ID)
    log = BlockLog(
        flash,
        key=KEY,
        system_id=SYSTEM_ID,
        side=Side.RIGHT,
        stamp=lambda at: TimeStamp(STOCKING_CLOCK_FLAGS, int(at), TimeSource.NTP),
    )
    expected: list[int] = []
    minute = first_minute
    for gap, count, close in runs:
        minute += gap
        log.add(minute, [(0, 0, 0, 0, 0, 0)] * count)
        expected += range(minute, minute + count)
        minute += count
        if close:
            log.close()
            assert log.open_minutes == 0
    log.close()

    found: list[int] = []
    for number in range(1, flash.next_record):
        body = flash.body(number) or b""
        block = open_sealed(body, key=KEY, system_id=SYSTEM_ID, record_number=number).block
        start = block.start.value // 60
        assert start // 60 == (start + block.minutes - 1) // 60  # within one hour
        found += range(start, start + block.minutes)
    assert found == expected
