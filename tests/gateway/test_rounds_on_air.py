"""The rounds on the simulated radio, over its HCI port: real stockings, bleak, and transports that die under it."""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from calza_gateway import service
from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.adapters.radios import open_radio
from calza_gateway.adapters.system_clock import SystemClock
from calza_gateway.ports import Radio as GatewayRadio
from calza_gateway.ports import RadioError, RadioReason
from calza_gateway.recovery.budget import Budget
from calza_gateway.reporting.events import AdapterChanged, Connected, GatewayEvent, StockingChanged, SyncEnded
from calza_gateway.reporting.standing import AdapterState, StockingState
from calza_gateway.settings.radio_spec import parse_radio
from calza_gateway.state.bonds import PairedStocking
from calza_sim.firmware.flash import MemoryFlash
from calza_sim.gatt import BondStore, StockingServer
from calza_sim.manufacture import manufacture
from calza_sim.radio import UNPACED, HciPort, Radio
from calza_sim.scenarios import scenario
from calza_sim.stocking import SimulatedStocking
from calza_wire.channels import Side
from tests.gateway.peripheral import Person
from tests.gateway.test_relay import Heard
from tests.gateway.test_service import Server

SIDES = {"CALZA-0001": Side.LEFT, "CALZA-0002": Side.RIGHT}
HOURS_KEPT = 3
INTERVAL_S = 0.5
BUDGET = Budget(
    listen_s=1.0,
    listen_alone_s=0.5,
    absent_pause_max_s=0.2,
    trouble_pause_min_s=0.1,
    trouble_pause_max_s=0.5,
    fault_pause_s=0.2,
    reset_spacing_s=0.5,
    restart_spacing_s=1.0,
    stuck_retry_s=1.0,
    stuck_pause_s=0.3,
    settle_s=0.1,
)
"""The same ladder, two orders of magnitude quicker."""


@dataclass
class Ward:
    """Two stockings on one air, and an adapter for each of the names given."""

    air: Radio
    ports: dict[str, HciPort]
    servers: dict[str, StockingServer]
    radios: dict[str, GatewayRadio]
    paired: list[PairedStocking]
    heard: Heard

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        link = Server()
        link.kept = {stocking.serial: {} for stocking in self.paired}
        parts = service.Parts(
            gateway="home",
            software="test",
            stockings=self.paired,
            radios=self.radios,
            outbox=MemoryOutbox(),
            link=link,
            clock=SystemClock(),
            tell=self.heard,
            interval_s=INTERVAL_S,
            budget=BUDGET,
        )
        task = asyncio.create_task(service.serve(parts, live=False))
        try:
            yield
        finally:
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended

    async def another_sync(self, serial: str) -> None:
        """Wait until it has been synced once more."""
        before = self.syncs(serial)
        await self.heard.until(lambda _events: self.syncs(serial) > before)

    async def state(self, kind: type[AdapterChanged] | type[StockingChanged], name: str, state: object) -> None:
        """Wait until this is believed of an adapter or a stocking."""

        def believed(events: list[GatewayEvent]) -> bool:
            for event in reversed(events):
                if isinstance(event, AdapterChanged) and kind is AdapterChanged and event.standing.name == name:
                    return event.standing.state is state
                if isinstance(event, StockingChanged) and kind is StockingChanged and event.standing.serial == name:
                    return event.standing.state is state
            return False

        await self.heard.until(believed)

    def pleas(self) -> set[str]:
        """The sentences that ask a person for help."""
        standings = [event.standing for event in self.heard.events if isinstance(event, AdapterChanged)]
        return {one.sentence or "" for one in standings if one.state is AdapterState.STUCK}

    def syncs(self, serial: str) -> int:
        return sum(isinstance(event, SyncEnded) and event.serial == serial for event in self.heard.events)


