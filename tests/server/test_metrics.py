"""Metrics of the server: moved by real ingest on SQLite, read by Prometheus's own parser, and they name nobody."""

from __future__ import annotations

import http.client
import json
import ssl
import statistics
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from calza_server.adapters.metrics_listener import Listen, ListenError, metrics_served, parse_listen
from calza_server.adapters.prometheus import (
    FleetMetrics,
    HealthMetrics,
    IngestMetrics,
    certificates_left_s,
    new_registry,
    scrape_of,
)
from calza_server.adapters.sqlite_store import SqliteStore
from calza_server.ingest.ingest import Ingest
from calza_server.ports import Delivery, GatewaySeen, Health, StoreError
from calza_server.stockings_heard import AGAIN_MS, DAY_MS, HOUR_MS, Since, StockingsHeard
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.gateway_status import GatewayReport, GatewayStatus
from calza_wire.messages import GatewayClock, Hello, SyncReport
from tests.server.clinic import HOSTILE, open_clinic
from tests.server.sealed import START_MS, START_S, Known, StoppedClock, block, garment, payload, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    from calza_server.ports import Appended, StoredBlock, Visit

SERIAL, GATEWAY, LEG = "CALZA-0001", "bedside-of-ana", "leg"
UP = f"calza/v1/up/{GATEWAY}"
PREFIX = "calza_server_"
NOT_STOPPED = threading.Event()


