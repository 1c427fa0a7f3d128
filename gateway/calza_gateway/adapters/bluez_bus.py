"""The system bus, on which BlueZ and systemd are asked: connecting and calling, both within a limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from dbus_fast import BusType, DBusError, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, InvalidAddressError

from calza_gateway.ports import RadioError, RadioReason

CALL_LIMIT_S: Final = 10.0  # switching an adapter takes 1 to 3 s, any other call milliseconds
BUS: Final = "org.freedesktop.DBus"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"


@asynccontextmanager
async def system_bus() -> AsyncIterator[MessageBus]:
    """A connection of our own, ended with the block. Raises RadioError (no_adapter) when there is no bus."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await bus.connect()
        except (OSError, EOFError, AuthError, InvalidAddressError, TimeoutError) as error:
            sentence = f"the system bus cannot be reached ({str(error) or type(error).__name__})"
            raise RadioError(RadioReason.NO_ADAPTER, sentence) from error
        yield bus
    finally:
        bus.disconnect()


async def call(
    bus: MessageBus, service: str, path: str, interface: str, member: str, signature: str, body: list[object]
) -> object:
    """The first value of the reply, None without one. Raises DBusError, and RadioError when no reply comes."""
    message = Message(
        destination=service, path=path, interface=interface, member=member, signature=signature, body=body
    )
    try:
        async with asyncio.timeout(CALL_LIMIT_S):
            reply = await bus.call(message)
    except TimeoutError as error:
        sentence = f"{service} did not answer {member} within {CALL_LIMIT_S:g} s"
        raise RadioError(RadioReason.STACK_STUCK, sentence) from error
    except (OSError, EOFError) as error:
        raise RadioError(RadioReason.NO_ADAPTER, f"the system bus went away ({error})") from error
    if reply.message_type is MessageType.ERROR:
        raise DBusError(reply.error_name or "", str(reply.body[0]) if reply.body else "", reply)
    return reply.body[0] if reply.body else None
