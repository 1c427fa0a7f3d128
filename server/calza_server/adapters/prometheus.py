"""The server's figures for Prometheus, by prometheus-client, each lot on the registry it is given.

No person, leg, stocking or gateway is ever a label: a gateway is a box in somebody's home. Every label has a few words
that are known beforehand, and each word is there from the first scrape on, so that a rate sees the first event too.
"""

from __future__ import annotations

import math
from collections import Counter as Counted
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from calza_server.ingest.gateways import GATEWAYS_MAX
from calza_server.ingest.metrics import Exposition
from calza_server.ports import Appended
from calza_wire.gateway_status import GatewayHealth
from calza_wire.messages import RefusalReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from calza_server.ingest.metrics import Settled
    from calza_server.ports import Clock, GatewaySeen, Health
    from calza_server.stockings_heard import Since

Figures = CollectorRegistry  # for whoever only hands one on
PREFIX: Final = "calza_server"
STORED: Final = str(Appended.STORED)
REPORT_REASONS: Final = (str(RefusalReason.MALFORMED), str(RefusalReason.UNKNOWN_STOCKING))
REFUSED: Final = "refused"  # by our own checks, or by the engine behind the store
NOT_TAKEN: Final = "not_taken"  # the engine behind the store refused it
STORE_CODES: Final = ("full", "busy", "broken")
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
# 20 ms is what a lone record waits for company and 10 s when a gateway sends it again; above that the store is failing,
# and what is asked is whether for minutes or hours.
RECEIPT_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, HOUR_S)
# A gateway visits every quarter of an hour and a block has an hour; a night, a day, a weekend out of reach; 30 days is
# what a stocking holds before it overwrites: what is older has nearly been lost.
AGE_BUCKETS_S: Final = (
    *(minutes * MINUTE_S for minutes in (1, 5, 20)),
    *(hours * HOUR_S for hours in (1, 2, 4, 8, 12)),
    *(days * DAY_S for days in (1, 2, 3, 7, 14, 21, 28)),
)
# 1 s is the step of a stocking's clock; 30 s moves no minute by more than one; an hour is a zone or a summer time.
CLOCK_BUCKETS_S: Final = (1, 2, 5, 10, 30, MINUTE_S, 5 * MINUTE_S, HOUR_S, 12 * HOUR_S, DAY_S)


