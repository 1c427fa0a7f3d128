"""What a worker tells a gateway is held is held, whichever worker stored it, and after a kill of the engine too."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from calza_server.adapters.influx_store import InfluxStore
from calza_server.ingest.receipts import wanted
from calza_server.ports import StoreError
from calza_wire.ranges import RangeSet, RecordRange
from tests.server.influx_engine import OwnEngine, engine
from tests.server.sealed import Known, garment, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calza_server.ports import SeriesStore

SERIAL = "CALZA-0001"
KNOWN = Known.of(garment())


@pytest.fixture
def influx() -> Iterator[OwnEngine]:
    with engine() as found:
        yield found


def told(store: SeriesStore) -> RangeSet:
    """The record numbers a gateway would not send again."""
    (log,) = wanted([SERIAL], KNOWN, store).logs
    if log.through is None:
        return RangeSet()
    missing = RangeSet(log.missing)
    return RangeSet.from_numbers(n for n in range(1, log.through + 1) if n not in missing)


def test_every_worker_answers_from_the_engine(influx: OwnEngine) -> None:
    with influx.bucket() as spec:
        one, two = InfluxStore(spec, None), InfluxStore(spec, None)
        for number, store in ((1, one), (2, two), (5, one)):
            store.append([stored(number)])
            assert told(one) == told(two)
        assert told(two).ranges == (RecordRange(1, 2), RecordRange(5, 5))
        for store in (one, two):
            store.close()


def test_what_was_told_while_another_worker_stores_survives_a_kill_of_the_engine(influx: OwnEngine) -> None:
    """Too little may be told, which costs a record sent twice; never too much."""
    with influx.bucket() as spec:
        one, two = InfluxStore(spec, None), InfluxStore(spec, None)

        def store() -> None:
            with suppress(StoreError):
                for number in range(1, 2_000):
                    one.append([stored(number)])

        storing = threading.Thread(target=store)
        storing.start()
        heard = RangeSet()
        while heard.count < 20:
            heard = told(two)
        influx.kill()
        storing.join()
        influx.start()
        after = InfluxStore(spec, None)
        assert heard.count < 2_000 - 1, "it was killed in the middle"
        assert told(after).add(heard) == told(after)
        for each in (one, two, after):
            each.close()
