"""The simulated radio as a bleak backend: what `sim:tcp://host:port` stands for."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback
from bumble.transport.common import Transport
from bumble.transport.tcp_client import open_tcp_client_transport

from calza_gateway.adapters.bumble_client import BumbleClient
from calza_gateway.adapters.bumble_host import BumbleHost
from calza_gateway.adapters.bumble_keyring import Keyring
from calza_gateway.adapters.bumble_scanner import BumbleScanner
from calza_gateway.ports import PairingAgent


class BumbleBackend:
    """Scanners and clients on one HCI host, connected to the HCI port of a simulated radio.

    The bonds are kept in `state`; without it they, and this gateway's address, last as long as the object. `draw`
    gives that many random octets, good enough for keys.
    """

    def __init__(self, host: str, port: int, state: Path | None, draw: Callable[[int], bytes]) -> None:
        async def open_transport() -> Transport:
            return await open_tcp_client_transport(f"{host}:{port}")

        self._host = BumbleHost(open_transport, Keyring(state, draw), f"tcp://{host}:{port}")

    @property
    def host(self) -> BumbleHost:
        """The one HCI host of this radio, for whoever looks after it."""
        return self._host

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        """A scanner for advertisers of one service."""
        return BleakScanner(on_sighting, [service], backend=BumbleScanner, host=self._host)

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: Callable[[BleakClient], None] | None,
        timeout_s: float,
        agent: PairingAgent | None,
    ) -> BleakClient:
        """A client for one stocking; it asks the agent by itself."""
        return BleakClient(device, on_disconnect, timeout=timeout_s, backend=BumbleClient, host=self._host, agent=agent)

    def asking(self, agent: PairingAgent, address: str) -> AbstractAsyncContextManager[None]:
        """Nothing to prepare: the client was given the agent."""
        del agent, address
        return nullcontext()

    def has_key(self, device: BLEDevice) -> bool:
        """Whether the keyring holds a bond with this device."""
        return self._host.keyring.has(device.address)

    def unless_dropped(self, device: BLEDevice) -> AbstractAsyncContextManager[None]:
        """Nothing to watch: this host says why a link ended."""
        del device
        return nullcontext()

    async def connected(self, service: str) -> list[BLEDevice]:
        """Nobody: the links of this host end with it, unlike those of a system's Bluetooth daemon."""
        del service
        return []

    async def close(self) -> None:
        """End all links and the transport."""
        await self._host.close()
