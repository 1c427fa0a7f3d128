"""Links that come up and are lost: on a real bus, with somebody who tells of them as bluetoothd does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from bleak.backends.device import BLEDevice
from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.constants import NameFlag

from calza_gateway.adapters.bleak_backend import BluezBackend
from calza_gateway.adapters.bleak_errors import DroppedError, radio_errors
from calza_gateway.adapters.bluez_bus import PROPERTIES
from calza_gateway.adapters.bluez_drops import DEVICE, DROPS_AT_MOST, unless_dropped
from calza_gateway.ports import RadioError, RadioReason
from tests.gateway.private_bus import needs_dbus_daemon, private_bus

PATH = "/org/bluez/hci0/dev_F0_00_00_00_00_01"
OTHER_PATH = "/org/bluez/hci0/dev_F0_00_00_00_00_02"
LIMIT_S = 10

pytestmark = needs_dbus_daemon


class Bluetoothd:
    """As much of bluetoothd as tells how its devices change."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus

    async def connected(self, connected: bool, path: str = PATH) -> None:
        await self.changed(DEVICE, "Connected", Variant("b", connected), path)

    async def changed(self, interface: str, name: str, value: Variant, path: str = PATH) -> None:
        body: list[object] = [interface, {name: value}, []]
        await self._bus.send(Message.new_signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body))

    async def drop(self, times: int, path: str = PATH) -> None:
        for _ in range(times):
            await self.connected(True, path)
            await self.connected(False, path)

    async def all_heard(self) -> None:
        """A bus keeps the order of what one sender says: whoever asks it now has heard all before."""
        await self._bus.introspect("org.freedesktop.DBus", "/org/freedesktop/DBus")


@pytest.fixture
async def bluez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bluetoothd]:
    async with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        bus = await MessageBus(bus_address=address).connect()
        await bus.request_name("org.bluez", NameFlag.DO_NOT_QUEUE)
        yield Bluetoothd(bus)
        bus.disconnect()


async def test_a_link_lost_again_and_again_ends_the_connect(bluez: Bluetoothd) -> None:
    async def connect() -> None:
        async with asyncio.timeout(LIMIT_S), unless_dropped(PATH):
            await bluez.drop(DROPS_AT_MOST)
            await asyncio.Event().wait()  # what bleak does

    with pytest.raises(DroppedError, match=f"lost {DROPS_AT_MOST} times"):
        await connect()


async def test_drops_while_the_connect_is_being_ended_do_no_harm(
    bluez: Bluetoothd, caplog: pytest.LogCaptureFixture
) -> None:
    async def connect() -> None:
        async with asyncio.timeout(LIMIT_S), unless_dropped(PATH):
            await bluez.drop(DROPS_AT_MOST)
            try:
                await asyncio.Event().wait()
            finally:
                await bluez.drop(3)
                await bluez.all_heard()

    with pytest.raises(DroppedError):
        await connect()
    assert caplog.records == []


async def test_a_link_that_holds_at_last_is_no_lost_one(bluez: Bluetoothd) -> None:
    async with asyncio.timeout(LIMIT_S), unless_dropped(PATH):
        await bluez.drop(DROPS_AT_MOST - 1)
        await bluez.connected(True)
        await bluez.all_heard()


async def test_what_else_changes_does_not_count(bluez: Bluetoothd) -> None:
    async with asyncio.timeout(LIMIT_S), unless_dropped(PATH):
        await bluez.drop(DROPS_AT_MOST, OTHER_PATH)
        for _ in range(DROPS_AT_MOST):
            await bluez.changed(DEVICE, "ServicesResolved", Variant("b", False))
            await bluez.changed("org.bluez.Battery1", "Connected", Variant("b", False))
        await bluez.all_heard()


@pytest.mark.usefixtures("bluez")
@pytest.mark.parametrize("error", [ValueError("mine"), TimeoutError("mine")])
async def test_what_goes_wrong_in_the_block_comes_out_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match=r"^mine$"):
        async with unless_dropped(PATH):
            raise error


async def test_without_a_bus_it_is_the_radio_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(RadioError) as caught, radio_errors("the radio", RadioReason.CONNECT_FAILED):
        async with unless_dropped(PATH):
            raise AssertionError("there is nothing to watch")
    assert caught.value.reason is RadioReason.NO_ADAPTER


@pytest.mark.usefixtures("bluez")
async def test_a_bus_that_does_not_tell_is_a_fault_of_the_stack() -> None:
    with pytest.raises(RadioError, match="MatchRuleInvalid") as caught:
        async with unless_dropped("not a path"):
            raise AssertionError("nothing is told here")
    assert caught.value.reason is RadioReason.STACK_STUCK


def test_without_a_key_there_is_nothing_to_watch_for() -> None:
    backend = BluezBackend("hci0")

    def heard(*, bonded: bool) -> BLEDevice:
        return BLEDevice("F0:00:00:00:00:01", "Calza 1", {"path": PATH, "props": {"Bonded": bonded}})

    assert isinstance(backend.unless_dropped(heard(bonded=False)), nullcontext)
    assert not isinstance(backend.unless_dropped(heard(bonded=True)), nullcontext)
