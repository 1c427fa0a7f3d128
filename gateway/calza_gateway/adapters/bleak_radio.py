"""The port's `Radio` over bleak: scan, connect, pair. Must not know which backend it is on, nor what a session does."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDeviceNotFoundError, BleakError

from calza_gateway.adapters.bleak_backend import Backend
from calza_gateway.adapters.bleak_errors import JUST_WORKS, bond_lost, ended_before_use, radio_errors
from calza_gateway.adapters.bleak_link import BleakLink
from calza_gateway.ports import AdapterCare, OobData, PairingAgent, RadioError, RadioReason, Sighting
from calza_wire.uuids import GHS_SERVICE, LOG_STATUS

PAIRING_CONNECT_TIMEOUT_S = 30.0  # the stocking may be busy with another gateway for a while
NO_BOND = frozenset({RadioReason.NOT_PAIRED, RadioReason.PAIRING_REFUSED, RadioReason.TIMEOUT})
"""How a protected read ends without a bond; on BlueZ without a pairing agent it does not end at all."""

DROPS_AT_MOST = 3  # BlueZ drops a link for a forgotten key as it does for a weak signal; three in a row are the key

RSSI_UNKNOWN_DBM = -127  # what bleak says when the stack does not know

log = logging.getLogger(__name__)


class Witness:
    """An agent that remembers whether it was needed: what was paired without it is worth nothing."""

    def __init__(self, agent: PairingAgent) -> None:
        self._needed = False
        self._agent = agent

    def check(self, address: str) -> None:
        """Raises RadioError if the stocking was paired without the agent (Just Works)."""
        if not self._needed:
            raise RadioError(RadioReason.PAIRING_REFUSED, f"{address} was not paired: {JUST_WORKS}")

    async def passkey(self, address: str) -> int:
        """The agent's passkey."""
        self._needed = True
        return await self._agent.passkey(address)

    async def confirm(self, address: str, number: int) -> bool:
        """What the agent says of the number."""
        self._needed = True
        return await self._agent.confirm(address, number)

    def oob(self, address: str) -> OobData | None:
        """The agent's data. A backend that takes them pairs with them or not at all."""
        data = self._agent.oob(address)
        self._needed = self._needed or data is not None
        return data


class BleakRadio:
    """A central over one bleak backend. Every method raises RadioError only."""

    def __init__(self, backend: Backend, care: AdapterCare | None = None) -> None:
        self._backend = backend
        self._care = care
        self._drops: Counter[str] = Counter()  # of links with a key, by address, since the last one that held
        self._leftovers: set[asyncio.Task[None]] = set()

    @property
    def care(self) -> AdapterCare:
        """What can be done for the adapter. Raises RadioError when this radio was opened without it."""
        if self._care is None:
            raise RadioError(RadioReason.NO_ADAPTER, "this radio was opened without the care of its adapter")
        return self._care

    async def listen(self, addresses: Collection[str], seconds: float) -> Sighting | None:
        """The first of these stockings to be heard, as soon as it is; None when none was within that time.

        One whose link the stack has kept counts as heard: it does not advertise, and connecting takes the link over.
        """
        wanted = {address.upper() for address in addresses}
        if (found := await self._first(wanted, seconds)) is None:
            return None
        device, rssi = found
        return Sighting(device.address, device.name, rssi)

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

    async def pair(self, address: str, agent: PairingAgent) -> None:
        """Pair and bond; nobody is asked when a bond already holds, and one that does not hold is made again.

        Believed only when the agent was needed and a protected read succeeds: stacks have been seen to report a
        pairing that never happened, and they pair with whoever answers. What the agent raises goes through.
        """
        if await self._is_paired(address):
            return
        await self.unpair(address)  # what is left of a bond that does not hold would be in the way
        believed = False
        try:
            await self._pair(address, Witness(agent))
            believed = True
        finally:
            if not believed:
                await self.unpair(address)

    async def unpair(self, address: str) -> None:
        """Forget the bond; harmless when there is none."""
        del self._drops[address.upper()]
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

    async def _pair(self, address: str, agent: Witness) -> None:
        link = await self._connect(address, PAIRING_CONNECT_TIMEOUT_S, agent)
        try:
            async with self._backend.asking(agent, link.address):
                await link.pair()
                agent.check(address)  # before the read, which would make BlueZ pair again in the same way, for 35 s
                await link.read(LOG_STATUS)
        except RadioError as error:
            if error.reason is RadioReason.NOT_PAIRED:
                sentence = f"{address} still refuses what only a paired gateway may read: it was not paired"
                raise RadioError(RadioReason.PAIRING_REFUSED, sentence, error.att_code) from error
            raise
        finally:
            await link.disconnect()

    async def _is_paired(self, address: str) -> bool:
        """Whether a bond holds, by trying it; without a key on this side there is nothing to try."""
        device, _ = await self._find(address, PAIRING_CONNECT_TIMEOUT_S)
        if self._backend.has_key(device) is False:
            return False
        try:
            link = await self._connect_patiently(address)
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

    async def _connect_patiently(self, address: str) -> BleakLink:
        """As often as it takes to tell a forgotten key from a weak signal."""
        for _ in range(DROPS_AT_MOST - 1):
            try:
                return await self._connect(address, PAIRING_CONNECT_TIMEOUT_S, None)
            except RadioError as error:
                if not ended_before_use(error):
                    raise
        return await self._connect(address, PAIRING_CONNECT_TIMEOUT_S, None)

    async def _connect(self, address: str, timeout_s: float, agent: PairingAgent | None) -> BleakLink:
        began = asyncio.get_running_loop().time()
        device, rssi = await self._find(address, timeout_s)
        left_s = timeout_s - (asyncio.get_running_loop().time() - began)
        closed = asyncio.Event()
        client = self._backend.client(device, lambda _client: closed.set(), left_s, agent)
        keyless = self._backend.has_key(device) is False
        try:
            with radio_errors(address, RadioReason.CONNECT_FAILED):
                async with asyncio.timeout(left_s), self._backend.unless_dropped(device):
                    await client.connect()
        except BaseException as error:
            self._let_go(client)
            if isinstance(error, RadioError) and ended_before_use(error) and not keyless and self._drops_again(device):
                raise bond_lost(address) from error
            raise
        del self._drops[device.address]
        return BleakLink(client, closed, rssi, keyless=keyless)

    def _drops_again(self, device: BLEDevice) -> bool:
        self._drops[device.address] += 1
        return self._drops[device.address] >= DROPS_AT_MOST

    async def _find(self, address: str, timeout_s: float) -> tuple[BLEDevice, int | None]:
        """The device as the stack knows it now: what it knew a while ago may have been dropped since."""
        if (found := await self._first({address.upper()}, timeout_s)) is None:
            sentence = f"{address} was not heard within {timeout_s:g} s: is it in range?"
            raise RadioError(RadioReason.NOT_FOUND, sentence)
        return found

    async def _first(self, wanted: set[str], timeout_s: float) -> tuple[BLEDevice, int | None] | None:
        with radio_errors("the radio", RadioReason.NO_ADAPTER):
            for device in await self._backend.connected(GHS_SERVICE):
                if device.address.upper() in wanted:
                    return device, None
        found: asyncio.Future[tuple[BLEDevice, int | None]] = asyncio.get_running_loop().create_future()

        def sighted(device: BLEDevice, heard: AdvertisementData) -> None:
            if device.address.upper() in wanted and not found.done():
                found.set_result((device, _rssi(heard)))

        async with self._scanning(sighted):
            await asyncio.wait({found}, timeout=timeout_s)
        return found.result() if found.done() else None

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
