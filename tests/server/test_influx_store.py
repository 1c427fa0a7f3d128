"""The InfluxDB store on a real engine, beyond the contract: races of workers, kills, refusals, odd clocks, texts."""

from __future__ import annotations

import random
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from calza_server.adapters import influx_lines, influx_query
from calza_server.adapters.influx_errors import Busy
from calza_server.adapters.influx_link import InfluxLink, Precision
from calza_server.adapters.influx_setup import prepare
from calza_server.adapters.influx_store import InfluxStore
from calza_server.adapters.sqlite_store import SqliteStore
from calza_server.ports import Appended, StoreError
from calza_server.store_spec import InfluxSpec
from calza_wire.elapsed_time import TimeSource
from calza_wire.ranges import RangeSet
from tests.contracts.test_series_store_contract import columns
from tests.server.influx_engine import OwnEngine, engine
from tests.server.sealed import LOG_ID, OTHER_LOG_ID, START_S, block, stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from calza_server.ports import StoredBlock

SERIAL = "CALZA-0001"
EVERYTHING = (0, 2**40)
FAR_FUTURE_S = 2**36  # the year 4147: no time InfluxDB can name


@pytest.fixture(scope="module")
def own() -> Iterator[OwnEngine]:
    with engine() as found:
        yield found


@pytest.fixture
def bucket(own: OwnEngine) -> Iterator[InfluxSpec]:
    with own.bucket() as spec:
        yield spec


@pytest.fixture
def store(bucket: InfluxSpec) -> Iterator[InfluxStore]:
    found = InfluxStore(bucket, None)
    yield found
    found.close()


def blind(store: InfluxStore) -> InfluxStore:
    """A worker that looked before any other wrote: the moment no engine without transactions can rule out."""
    setattr(store, "_looked_up", lambda _: {})  # noqa: B010 - a race cannot be had on demand, and mypy need not like it
    return store


# --- what engineers see -----------------------------------------------------------------------------------------------


def test_minutes_are_points_engineers_can_draw(own: OwnEngine, bucket: InfluxSpec, store: InfluxStore) -> None:
    made = block(7, minutes=3)
    store.append([stored(7, minutes=made)])
    (found,) = own.query("SELECT ankle, calf, thigh, ripple, skin, flags FROM minute GROUP BY serial, log_id", bucket)
    assert found["tags"] == {"serial": SERIAL, "log_id": LOG_ID.hex()}
    start_s = START_S + 7 * 3600
    assert found["values"] == [
        [(start_s + 60 * at) * 10**9 + 7_000, *row[:-2], row[-2] - 4_000, row[-1]]
        for at, row in enumerate(
            zip(made.ankle, made.calf, made.thigh, made.ripple, made.skin, made.flags, strict=True)
        )
    ]


def test_two_timelines_that_show_the_same_time_keep_their_minutes_apart(
    own: OwnEngine, bucket: InfluxSpec, store: InfluxStore
) -> None:
    store.append([stored(n, minutes=block(n, minutes=60, start_s=START_S)) for n in (1, 2)])
    assert own.points(bucket, "minute", "ankle") == 120
    assert len(store.read(SERIAL, *EVERYTHING)) == 120


# --- workers side by side ---------------------------------------------------------------------------------------------


def test_two_workers_with_the_same_octets_make_one_record(
    own: OwnEngine, bucket: InfluxSpec, store: InfluxStore
) -> None:
    other = InfluxStore(bucket, None)
    once = stored(1)
    assert blind(store).append([once]) == [Appended.STORED]
    assert blind(other).append([replace(once, gateway="elsewhere", received_ms=7)]) == [Appended.STORED]
    assert own.points(bucket, "block", "record") == 1
    assert own.points(bucket, "minute", "ankle") == 60
    assert store.count(SERIAL) == 1
    assert store.evidence(SERIAL) == []
    other.close()


