"""The port's `Radio` over bleak: scan, connect, pair. Must not know which backend it is on, nor what a session does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDeviceNotFoundError, BleakError

from calza_gateway.adapters.bleak_backend import Backend
from calza_gateway.adapters.bleak_errors import radio_errors
from calza_gateway.adapters.bleak_link import BleakLink
from calza_gateway.ports import PasskeyPrompt, RadioError, RadioReason, Sighting
from calza_wire.uuids import GHS_SERVICE, LOG_STATUS

PAIRING_CONNECT_TIMEOUT_S = 30.0  # the stocking may be busy with another gateway for a while
NO_BOND = frozenset({RadioReason.NOT_PAIRED, RadioReason.PAIRING_REFUSED, RadioReason.TIMEOUT})
"""How a protected read ends without a bond; on BlueZ without a pairing agent it does not end at all."""


RSSI_UNKNOWN_DBM = -127  # what bleak says when the stack does not know

NO_AGENT = (
    "this gateway cannot ask for a passkey on BlueZ yet: pair once with `bluetoothctl` "
    "(`scan on`, `pair {address}`, type the six digits from the label, `trust {address}`), then run this again"
)

log = logging.getLogger(__name__)


class BleakRadio:
    """A central over one bleak backend. Every method raises RadioError only."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._leftovers: set[asyncio.Task[None]] = set()

    async def scan(self, seconds: float) -> list[Sighting]:
        """Every stocking heard within that time, strongest signal first."""
        seen: dict[str, Sighting] = {}

        def sighted(device: BLEDevice, heard: AdvertisementData) -> None:
            name = heard.local_name or (seen[device.address].name if device.address in seen else None)
            seen[device.address] = Sighting(device.address, name, _rssi(heard))

        async with self._scanning(sighted):
            await asyncio.sleep(seconds)
        return sorted(seen.values(), key=lambda sighting: sighting.rssi or RSSI_UNKNOWN_DBM, reverse=True)

    async def connect(self, address: str, timeout_s: float) -> BleakLink:
        """A link to a stocking in range, encrypted if there is a bond.

        Raises RadioError: not_found when it was not heard within `timeout_s`, bond_lost, connect_failed, no_adapter.
        """
        return await self._connect(address, timeout_s, None)

    async def pair(self, address: str, passkey: PasskeyPrompt) -> None:
        """Pair and bond; nothing is asked when a bond already holds. What the prompt raises goes through.

        Believed only when a protected read succeeds: stacks have been seen to report a pairing that never happened.
        """
        if await self._is_paired(address):
            return
        if not self._backend.asks_passkey:
            raise RadioError(RadioReason.NOT_PAIRED, NO_AGENT.format(address=address))
        await self.unpair(address)  # what is left of a bond that does not hold would be in the way
        asked = False

        async def ask() -> int:
            nonlocal asked
            asked = True
            return await passkey()

        believed = False
        try:
            await self._pair(address, ask)
            if not asked:
                sentence = f"{address} did not ask for its passkey, as a stocking does: it was not paired"
                raise RadioError(RadioReason.PAIRING_REFUSED, sentence)
            believed = True
        finally:
            if not believed:
                await self.unpair(address)

    async def unpair(self, address: str) -> None:
        """Forget the bond; harmless when there is none."""
        client = self._backend.client(address, None, PAIRING_CONNECT_TIMEOUT_S, None)
        with radio_errors(address, RadioReason.GATT_ERROR):
            try:
                await client.unpair()
            except BleakDeviceNotFoundError:
                return  # there was none

    async def close(self) -> None:
        """Let go of the radio; links that are still up end."""
        with radio_errors("the radio", RadioReason.NO_ADAPTER):
            if self._leftovers:
                await asyncio.wait(self._leftovers)
            await self._backend.close()

    async def _pair(self, address: str, passkey: PasskeyPrompt) -> None:
        link = await self._connect(address, PAIRING_CONNECT_TIMEOUT_S, passkey)
        try:
            await link.pair()
            await link.read(LOG_STATUS)
        except RadioError as error:
            if error.reason is RadioReason.NOT_PAIRED:
                sentence = f"{address} still refuses what only a paired gateway may read: it was not paired"
                raise RadioError(RadioReason.PAIRING_REFUSED, sentence, error.att_code) from error
            raise
        finally:
            await link.disconnect()

    async def _is_paired(self, address: str) -> bool:
        try:
            link = await self._connect(address, PAIRING_CONNECT_TIMEOUT_S, None)
        except RadioError as error:
            if error.reason is RadioReason.BOND_LOST:
                return False
            raise
        try:
            await link.read(LOG_STATUS)
        except RadioError as error:
            if error.reason in NO_BOND:
                return False
            raise
        finally:
            await link.disconnect()
        return True

    async def _connect(self, address: str, timeout_s: float, passkey: PasskeyPrompt | None) -> BleakLink:
        began = asyncio.get_running_loop().time()
        device, rssi = await self._find(address, timeout_s)
        left_s = timeout_s - (asyncio.get_running_loop().time() - began)
        closed = asyncio.Event()
        client = self._backend.client(device, lambda _client: closed.set(), left_s, passkey)
        try:
            with radio_errors(address, RadioReason.CONNECT_FAILED):
                async with asyncio.timeout(left_s):
                    await client.connect()
        except BaseException:
            self._let_go(client)
            raise
        return BleakLink(client, closed, rssi)

    async def _find(self, address: str, timeout_s: float) -> tuple[BLEDevice, int | None]:
        """The device as the stack knows it now: what it knew a while ago may have been dropped since."""
        with radio_errors(address, RadioReason.NO_ADAPTER):
            for device in await self._backend.connected(GHS_SERVICE):
                if device.address.upper() == address.upper():
                    return device, None
        found: asyncio.Future[tuple[BLEDevice, int | None]] = asyncio.get_running_loop().create_future()

        def sighted(device: BLEDevice, heard: AdvertisementData) -> None:
            if device.address.upper() == address.upper() and not found.done():
                found.set_result((device, _rssi(heard)))

        async with self._scanning(sighted):
            await asyncio.wait({found}, timeout=timeout_s)
        if not found.done():
            raise RadioError(RadioReason.NOT_FOUND, f"{address} was not heard within {timeout_s:g} s: is it in range?")
        return found.result()

    @asynccontextmanager
    async def _scanning(self, sighted: Callable[[BLEDevice, AdvertisementData], None]) -> AsyncIterator[None]:
        scanner = self._backend.scanner(sighted, GHS_SERVICE)
        with radio_errors("the radio", RadioReason.NO_ADAPTER):
            await scanner.start()
        try:
            yield
        finally:
            with radio_errors("the radio", RadioReason.NO_ADAPTER):
                await scanner.stop()

    def _let_go(self, client: BleakClient) -> None:
        """End what a failed or cancelled connect may have left; nobody waits for it, so it must not matter."""

        async def end() -> None:
            try:
                await client.disconnect()
            except (BleakError, OSError, EOFError, TimeoutError, AssertionError) as error:
                log.info("after a failed connect to %s: %s", client.address, type(error).__name__)

        task = asyncio.ensure_future(end())
        self._leftovers.add(task)
        task.add_done_callback(self._leftovers.discard)


def _rssi(heard: AdvertisementData) -> int | None:
    return None if heard.rssi == RSSI_UNKNOWN_DBM else heard.rssi
