"""A link that passes everything on to another: what wraps a link changes the few steps it is there for."""

import asyncio
from collections.abc import Callable

from calza_gateway.ports import Link


class PassedLink:
    """A `Link` over another."""

    def __init__(self, link: Link) -> None:
        self._link = link

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
        await self._link.subscribe(uuid, on_value)

    async def disconnect(self) -> None:
        await self._link.disconnect()