@dataclass
class Line:
    """A broker that hands out what it was given, once, and forgets the answers."""

    waiting: list[Delivery] = field(default_factory=list)
    connected: bool = True

    def give(self, kind: str, octets: bytes, serial: str = SERIAL) -> None:
        last = "" if kind in {"hello", "status"} else f"/{serial}"
        self.waiting.append(Delivery(f"{UP}/{kind}{last}", octets))

    def take(self, limit: int, linger_s: float, wait_s: float) -> list[Delivery]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Nothing to do."""

    def send(self, topic: str, payload: bytes) -> None:
        """Nothing to do."""


class SlowStore(SqliteStore):
    """SQLite that fails as often as it is told; what it is asked takes time, and somebody may look meanwhile."""

    def __init__(self, path: Path, clock: StoppedClock) -> None:
        super().__init__(path)
        self.clock, self.failures, self.took_ms = clock, 0, 0
        self.during: list[dict[str, float]] = []
        self.look: CollectorRegistry | None = None

    def append(self, blocks: Sequence[StoredBlock]) -> list[Appended]:
        self.clock.ms += self.took_ms
        if self.look is not None:
            self.during.append(samples(self.look))
        if self.failures:
            self.failures -= 1
            raise StoreError("full", "the disk is full")
        return super().append(blocks)


def samples(registry: CollectorRegistry, accept: str = "") -> dict[str, float]:
    """What a scrape shows: `name label=word` without our prefix, and the value."""
    parse = openmetrics_families if "openmetrics" in accept else text_string_to_metric_families
    return {
        sample.name.removeprefix(PREFIX) + "".join(f" {k}={v}" for k, v in sorted(sample.labels.items())): sample.value
        for family in parse(scrape_of(registry)(accept).body.decode())
        for sample in family.samples
    }


@dataclass
class Bench:
    """Ingest with a store on disk and everything that counts."""

    line: Line
    clock: StoppedClock
    store: SlowStore
    known: Known
    registry: CollectorRegistry
    ingest: Ingest
    heard: StockingsHeard
    fleet: FleetMetrics

    def step(self) -> dict[str, float]:
        """Take what waits through ingest; what a scrape shows then."""
        self.ingest.step(NOT_STOPPED, 0)
        self.heard.look()
        return samples(self.registry)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock, line, known, registry = StoppedClock(), Line(), Known.of(garment()), new_registry()
    store = SlowStore(tmp_path / "series.db", clock)
    meter = IngestMetrics(registry, clock)
    ingest = Ingest(source=line, store=store, registry=known, clock=clock, meter=meter)
    HealthMetrics(registry, ingest.health)
    heard = StockingsHeard(store, known, clock)
    fleet = FleetMetrics(registry, clock, lambda: ingest.health().gateways, heard.spread)
    yield Bench(line, clock, store, known, registry, ingest, heard, fleet)
    store.close()


def status(clock: StoppedClock, *, ahead_ms: int = 0, waiting: int = 0, oldest_s: int = 0) -> bytes:
    sent_ms = clock.ms + ahead_ms
    oldest_ms = sent_ms - 1000 * oldest_s if waiting else None
    report = GatewayReport(sent_ms, "degraded", 2, 1, waiting, oldest_ms, 3, GatewayClock.UNKNOWN)
    return GatewayStatus("online", "calza 1", report).encode()


def began(clock: StoppedClock, *, ahead_s: int, serial: str = SERIAL, source: TimeSource = TimeSource.GPS) -> bytes:
    shown = TimeStamp.at(clock.ms // 1000 + ahead_s, source=source)
    return replace(sync(9), serial=serial, device_time=shown, gateway_ms=clock.ms).encode()


# --- what ingest moves ------------------------------------------------------------------------------------------------


def test_everything_is_there_and_nothing_has_happened_before_the_first_message(bench: Bench) -> None:
    found = bench.step()
    for name in (
        *(f"records_total outcome={word}" for word in ("stored", "duplicate", "conflict", "refused")),
        *(f"refused_records_total reason={word}" for word in ("malformed", "forged", "unknown_stocking", "conflict")),
        *(f"store_errors_total code={word}" for word in ("full", "busy", "broken")),
        *(f"sync_reports_total outcome={word}" for word in ("stored", "malformed", "unknown_stocking")),
        "unreadable_messages_total",
        "receipt_delay_seconds_count",
        "under_way_age_seconds",
        "gateway_oldest_record_age_seconds",
    ):
        assert found[name] == 0, name
    assert (found["broker_up"], found["store_up"]) == (1, 1)
    assert found["last_stored_timestamp_seconds"] != found["last_stored_timestamp_seconds"], "NaN: none was"
    assert found["stockings heard=never"] == 1


def test_every_record_is_counted_once_and_for_what_became_of_it(bench: Bench) -> None:
    stranger = garment("CALZA-0009")
    other = payload(2, minutes=block(2, seed=1))
    for octets in (payload(1), payload(2), payload(1), other, b"no record", payload(3)[:-1] + b"\0"):
        bench.line.give("record", octets)
    bench.line.give("record", payload(1, of=stranger), stranger.serial)
    bench.line.give("live", b"not a live minute")
    found = bench.step()
    assert {name: value for name, value in found.items() if name.startswith("records_total") and value} == {
        "records_total outcome=stored": 2,
        "records_total outcome=duplicate": 1,
        "records_total outcome=conflict": 1,
        "records_total outcome=refused": 3,
    }
    assert {name: value for name, value in found.items() if name.startswith("refused_records_total") and value} == {
        "refused_records_total reason=conflict": 1,
        "refused_records_total reason=malformed": 1,
        "refused_records_total reason=forged": 1,
        "refused_records_total reason=unknown_stocking": 1,
    }
    assert found["unreadable_messages_total"] == 1
    assert found["receipt_delay_seconds_count"] == 7, "each of them was answered"
    assert found["last_stored_timestamp_seconds"] == bench.clock.ms / 1000


def test_sync_reports_and_the_clocks_in_them(bench: Bench) -> None:
    bench.line.give("sync", began(bench.clock, ahead_s=40))
    bench.line.give("sync", began(bench.clock, ahead_s=-3))
    bench.line.give("sync", began(bench.clock, ahead_s=900, source=TimeSource.NOT_SYNCHRONISED))
    ended = replace(SyncReport.decode(began(bench.clock, ahead_s=7)), phase="ended")
    bench.line.give("sync", ended.encode())
    bench.line.give("sync", began(bench.clock, ahead_s=0, serial="CALZA-0009"), "CALZA-0009")
    bench.line.give("sync", b"{}")
    found = bench.step()
    assert found["sync_reports_total outcome=stored"] == 4
    assert found["sync_reports_total outcome=unknown_stocking"] == 1
    assert found["sync_reports_total outcome=malformed"] == 1
    assert found["stocking_clock_error_seconds_count direction=ahead"] == 1, "only a clock that was set, before it is"
    assert found["stocking_clock_error_seconds_sum direction=ahead"] == 40
    assert found["stocking_clock_error_seconds_bucket direction=ahead le=30.0"] == 0
    assert found["stocking_clock_error_seconds_bucket direction=ahead le=60.0"] == 1
    assert found["stocking_clock_error_seconds_sum direction=behind"] == 3


def test_a_gateways_clock_is_measured_but_not_by_what_the_broker_may_have_kept(bench: Bench) -> None:
    bench.line.give("status", status(bench.clock, ahead_ms=-DAY_MS))  # retained since yesterday
    assert bench.step()["gateway_clock_error_seconds_count direction=behind"] == 0
    bench.line.give("status", status(bench.clock, ahead_ms=90_000))
    bench.line.give("hello", Hello(GATEWAY, "calza 1", bench.clock.ms - 250, (SERIAL,)).encode())
    found = bench.step()
    assert found["gateway_clock_error_seconds_sum direction=ahead"] == 90
    assert found["gateway_clock_error_seconds_sum direction=behind"] == 0.25


def test_how_old_a_block_is_when_it_is_stored(bench: Bench) -> None:
    """Record n begins n hours after START_S and has 60 minutes."""
    bench.clock.ms = START_MS + 4 * HOUR_MS + 30_000
    bench.line.give("record", payload(3))
    bench.line.give("record", payload(1))
    unset = block(5, source=TimeSource.NOT_SYNCHRONISED)
    bench.line.give("record", payload(5, minutes=unset))
    found = bench.step()
    assert found["stored_record_age_seconds_count"] == 2, "what nobody set says nothing"
    assert found["stored_record_age_seconds_sum"] == 30 + (2 * 3600 + 30)
    assert found["stored_record_age_seconds_bucket le=60.0"] == 1
    bench.line.give("record", payload(3))
    assert bench.step()["stored_record_age_seconds_count"] == 2, "a duplicate is as old as it was"


def test_a_failing_store_shows_while_it_fails_and_in_the_delay_afterwards(bench: Bench) -> None:
    bench.store.failures, bench.store.took_ms, bench.store.look = 2, 7_000, bench.registry
    bench.line.give("record", payload(1))

    class Hurry(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return False

    bench.ingest.step(Hurry(), 0)
    during = [each["under_way_age_seconds"] for each in bench.store.during]
    assert during == [7, 14, 21]
    assert [each["store_up"] for each in bench.store.during] == [1, 0, 0]
    found = samples(bench.registry)
    assert found["store_errors_total code=full"] == 2
    assert (found["under_way_age_seconds"], found["store_up"]) == (0, 1)
    assert (found["receipt_delay_seconds_count"], found["receipt_delay_seconds_sum"]) == (1, 21)
    assert found["records_total outcome=stored"] == 1


# --- the fleet --------------------------------------------------------------------------------------------------------


def test_what_waits_in_gateways_grows_older_by_this_servers_clock_whatever_theirs_says(bench: Bench) -> None:
    bench.line.give("status", status(bench.clock, ahead_ms=-5 * HOUR_MS, waiting=7, oldest_s=600))
    found = bench.step()
    assert found["gateway_waiting_records"] == 7
    assert found["gateway_quarantined_records"] == 3
    assert found["gateway_oldest_record_age_seconds"] == 600
    assert (found["gateways state=online"], found["online_gateways health=degraded"]) == (1, 1)
    bench.clock.ms += 50_000
    bench.line.give("status", GatewayStatus("offline", "calza 1").encode())
    found = bench.step()
    assert found["gateway_oldest_record_age_seconds"] == 650
    assert (found["gateways state=offline"], found["online_gateways health=degraded"]) == (1, 0)


@dataclass
class Noted:
    """Reads of a store, counted."""

    store: SqliteStore
    asked: list[str] = field(default_factory=list)

    def visits(self, serial: str) -> list[Visit]:
        self.asked.append(serial)
        return self.store.visits(serial)


def test_stockings_stand_where_they_were_last_heard_and_retired_ones_nowhere(bench: Bench) -> None:
    hours = {"A": 0.5, "B": 1.5, "C": 23.9, "D": 25, "E": 71.9, "F": 72.1}
    for letter, ago in hours.items():
        serial = f"CALZA-{letter}"
        bench.known.garments[serial] = garment(serial)
        at_ms = bench.clock.ms - round(ago * HOUR_MS)
        bench.store.add_sync(replace(sync(1), serial=serial, gateway_ms=at_ms), at_ms + 5_000)
    noted = Noted(bench.store)
    heard = StockingsHeard(noted, bench.known, bench.clock)  # type: ignore[arg-type]  # it asks nothing else
    assert heard.spread() is None, "nobody has looked yet"
    heard.look()
    assert heard.spread() == {Since.HOUR: 1, Since.DAY: 2, Since.THREE_DAYS: 2, Since.LONGER: 1, Since.NEVER: 1}
    assert len(noted.asked) == 7
    heard.look()
    assert len(noted.asked) == 7, "not again so soon"
    bench.clock.ms += AGAIN_MS
    heard.look()
    assert len(noted.asked) == 13, "all but the one whose last word is fresh"
    bench.known.stockings = lambda leg: (replace(garment().registered(), retired_minute=START_S // 60),)  # type: ignore[method-assign]  # the registry changed
    heard.look()
    assert heard.spread() == dict.fromkeys(Since, 0)


def test_a_gateway_from_the_future_does_not_make_a_stocking_heard_for_ever(bench: Bench) -> None:
    at_ms = bench.clock.ms - 2 * DAY_MS
    bench.store.add_sync(replace(sync(1), gateway_ms=bench.clock.ms + DAY_MS), at_ms)
    bench.heard.look()
    spread = bench.heard.spread()
    assert spread is not None
    assert spread[Since.THREE_DAYS] == 1


def test_a_store_that_cannot_answer_leaves_the_figures_as_they_were(bench: Bench) -> None:
    stop = threading.Event()

    class Broken:
        def visits(self, _serial: str) -> list[Visit]:
            stop.set()
            raise StoreError("broken", "gone")

    heard = StockingsHeard(Broken(), bench.known, bench.clock)  # type: ignore[arg-type]  # it asks nothing else
    heard.run(stop)
    assert heard.spread() is None


def test_frozen_verdicts_are_counted(bench: Bench) -> None:
    bench.fleet.frozen(2)
    bench.fleet.frozen(0)
    assert samples(bench.registry)["frozen_verdicts_total"] == 2


def test_a_certificate_that_is_missing_or_spoilt_is_a_figure_that_is_missing(tmp_path: Path) -> None:
    from calza_server.adapters.certificates import new_authority, new_key

    ca, spoilt = tmp_path / "ca.pem", tmp_path / "server.pem"
    assert certificates_left_s({"ca": ca}, START_MS) == {}
    ca.write_text(new_authority(new_key(), START_MS), encoding="utf-8")
    spoilt.write_text("nonsense", encoding="utf-8")
    found = certificates_left_s({"ca": ca, "server": spoilt, "broker": tmp_path / "none"}, START_MS)
    assert list(found) == ["ca"]
    assert 9 * 365 * 86_400 < found["ca"] < 11 * 365 * 86_400


# --- nobody is named, and every name says what it is ------------------------------------------------------------------


def lively(bench: Bench) -> None:
    """Everything that could name somebody has come through."""
    bench.line.give("hello", Hello(GATEWAY, "calza of ana", bench.clock.ms, (SERIAL, "CALZA-0009")).encode())
    for _ in range(2):
        bench.line.give("status", status(bench.clock, waiting=1, oldest_s=5))
    bench.line.give("sync", began(bench.clock, ahead_s=2))
    bench.line.give("sync", began(bench.clock, ahead_s=2, serial="CALZA-0009"), "CALZA-0009")
    bench.line.give("record", payload(1))
    bench.line.give("record", payload(1, minutes=block(1, seed=1)))
    bench.line.give("record", payload(2, of=garment("CALZA-0009")), "CALZA-0009")
    bench.line.give("record", b"rubbish")
    bench.step()


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_nobody_is_named(bench: Bench, accept: str) -> None:
    lively(bench)
    text = scrape_of(bench.registry)(accept).body.decode()
    for secret in (SERIAL, "CALZA-0009", "CALZA", GATEWAY, "ana", "A leg", f'"{LEG}"', garment().key.hex(), "00112233"):
        assert secret not in text, secret


def test_labels_have_few_words_that_are_known_beforehand(bench: Bench) -> None:
    before = set(bench.step())
    lively(bench)
    assert set(samples(bench.registry)) == before, "no label value came from outside"
    assert len(before) < 200


def test_names_follow_the_conventions(bench: Bench) -> None:
    lively(bench)
    families = list(text_string_to_metric_families(scrape_of(bench.registry)("").body.decode()))
    for family in families:
        assert family.documentation
        if family.name.endswith("_created"):
            continue
        assert family.name.startswith(PREFIX)
        assert family.type in {"counter", "gauge", "histogram"}
        names = {sample.name for sample in family.samples}
        if family.type == "counter":
            assert names == {f"{family.name}_total"}
        if family.type == "histogram" or "_age" in family.name or "timestamp" in family.name:
            assert family.name.endswith("_seconds"), family.name
        assert not any(unit in family.name for unit in ("_ms", "_minutes", "_hours", "_days"))
    assert len(families) > 15


def test_both_formats_say_the_same_and_are_called_what_they_are(bench: Bench) -> None:
    lively(bench)
    shown = scrape_of(bench.registry)
    assert shown("").content_type == "text/plain; version=0.0.4; charset=utf-8"
    modern = "application/openmetrics-text; version=1.0.0"
    assert shown(modern).content_type.startswith(modern)
    assert shown(modern).body.endswith(b"# EOF\n")
    assert samples(bench.registry) == samples(bench.registry, modern)


def test_two_servers_in_one_process_share_nothing() -> None:
    one, other = new_registry(), new_registry()
    first, _ = IngestMetrics(one, StoppedClock()), IngestMetrics(other, StoppedClock())
    first.unreadable()
    assert (samples(one)["unreadable_messages_total"], samples(other)["unreadable_messages_total"]) == (1, 0)


# --- over HTTP --------------------------------------------------------------------------------------------------------


def test_the_api_answers_a_scrape_and_keeps_its_manners(bench: Bench) -> None:
    lively(bench)
    clinic = open_clinic()
    assert clinic.browser().get("/metrics").status_code == 404, "only where there are figures"
    browser = clinic.browser(scrape=scrape_of(bench.registry))
    answer = browser.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert 'calza_server_records_total{outcome="stored"} 1.0' in answer.text
    assert HOSTILE not in answer.text
    modern = browser.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0, */*;q=0.1"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert browser.get("/metrics", headers={"Host": "elsewhere.example"}).status_code == 421
    assert browser.post("/metrics").status_code == 405
    assert browser.get("/healthz").status_code == 200
    assert "/metrics" not in browser.get("/api/v1/openapi.json").json()["paths"]


def test_a_scrape_is_cheap_with_a_whole_clinic(bench: Bench) -> None:
    """Two hundred patients and as many gateways; the bound is ten times what it takes here, for a busy machine."""
    lively(bench)
    report = GatewayStatus.decode(status(bench.clock, waiting=1, oldest_s=5)).report
    homes = tuple(GatewaySeen(f"home-{n}", "online", "1", bench.clock.ms, report, bench.clock.ms) for n in range(200))
    registry = new_registry()
    IngestMetrics(registry, bench.clock)
    HealthMetrics(registry, lambda: Health(True, True, gateways=homes))
    bench.known.garments = {f"CALZA-{n}": garment(f"CALZA-{n}") for n in range(400)}
    bench.heard.look()
    FleetMetrics(registry, bench.clock, lambda: homes, bench.heard.spread)
    times = []
    for _ in range(50):
        began_s = time.perf_counter()
        scrape_of(registry)("")
        times.append(time.perf_counter() - began_s)
    assert samples(registry)["gateway_waiting_records"] == 200
    assert statistics.median(times) < 0.02


def get(url: str, host: str | None = None, context: ssl.SSLContext | None = None) -> tuple[int, str, str]:
    """Status, content type and text of an answer."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})  # noqa: S310 - our own addresses
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own addresses
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_a_worker_answers_scrapes_and_says_how_it_is(bench: Bench) -> None:
    lively(bench)
    with metrics_served(Listen("127.0.0.1", 0), scrape_of(bench.registry), bench.ingest.health) as url:
        status_code, kind, text = get(f"{url}/metrics")
        assert (status_code, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert text == scrape_of(bench.registry)("").body.decode()
        status_code, _, text = get(f"{url}/healthz")
        assert (status_code, json.loads(text)["status"]) == (200, "ok")
        bench.line.connected = False
        status_code, kind, text = get(f"{url}/healthz")
        assert (status_code, kind) == (503, "application/problem+json")
        assert "broker" in json.loads(text)["detail"]
        assert GATEWAY not in text
        assert get(f"{url}/metrics", host="elsewhere.example")[0] == 421
        assert get(f"{url}/metrics", host="localhost")[0] == 200
        assert get(f"{url}/verdicts")[0] == 404
        port = int(url.rpartition(":")[2])
        with pytest.raises(ListenError, match=str(port)):
            with metrics_served(Listen("127.0.0.1", port), scrape_of(bench.registry), bench.ingest.health):
                pass
    with pytest.raises(urllib.error.URLError):
        get(f"{url}/metrics")


def test_off_loopback_there_is_nothing_without_tls(bench: Bench) -> None:
    with pytest.raises(ListenError, match="--tls"):
        with metrics_served(Listen("0.0.0.0", 0), scrape_of(bench.registry), bench.ingest.health):
            pass


def test_with_tls_it_is_for_whoever_trusts_the_authority(bench: Bench, tmp_path: Path) -> None:
    from calza_server.adapters.certificates import Pair, new_authority, new_key, new_leaf

    now_ms, key = round(time.time() * 1000), new_key()
    authority = new_authority(key, now_ms)
    leaf = new_leaf(Pair(authority, key), ["127.0.0.1"], now_ms)
    for name, text in (("ca.pem", authority), ("server.pem", leaf.certificate), ("server.key", leaf.key)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    with metrics_served(Listen("0.0.0.0", 0), scrape_of(bench.registry), bench.ingest.health, serving) as url:
        where = url.replace("0.0.0.0", "127.0.0.1")
        assert where.startswith("https://")
        trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        assert get(f"{where}/metrics", context=trusting)[0] == 200
        assert get(f"{where}/metrics", host="worker-1:9465", context=trusting)[0] == 200, "a name of the inner network"
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            get(f"{where}/metrics", context=ssl.create_default_context())
        with pytest.raises((OSError, http.client.HTTPException)):  # which, is up to the moment it closes
            get(where.replace("https", "http"))
        assert get(f"{where}/metrics", context=trusting)[0] == 200, "a failed handshake did no harm"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9465", "127.0.0.1", 9465),
        (":9465", "127.0.0.1", 9465),
        ("localhost:0", "localhost", 0),
        ("[::1]:9465", "::1", 9465),
        ("0.0.0.0:65535", "0.0.0.0", 65_535),
    ],
)
def test_where_to_listen(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == Listen(host, port)


@pytest.mark.parametrize("text", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:\uff19"])
def test_where_nobody_can_listen(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_listen(text)
