"""Fixtures of the simulator's tests: a radio, stockings with a fake firmware, and gateways that are plain Bumble."""

import random
import time
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from calza_sim.gatt import BondStore, StockingServer
from calza_sim.ports import StockingFirmware
from calza_sim.radio import UNPACED, Radio
from tests.sim.central import Central
from tests.sim.fake_firmware import PASSKEY, FakeFirmware


class StartStocking(Protocol):
    """Starts a stocking that is stopped when the test ends."""

    async def __call__(
        self,
        serial: str = "TEST-0001",
        *,
        firmware: StockingFirmware | None = None,
        bonds: BondStore | None = None,
        on: Radio | None = None,
    ) -> StockingServer: ...


@pytest.fixture
async def radio() -> Radio:
    return Radio(seed=1, pacing=UNPACED)


@pytest.fixture
async def start_stocking(radio: Radio) -> AsyncIterator[StartStocking]:
    started: list[StockingServer] = []

    async def start(
        serial: str = "TEST-0001",
        *,
        firmware: StockingFirmware | None = None,
        bonds: BondStore | None = None,
        on: Radio | None = None,
    ) -> StockingServer:
        server = await StockingServer.start(
            on or radio,
            firmware or FakeFirmware(serial),
            clock=time.time,
            bonds=bonds or BondStore(None, random.Random(serial).randbytes),
            chance=random.Random(1),
        )
        started.append(server)
        return server

    yield start
    for server in started:
        if server.running:
            await server.stop()


@pytest.fixture
async def stocking(start_stocking: StartStocking) -> StockingServer:
    return await start_stocking()


@pytest.fixture
async def central(radio: Radio) -> Central:
    return await Central(radio, "gateway").start()


@pytest.fixture
async def bonded(stocking: StockingServer, central: Central) -> Central:
    """A gateway that is connected to `stocking` and paired by passkey."""
    await central.connect(stocking.address)
    await central.pair(PASSKEY)
    return central
