"""Reset and restart on a real bus: a private dbus-daemon with a small org.bluez and org.freedesktop.systemd1 on it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dbus_fast import DBusError
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusObjectPath, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from calza_gateway.adapters import bluez_bus, bluez_care
from calza_gateway.adapters.bluez_care import BluezCare
from calza_gateway.ports import AdapterCare, RadioError, RadioReason
from tests.gateway.private_bus import needs_dbus_daemon, private_bus

CARE: type[AdapterCare] = BluezCare  # the type checker's word that it fits the port

pytestmark = needs_dbus_daemon


class Adapter(ServiceInterface):
    """An adapter as BlueZ shows it; what it was switched to, in order."""

    def __init__(self, powered: bool) -> None:
        super().__init__("org.bluez.Adapter1")
        self.powered = powered
        self.switched: list[bool] = []
        self.refuses: dict[bool, str] = {}
        self.stays_off = False

    @dbus_property()
    def Powered(self) -> DBusBool:
        return self.powered

    @Powered.setter  # type: ignore[no-redef]  # dbus-fast reads it as `property` is read
    def Powered(self, value: DBusBool) -> None:
        self.switched.append(value)
        if value in self.refuses:
            raise DBusError(self.refuses[value], "the controller says no")
        self.powered = value and not self.stays_off


class Systemd(ServiceInterface):
    """The manager's one method that matters here."""

    def __init__(self, machine: "Machine") -> None:
        super().__init__("org.freedesktop.systemd1.Manager")
        self.machine = machine
        self.asked: list[tuple[str, str]] = []
        self.refuses: str | None = None

    @dbus_method()
    async def RestartUnit(self, name: DBusStr, mode: DBusStr) -> DBusObjectPath:
        self.asked.append((name, mode))
        if self.refuses is not None:
            raise DBusError(self.refuses, "no")
        self.machine.later(self.machine.restart())
        return "/org/freedesktop/systemd1/job/1"


@dataclass
class Machine:
    """A bus with BlueZ and systemd on it, as far as they are there."""

    address: str
    adapter: Adapter = field(default_factory=lambda: Adapter(powered=True))
    comes_back: bool = True
    buses: list[MessageBus] = field(default_factory=list)
    work: set[asyncio.Task[None]] = field(default_factory=set)

    def later(self, work: Coroutine[None, None, None]) -> None:
        self.work.add(asyncio.ensure_future(work))

    async def offer(self, name: str, path: str, interface: ServiceInterface) -> MessageBus:
        bus = await MessageBus(bus_address=self.address).connect()
        self.buses.append(bus)
        bus.export(path, interface)
        await bus.request_name(name)
        return bus

    async def bluez(self) -> None:
        self.bluetoothd = await self.offer("org.bluez", "/org/bluez/hci0", self.adapter)

    async def systemd(self) -> Systemd:
        manager = Systemd(self)
        await self.offer("org.freedesktop.systemd1", "/org/freedesktop/systemd1", manager)
        return manager

    async def restart(self) -> None:
        self.bluetoothd.disconnect()
        await asyncio.sleep(0.1)
        if self.comes_back:
            self.adapter = Adapter(powered=False)
            await self.bluez()


@pytest.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    monkeypatch.setattr(bluez_care, "OFF_S", 0.0)
    monkeypatch.setattr(bluez_bus, "CALL_LIMIT_S", 1.0)
    monkeypatch.setattr(bluez_care, "APPEAR_LIMIT_S", 1.0)
    monkeypatch.setattr(bluez_care, "LOOK_S", 0.02)
    async with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        machine = Machine(address)
        yield machine
        for one in machine.work:
            one.cancel()
        await asyncio.gather(*machine.work, return_exceptions=True)
        for each in machine.buses:
            each.disconnect()


async def test_a_reset_switches_the_adapter_off_and_on(machine: Machine) -> None:
    await machine.bluez()
    care = BluezCare("hci0")
    assert care.name == "hci0"
    await care.reset()
    assert machine.adapter.switched == [False, True]
    assert await care.present()


async def test_one_that_was_found_off_is_switched_on(machine: Machine) -> None:
    machine.adapter = Adapter(powered=False)
    await machine.bluez()
    assert not await BluezCare("hci0").present()
    await BluezCare("hci0").reset()
    assert machine.adapter.switched == [True]
    assert await BluezCare("hci0").present()


