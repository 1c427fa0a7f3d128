"""What can be done for an adapter of this machine, on the system bus: BlueZ switches it, systemd restarts BlueZ.

Every call has a limit, because one over D-Bus may wait for ever, and a connection of its own, because the one it would
share may be what is broken. Must not know when any of this is due.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final

from dbus_fast import DBusError, Variant
from dbus_fast.aio import MessageBus

from calza_gateway.adapters.bluez_bus import BUS, PROPERTIES, call, system_bus
from calza_gateway.ports import RadioError, RadioReason

APPEAR_LIMIT_S: Final = 15.0  # a restarted service has its adapters in 2 s, on a busy Raspberry Pi in 6
LOOK_S: Final = 0.25
OFF_S: Final = 0.5  # long enough off for the controller to forget its links and scans

BLUEZ: Final = "org.bluez"
ADAPTER: Final = "org.bluez.Adapter1"
SYSTEMD: Final = "org.freedesktop.systemd1"
UNIT: Final = "bluetooth.service"
BY_HAND: Final = "restart it by hand: `sudo systemctl restart bluetooth`"

GONE: Final = frozenset(
    {
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.UnknownInterface",
        "org.freedesktop.DBus.Error.UnknownMethod",
        "org.freedesktop.DBus.Error.UnknownObject",
    }
)
"""How the bus says that the service, or the adapter, is not there."""

log = logging.getLogger("calza.gateway")


class BluezCare:
    """See `calza_gateway.ports.AdapterCare`. `adapter` is its name on Linux, such as "hci0"."""

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter
        self._path = f"/org/bluez/{adapter}"

    @property
    def name(self) -> str:
        """As the person knows it: "hci0"."""
        return self._adapter

    async def present(self) -> bool:
        """Whether the adapter is there, powered, and its service answers."""
        try:
            async with system_bus() as bus:
                return await self._powered(bus)
        except RadioError as error:
            log.info("%s is not there: %s", self._adapter, error)
            return False

    async def reset(self) -> None:
        """Switch it off and on; one that was found off is switched on. Raises RadioError."""
        async with system_bus() as bus:
            if await self._powered(bus):
                try:
                    await self._switch(bus, on=False)
                except RadioError as error:  # an adapter that hangs may refuse to go off and still come on anew
                    log.info("%s does not go off: %s", self._adapter, error)
                await asyncio.sleep(OFF_S)
            await self._switch_on(bus)

    async def restart_stack(self) -> None:
        """Have systemd restart BlueZ, wait for the adapter, and switch it on. Raises RadioError."""
        async with system_bus() as bus:
            before = await self._owner(bus)
            await _restart(bus)
            await self._until(self._has_come_back(bus, before))
            await self._switch_on(bus)

    async def _switch_on(self, bus: MessageBus) -> None:
        await self._switch(bus, on=True)
        if not await self._powered(bus):
            raise RadioError(RadioReason.STACK_STUCK, f"{self._adapter} stays off although BlueZ says it went on")

    async def _switch(self, bus: MessageBus, *, on: bool) -> None:
        body: list[object] = [ADAPTER, "Powered", Variant("b", on)]
        try:
            await call(bus, BLUEZ, self._path, PROPERTIES, "Set", "ssv", body)
        except DBusError as error:
            raise self._refused(error, "on" if on else "off") from error

    async def _powered(self, bus: MessageBus) -> bool:
        try:
            reply = await call(bus, BLUEZ, self._path, PROPERTIES, "Get", "ss", [ADAPTER, "Powered"])
        except DBusError as error:
            raise self._refused(error, "to say whether it is on") from error
        return isinstance(reply, Variant) and reply.value is True

    async def _owner(self, bus: MessageBus) -> str | None:
        """Who is BlueZ on the bus at the moment; another text after each start of the service."""
        try:
            return str(await call(bus, BUS, "/org/freedesktop/DBus", BUS, "GetNameOwner", "s", [BLUEZ]))
        except DBusError:
            return None

    async def _has_come_back(self, bus: MessageBus, before: str | None) -> None:
        while True:
            if await self._owner(bus) not in (before, None):
                try:
                    await self._powered(bus)
                except RadioError as error:
                    log.info("%s is not there yet: %s", self._adapter, error)
                else:
                    return
            await asyncio.sleep(LOOK_S)

    async def _until(self, come_back: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(APPEAR_LIMIT_S):
                await come_back
        except TimeoutError:
            sentence = f"the bluetooth service was restarted, and {self._adapter} did not come back: is it plugged in?"
            raise RadioError(RadioReason.NO_ADAPTER, sentence) from None

    def _refused(self, error: DBusError, what: str) -> RadioError:
        if error.type in GONE:
            sentence = f"BlueZ has no adapter {self._adapter}: is it plugged in, and is the bluetooth service running?"
            return RadioError(RadioReason.NO_ADAPTER, sentence)
        if error.type.endswith(("Error.Blocked", "Error.Failed")) and what == "on":
            sentence = f"{self._adapter} does not go on ({error}): run `rfkill unblock bluetooth`"
            return RadioError(RadioReason.NO_ADAPTER, sentence)
        return RadioError(RadioReason.STACK_STUCK, f"BlueZ refused to switch {self._adapter} {what} ({error})")


async def _restart(bus: MessageBus) -> None:
    try:
        await call(
            bus,
            SYSTEMD,
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
            "RestartUnit",
            "ss",
            [UNIT, "replace"],
        )
    except DBusError as error:
        if error.type in GONE:
            sentence = f"there is no systemd here to restart the bluetooth service; {BY_HAND}"
        else:
            sentence = f"this program was not allowed to restart the bluetooth service ({error.type}); {BY_HAND}"
        raise RadioError(RadioReason.STACK_STUCK, sentence) from error
