"""A link that several conversations share, one after the other: subscribing again only changes who is told."""

import asyncio
from collections.abc import Callable

from calza_gateway.ports import Link


class Switchboard:
    """A `Link` over another. Stacks refuse to subscribe twice on one connection, and a session always subscribes."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._listeners: dict[str, Callable[[bytes], None]] = {}

    @property
    def address(self) -> str:
        return self._link.address

    @property
    def mtu(self) -> int:
        return self._link.mtu

    @property
    def rssi(self) -> int | None:
        return self._link.rssi

    @property
    def closed(self) -> asyncio.Event:
        return self._link.closed

    async def read(self, uuid: str) -> bytes:
        return await self._link.read(uuid)

    async def write(self, uuid: str, value: bytes) -> None:
        await self._link.write(uuid, value)

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        known = uuid in self._listeners
        self._listeners[uuid] = on_value
        if known:
            return
        try:
            await self._link.subscribe(uuid, lambda value: self._listeners[uuid](value))
        except BaseException:
            del self._listeners[uuid]
            raise

    async def disconnect(self) -> None:
        await self._link.disconnect()
