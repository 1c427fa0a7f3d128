"""Notices that BlueZ brings a link up and loses it again and again, through which bleak waits without a word.

When a stocking no longer has the key of the bond, BlueZ 5.66 ends a connect with one of two errors, whichever is
quicker: "br-connection-canceled", which bleak passes on, or "le-connection-abort-by-local", after which bleak tries
again for as long as it may (measured: 50 links in 20 s). Only the device's property Connected shows that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from dbus_fast import DBusError, Message

from calza_gateway.adapters.bleak_errors import DroppedError
from calza_gateway.adapters.bluez_bus import BUS, PROPERTIES, call, system_bus
from calza_gateway.ports import RadioError, RadioReason

DROPS_AT_MOST: Final = 10  # bleak-retry-connector believes in interference up to nine times
DEVICE: Final = "org.bluez.Device1"


@asynccontextmanager
async def unless_dropped(path: str) -> AsyncIterator[None]:
    """Cancel the block, and raise `DroppedError`, once BlueZ has lost its link to the device at `path` too often.

    Raises RadioError when the bus cannot be had, or does not tell.
    """
    drops = 0
    changes = f"type='signal',sender='org.bluez',path='{path}',interface='{PROPERTIES}',member='PropertiesChanged'"

    def heard(message: Message) -> None:
        nonlocal drops
        if message.path != path or message.member != "PropertiesChanged" or message.body[0] != DEVICE:
            return
        connected = message.body[1].get("Connected")
        if connected is not None and not connected.value:
            drops += 1
            if drops == DROPS_AT_MOST:  # once: more may come while the block is being ended
                limit.reschedule(asyncio.get_running_loop().time())

    limit = asyncio.timeout(None)
    async with system_bus() as bus:
        try:
            await call(bus, BUS, "/org/freedesktop/DBus", BUS, "AddMatch", "s", [changes])
        except DBusError as error:
            raise RadioError(RadioReason.STACK_STUCK, f"the system bus does not tell changes ({error.type})") from error
        bus.add_message_handler(heard)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if limit.expired():
                raise DroppedError(f"the link came up and was lost {DROPS_AT_MOST} times") from error
            raise
