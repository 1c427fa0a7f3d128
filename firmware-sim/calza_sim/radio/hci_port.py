"""The HCI port: every TCP connection on loopback gets a radio chip of its own.

A gateway in another process connects, speaks HCI (H4 framing) and is on the same air as the stockings. When its
process dies, the chip falls silent and the stockings notice as they would in life: by supervision timeout.
"""

import asyncio
import logging
from typing import Self

from bumble.core import InvalidPacketError
from bumble.transport.common import PacketParser

from calza_sim.radio.air import Radio
from calza_sim.radio.controller import RadioController

LOOPBACK = "127.0.0.1"
MAX_HOSTS = 255

logger = logging.getLogger(__name__)


class HciPort:
    """A listening HCI port; create with `await HciPort.open(radio, port)`."""

    def __init__(self, radio: Radio) -> None:
        """Prepare a port on `radio`; it listens after `open`."""
        self._radio = radio
        self._server: asyncio.Server | None = None
        self._hosts: dict[int, _Host] = {}

    @classmethod
    async def open(cls, radio: Radio, port: int = 0) -> Self:
        """Listen on 127.0.0.1:`port` (0 = any free one); raises OSError if it is taken."""
        self = cls(radio)
        self._server = await asyncio.get_running_loop().create_server(lambda: _Host(self), LOOPBACK, port)
        return self

    @property
    def port(self) -> int:
        """The TCP port really listened on."""
        if self._server is None:
            raise RuntimeError("the HCI port is closed")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def hosts(self) -> tuple[RadioController, ...]:
        """The controllers of the hosts connected now."""
        return tuple(host.controller for host in self._hosts.values() if host.controller is not None)

    async def close(self) -> None:
        """Stop listening and drop every host."""
        if self._server is not None:
            self._server.close()
            for host in list(self._hosts.values()):
                host.drop()
                self.dismiss(host)
            await self._server.wait_closed()
            self._server = None

    def admit(self, host: "_Host") -> RadioController | None:
        """Give a new host a controller with the lowest free public address; None when the air is full."""
        number = next((n for n in range(1, MAX_HOSTS + 1) if n not in self._hosts), None)
        if number is None:
            return None
        self._hosts[number] = host
        return RadioController(
            f"host-{number}", self._radio, public_address=f"CA:12:A0:00:00:{number:02X}", host_sink=host
        )

    def dismiss(self, host: "_Host") -> None:
        """Forget a host and take its controller off the air; a second time changes nothing."""
        self._hosts = {number: known for number, known in self._hosts.items() if known is not host}
        if host.controller is not None:
            host.controller.remove()
            host.controller = None


class _Host(asyncio.Protocol):
    """One accepted socket: HCI octets to packets and back."""

    def __init__(self, port: HciPort) -> None:
        self._port = port
        self._parser = PacketParser()
        self._transport: asyncio.Transport | None = None
        self.controller: RadioController | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server always passes
        self._transport = transport
        self.controller = self._port.admit(self)
        if self.controller is None:
            logger.warning("HCI port: %d hosts are connected already; a further one was turned away", MAX_HOSTS)
            transport.close()
        else:
            self._parser.set_packet_sink(self.controller)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except InvalidPacketError as error:
            logger.warning("HCI port: a host sent octets that are not HCI (%s); it was disconnected", error)
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.dismiss(self)
        self._transport = None

    def on_packet(self, packet: bytes) -> None:
        """Send one packet of the controller to the host."""
        if self._transport is not None:
            self._transport.write(packet)

    def drop(self) -> None:
        """Close the socket at once."""
        if self._transport is not None:
            self._transport.abort()