@pytest.mark.parametrize("apart_s", [0, 86_400])
def test_two_workers_with_other_octets_keep_both_and_every_reader_takes_the_same(
    bucket: InfluxSpec, store: InfluxStore, apart_s: int
) -> None:
    other = InfluxStore(bucket, None)
    late = replace(stored(3, minutes=block(3, seed=1, start_s=START_S + apart_s)), received_ms=2_000)
    made = block(3, seed=2, start_s=START_S)
    early = replace(stored(3, minutes=made), received_ms=1_000)
    blind(store).append([late, stored(4)])
    blind(other).append([early])
    del store._looked_up
    for reader in (store, other, InfluxStore(bucket, None)):
        found = reader.read(SERIAL, *EVERYTHING)
        assert found.values[:60, 0].tolist() == list(made.ankle)
        assert len(found) == 120
        late_span = reader.read(SERIAL, START_S + apart_s, START_S + apart_s + 3600)
        assert len(late_span) == (0 if apart_s else 60), "the loser shows in no span of time"
        assert reader.evidence(SERIAL) == [late]
        assert reader.count(SERIAL) == 2
        assert reader.held(SERIAL)[0].held == RangeSet.from_numbers([3, 4])
        reader.close() if reader is not store else None
    assert store.append([late, early]) == [Appended.CONFLICT, Appended.DUPLICATE]
    assert store.evidence(SERIAL) == [late]
    other.close()


def test_many_workers_at_once_end_up_with_every_record_once(own: OwnEngine, bucket: InfluxSpec) -> None:
    """Four workers with overlapping shares, in their own order and groups, as after a broker's redelivery.

    What any of them was told is stored must be there, though 1.6.7 drops writes that open a shard at the same moment;
    of `minute`, which nothing is judged by, such a write may be missing.
    """
    logs = (LOG_ID, OTHER_LOG_ID)
    records = [stored(n, log_id=log, minutes=block(n, minutes=5)) for n in range(1, 61) for log in logs]
    outcomes: set[Appended] = set()
    told: set[tuple[bytes, int]] = set()

    def work(seed: int) -> None:
        rng = random.Random(seed)
        worker = InfluxStore(bucket, None)
        mine = rng.sample(records, 90)
        for at in range(0, len(mine), 7):
            outcomes.update(worker.append(mine[at : at + 7]))
            told.update((each.log_id, each.record) for each in mine[at : at + 7])
        worker.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes <= {Appended.STORED, Appended.DUPLICATE}
    reader = InfluxStore(bucket, None)
    assert own.points(bucket, "block", "record") == reader.count(SERIAL) == len(told) > 110
    for log in reader.held(SERIAL):
        assert log.held == RangeSet.from_numbers(number for log_id, number in told if log_id == log.log_id)
    assert own.points(bucket, "minute", "ankle") <= 5 * len(told), "nothing is there twice"
    assert reader.evidence(SERIAL) == []
    reader.close()


# --- when things break ------------------------------------------------------------------------------------------------


