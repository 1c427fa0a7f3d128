"""A request for live minutes through both brokers: it reaches the gateway that knows the stocking, and no other."""

from __future__ import annotations

import time
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from calza_server.access.credentials import SERVER_USER
from calza_server.adapters.memory_store import MemoryStore
from calza_server.adapters.paho_source import PahoSource
from calza_server.ingest.ingest import Ingest
from calza_server.live.live_hub import LEASE_S, LiveHub
from calza_wire.gateway_status import GatewayStatus
from calza_wire.live_request import LiveRequest
from calza_wire.messages import Hello
from tests.contracts.test_broker_contract import KINDS, Site
from tests.server.gateway_double import LIMIT_S
from tests.server.ingesting import at_work
from tests.server.sealed import Known, StoppedClock, garment
from tests.server.test_live_hub import LEFT, minute_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from calza_server.ports import BrokerAddress, LiveSeen


@contextmanager
def asking(address: BrokerAddress) -> Iterator[LiveHub]:
    """A server's ingest with its hub."""
    source = PahoSource(address, SERVER_USER)
    hub = LiveHub(source.send_at_most_once, time.monotonic)
    known = Known.of(garment(LEFT))
    ingest = Ingest(source=source, store=MemoryStore(), registry=known, clock=StoppedClock(), audience=hub)
    with at_work(ingest, source):
        yield hub


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < limit, "what was waited for did not come"
        time.sleep(0.005)


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return Site(request.param, tmp_path / "state")


def test_the_gateway_that_knows_it_is_asked_and_answers(site: Site) -> None:
    with site.running() as address, asking(address) as hub:
        with site.gateway(address, "bedside") as bedside, site.gateway(address, "other") as other:
            told: SimpleQueue[LiveSeen | None] = SimpleQueue()
            watch = hub.watch([LEFT], told.put)
            assert watch.renew() == 0, "no gateway has said hello"
            other.publish("calza/v1/up/other/hello", Hello("other", "test", 0, ("CALZA-0099",)).encode())
            bedside.publish("calza/v1/up/bedside/hello", Hello("bedside", "test", 0, (LEFT,)).encode())
            assert told.get(timeout=LIMIT_S) is None
            assert watch.renew() == 1
            bedside.until(lambda: bool(bedside.received("live")))
            assert LiveRequest.decode(bedside.received("live")[0]) == LiveRequest(LEFT, LEASE_S)
            bedside.publish(f"calza/v1/up/bedside/live/{LEFT}", minute_of(LEFT).minute.encode(), qos=0)
            seen = told.get(timeout=LIMIT_S)
            while seen is None:
                seen = told.get(timeout=LIMIT_S)
            assert (seen.serial, seen.gateway, seen.minute) == (LEFT, "bedside", minute_of(LEFT).minute)
            bedside.publish("calza/v1/up/bedside/status", GatewayStatus("offline", "test").encode())
            until(lambda: watch.renew() == 0)
            assert other.received("live") == []


def test_nobody_finds_an_old_request_and_no_gateway_may_ask_another(site: Site) -> None:
    with site.running() as address, asking(address) as hub:
        with site.gateway(address, "bedside") as bedside:
            bedside.publish("calza/v1/up/bedside/hello", Hello("bedside", "test", 0, (LEFT,)).encode())
            watch = hub.watch([LEFT], lambda _seen: None)
            until(lambda: watch.renew() == 1)
            bedside.until(lambda: bool(bedside.received("live")))
        with site.gateway(address, "bedside") as again, site.gateway(address, "other") as other:
            other.publish("calza/v1/down/bedside/live", LiveRequest(LEFT, 300).encode())
            again.publish("calza/v1/up/bedside/hello", Hello("bedside", "test", 0, ()).encode())
            again.until(lambda: bool(again.received("wanted")))
            assert again.received("live") == [], "a request is never retained, and only the server's are let through"
