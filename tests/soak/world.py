"""Two stockings, a gateway, a broker and a server in one process, on one loop, on one clock: put together and paired.

Every part is the real one but two: the HCI transport and the broker's connection are in memory, because a virtual clock
cannot see what is on its way in a socket. Knows no fault and judges nothing.
"""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from calza_gateway import service
from calza_gateway.adapters.bleak_radio import BleakRadio
from calza_gateway.adapters.bumble_backend import BumbleBackend
from calza_gateway.adapters.bumble_care import BumbleCare
from calza_gateway.adapters.bumble_host import BumbleHost
from calza_gateway.adapters.bumble_keyring import Keyring
from calza_gateway.ports import OobData
from calza_gateway.reporting.events import Tell
from calza_gateway.state.bonds import PairedStocking
from calza_server.adapters.sqlite_store import SqliteStore
from calza_server.files.private_files import write_private
from calza_server.ingest.ingest import Ingest
from calza_server.registry.registry import REGISTRY_NAME, FileRegistry, RegistryContent, with_fleet
from calza_sim.firmware.flash import FLASH_DAYS
from calza_sim.gatt import BondStore, StockingServer
from calza_sim.manufacture import Manufacture, fleet_json, manufacture
from calza_sim.radio import PACED, Radio, RadioController
from calza_sim.radio.controller import ConnectRequest
from calza_sim.scenarios import scenario
from calza_sim.stocking import SimulatedStocking
from calza_wire.channels import Side
from tests.soak.clocks import GatewayClock, TrueClock
from tests.soak.disk import FillableOutbox
from tests.soak.dongle import Dongle
from tests.soak.flash_journal import JournaledFlash
from tests.soak.post import LATENCY_S, MemoryBroker

GATEWAY = "bedside"
ADAPTER = "the soak's adapter"
BEGINS_UNIX_S = 1_772_323_200.0  # 2026-03-01; the end of March has a change of the clocks in it
DAY_S = 86_400.0
CHARGED_UNIX_S = (BEGINS_UNIX_S - 8 * 3600, BEGINS_UNIX_S - 6 * 3600)
"""Flat, and charged, the evening before: a charge lasts 45 days, and nobody tends a stocking in a soak."""
MOST_DAYS = 40.0
LEGS: Mapping[str, Side] = {"CALZA-0001": Side.LEFT, "CALZA-0002": Side.RIGHT}
SCENARIO = "perfect"

# The radio as slow as a stocking may be, and not slower: on the air at least every second. At the simulator's own
# ten times a second thirty days are fifty million advertisements, most of which nobody hears.
ADVERTISING_MS = 1000
TICK_S = 10.0  # how often a stocking looks at its clock by itself; whoever asks it something gets the very present


@dataclass(frozen=True, slots=True)
class Leg:
    """A stocking on the air."""

    serial: str
    made: Manufacture
    stocking: SimulatedStocking
    flash: JournaledFlash
    flash_path: Path
    server: StockingServer


class WatchedRadio(Radio):
    """A radio that says which stocking a link has just come up to, so that a fault can strike in a visit."""

    on_link: Callable[[str], None] | None = None

    def connect(self, central: RadioController, peripheral: RadioController, request: ConnectRequest) -> bool:
        """See `Radio`."""
        made = super().connect(central, peripheral, request)
        if made and self.on_link is not None:
            self.on_link(peripheral.name)
        return made


class Server:
    """The real ingest; `running` False is a server that is down."""

    def __init__(self, ingest: Ingest, broker: MemoryBroker) -> None:
        self.ingest = ingest
        self.running = True
        self._source = broker.source

    async def run(self) -> None:
        """Take what comes until cancelled."""
        stop = threading.Event()
        while True:
            await self._source.news.wait()
            self._source.news.clear()
            await asyncio.sleep(LATENCY_S)
            taken = 1
            while self.running and taken:
                taken = await asyncio.to_thread(self.ingest.step, stop, 0.0)

    def stop(self, *, before_answering: bool) -> None:
        """Down; `before_answering`: it still commits what it has, and dies before it can say so."""
        if before_answering:
            self._source.answers = False
        else:
            self.running = False

    def start(self) -> None:
        """Up again; the broker sends what was not acknowledged."""
        self.running = True
        self._source.come_back()


