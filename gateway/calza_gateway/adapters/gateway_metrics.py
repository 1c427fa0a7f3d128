"""The gateway's figures for Prometheus, by prometheus-client: on a registry of its own, over HTTP when asked for.

No serial and no person is ever a label: who scrapes this may know how the box is, not who wears what. Adapters are
named (`hci0`), codes are the stable ones.
"""

import math
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from calza_gateway.reporting import events
from calza_gateway.reporting.events import GatewayEvent
from calza_gateway.reporting.standing import AdapterStanding, AdapterState, Health, StockingState
from calza_gateway.reporting.upkeep import Overview
from calza_gateway.settings.box_settings import Listen, MetricsError

PREFIX: Final = "calza_gateway"


class GatewayMetrics:
    """`hear` counts events, `see` (a chore of `Upkeep`) sets what is measured; `state` is the folder on the disk."""

    def __init__(self, state: Path) -> None:
        self.registry = CollectorRegistry()
        self._state = state
        self._contacts = self._counter("contacts", "Connections to a stocking.")
        self._syncs = self._counter("syncs", "Complete syncs of a stocking.")
        self._fetched = self._counter("fetched_records", "Records fetched from stockings.")
        self._problems = self._counter("problems", "Problems told, by their stable code.", "code")
        self._stored = self._counter("stored_records", "Records the server has confirmed.")
        self._refused_now = self._counter("refused_records", "Records the server has refused.")
        self._receipts = self._counter("receipts", "Receipts from the server.")
        self._resets = self._gauge("adapter_resets", "Resets of an adapter since the gateway started.", "adapter")
        self._restarts = self._gauge("stack_restarts", "Restarts of the Bluetooth service for an adapter.", "adapter")
        self._adapter = self._gauge("adapter_state", "1 for the state an adapter is in.", "adapter", "state")
        self._stockings = self._gauge("stockings", "How many paired stockings are in a state.", "state")
        self._health = self._gauge("health", "1 for the health the gateway is in.", "health")
        self._broker = self._gauge("broker_up", "1 while the broker is connected.")
        self._waiting = self._gauge("waiting_records", "Records in the outbox without a receipt.")
        self._reports = self._gauge("waiting_reports", "Sync reports the broker has not taken yet.")
        self._quarantine = self._gauge("quarantined_records", "Refused records kept in the outbox.")
        self._oldest = self._gauge("oldest_record_age_seconds", "How long the oldest record waits; 0 if none does.")
        self._backlog = self._gauge("stocking_backlog_records", "Records the last visits left in the stockings.")
        self._contact_age = self._gauge("contact_age_seconds", "Since the stocking synced longest ago; NaN if never.")
        self._clock_error = self._gauge("stocking_clock_error_seconds", "The largest seen before setting, as a size.")
        self._battery = self._gauge("stocking_battery_percent", "The lowest of all; NaN if none is known.")
        self._synchronised = self._gauge("clock_synchronised", "1 or 0; NaN where the system does not tell.")
        self._free = self._gauge("disk_free_bytes", "Free where the outbox is.")

    def hear(self, event: GatewayEvent) -> None:
        """Count one event."""
        match event:
            case events.Connected():
                self._contacts.inc()
            case events.SyncEnded():
                self._syncs.inc()
                self._fetched.inc(event.fetched)
            case events.Problem():
                self._problems.labels(code=event.reason).inc()
            case events.ReceiptCame():
                self._receipts.inc()
                self._stored.inc(event.stored)
                self._refused_now.inc(event.refused)
            case events.Broker():
                self._broker.set(event.up)
            case _:
                pass

    async def see(self, overview: Overview) -> None:
        """Set what can be measured now."""
        counts, now_ms = overview.counts, overview.now.unix_ms
        self._waiting.set(counts.pending)
        self._reports.set(counts.reports)
        self._quarantine.set(counts.refused)
        self._oldest.set(0 if counts.oldest_ms is None else max(0, now_ms - counts.oldest_ms) / 1000)
        met = overview.contacts
        synced = [contact.synced_ms for contact in met]
        never = len(met) < overview.stockings or None in synced or not met
        oldest = min((at for at in synced if at is not None), default=now_ms)
        self._contact_age.set(math.nan if never else max(0, now_ms - oldest) / 1000)
        self._backlog.set(sum(contact.backlog or 0 for contact in met))
        errors = [abs(one.clock_error_ms) for one in met if one.clock_error_ms is not None]
        self._clock_error.set(max(errors) / 1000 if errors else math.nan)
        self._battery.set(
            min((one.battery_percent for one in met if one.battery_percent is not None), default=math.nan)
        )
        self._synchronised.set(math.nan if overview.synchronised is None else overview.synchronised)
        self._free.set(shutil.disk_usage(self._state).free)
        for health in Health:
            self._health.labels(health=health.value).set(overview.health is health)
        states = [one.state for one in overview.standing.stockings]
        for state in StockingState:
            self._stockings.labels(state=state.value).set(states.count(state))
        for adapter in overview.standing.adapters:
            self._see_adapter(adapter)

    def _see_adapter(self, adapter: AdapterStanding) -> None:
        self._resets.labels(adapter=adapter.name).set(adapter.resets)
        self._restarts.labels(adapter=adapter.name).set(adapter.restarts)
        for state in AdapterState:
            self._adapter.labels(adapter=adapter.name, state=state.value).set(adapter.state is state)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, namespace=PREFIX, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, namespace=PREFIX, registry=self.registry)


@contextmanager
def served(metrics: GatewayMetrics, where: Listen) -> Iterator[None]:
    """Answer scrapes from a thread of their own. Raises `MetricsError` when the address cannot be had."""
    try:
        server, thread = start_http_server(where.port, where.host, registry=metrics.registry)
    except OSError as error:
        raise MetricsError(f"the metrics cannot be offered at {where.host}:{where.port}: {error}") from error
    try:
        yield
    finally:
        _stop(server, thread)


def _stop(server: WSGIServer, thread: threading.Thread) -> None:
    server.shutdown()
    thread.join()
    server.server_close()
