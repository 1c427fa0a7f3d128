"""A link that several conversations share, one after the other: subscribing again only changes who is told."""

from collections.abc import Callable

from calza_gateway.ports import Link
from calza_gateway.visits.passed_link import PassedLink


class Switchboard(PassedLink):
    """A `Link` over another. Stacks refuse to subscribe twice on one connection, and a session always subscribes."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._listeners: dict[str, Callable[[bytes], None]] = {}

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
