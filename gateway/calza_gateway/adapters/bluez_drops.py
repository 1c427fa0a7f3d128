"""Notices that BlueZ brings a link up and loses it again and again, through which bleak waits without a word.

When a stocking no longer has the key of the bond, BlueZ 5.66 ends a connect with one of two errors, whichever is
quicker: "br-connection-canceled", which bleak passes on, or "le-connection-abort-by-local", after which bleak tries
again for as long as it may (measured: 50 links in 20 s). Only the device's property Connected shows that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bleak.exc import BleakDBusError
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from calza_gateway.adapters.bleak_errors import DroppedError

DROPS_AT_MOST: Final = 10  # bleak-retry-connector believes in interference up to nine times
WATCH_LIMIT_S: Final = 10.0  # two calls to a daemon on the same machine; one that hangs is stuck
DEVICE: Final = "org.bluez.Device1"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"


@asynccontextmanager
async def unless_dropped(path: str) -> AsyncIterator[None]:
    """Cancel the block, and raise `DroppedError`, once BlueZ has lost its link to the device at `path` too often.

    Raises what dbus-fast does when there is no bus, and TimeoutError when it does not answer.
    """
    drops = 0
    bus = MessageBus(bus_type=BusType.SYSTEM)

    def heard(message: Message) -> None:
        nonlocal drops
        if message.path == path and message.member == "PropertiesChanged" and message.body[0] == DEVICE:
            connected = message.body[1].get("Connected")
            drops += connected is not None and not connected.value
            if drops >= DROPS_AT_MOST:
                limit.reschedule(asyncio.get_running_loop().time())

    limit = asyncio.timeout(None)
    try:
        async with asyncio.timeout(WATCH_LIMIT_S):
            await bus.connect()
            await _ask_for_changes(bus, path)
        async with limit:
            bus.add_message_handler(heard)
            yield
    except TimeoutError as error:
        if limit.expired():
            raise DroppedError(f"the link came up and was lost {drops} times") from error
        raise
    finally:
        bus.disconnect()


async def _ask_for_changes(bus: MessageBus, path: str) -> None:
    rule = f"type='signal',sender='org.bluez',path='{path}',interface='{PROPERTIES}',member='PropertiesChanged'"
    reply = await bus.call(
        Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="AddMatch",
            signature="s",
            body=[rule],
        )
    )
    if reply.message_type is MessageType.ERROR:
        raise BleakDBusError(str(reply.error_name), reply.body)
