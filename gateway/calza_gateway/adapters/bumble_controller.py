"""One Bumble device on one open HCI transport: connecting, disconnecting and scanning, until the transport ends.

A controller allows one connection attempt at a time, so attempts queue up here, and one that is given up is taken
back at the controller. Must not know GATT, bonds or who asks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bleak.exc import BleakError
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.hci import (
    Address,
    HCI_Disconnect_Command,
    HCI_Error,
    HCI_ErrorCode,
    HCI_LE_Create_Connection_Cancel_Command,
)
from bumble.host import Host
from bumble.transport.common import Transport

from calza_gateway.adapters.bleak_errors import LinkLostError
from calza_gateway.adapters.bumble_procedures import Procedures

CANCEL_TIMEOUT_S = 2.0  # a controller owes the end of a cancelled attempt within a connection event or two
DISCONNECT_TIMEOUT_S = 5.0  # well beyond the supervision timeout of a link (0.72 s): this is a controller that hangs

OpenTransport = Callable[[], Awaitable[Transport]]

log = logging.getLogger(__name__)


class OpenController:
    """A device that has been switched on. Of no more use once `ended` is true; every method raises bleak errors."""

    def __init__(self, device: Device, transport: Transport, where: str) -> None:
        self.device = device
        self.commands = Procedures(where)
        self._where = where
        self._transport = transport
        self._connecting = asyncio.Lock()
        self._switching = asyncio.Lock()
        transport.source.terminated.add_done_callback(lambda _terminated: self.end())

    @classmethod
    async def open(
        cls, open_transport: OpenTransport, config: DeviceConfiguration, prepare: Callable[[Device], None], where: str
    ) -> "OpenController":
        """Open the transport and switch a device on. Raises OSError or a Bumble error, and leaves nothing open then."""
        # At DEBUG, Bumble logs passkeys, keys and payloads: never, whatever the level of this program's own log.
        logging.getLogger("bumble").setLevel(logging.WARNING)
        transport = await open_transport()
        try:
            device = Device(config=config, host=Host(transport.source, transport.sink))
            prepare(device)
            await device.power_on()
        except BaseException:
            await transport.close()
            raise
        return cls(device, transport, where)

    @property
    def ended(self) -> bool:
        """Whether the transport has ended, and every link with it."""
        return self.commands.lost

    async def connect(self, address: Address, give_up: asyncio.Event) -> Connection | None:
        """A new link, or None once `give_up` is set; the controller is free for the next attempt in both cases.

        Waits for its turn and for the peer without limit. Raises LinkLostError when the transport ends, BleakError
        when the controller refuses.
        """
        async with self._connecting:
            if give_up.is_set():
                return None
            connecting = self.commands.start(self.device.connect(address, timeout=None))
            giving_up = asyncio.ensure_future(give_up.wait())
            await asyncio.wait({connecting, giving_up}, return_when=asyncio.FIRST_COMPLETED)
            giving_up.cancel()
            if not connecting.done():
                await self._take_back(connecting)
            try:
                connection = None if connecting.cancelled() else connecting.result()
            except BaseBumbleError as error:
                if give_up.is_set():
                    return None  # this is how a cancelled attempt ends
                raise BleakError(f"the controller refused to connect ({error})") from error
        if connection is None and not give_up.is_set():
            raise LinkLostError(f"{self._where} went away")
        if connection is not None and give_up.is_set():
            await self.disconnect(connection)  # too late: nobody would ever end it
            return None
        return connection

    async def disconnect(self, connection: Connection) -> None:
        """End a link; harmless when it, or the transport, has ended already."""
        if self.ended or self.device.lookup_connection(connection.handle) is not connection:
            return
        try:
            await self.commands.run(self._hang_up(connection))
        except LinkLostError:
            return  # the transport has ended and every link with it: that is what was asked for

    async def scan(self, wanted: Callable[[], bool]) -> None:
        """Make scanning what is wanted when its turn comes. Raises LinkLostError, BleakError."""
        try:
            await self.commands.run(self._switch(wanted))
        except BaseBumbleError as error:
            raise BleakError(f"{self._where}: the controller refused to change scanning ({error})") from error

    async def close(self) -> None:
        """End every link as a good neighbour does, then the transport."""
        await asyncio.gather(*(self.disconnect(link) for link in list(self.device.connections.values())))
        self.end()
        await self.commands.settle()
        await self._transport.close()

    def end(self) -> None:
        """The transport is over: every step fails, every link reports its end."""
        if self.ended:
            return
        self.commands.lose()
        self.device.host.set_packet_sink(None)  # nothing more is written to it
        self.device.on_flush()  # Bumble forgets this when the end races with the answer to a command

    async def _hang_up(self, connection: Connection) -> None:
        gone = asyncio.Event()
        connection.once(Connection.EVENT_DISCONNECTION, lambda _reason: gone.set())
        command = HCI_Disconnect_Command(
            connection_handle=connection.handle, reason=HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
        )
        try:
            await self.device.send_async_command(command)
            async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                await gone.wait()
        except (BaseBumbleError, TimeoutError) as error:
            # The peer was faster, or the controller does not answer: in both cases this link is over for us.
            log.info("ending the link to %s: %s", connection.peer_address, type(error).__name__)
            if not gone.is_set():
                self.device.on_disconnection(connection.handle, HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    async def _switch(self, wanted: Callable[[], bool]) -> None:
        async with self._switching:
            if wanted() and not self.device.is_scanning:
                await self.device.start_scanning(active=True, filter_duplicates=False)
            elif not wanted() and self.device.is_scanning:
                await self.device.stop_scanning()

    async def _take_back(self, connecting: asyncio.Task[Connection]) -> None:
        """Cancel the attempt at the controller: dropping the task alone would leave the controller busy for ever."""
        try:
            await self.commands.run(self.device.send_sync_command(HCI_LE_Create_Connection_Cancel_Command()))
        except HCI_Error as error:
            log.info("nothing to cancel: %s", error.error_name)  # the attempt has just ended by itself
        except LinkLostError:
            return
        await asyncio.wait({connecting}, timeout=CANCEL_TIMEOUT_S)
        if not connecting.done():
            connecting.cancel()
            await asyncio.wait({connecting})
