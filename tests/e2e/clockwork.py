"""The whole way in one process and on one clock that is wound forward by hand: weeks of contact in a minute.

Every part is the real one, over its real neighbours: stockings are GATT servers on the virtual radio, the gateway is
bleak over its HCI port, the broker is Mosquitto, the store is SQLite, the answers come from the API. Only the time of
day is ours, so that a stocking can be visited on day 2, 10 and 15 and the server asked what it made of it each time.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from starlette.testclient import TestClient

from calza_gateway import service
from calza_gateway.adapters.paho_link import PahoLink, Presence
from calza_gateway.adapters.radios import open_radio
from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
from calza_gateway.pairing.pairing import enrol, identify
from calza_gateway.pairing.pairing_agents import Person
from calza_gateway.ports import Clock, Moment, Sighting
from calza_gateway.settings.broker_spec import parse_broker
from calza_gateway.settings.radio_spec import parse_radio
from calza_gateway.state.bonds import PairedStocking
from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.adapters.file_verdict_book import BOOK_NAME, FileVerdictBook
from calza_server.adapters.mosquitto_broker import MosquittoBroker
from calza_server.adapters.paho_source import PahoSource
from calza_server.adapters.sqlite_store import SqliteStore
from calza_server.app import create_app
from calza_server.files.private_files import write_private
from calza_server.ingest.ingest import Ingest
from calza_server.live.live_hub import LiveHub
from calza_server.ports import Health
from calza_server.registry.registry import REGISTRY_NAME, FileRegistry, RegistryContent, with_fleet
from calza_sim.firmware.flash import MemoryFlash
from calza_sim.gatt import BondStore, StockingServer
from calza_sim.manufacture import Manufacture, fleet_json, manufacture
from calza_sim.radio import UNPACED, HciPort, Radio
from calza_sim.scenarios import Scenario
from calza_sim.stocking import SimulatedStocking
from calza_wire.channels import Side
from calza_wire.gateway_status import GatewayStatus
from calza_wire.records import encode_record
from calza_wire.topics import DOWNWARDS, Kind, down, up

GATEWAY = "bedside"
VISIT_WITHIN_S = 60.0
CONNECTED_WITHIN_S = 10.0


@dataclass
class WoundClock:
    """The time of day for every part. It stands still until it is wound; limits run on the real one."""

    unix_s: float

    def __call__(self) -> float:
        return self.unix_s

    def now(self) -> Moment:
        return Moment(self.unix_s, time.monotonic())

    def now_ms(self) -> int:
        return int(self.unix_s * 1000)

    def offset_quarters(self) -> int:
        return 0

    def synchronised(self) -> bool | None:
        return True


@dataclass(frozen=True)
class Cast:
    """One stocking to be fitted: the leg it is worn on, the scenario lived in it, and the order of that leg."""

    serial: str
    leg: str
    scenario: Scenario
    order: Mapping[str, object] | None
    seed: int
    side: Side = Side.LEFT


@dataclass
class Fitted:
    """A stocking on the air."""

    cast: Cast
    made: Manufacture
    stocking: SimulatedStocking
    flash: MemoryFlash
    server: StockingServer
    seen_s: float
    paired: PairedStocking | None = None


@dataclass
class Clockwork:
    """Everything runs; wind the clock, visit stockings, ask the API."""

    folder: Path
    clock: WoundClock
    start_s: float
    zone: ZoneInfo
    fitted: dict[str, Fitted]
    spec: str
    mqtt_url: str
    api: TestClient
    store: SqliteStore
    book: FileVerdictBook
    registry: FileRegistry
    registry_path: Path
    health: Callable[[], Health]
    visits: int = 0
    _events: list[object] = field(default_factory=list)

    async def visit(self, serials: Sequence[str], gateway_clock: Clock | None = None) -> None:
        """Let the gateway visit these stockings once and wait until all is confirmed. `gateway_clock`: a wrong one."""
        for serial in serials:
            self.fitted[serial].seen_s = self.clock.unix_s
        paired = [each for serial in serials if (each := self.fitted[serial].paired) is not None]
        if not paired:
            return
        presence = Presence(
            up(GATEWAY, Kind.STATUS),
            GatewayStatus("online", "clockwork").encode(),
            GatewayStatus("offline", "clockwork").encode(),
        )
        link = PahoLink(
            parse_broker(self.mqtt_url, GATEWAY),
            client_id=GATEWAY,
            subscriptions=[down(GATEWAY, kind) for kind in DOWNWARDS],
            presence=presence,
            jitter=random.random,
            ca_file=None,
        )
        outbox = SqliteOutbox.open(self.folder / "outbox.db")
        radio = open_radio(parse_radio(self.spec), self.folder / "gateway")
        try:
            parts = service.Parts(
                gateway=GATEWAY,
                software="clockwork",
                stockings=paired,
                radios={"sim": radio},
                outbox=outbox,
                link=link,
                clock=gateway_clock or self.clock,
                tell=self._events.append,
                interval_s=60.0,
            )
            outcome = await service.once(parts, VISIT_WITHIN_S)
        finally:
            await radio.close()
            outbox.close()
        assert outcome.sentence is None, f"the visit failed: {outcome.sentence}"
        self.visits += len(paired)

    def wind(self, at_s: float) -> None:
        """Let time pass."""
        assert at_s >= self.clock.unix_s, "time does not run backwards"
        self.clock.unix_s = at_s

    def ask(self, path: str) -> Any:
        """What the API answers now."""
        answer = self.api.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def verdict(self, leg: str) -> Any:
        """The verdict on a leg now."""
        return self.ask(f"legs/{leg}/verdict")

    async def send_again(self, serial: str) -> None:
        """Hand every record that is stored to the broker once more, the oldest last, and wait for each receipt."""
        flash = self.fitted[serial].flash
        (log,) = self.store.held(serial)
        numbers = sorted((number for one in log.held for number in range(one.first, one.last + 1)), reverse=True)
        records = [(number, body) for number in numbers if (body := flash.body(number)) is not None]
        await asyncio.to_thread(self._send_again, serial, records)

    def _send_again(self, serial: str, records: list[tuple[int, bytes]]) -> None:
        _, _, rest = self.mqtt_url.partition("://")
        login, _, where = rest.rpartition("@")
        client = Client(CallbackAPIVersion.VERSION2, client_id=GATEWAY, protocol=MQTTv5)
        client.username_pw_set(*login.split(":", 1))
        receipted = threading.Semaphore(0)
        client.on_message = lambda *_: receipted.release()
        client.on_connect = lambda client, *_: client.subscribe(down(GATEWAY, Kind.RECEIPT), 1)
        ready = threading.Event()
        client.on_subscribe = lambda *_: ready.set()
        host, port = where.split(":")
        client.connect(host, int(port))
        client.loop_start()
        try:
            assert ready.wait(CONNECTED_WITHIN_S)
            before = self.health().duplicates
            for number, body in records:
                client.publish(up(GATEWAY, Kind.RECORD, serial), encode_record(number, body), qos=1)
            while self.health().duplicates < before + len(records):
                assert receipted.acquire(timeout=CONNECTED_WITHIN_S), "a record that was sent again got no receipt"
        finally:
            client.disconnect()
            client.loop_stop()

    def held(self, serial: str) -> int:
        """Records of a stocking in the store."""
        return self.store.count(serial)


@asynccontextmanager
async def clockwork(
    folder: Path,
    cast: Iterable[Cast],
    *,
    start_s: float,
    timezone: str = "UTC",
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Clockwork]:
    """Fit and pair the whole cast at `start_s`; `more` names further arguments of a stocking by its serial."""
    clock = WoundClock(start_s)
    zone = ZoneInfo(timezone)
    state = folder / "server"
    credentials = Credentials(state, secrets.token_bytes)
    password = credentials.add(GATEWAY)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    broker = MosquittoBroker(state, port, credentials)
    address = await asyncio.to_thread(broker.start)
    source = PahoSource(address, client_id=SERVER_USER)
    store = SqliteStore(state / "series.db")
    stop = threading.Event()
    radio = Radio(seed=1, pacing=UNPACED)
    hci = await HciPort.open(radio, 0)
    fitted: dict[str, Fitted] = {}
    thread: threading.Thread | None = None
    try:
        for each in cast:
            fitted[each.serial] = await _fit(each, radio, clock, start_s, zone, (more or {}).get(each.serial, {}))
        registry_path = state / REGISTRY_NAME
        write_private(registry_path, _registered(fitted).encode())
        registry = FileRegistry(registry_path)
        source.start()
        assert await asyncio.to_thread(source.wait_subscribed, CONNECTED_WITHIN_S)
        hub = LiveHub(source.send_at_most_once, time.monotonic)
        ingest = Ingest(source=source, store=store, registry=registry, clock=clock, audience=hub)
        thread = threading.Thread(target=ingest.run, args=(stop,), name="ingest")
        thread.start()
        spec = f"sim:tcp://127.0.0.1:{hci.port}"
        await _pair_all(fitted, spec, folder / "gateway")
        book = FileVerdictBook(state / BOOK_NAME)
        app = create_app(
            store=store,
            registry=registry,
            book=book,
            clock=clock,
            health=ingest.health,
            live=ingest.live,
            feed=hub,
        )
        yield Clockwork(
            folder,
            clock,
            start_s,
            zone,
            fitted,
            spec,
            f"mqtt://{GATEWAY}:{password}@127.0.0.1:{address.port}",
            TestClient(app, base_url="http://127.0.0.1"),
            store,
            book,
            registry,
            registry_path,
            ingest.health,
        )
    finally:
        stop.set()
        if thread is not None:
            await asyncio.to_thread(thread.join)
        source.close()
        for one in fitted.values():
            await one.server.stop()
        await hci.close()
        store.close()
        await asyncio.to_thread(broker.stop)


async def _fit(
    each: Cast, radio: Radio, clock: WoundClock, start_s: float, zone: ZoneInfo, more: Mapping[str, Any]
) -> Fitted:
    made = manufacture(each.seed, each.serial, each.side)
    flash = MemoryFlash()
    stocking = SimulatedStocking.create(
        made, each.scenario, seed=each.seed, start_s=start_s, flash=flash, zone=zone, **more
    )
    server = await StockingServer.start(
        radio, stocking, clock=clock, bonds=BondStore(None, secrets.token_bytes), chance=random.Random(each.serial)
    )
    return Fitted(each, made, stocking, flash, server, start_s)


def _registered(fitted: Mapping[str, Fitted]) -> RegistryContent:
    content = RegistryContent()
    for serial, one in fitted.items():
        content = with_fleet(content, fleet_json([one.made]), {serial: one.cast.leg}, one.cast.order)
    return content


async def _pair_all(fitted: Mapping[str, Fitted], spec: str, state: Path) -> None:
    radio = open_radio(parse_radio(spec), state)

    async def passkey_of(one: Fitted) -> PairedStocking:
        label = Person(one.cast.serial, given_passkey=one.made.passkey)
        return await enrol(radio, await identify(radio, Sighting(one.server.address, None, None)), label, None)

    try:
        for one in fitted.values():
            one.paired = await passkey_of(one)
    finally:
        await radio.close()
