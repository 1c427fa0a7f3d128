"""Faults while records travel over real BlueZ: the gateway goes on by itself, and the store ends up as the flash is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from tests.bluez.machine import Command
from tests.bluez.ward import Ward

pytestmark = [pytest.mark.bluez, pytest.mark.asyncio(loop_scope="session")]

Disturbance = Callable[[Ward, str], Awaitable[None]]
AWAY_S: Final = 3.0  # beyond every supervision timeout, within every patience
LOST_SHARE: Final = 0.05  # BlueZ itself was seen to lose 5 to 40 of 100 under load; more only takes longer


async def bluetoothd_dies(ward: Ward, _serial: str) -> None:
    await ward.machine.kill_bluetoothd(down_s=AWAY_S)


async def adapter_goes_off(ward: Ward, _serial: str) -> None:
    await ward.machine.power(False)
    await asyncio.sleep(AWAY_S)  # how long it is off is the fault itself
    await ward.machine.power(True)


async def out_of_range(ward: Ward, serial: str) -> None:
    await ward.fault("drop", serial, seconds=AWAY_S)


async def stocking_restarts(ward: Ward, serial: str) -> None:
    await ward.fault("power-loss", serial, seconds=AWAY_S)


DISTURBANCES: Final = (bluetoothd_dies, adapter_goes_off, out_of_range, stocking_restarts)


async def disturb_while_records_travel(ward: Ward, gateway: Command, after: int, disturb: Disturbance) -> int:
    """Wait for records, disturb, and wait until somebody is told; the number of the line after that."""
    after = await gateway.wait_for("progress", after=after)
    travelling = gateway.event(after - 1)
    assert int(str(travelling["fetched"])) < int(str(travelling["expected"])), "there is no middle to be hit"
    await disturb(ward, str(travelling["serial"]))
    return await gateway.wait_for("error", after=after)


async def test_one_gateway_outlives_every_fault(ward: Ward) -> None:
    await ward.paired()
    async with ward.clinic() as clinic:
        gateway = await ward.gateway(clinic, "--interval", "5")
        line = 0
        for disturb in DISTURBANCES:
            line = await disturb_while_records_travel(ward, gateway, line, disturb)
        await ward.until_stored(gateway, clinic)
        await ward.stop(gateway)
    ward.assert_store_is_flash(clinic)


@pytest.mark.slow
@pytest.mark.parametrize("disturb", DISTURBANCES)
async def test_the_gateway_recovers_from(ward: Ward, disturb: Disturbance) -> None:
    await ward.paired()
    async with ward.clinic() as clinic:
        gateway = await ward.gateway(clinic, "--interval", "5")
        await disturb_while_records_travel(ward, gateway, 0, disturb)
        await ward.until_stored(gateway, clinic)
        await ward.stop(gateway)
    ward.assert_store_is_flash(clinic)


async def test_lost_notifications_are_fetched_again(ward: Ward) -> None:
    await ward.paired()
    await ward.fault("lossy", rate=LOST_SHARE)
    try:
        async with ward.clinic() as clinic:
            gateway = await ward.gateway(clinic, "--interval", "5")
            await ward.until_stored(gateway, clinic)
            await ward.stop(gateway)
    finally:
        await ward.fault("lossy", rate=0.0)
    ward.assert_store_is_flash(clinic)