@asynccontextmanager
async def ward(folder: Path, adapters: int = 1) -> AsyncIterator[Ward]:
    air = Radio(seed=1, pacing=UNPACED)
    ports = [await HciPort.open(air) for _ in range(adapters)]
    specs = {f"sim:tcp://127.0.0.1:{port.port}": port for port in ports}
    radios = {name: open_radio(parse_radio(name), folder / str(port.port)) for name, port in specs.items()}
    servers: dict[str, StockingServer] = {}
    paired: list[PairedStocking] = []
    try:
        for number, (serial, side) in enumerate(SIDES.items()):
            made = manufacture(number, serial, side)
            start_s = time.time() - HOURS_KEPT * 3600
            stocking = SimulatedStocking.create(
                made, scenario("perfect"), seed=number, start_s=start_s, flash=MemoryFlash()
            )
            stocking.advance(time.time())
            servers[serial] = server = await StockingServer.start(
                air,
                stocking,
                clock=time.time,
                bonds=BondStore(None, secrets.token_bytes),
                chance=random.Random(number),
            )
            name = list(radios)[number % adapters]
            await radios[name].pair(server.address, Person(made.passkey))
            paired.append(PairedStocking(serial, server.address, side, name))
        yield Ward(air, specs, servers, radios, paired, Heard())
    finally:
        for radio in radios.values():
            await radio.close()
        for server in servers.values():
            await server.stop()
        for port in specs.values():
            await port.close()


async def reopened(there: Ward, name: str) -> None:
    """The transport is there again, at the same place."""
    there.ports[name] = await HciPort.open(there.air, int(name.rpartition(":")[2]))


async def test_a_transport_that_dies_ends_stuck_and_everything_resumes_when_it_is_back(tmp_path: Path) -> None:
    async with ward(tmp_path) as there:
        (name,) = there.radios
        async with there.serving():
            for serial in SIDES:
                await there.another_sync(serial)
            await there.ports[name].close()
            await there.state(AdapterChanged, name, AdapterState.STUCK)
            (plea,) = there.pleas()
            assert "What helps" in plea
            for serial in SIDES:
                await there.state(StockingChanged, serial, StockingState.UNKNOWN)
            await reopened(there, name)
            for serial in SIDES:
                await there.another_sync(serial)
            await there.state(AdapterChanged, name, AdapterState.OK)


async def test_a_transport_that_dies_in_a_visit_and_is_back_at_once_costs_one_visit(tmp_path: Path) -> None:
    async with ward(tmp_path) as there:
        (name,) = there.radios
        async with there.serving():
            await there.heard.wait_for(Connected)
            await there.ports[name].close()
            await reopened(there, name)
            for serial in SIDES:
                await there.another_sync(serial)
            assert not there.pleas()


async def test_one_stocking_out_of_power_does_not_hold_up_the_other(tmp_path: Path) -> None:
    async with ward(tmp_path) as there:
        gone, stays = SIDES
        async with there.serving():
            for serial in SIDES:
                await there.another_sync(serial)
            there.servers[gone].power_loss(4.0)
            await there.state(StockingChanged, gone, StockingState.AWAY)
            for _ in range(2):
                await there.another_sync(stays)
            await there.another_sync(gone)
            await there.state(StockingChanged, gone, StockingState.IN_CONTACT)
        assert not [e for e in there.heard.events if isinstance(e, AdapterChanged) and e.standing.resets]


async def test_of_two_adapters_one_dies_and_the_other_goes_on(tmp_path: Path) -> None:
    async with ward(tmp_path, adapters=2) as there:
        dead, alive = there.radios
        async with there.serving():
            for serial in SIDES:
                await there.another_sync(serial)
            await there.ports[dead].close()
            await there.state(AdapterChanged, dead, AdapterState.STUCK)
            for _ in range(3):
                await there.another_sync(there.paired[1].serial)
            await reopened(there, dead)
            await there.another_sync(there.paired[0].serial)
        assert {
            e.standing.state for e in there.heard.events if isinstance(e, AdapterChanged) and e.standing.name == alive
        } == {AdapterState.OK}


async def test_a_reset_ends_the_links_and_leaves_a_radio_that_works(tmp_path: Path) -> None:
    async with ward(tmp_path) as there:
        (radio,) = there.radios.values()
        address = there.paired[0].address
        assert await radio.care.present()
        link = await radio.connect(address, 10)
        await radio.care.reset()
        await asyncio.wait_for(link.closed.wait(), 5)
        again = await radio.connect(address, 10)  # encrypted by the same bond
        await radio.care.restart_stack()
        await asyncio.wait_for(again.closed.wait(), 5)
        last = await radio.connect(address, 10)
        (name,) = there.ports
        await there.ports[name].close()
        await asyncio.wait_for(last.closed.wait(), 5)
        assert not await radio.care.present()
        with pytest.raises(RadioError) as caught:
            await radio.care.reset()
        assert caught.value.reason is RadioReason.NO_ADAPTER