@dataclass(slots=True)
class World:
    """All there is. `told` hears every event of the gateway."""

    folder: Path
    true: TrueClock
    clock: GatewayClock
    radio: WatchedRadio
    dongle: Dongle
    legs: Mapping[str, Leg]
    outbox: FillableOutbox
    broker: MemoryBroker
    server: Server
    store: SqliteStore
    paired: list[PairedStocking]
    central: BleakRadio

    async def gateway(self, tell: Tell, interval_s: float) -> None:
        """The gateway, for ever."""
        parts = service.Parts(
            gateway=GATEWAY,
            software="soak",
            stockings=self.paired,
            radios={ADAPTER: self.central},
            outbox=self.outbox,
            link=self.broker.link,
            clock=self.clock,
            tell=tell,
            interval_s=interval_s,
        )
        await service.serve(parts, live=False)


class _Label:
    """Reads the passkey off the garment."""

    def __init__(self, passkey: int) -> None:
        self._passkey = passkey

    async def passkey(self, address: str) -> int:
        del address
        return self._passkey

    async def confirm(self, address: str, number: int) -> bool:
        del address, number
        return True

    def oob(self, address: str) -> OobData | None:
        del address
        return None


class _Backend(BumbleBackend):
    """The simulated radio over a transport in memory."""

    def __init__(self, dongle: Dongle, keyring: Keyring) -> None:
        self._host = BumbleHost(dongle.open, keyring, ADAPTER)
        self.care = BumbleCare(self._host, ADAPTER)


@contextmanager
def unhurried() -> Iterator[None]:
    """Stockings that advertise, and look at the clock, as seldom as they may."""
    with (
        patch("calza_sim.gatt.device.ADVERTISING_INTERVAL_MS", ADVERTISING_MS),
        patch("calza_sim.gatt.server.TICK_S", TICK_S),
    ):
        yield


@asynccontextmanager
async def world(folder: Path, *, seed: int, days: float) -> AsyncIterator[World]:
    """Everything running except the gateway, which is paired with both stockings; their rings are full of log."""
    true = TrueClock(BEGINS_UNIX_S)
    radio = WatchedRadio(seed=seed, pacing=PACED)
    dongle = Dongle(radio)
    drawn = random.Random(f"{seed}/keys")
    state = folder / "server"
    store = SqliteStore(state / "series.db")
    outbox = FillableOutbox.made(folder / "outbox.db")
    broker = MemoryBroker(random.Random(f"{seed}/broker"))
    backend = _Backend(dongle, Keyring(folder / "gateway", drawn.randbytes))
    central = BleakRadio(backend, backend.care)
    legs: dict[str, Leg] = {}
    try:
        with unhurried():
            for serial, side in LEGS.items():
                legs[serial] = await _leg(folder, serial, side, radio, true, seed, days)
            write_private(state / REGISTRY_NAME, _registered(legs).encode())
            ingest = Ingest(source=broker.source, store=store, registry=FileRegistry(state / REGISTRY_NAME), clock=true)
            server = Server(ingest, broker)
            paired = [await _paired(central, leg) for leg in legs.values()]
            ingesting = asyncio.create_task(server.run(), name="server")
            try:
                yield World(
                    folder,
                    true,
                    GatewayClock(true),
                    radio,
                    dongle,
                    legs,
                    outbox,
                    broker,
                    server,
                    store,
                    paired,
                    central,
                )
            finally:
                ingesting.cancel()
                await asyncio.gather(ingesting, return_exceptions=True)
    finally:
        await central.close()
        for leg in legs.values():
            await leg.server.stop()
            leg.flash.close()
        outbox.close()
        store.close()


async def _leg(folder: Path, serial: str, side: Side, radio: Radio, true: TrueClock, seed: int, days: float) -> Leg:
    made = manufacture(seed, serial, side)
    path = folder / f"{serial}.flash"
    flash = JournaledFlash(path)
    fitted_s = BEGINS_UNIX_S - FLASH_DAYS * DAY_S
    stocking = SimulatedStocking.create(
        made, scenario(SCENARIO), seed=seed, start_s=fitted_s, flash=flash, outages=[CHARGED_UNIX_S]
    )
    stocking.truth(BEGINS_UNIX_S + (days + 2) * DAY_S)  # the whole life now, so that it does not grow in the middle
    stocking.advance(true())
    server = await StockingServer.start(
        radio,
        stocking,
        clock=true,
        bonds=BondStore(None, random.Random(f"{seed}/{serial}").randbytes),
        chance=random.Random(f"{seed}/loss/{serial}"),
    )
    return Leg(serial, made, stocking, flash, path, server)


def _registered(legs: Mapping[str, Leg]) -> RegistryContent:
    content = RegistryContent()
    for serial, leg in legs.items():
        content = with_fleet(content, fleet_json([leg.made]), {serial: leg.made.side.value}, None)
    return content


async def _paired(central: BleakRadio, leg: Leg) -> PairedStocking:
    await central.pair(leg.server.address, _Label(leg.made.passkey))
    return PairedStocking(leg.serial, leg.server.address, leg.made.side)
