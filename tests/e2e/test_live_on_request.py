"""Live on request, the whole way: a client opens the stream, the stocking answers within seconds, and is let go after.

Simulated stocking, virtual radio, bleak, Mosquitto, ingest, HTTP. The time of day is wound by hand, so that a minute
of the stocking takes a second; leases and limits run on the real clock.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import pytest
import uvicorn

from calza_gateway import service
from calza_gateway.adapters.paho_link import PahoLink, Presence
from calza_gateway.adapters.radios import open_radio
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.reporting.events import GatewayEvent, LiveMinuteCame, SyncEnded
from calza_gateway.settings.broker_spec import parse_broker
from calza_gateway.settings.radio_spec import parse_radio
from calza_server.running.run_parts import listen
from calza_sim.scenarios import SCENARIOS
from calza_wire.gateway_status import GatewayStatus
from calza_wire.topics import DOWNWARDS, Kind, down, up
from tests.e2e.clockwork import GATEWAY, Cast, Clockwork, clockwork

SERIAL = "CALZA-0001"
START_S = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
PATIENCE_S = 30.0
LEASE_S = 4  # in place of 45, so that letting go can be awaited


@contextmanager
def on_http(here: Clockwork) -> Iterator[int]:
    """The clockwork's application behind a real socket; its port."""
    listener = listen(0)
    server = uvicorn.Server(
        uvicorn.Config(here.api.app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Screen:
    """A client that reads the stream in a thread of its own: events with the moment they came."""

    def __init__(self, port: int, leg: str) -> None:
        self._events: SimpleQueue[tuple[float, str, dict[str, object]]] = SimpleQueue()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self.opened_s = time.monotonic()
        self._connection.request("GET", f"/api/v1/legs/{leg}/live")
        self._response = self._connection.getresponse()
        assert self._response.status == 200
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        name = ""
        try:
            for line in self._response:
                key, _, value = line.decode().rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    self._events.put((time.monotonic(), name, json.loads(value)))
        except (OSError, ValueError, AttributeError):
            pass  # closed under our hands, which is how a screen leaves

    def wait_for(self, wanted: str) -> tuple[float, dict[str, object]]:
        """The next event of that name, and how many seconds after opening it came."""
        while True:
            at, name, data = self._events.get(timeout=PATIENCE_S)
            if name == wanted:
                return at - self.opened_s, data

    def leave(self) -> None:
        sock = self._connection.sock
        if sock is not None:
            sock.shutdown(2)
        self._thread.join()
        self._response.close()
        self._connection.close()


class Told:
    """What the gateway told, to be awaited."""

    def __init__(self) -> None:
        self.events: list[GatewayEvent] = []
        self._news = asyncio.Event()

    def __call__(self, event: GatewayEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, enough: Callable[[list[GatewayEvent]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not enough(self.events):
                self._news.clear()
                await self._news.wait()

    def count(self, kind: type[GatewayEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@asynccontextmanager
async def gateway(here: Clockwork, told: Told) -> AsyncIterator[None]:
    """A gateway that runs as `calza gateway run` does, and whose next sync of its own accord is an hour away."""
    status = [GatewayStatus(state, "test").encode() for state in ("online", "offline")]
    link = PahoLink(
        parse_broker(here.mqtt_url, GATEWAY),
        client_id=GATEWAY,
        subscriptions=[down(GATEWAY, kind) for kind in DOWNWARDS],
        presence=Presence(up(GATEWAY, Kind.STATUS), *status),
        jitter=random.random,
    )
    outbox = SqliteOutbox.open(here.folder / "outbox.db")
    radio = open_radio(parse_radio(here.spec), here.folder / "gateway")
    paired = here.fitted[SERIAL].paired
    assert paired is not None
    parts = service.Parts(
        gateway=GATEWAY,
        software="test",
        stockings=[paired],
        radios={paired.adapter or "sim": radio},
        outbox=outbox,
        link=link,
        clock=here.clock,
        tell=told,
        interval_s=3600.0,
    )
    task = asyncio.create_task(service.serve(parts, live=False))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await radio.close()
        outbox.close()


@pytest.mark.slow
async def test_minutes_come_while_somebody_looks_and_the_stocking_is_let_go_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calza_server.live.live_hub.LEASE_S", LEASE_S)
    monkeypatch.setattr("calza_server.live.live_hub.ASK_AGAIN_S", 0.5)
    monkeypatch.setattr("calza_server.api.live.RENEW_S", 1.0)
    cast = [Cast(SERIAL, "left", SCENARIOS["perfect"], None, seed=5)]
    told = Told()
    async with clockwork(tmp_path, cast, start_s=START_S) as here:
        here.wind(START_S + 2 * 3600)
        stocking = here.fitted[SERIAL].server
        with on_http(here) as port:
            async with gateway(here, told):
                await told.until(lambda _: told.count(SyncEnded) == 1)
                async with asyncio.timeout(PATIENCE_S):
                    await stocking.idle.wait()
                assert told.count(LiveMinuteCame) == 0, "nobody looks, so nothing is live"

                screen = await asyncio.to_thread(Screen, port, "left")
                try:
                    asked_s, state = await asyncio.to_thread(screen.wait_for, "state")
                    first_s, minute = await asyncio.to_thread(screen.wait_for, "minute")
                    assert (state["gateways_online"], minute["stocking"], minute["gateway"]) == (1, SERIAL, GATEWAY)
                    assert not stocking.idle.is_set()
                    for number in range(1, 7):  # longer than one lease, so it has been renewed
                        here.wind(here.clock.unix_s + 60)
                        _, following = await asyncio.to_thread(screen.wait_for, "minute")
                        assert isinstance(following["ankle_mmhg"], float), number
                finally:
                    await asyncio.to_thread(screen.leave)
                left_s = time.monotonic()
                async with asyncio.timeout(LEASE_S + PATIENCE_S):
                    await stocking.idle.wait()
                let_go_s = time.monotonic() - left_s
                seen = told.count(LiveMinuteCame)
                here.wind(here.clock.unix_s + 60)
                await asyncio.sleep(1.5)  # a tick of the stocking and more: what must not come cannot be awaited
                assert told.count(LiveMinuteCame) == seen
                assert stocking.idle.is_set()
                sys.stdout.write(
                    f"\nlive: the gateway was asked after {asked_s:.2f} s, the first minute on the screen after"
                    f" {first_s:.2f} s; {let_go_s:.1f} s after it was closed the stocking was let go"
                    f" (lease {LEASE_S} s here)\n"
                )
                assert first_s < 15
                assert let_go_s < LEASE_S + 5

                again = await asyncio.to_thread(Screen, port, "left")
                try:
                    await asyncio.to_thread(again.wait_for, "minute")
                finally:
                    await asyncio.to_thread(again.leave)