class IngestMetrics:
    """Keeps `metrics.IngestMeter`: what becomes of the data. One for each process that ingests."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._took_ms: int | None = None
        self._answering = 0
        self._gateways_heard: set[str] = set()
        count, histogram = partial(_counter, registry), partial(_histogram, registry)
        self._records = count("records", "Records settled, by what became of them.", "outcome")
        self._refused = count("refused_records", "Records a receipt refused, by reason.", "reason")
        self._reports = count("sync_reports", "Sync reports settled, by what became of them.", "outcome")
        self._unreadable = count("unreadable_messages", "Messages put aside because nobody could read them.")
        self._errors = count("store_errors", "Times the store could not do what was asked; it is tried again.", "code")
        what = "From a record's arrival at ingest to its receipt."
        self._receipt = histogram("receipt_delay_seconds", what, RECEIPT_BUCKETS_S)
        what = "From the end of a block, by its stocking's clock, to the store."
        self._age = histogram("stored_record_age_seconds", what, AGE_BUCKETS_S)
        what = "Size of a stocking's clock error when a sync began, against the gateway."
        self._stocking_clock = histogram("stocking_clock_error_seconds", what, CLOCK_BUCKETS_S, "direction")
        what = "Size of a gateway's clock error against this server; behind includes the way here."
        self._gateway_clock = histogram("gateway_clock_error_seconds", what, CLOCK_BUCKETS_S, "direction")
        what = "How long the group ingest has in hand waits to be stored; 0 if there is none."
        waits = Gauge("under_way_age_seconds", what, namespace=PREFIX, registry=registry)
        waits.set_function(self._under_way_s)
        self._show_all_words()

    def _show_all_words(self) -> None:
        for outcome in {*Appended, REFUSED}:
            self._records.labels(outcome=str(outcome))
        for reason in (*RefusalReason, NOT_TAKEN):
            self._refused.labels(reason=str(reason))
        for outcome in (STORED, *REPORT_REASONS):
            self._reports.labels(outcome=outcome)
        for code in STORE_CODES:
            self._errors.labels(code=code)
        for errors in (self._stocking_clock, self._gateway_clock):
            for direction in ("ahead", "behind"):
                errors.labels(direction=direction)

    def took(self, now_ms: int) -> None:
        """See the port."""
        self._took_ms, self._answering = now_ms, 0

    def settled(self, group: Settled) -> None:
        """See the port."""
        outcomes = [str(outcome) for outcome in group.outcomes]
        for outcome in set(outcomes):
            self._records.labels(outcome=outcome).inc(outcomes.count(outcome))
        self._records.labels(outcome=REFUSED).inc(len(group.refused))
        reasons = [str(record.reason) for record in group.refused]
        for reason in set(reasons):
            self._refused.labels(reason=reason).inc(reasons.count(reason))
        self._refused.labels(reason=str(RefusalReason.CONFLICT)).inc(outcomes.count(Appended.CONFLICT))
        self._refused.labels(reason=NOT_TAKEN).inc(outcomes.count(REFUSED))
        for report in group.reports:
            self._reports.labels(outcome=str(report) if isinstance(report, RefusalReason) else STORED).inc()
        for age_s in group.ages_s():
            self._age.observe(age_s)
        for error_s in group.clock_errors_s():
            _observe_error(self._stocking_clock, error_s)
        self._answering = len(outcomes) + len(reasons)

    def answered(self, now_ms: int) -> None:
        """See the port."""
        if self._took_ms is not None:
            delay_s = max(0, now_ms - self._took_ms) / 1000
            for _ in range(self._answering):
                self._receipt.observe(delay_s)
        self._took_ms = None

    def store_failed(self, code: str) -> None:
        """See the port."""
        self._errors.labels(code=code).inc()

    def unreadable(self) -> None:
        """See the port."""
        self._unreadable.inc()

    def gateway_said(self, gateway: str, sent_ms: int, now_ms: int) -> None:
        """See the port. The first word of a gateway is not measured: it may be as old as the broker kept it."""
        if gateway in self._gateways_heard:
            _observe_error(self._gateway_clock, (sent_ms - now_ms) / 1000)
        elif len(self._gateways_heard) < GATEWAYS_MAX:
            self._gateways_heard.add(gateway)

    def _under_way_s(self) -> float:
        took_ms = self._took_ms
        return 0.0 if took_ms is None else max(0, self._clock.now_ms() - took_ms) / 1000


class HealthMetrics(Collector):
    """Whether this process can do its work, asked anew for each scrape."""

    def __init__(self, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        self._health = health
        registry.register(self)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """For the registry."""
        seen = self._health()
        yield _gauge("broker_up", "1 while the broker is connected.", seen.broker_connected)
        yield _gauge("store_up", "1 unless the store failed when it was last asked.", seen.store_ok)
        last = math.nan if seen.last_stored_ms is None else seen.last_stored_ms / 1000
        yield _gauge("last_stored_timestamp_seconds", "When a record was last stored here; NaN if none was.", last)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing beforehand: it would ask for the health of what is not built yet."""
        return ()