async def test_one_that_will_not_go_off_is_still_switched_on(machine: Machine) -> None:
    machine.adapter.refuses[False] = "org.bluez.Error.InProgress"
    await machine.bluez()
    await BluezCare("hci0").reset()
    assert machine.adapter.switched == [False, True]


@pytest.mark.parametrize("error", ["org.bluez.Error.Blocked", "org.bluez.Error.Failed"])
async def test_one_that_will_not_go_on_says_how_to_unblock_it(machine: Machine, error: str) -> None:
    machine.adapter = Adapter(powered=False)
    machine.adapter.refuses[True] = error
    await machine.bluez()
    with pytest.raises(RadioError, match="rfkill unblock bluetooth") as caught:
        await BluezCare("hci0").reset()
    assert caught.value.reason is RadioReason.NO_ADAPTER


async def test_one_that_only_claims_to_go_on_is_not_believed(machine: Machine) -> None:
    machine.adapter = Adapter(powered=False)
    machine.adapter.stays_off = True
    await machine.bluez()
    with pytest.raises(RadioError, match="stays off") as caught:
        await BluezCare("hci0").reset()
    assert caught.value.reason is RadioReason.STACK_STUCK


async def test_an_adapter_that_is_not_there_is_no_adapter(machine: Machine) -> None:
    await machine.bluez()
    with pytest.raises(RadioError, match="has no adapter hci7") as caught:
        await BluezCare("hci7").reset()
    assert caught.value.reason is RadioReason.NO_ADAPTER
    assert not await BluezCare("hci7").present()


async def test_without_bluez_on_the_bus_there_is_no_adapter(machine: Machine) -> None:
    with pytest.raises(RadioError) as caught:
        await BluezCare("hci0").reset()
    assert caught.value.reason is RadioReason.NO_ADAPTER
    assert not await BluezCare("hci0").present()


async def test_a_bluez_that_does_not_answer_is_stuck_and_does_not_hold_anybody(machine: Machine) -> None:
    await machine.bluez()
    machine.bluetoothd.add_message_handler(lambda _message: True)  # takes every call and answers none
    with pytest.raises(RadioError, match="did not answer") as caught:
        await BluezCare("hci0").reset()
    assert caught.value.reason is RadioReason.STACK_STUCK
    assert not await BluezCare("hci0").present()


async def test_without_a_system_bus_there_is_no_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'nothing'}")
    with pytest.raises(RadioError, match="system bus") as caught:
        await BluezCare("hci0").reset()
    assert caught.value.reason is RadioReason.NO_ADAPTER
    assert not await BluezCare("hci0").present()


async def test_the_service_is_restarted_and_the_adapter_switched_on(machine: Machine) -> None:
    await machine.bluez()
    manager = await machine.systemd()
    await BluezCare("hci0").restart_stack()
    assert manager.asked == [("bluetooth.service", "replace")]
    assert machine.adapter.switched == [True], "the new one, which came up off"
    assert await BluezCare("hci0").present()


async def test_a_service_that_had_died_is_started_again(machine: Machine) -> None:
    await machine.bluez()
    await machine.systemd()
    machine.bluetoothd.disconnect()
    await BluezCare("hci0").restart_stack()
    assert await BluezCare("hci0").present()


async def test_an_adapter_that_does_not_come_back_is_said(machine: Machine) -> None:
    machine.comes_back = False
    await machine.bluez()
    await machine.systemd()
    with pytest.raises(RadioError, match="did not come back") as caught:
        await BluezCare("hci0").restart_stack()
    assert caught.value.reason is RadioReason.NO_ADAPTER


@pytest.mark.parametrize(
    "error", ["org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"]
)
async def test_who_may_not_restart_it_is_told_what_to_type(machine: Machine, error: str) -> None:
    await machine.bluez()
    (await machine.systemd()).refuses = error
    with pytest.raises(RadioError, match=r"not allowed.*sudo systemctl restart bluetooth") as caught:
        await BluezCare("hci0").restart_stack()
    assert caught.value.reason is RadioReason.STACK_STUCK
    assert machine.adapter.switched == []


async def test_without_systemd_it_is_told_what_to_type(machine: Machine) -> None:
    await machine.bluez()
    with pytest.raises(RadioError, match=r"no systemd.*sudo systemctl restart bluetooth"):
        await BluezCare("hci0").restart_stack()
