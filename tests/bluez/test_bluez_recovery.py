"""Faults while records travel over real BlueZ: the gateway goes on by itself, and the store ends up as the flash is."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.bluez.ward import Ward

pytestmark = [pytest.mark.bluez, pytest.mark.asyncio(loop_scope="session")]

Disturbance = Callable[[Ward, str], Awaitable[None]]
AWAY_S = 3.0  # beyond every supervision timeout, within every patience
LOST_SHARE = 0.2  # BlueZ was seen to lose between 5 and 40 of 100


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


@pytest.mark.parametrize("disturb", [bluetoothd_dies, adapter_goes_off, out_of_range, stocking_restarts])
async def test_the_gateway_recovers_by_itself(ward: Ward, disturb: Disturbance) -> None:
    await ward.paired()
    async with ward.clinic() as clinic:
        gateway = await ward.gateway(clinic, "--interval", "5")
        line = await gateway.wait_for("progress")
        travelling = gateway.event(line - 1)
        assert int(str(travelling["fetched"])) < int(str(travelling["expected"])), "there is no middle to be hit"
        await disturb(ward, str(travelling["serial"]))
        await ward.until_stored(gateway, clinic)
        await ward.stop(gateway)
        assert "error" in {event["event"] for event in gateway.events()}, "nobody was told"
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