class FleetMetrics(Collector):
    """All gateways and stockings together. One for each process that serves pages, so that none is counted twice.

    `certificates_s` gives seconds until each certificate ends, by its name.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: Clock,
        gateways: Callable[[], Sequence[GatewaySeen]],
        stockings: Callable[[], Mapping[Since, int] | None],
        certificates_s: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._clock = clock
        self._gateways = gateways
        self._stockings = stockings
        self._certificates_s = certificates_s
        self._frozen = _counter(registry, "frozen_verdicts", "Versions of verdicts that were frozen.")
        registry.register(self)

    def frozen(self, versions: int) -> None:
        """So many versions were frozen."""
        self._frozen.inc(versions)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """For the registry."""
        yield from self._of_gateways(self._gateways(), self._clock.now_ms())
        spread = self._stockings()
        if spread is not None:
            counts = {str(since): float(count) for since, count in spread.items()}
            yield _by("stockings", "Stockings in use, by when they were last heard.", "heard", counts)
        left = self._certificates_s()
        if left:
            yield _by("certificate_left_seconds", "Until a certificate ends.", "certificate", left)

    @staticmethod
    def _of_gateways(seen: Sequence[GatewaySeen], now_ms: int) -> Iterable[GaugeMetricFamily]:
        states = Counted(one.state for one in seen)
        what = "Gateways heard of, by whether they are there."
        yield _by("gateways", what, "state", {word: states[word] for word in ("online", "offline")})
        online = [one.report for one in seen if one.state == "online"]
        healths = Counted("unknown" if report is None else report.health for report in online)
        what = "Gateways that are there, by how they last said they are."
        words = (*get_args(GatewayHealth), "unknown")
        yield _by("online_gateways", what, "health", {word: healths[word] for word in words})
        reports = [one.report for one in seen if one.report is not None]
        waiting, refused = sum(one.waiting for one in reports), sum(one.refused for one in reports)
        yield _gauge("gateway_waiting_records", "Records in gateways without a receipt, as they last said.", waiting)
        yield _gauge("gateway_quarantined_records", "Refused records in gateways, as they last said.", refused)
        what = "How long the oldest record in any gateway waits by now, if nothing came since; 0 if none does."
        oldest_ms = max((_oldest_ms(one, now_ms) for one in seen), default=0)
        yield _gauge("gateway_oldest_record_age_seconds", what, oldest_ms / 1000)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing beforehand: it would ask for the health of what is not built yet."""
        return ()


def new_registry() -> CollectorRegistry:
    """One for each process, or for each server in a test: nothing is shared with any other."""
    return CollectorRegistry()


def certificates_left_s(files: Mapping[str, Path], now_ms: int) -> dict[str, float]:
    """Seconds until each certificate ends, by its name; without those that are not there or cannot be read."""
    if not any(path.exists() for path in files.values()):
        return {}  # no TLS here: then nothing of X.509 is loaded either
    from calza_server.adapters.certificates import CertificateError, days_left

    left = {}
    for name, path in files.items():
        with suppress(OSError, CertificateError):  # whoever starts with it says so; here it is a figure that is missing
            left[name] = DAY_S * days_left(path, now_ms)
    return left


def scrape_of(registry: CollectorRegistry) -> Callable[[str], Exposition]:
    """Answers scrapes with what is on a registry; keeps `metrics.Scrape`."""

    def scrape(accept: str) -> Exposition:
        encode, content_type = choose_encoder(accept)
        return Exposition(encode(registry), content_type)

    return scrape


def _oldest_ms(seen: GatewaySeen, now_ms: int) -> int:
    """How long its oldest record waits by now. Each clock is taken against itself, so a wrong one does no harm."""
    report, reported_ms = seen.report, seen.reported_ms
    if report is None or report.oldest_ms is None or reported_ms is None:
        return 0
    return max(0, report.sent_ms - report.oldest_ms) + max(0, now_ms - reported_ms)


def _observe_error(errors: Histogram, error_s: float) -> None:
    """As a size, because the sum of a histogram may only grow."""
    errors.labels(direction="ahead" if error_s >= 0 else "behind").observe(abs(error_s))


def _counter(registry: CollectorRegistry, name: str, what: str, *labels: str) -> Counter:
    return Counter(name, what, labels, namespace=PREFIX, registry=registry)


def _histogram(registry: CollectorRegistry, name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return Histogram(name, what, labels, namespace=PREFIX, registry=registry, buckets=buckets)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", what, value=value)


def _by(name: str, what: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", what, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family
