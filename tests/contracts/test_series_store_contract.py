"""What every series store promises, tried on each of them."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calza_server.domain.recording.readings import ANKLE, SKIN
from calza_server.ports import QUARANTINE_PAYLOAD_OCTETS, Appended, QuarantinedRecord, Visit
from calza_server.running.run_parts import open_store
from calza_wire.elapsed_time import TimeSource
from calza_wire.observation import LENGTH_CONVENTION, LengthConvention
from calza_wire.ranges import RangeSet, RecordRange
from tests.server.influx_engine import Engine, engine, named
from tests.server.sealed import LOG_ID, OTHER_LOG_ID, START_S, block, body, garment, stored, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calza_server.domain.recording.readings import Readings
    from calza_server.ports import SeriesStore, StoredBlock

KINDS = ("memory", "sqlite", "influx", *(["influx-named"] if named() else []))
EVERYTHING = (0, 2**40)
OTHER_CONVENTION = next(each for each in LengthConvention if each is not LENGTH_CONVENTION)


@pytest.fixture(scope="module")
def influx() -> Iterator[Engine]:
    with engine() as found:
        yield found


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest) -> Iterator[SeriesStore]:
    with ExitStack() as parts:
        if kind.startswith("influx"):
            found = request.getfixturevalue("influx") if kind == "influx" else named()
            assert isinstance(found, Engine)
            spec = parts.enter_context(found.bucket())
            store = open_store(f"influx+{spec.url}?org={spec.org}&bucket={spec.bucket}", found.token)
        elif kind == "sqlite":
            store = open_store(f"sqlite:{Path(parts.enter_context(tempfile.TemporaryDirectory())) / 'series.db'}")
        else:
            store = open_store("memory:")
        parts.callback(store.close)
        yield store


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[SeriesStore]:
    with opened(request.param, request) as found:
        yield found


def columns(readings: Readings) -> list[list[object]]:
    """Everything a reading holds, comparable."""
    return [
        readings.device_s.tolist(),
        readings.synchronised.tolist(),
        readings.record.tolist(),
        [readings.logs[index] for index in readings.log.tolist()],
        readings.values.tolist(),
        readings.flags.tolist(),
    ]


def test_what_went_in_comes_out_minute_by_minute(store: SeriesStore) -> None:
    given_block = block(7, minutes=3)
    assert store.append([stored(7, minutes=given_block)]) == [Appended.STORED]
    found = store.read("CALZA-0001", *EVERYTHING)
    assert found.device_s.tolist() == [START_S + 7 * 3600 + 60 * minute for minute in range(3)]
    assert found.synchronised.tolist() == [True] * 3
    assert found.record.tolist() == [7] * 3
    assert found.logs == (LOG_ID,)
    channels = (given_block.ankle, given_block.calf, given_block.thigh, given_block.ripple, given_block.skin)
    assert found.values.T.tolist() == [list(channel) for channel in channels]
    assert found.flags.tolist() == list(given_block.flags)
    assert found.pressure_mmhg(ANKLE)[0] == pytest.approx(given_block.ankle[0] / 10)
    assert found.skin_c()[0] == pytest.approx(given_block.skin[0] / 100 - 40)
    assert found.values.dtype == np.int16
    assert found.values.shape == (3, SKIN + 1)


@pytest.mark.parametrize("kind", KINDS)
@given(
    arrivals=st.lists(st.tuples(st.integers(1, 12), st.sampled_from([LOG_ID, OTHER_LOG_ID])), min_size=1, max_size=40),
    group=st.integers(1, 9),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_repetition_and_grouping_leave_no_trace(
    kind: str, arrivals: list[tuple[int, bytes]], group: int, request: pytest.FixtureRequest
) -> None:
    """However records arrive, the store ends up as if each had come once, in order."""
    blocks = [stored(n, log_id=log_id, minutes=block(n, minutes=1 + n % 3)) for n, log_id in arrivals]
    with opened(kind, request) as shuffled, opened("memory", request) as plain:
        outcomes = [
            outcome for at in range(0, len(blocks), group) for outcome in shuffled.append(blocks[at : at + group])
        ]
        first_seen = list(dict.fromkeys(log_id for _, log_id in arrivals))
        plain.append(
            [
                stored(n, log_id=log_id, minutes=block(n, minutes=1 + n % 3))
                for log_id in first_seen
                for n in sorted({n for n, each in arrivals if each == log_id})
            ]
        )
        assert outcomes.count(Appended.STORED) == len(set(arrivals))
        assert outcomes.count(Appended.DUPLICATE) == len(arrivals) - len(set(arrivals))
        assert columns(shuffled.read("CALZA-0001", *EVERYTHING)) == columns(plain.read("CALZA-0001", *EVERYTHING))
        assert shuffled.held("CALZA-0001") == plain.held("CALZA-0001")
        assert shuffled.count("CALZA-0001") == len(set(arrivals))


def test_held_tells_ranges_of_each_log_in_the_order_first_seen(store: SeriesStore) -> None:
    numbers = [5, 6, 9, 1]
    store.append([stored(n, log_id=OTHER_LOG_ID, minutes=block(n, minutes=1)) for n in numbers])
    store.append([stored(2, minutes=block(2, minutes=1))])
    first, second = store.held("CALZA-0001")
    assert (first.log_id, second.log_id) == (OTHER_LOG_ID, LOG_ID)
    assert first.held.ranges == (RecordRange(1, 1), RecordRange(5, 6), RecordRange(9, 9))
    assert second.held == RangeSet.from_numbers([2])


def test_other_octets_under_the_same_number_are_evidence_and_change_nothing(store: SeriesStore) -> None:
    first, other = stored(3, minutes=block(3, seed=1)), stored(3, minutes=block(3, seed=2, start_s=START_S))
    store.append([first])
    before = columns(store.read("CALZA-0001", *EVERYTHING))
    assert store.append([other, other, first]) == [Appended.CONFLICT, Appended.CONFLICT, Appended.DUPLICATE]
    assert columns(store.read("CALZA-0001", *EVERYTHING)) == before
    assert [each.body for each in store.evidence("CALZA-0001")] == [other.body]
    assert store.evidence("CALZA-0001")[0] == other
    assert store.count("CALZA-0001") == 1


def test_the_same_block_twice_in_one_group_is_stored_once(store: SeriesStore) -> None:
    once = stored(1)
    assert store.append([once, once, stored(2), once]) == [
        Appended.STORED,
        Appended.DUPLICATE,
        Appended.STORED,
        Appended.DUPLICATE,
    ]
    assert len(store.read("CALZA-0001", *EVERYTHING)) == 120


def test_a_large_group_is_one_commit_of_many_outcomes(store: SeriesStore) -> None:
    """More rows than any store puts into one statement, with every outcome among them."""
    blocks = [stored(n, minutes=block(n, minutes=1)) for n in range(1, 251)]
    store.append(blocks[100:150])
    other = stored(120, minutes=block(120, minutes=1, seed=1))
    outcomes = store.append([*blocks, blocks[0], other])
    assert outcomes[:100] == outcomes[150:250] == [Appended.STORED] * 100
    assert outcomes[100:150] == [Appended.DUPLICATE] * 50
    assert outcomes[250:] == [Appended.DUPLICATE, Appended.CONFLICT]
    assert store.held("CALZA-0001")[0].held == RangeSet.from_numbers(range(1, 251))


def test_two_stockings_with_the_same_log_and_numbers_do_not_meet(store: SeriesStore) -> None:
    other = garment("CALZA-0002")
    assert store.append([stored(1), stored(1, of=other)]) == [Appended.STORED, Appended.STORED]
    assert store.count("CALZA-0001") == store.count("CALZA-0002") == 1
    assert len(store.read("CALZA-0002", *EVERYTHING)) == 60


@pytest.mark.parametrize(("from_s", "to_s", "minutes"), [(0, 120, 2), (60, 61, 1), (61, 120, 0), (119, 181, 2)])
def test_a_span_takes_minutes_that_start_in_it(store: SeriesStore, from_s: int, to_s: int, minutes: int) -> None:
    store.append([stored(1, minutes=block(1, minutes=60, start_s=START_S)), stored(2, minutes=block(2))])
    found = store.read("CALZA-0001", START_S + from_s, START_S + to_s)
    assert len(found) == minutes
    assert all(START_S + from_s <= second < START_S + to_s for second in found.device_s.tolist())


def test_blocks_of_all_lengths_and_layouts_read_alike(store: SeriesStore) -> None:
    """Odd lengths, the other Length convention and an unset clock take different ways to the same columns."""
    lengths = [1, 60, 7, 60, 59, 33]
    blocks: list[StoredBlock] = []
    for number, minutes in enumerate(lengths, 1):
        source = TimeSource.NOT_SYNCHRONISED if number == 3 else TimeSource.CELLULAR
        convention = OTHER_CONVENTION if number in (2, 5) else LENGTH_CONVENTION
        made = block(number, minutes=minutes, source=source)
        blocks.append(stored(number, minutes=made, convention=convention))
    store.append(blocks)
    found = store.read("CALZA-0001", *EVERYTHING)
    assert found.record.tolist() == [n for n, minutes in enumerate(lengths, 1) for _ in range(minutes)]
    expected = [made for n, minutes in enumerate(lengths, 1) for made in block(n, minutes=minutes).ankle]
    assert found.values[:, ANKLE].tolist() == expected
    assert set(found.record[~found.synchronised].tolist()) == {3}


def test_what_is_no_minute_block_of_its_log_is_our_mistake_and_keeps_the_group_out(store: SeriesStore) -> None:
    good = stored(1)
    for bad in (
        altered(good, body=b"nonsense"),
        altered(good, log_id=OTHER_LOG_ID),
        altered(good, body=body(1)[:-1]),
    ):
        with pytest.raises(ValueError, match="no minute block"):
            store.append([stored(2), bad])
    assert store.count("CALZA-0001") == 0


def altered(good: StoredBlock, **changed: bytes) -> StoredBlock:
    return replace(good, **changed)  # type: ignore[arg-type]  # only fields of octets are changed


def test_nothing_is_known_of_a_stranger(store: SeriesStore) -> None:
    assert store.held("NOBODY-1") == []
    assert store.count("NOBODY-1") == 0
    assert len(store.read("NOBODY-1", *EVERYTHING)) == 0
    assert store.syncs("NOBODY-1") == []
    assert store.append([]) == []


def refused(payload: bytes, digest: str, reason: str = "malformed") -> QuarantinedRecord:
    return QuarantinedRecord("bedside", "CALZA-0001", payload, digest, reason, "why", START_S * 1000)


def test_quarantine_keeps_each_once_and_never_more_than_its_share(store: SeriesStore) -> None:
    long = refused(b"x" * (QUARANTINE_PAYLOAD_OCTETS + 1), "b" * 32)
    store.quarantine([refused(b"first", "a" * 32), long, refused(b"first", "a" * 32)])
    store.quarantine([refused(b"first", "a" * 32), refused(b"first", "a" * 32, "forged")])
    kept = store.quarantined()
    assert [(each.digest[0], each.reason) for each in kept] == [("a", "malformed"), ("b", "malformed"), ("a", "forged")]
    assert kept[0] == refused(b"first", "a" * 32)
    assert kept[1].payload == b"x" * QUARANTINE_PAYLOAD_OCTETS


def test_refused_records_can_be_asked_for_by_stocking(store: SeriesStore) -> None:
    other = replace(refused(b"other", "c" * 32), serial="CALZA-0002")
    store.quarantine([refused(b"first", "a" * 32), other])
    assert store.quarantined("CALZA-0002") == [other]
    assert store.quarantined("NOBODY-1") == []
    assert len(store.quarantined()) == 2


def test_sync_reports_come_back_in_order_each_once(store: SeriesStore) -> None:
    for number in (2, 1, 2, 3):
        store.add_sync(sync(number), START_S * 1000)
    assert store.syncs("CALZA-0001") == [sync(2), sync(1), sync(3)]


def test_a_report_keeps_the_moment_it_was_received_first(store: SeriesStore) -> None:
    """Whether a gateway's clock is to be believed hangs on it, so a re-sent report must not look late."""
    for number, received_ms in ((1, 5_000), (2, 6_000), (1, 9_000)):
        store.add_sync(sync(number), received_ms)
    assert store.visits("CALZA-0001") == [Visit(sync(1), 5_000), Visit(sync(2), 6_000)]
    assert store.visits("NOBODY-1") == []
