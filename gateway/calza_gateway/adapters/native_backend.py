"""bleak's own backend for the system this runs on, whichever that is: macOS, Windows, Android; BlueZ with less care.

Nothing but Linux has been tried (docs/platforms.md). These systems keep bonds, ask for passkeys in dialogs of their own
and choose the adapter, so there is less to say here than for BlueZ. Must not know a system's own libraries.
"""

from contextlib import AbstractAsyncContextManager, nullcontext

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends import BleakBackend, get_default_backend
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback
from bleak.exc import BleakError

from calza_gateway.adapters.bleak_backend import DisconnectCallback
from calza_gateway.adapters.bleak_errors import PairingRefusedError
from calza_gateway.ports import PairingAgent

WITHOUT_ADAPTER = frozenset({BleakBackend.P4ANDROID, BleakBackend.PYTHONISTA_CB})
"""Where bleak cannot be asked for links that are up already."""


class NativeClient(BleakClient):
    """bleak's client; what a system has no call for says what a person can do instead."""

    async def pair(self, *args: object, **kwargs: object) -> None:
        """Pair where the system lets a program ask for it; what is believed is the protected read that follows.

        macOS has no such call and pairs by itself at that read. On Windows bleak confirms whatever it is asked, which
        makes a pairing without passkey, and the stocking refuses that.
        """
        if get_default_backend() is BleakBackend.WIN_RT:
            raise PairingRefusedError(
                "add it under Bluetooth in the settings of Windows, with the passkey on its label, then run this again"
            )
        try:
            await super().pair(*args, **kwargs)
        except NotImplementedError:
            return

    async def unpair(self) -> None:
        """Forget the bond where the system lets a program do it."""
        try:
            await super().unpair()
        except NotImplementedError as error:
            raise BleakError("remove it in the Bluetooth settings of this system, then pair it again") from error


class NativeBackend:
    """See `calza_gateway.adapters.bleak_backend.Backend`."""

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        """An active scanner; the service has to be named, macOS reports nobody in the background without it."""
        return BleakScanner(on_sighting, [service])

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        agent: PairingAgent | None,
    ) -> BleakClient:
        """A client; the system asks the person itself."""
        del agent
        return NativeClient(device, on_disconnect, timeout=timeout_s)

    def asking(self, agent: PairingAgent, address: str) -> AbstractAsyncContextManager[None]:
        """Nothing: the system's own dialog asks for the passkey."""
        del agent, address
        return nullcontext()

    def has_key(self, device: BLEDevice) -> bool | None:
        """None: only a protected read tells."""
        del device
        return None

    def unless_dropped(self, device: BLEDevice) -> AbstractAsyncContextManager[None]:
        """Nothing to watch: the system tries again, or not, by itself."""
        del device
        return nullcontext()

    async def connected(self, service: str) -> list[BLEDevice]:
        """Devices whose link the system keeps up."""
        if get_default_backend() in WITHOUT_ADAPTER:
            return []
        return await (await BleakAdapter.get()).get_connected_devices([service])

    async def close(self) -> None:
        """Nothing: the radio belongs to the system."""
