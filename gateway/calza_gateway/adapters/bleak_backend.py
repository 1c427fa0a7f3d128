"""Where bleak's scanners and clients come from, and the one for a real radio: bleak's own on BlueZ.

The classes are handed in, never imported globally, so that the radio over bleak is the same code on BlueZ and on the
simulated radio. Must not know what is done with them.
"""

from collections.abc import Callable
from typing import Protocol

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback

from calza_gateway.ports import PasskeyPrompt

DisconnectCallback = Callable[[BleakClient], None]


class Backend(Protocol):
    """Makes bleak objects for one radio."""

    @property
    def asks_passkey(self) -> bool:
        """Whether `BleakClient.pair` can ask for a passkey here."""
        ...

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        """A scanner for advertisers of one service (128-bit UUID)."""
        ...

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        passkey: PasskeyPrompt | None,
    ) -> BleakClient:
        """A client for one device; with `passkey` it may ask when it has to pair."""
        ...

    async def connected(self, service: str) -> list[BLEDevice]:
        """Devices with this service whose link is up already, and which therefore do not advertise."""
        ...

    async def close(self) -> None:
        """Let go of the radio."""
        ...


class BluezBackend:
    """bleak's own backend on BlueZ. Notifications by StartNotify, bleak's default: AcquireNotify crashes BlueZ 5.66.

    `adapter` is a name such as "hci1", None the first one. Nothing here can ask for a passkey: bleak registers no
    pairing agent with BlueZ.
    """

    asks_passkey = False

    def __init__(self, adapter: str | None) -> None:
        self._adapter = adapter

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        """An active scanner."""
        if self._adapter is None:
            return BleakScanner(on_sighting, [service])
        return BleakScanner(on_sighting, [service], bluez={"adapter": self._adapter})

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        passkey: PasskeyPrompt | None,
    ) -> BleakClient:
        """A client; the passkey prompt cannot be used here."""
        del passkey
        if self._adapter is None:
            return BleakClient(device, on_disconnect, timeout=timeout_s)
        return BleakClient(device, on_disconnect, timeout=timeout_s, bluez={"adapter": self._adapter})

    async def connected(self, service: str) -> list[BLEDevice]:
        """Links that bluetoothd has kept, for example those of a gateway that was killed."""
        adapter = await (
            BleakAdapter.get() if self._adapter is None else BleakAdapter.get(bluez={"adapter": self._adapter})
        )
        return await adapter.get_connected_devices([service])

    async def close(self) -> None:
        """Nothing: the radio belongs to bluetoothd."""
