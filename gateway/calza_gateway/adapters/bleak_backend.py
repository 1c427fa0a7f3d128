"""Where bleak's scanners and clients come from, and the one for a real radio: bleak's own on BlueZ.

The classes are handed in, never imported globally, so that the radio over bleak is the same code on BlueZ and on the
simulated radio. Must not know what is done with them.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback

from calza_gateway.ports import PairingAgent

DisconnectCallback = Callable[[BleakClient], None]


class Backend(Protocol):
    """Makes bleak objects for one radio."""

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        """A scanner for advertisers of one service (128-bit UUID)."""
        ...

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        agent: PairingAgent | None,
    ) -> BleakClient:
        """A client for one device; with an agent it may pair when it has to."""
        ...

    def asking(self, agent: PairingAgent, address: str) -> AbstractAsyncContextManager[None]:
        """While this lasts, it is the agent who is asked when that device is paired; what it raises comes out."""
        ...

    def has_key(self, device: BLEDevice) -> bool | None:
        """Whether this side keeps the key of a bond with a device that was just heard; None if the stack hides it."""
        ...

    def unless_dropped(self, device: BLEDevice) -> AbstractAsyncContextManager[None]:
        """Around a connect: ends it with `DroppedError` when the link comes up and is lost again and again."""
        ...

    async def connected(self, service: str) -> list[BLEDevice]:
        """Devices with this service whose link is up already, and which therefore do not advertise."""
        ...

    async def close(self) -> None:
        """Let go of the radio."""
        ...


class BluezBackend:
    """bleak's own backend on BlueZ. Notifications by StartNotify, bleak's default: AcquireNotify crashes BlueZ 5.66.

    `adapter` is a name such as "hci1".
    """

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        """An active scanner."""
        return BleakScanner(on_sighting, [service], bluez={"adapter": self._adapter})

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        agent: PairingAgent | None,
    ) -> BleakClient:
        """A client; bleak's knows no agent, `asking` brings it to BlueZ."""
        del agent
        return BleakClient(device, on_disconnect, timeout=timeout_s, bluez={"adapter": self._adapter})

    def asking(self, agent: PairingAgent, address: str) -> AbstractAsyncContextManager[None]:
        """BlueZ's default pairing agent for the time being."""
        from calza_gateway.adapters.bluez_agent import asking  # a gateway without BlueZ has no D-Bus

        return asking(agent, address)

    def has_key(self, device: BLEDevice) -> bool | None:
        """What BlueZ says of the device: `Bonded` since 5.65, `Paired` before."""
        properties = device.details["props"]
        return bool(properties.get("Bonded", properties.get("Paired", False)))

    def unless_dropped(self, device: BLEDevice) -> AbstractAsyncContextManager[None]:
        """Watches BlueZ where there is a key that the device may have forgotten; otherwise nothing is learned by it."""
        if not self.has_key(device):
            return nullcontext()
        from calza_gateway.adapters.bluez_drops import unless_dropped  # a gateway without BlueZ has no D-Bus

        return unless_dropped(device.details["path"])

    async def connected(self, service: str) -> list[BLEDevice]:
        """Links that bluetoothd has kept, for example those of a gateway that was killed."""
        adapter = await BleakAdapter.get(bluez={"adapter": self._adapter})
        return await adapter.get_connected_devices([service])

    async def close(self) -> None:
        """Nothing: the radio belongs to bluetoothd."""