def test_minutes_without_their_block_do_not_count_and_a_retry_completes_them(
    own: OwnEngine, bucket: InfluxSpec, store: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies_between(link: InfluxLink, lines: bytes, precision: Precision) -> None:
        if precision == "ns":
            raise StoreError("busy", "gone")
        write(link, lines, precision)

    write = InfluxLink.write
    with monkeypatch.context() as during:
        during.setattr(InfluxLink, "write", dies_between)
        with pytest.raises(StoreError):
            store.append([stored(1)])
    assert own.points(bucket, "minute", "ankle") == 60
    assert store.count(SERIAL) == len(store.read(SERIAL, *EVERYTHING)) == 0
    assert store.held(SERIAL) == []
    assert store.append([stored(1)]) == [Appended.STORED]
    assert own.points(bucket, "minute", "ankle") == len(store.read(SERIAL, *EVERYTHING)) == 60


def test_whatever_was_acknowledged_survives_kills_of_the_engine() -> None:
    """SIGKILL at seeded moments while a worker appends; it repeats what failed, and in the end each is there once."""
    rng = random.Random(20261121)
    with engine() as own, own.bucket() as spec:
        store = InfluxStore(spec, None)
        acknowledged = 0
        kills = 0
        while kills < 4:
            timer = threading.Timer(rng.uniform(0.02, 0.2), own.kill)
            timer.start()
            while True:
                group = [stored(acknowledged + n, minutes=block(acknowledged + n, minutes=9)) for n in (1, 2, 3)]
                try:
                    outcomes = store.append(group)
                except Busy:
                    break
                assert set(outcomes) <= {Appended.STORED, Appended.DUPLICATE}
                acknowledged += 3
            timer.join()
            own.start()
            kills += 1
            held = store.held(SERIAL)
            assert acknowledged == 0 or held[0].held.missing_between(1, acknowledged).count == 0
        store.append([stored(n, minutes=block(n, minutes=9)) for n in range(acknowledged + 1, acknowledged + 4)])
        assert store.count(SERIAL) == own.points(spec, "block", "record") == acknowledged + 3
        assert len(store.read(SERIAL, *EVERYTHING)) == own.points(spec, "minute", "ankle") == 9 * (acknowledged + 3)
        store.close()


def test_what_is_older_than_the_bucket_keeps_goes_to_quarantine_alone(own: OwnEngine) -> None:
    spec = InfluxSpec(own.url, "", "kept-for-a-week")
    own.query('CREATE DATABASE "kept-for-a-week" WITH DURATION 7d')
    ready = prepare(spec, None)
    assert ready.kept_s == 7 * 86_400
    assert "older than 7 days" in ready.steps[-1]
    store = InfluxStore(spec, None)
    received_ms = time.time_ns() // 1_000_000  # the engine goes by its own clock
    old = replace(stored(2, minutes=block(2, start_s=1_600_000_020)), received_ms=received_ms)
    now = [stored(n, minutes=block(n, start_s=4_000_000_020 + 3600 * n)) for n in (1, 3)]
    assert store.append([now[0], old, now[1], old]) == [
        Appended.STORED,
        Appended.REFUSED,
        Appended.STORED,
        Appended.REFUSED,
    ]
    (kept,) = store.quarantined(SERIAL)
    assert kept.payload[4:] == old.body
    assert "older" in kept.detail
    assert store.held(SERIAL)[0].held == RangeSet.from_numbers([1, 3])
    store.close()


def test_a_bucket_that_others_filled_is_told_and_nothing_is_put_aside(own: OwnEngine, bucket: InfluxSpec) -> None:
    link = InfluxLink(bucket, None)
    link.write(f"minute,serial=X ankle=1.5 {START_S}000000000".encode(), "ns")
    link.close()
    store = InfluxStore(bucket, None)
    with pytest.raises(StoreError, match="one of its own") as caught:
        store.append([stored(0, minutes=block(0))])
    assert caught.value.code == "broken"
    assert store.quarantined() == []
    store.close()


def test_a_bucket_that_is_not_there_is_told(own: OwnEngine) -> None:
    store = InfluxStore(InfluxSpec(own.url, "", "nowhere"), None)
    for work in (lambda: store.append([stored(1)]), lambda: store.read(SERIAL, 0, 1), lambda: store.quarantined()):
        with pytest.raises(StoreError, match="calza server init") as caught:
            work()
        assert caught.value.code == "broken"
    store.close()


def test_an_engine_that_takes_little_at_once_gets_little_at_once() -> None:
    with engine(max_body_octets=20_000) as own, own.bucket() as spec:
        store = InfluxStore(spec, None)
        assert store.append([stored(n) for n in range(1, 41)]) == [Appended.STORED] * 40
        assert store.count(SERIAL) == own.points(spec, "block", "record") == 40
        store.close()


# --- the same as on SQLite --------------------------------------------------------------------------------------------

starts = st.one_of(st.integers(START_S, START_S + 20_000), st.integers(946_684_800, 946_700_000), st.just(FAR_FUTURE_S))
arrived = st.builds(
    lambda number, log_id, minutes, start_s, source, seed: stored(
        number, log_id=log_id, minutes=block(number, minutes=minutes, start_s=start_s, source=source, seed=seed)
    ),
    st.one_of(st.integers(0, 6), st.just(2**32 - 1)),
    st.sampled_from([LOG_ID, OTHER_LOG_ID]),
    st.integers(1, 60),
    starts,
    st.sampled_from([TimeSource.CELLULAR, TimeSource.NOT_SYNCHRONISED]),
    st.integers(0, 1),
)


@given(
    arrivals=st.lists(arrived, max_size=12),
    spans=st.lists(st.tuples(starts, starts), max_size=3),
    group=st.integers(1, 5),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_answers_as_the_embedded_store_does(
    own: OwnEngine,
    tmp_path_factory: pytest.TempPathFactory,
    arrivals: Sequence[StoredBlock],
    spans: Sequence[tuple[int, int]],
    group: int,
) -> None:
    """Whatever comes, clocks that were lost and numbers at the end of the scale included."""
    sqlite = SqliteStore(Path(tmp_path_factory.mktemp("same")) / "series.db")
    with own.bucket() as spec:
        influx = InfluxStore(spec, None)
        for at in range(0, len(arrivals), group):
            assert influx.append(arrivals[at : at + group]) == sqlite.append(arrivals[at : at + group])
        for span in [*spans, EVERYTHING, (0, 2**62)]:
            assert columns(influx.read(SERIAL, *span)) == columns(sqlite.read(SERIAL, *span))
        assert influx.read(SERIAL, *EVERYTHING).values.dtype == sqlite.read(SERIAL, *EVERYTHING).values.dtype
        assert influx.held(SERIAL) == sqlite.held(SERIAL)
        assert {each.body for each in influx.evidence(SERIAL)} == {each.body for each in sqlite.evidence(SERIAL)}
        influx.close()
    sqlite.close()


# --- texts ------------------------------------------------------------------------------------------------------------

unicode = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
anything = st.text(st.one_of(unicode, st.sampled_from("\\\\\"', =\n;#")), max_size=30)  # twice what means something
in_tags = anything.filter(lambda text: text and not text.endswith("\\") and not set(text) & set("\n\r\t"))


@example(tag="it's", value="ends in \\", number=0)
@example(tag="a\\'b", value='\\" and \\\\n', number=-1)
@given(tag=in_tags, value=anything, number=st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_it_was(own: OwnEngine, texts: InfluxSpec, tag: str, value: str, number: int) -> None:
    link = InfluxLink(texts, None)
    at = random.Random(repr((tag, value))).randrange(10**18)
    link.write(influx_lines.line("odd name, or=so", {"a tag": tag}, {"a text": value, "n": number}, at).encode(), "ns")
    question = influx_query.select('"a text", "n"', "odd name, or=so", {"a tag": tag}, f"time = {at}", by='"a tag"')
    ((found,),) = link.ask(question)
    assert found.tags == {"a tag": tag}
    assert found.texts("a text") == [value]
    assert found.column("n") == [number]
    link.close()


@pytest.fixture(scope="module")
def texts(own: OwnEngine) -> Iterator[InfluxSpec]:
    with own.bucket() as spec:
        yield spec


@pytest.mark.parametrize("text", ["", "ends in \\", "two\nlines", "a\ttab", "nul\0"])
def test_a_text_no_tag_can_carry_is_our_mistake(text: str) -> None:
    with pytest.raises(ValueError, match="a tag"):
        influx_lines.line("m", {"t": text}, {"v": 1}, 0)


def test_nobody_reaches_out_of_a_quoted_text() -> None:
    assert influx_query.literal("x' OR 'a'='a") == "'x\\' OR \\'a\\'=\\'a'"
    assert influx_query.literal("\\'") == "'\\\\\\''"
    assert influx_query.name('a"; DROP DATABASE "b') == '"a\\"; DROP DATABASE \\"b"'


def test_the_engine_stops_without_complaint(own: OwnEngine) -> None:
    """A clean stop and start keeps everything: the fixture's last word, and a check of the test's own machinery."""
    with own.bucket() as spec:
        store = InfluxStore(spec, None)
        store.append([stored(1)])
        own.kill(signal.SIGTERM)
        with pytest.raises(StoreError, match="cannot be reached"):
            store.count(SERIAL)
        own.start()
        assert store.count(SERIAL) == 1
        store.close()
