"""A gateway's side of a link for tests: a plain Bumble host on the simulated radio, nothing of our gateway in it."""

import asyncio
import uuid
from collections import defaultdict

from bumble.device import Connection, Device, DeviceConfiguration, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address, HCI_LE_Advertising_Report_Event
from bumble.host import Host
from bumble.keys import KeyStore, MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from calza_sim.radio import Radio, RadioController

WAIT_S = 10.0
ATT_MTU = 247


def characteristics_of(peer: Peer) -> dict[str, CharacteristicProxy[bytes]]:
    """Every characteristic discovered so far, by its UUID in full lowercase form."""
    return {
        str(uuid.UUID(bytes=each.uuid.to_bytes(force_128=True)[::-1])): each
        for service in peer.services
        for each in service.characteristics
    }


class Keyboard(PairingDelegate):
    """Types a passkey, or, when there is none to type, can neither type nor show (Just Works)."""

    def __init__(self, passkey: int | None) -> None:
        capability = self.NO_OUTPUT_NO_INPUT if passkey is None else self.KEYBOARD_INPUT_ONLY
        super().__init__(io_capability=capability)
        self.passkey = passkey
        self.asked = 0

    async def get_number(self) -> int | None:
        self.asked += 1
        return self.passkey


class Central:
    """One gateway host; `keys` is its bond store and may outlive it."""

    def __init__(
        self, radio: Radio, name: str, address: str = "F0:00:00:00:00:01", keys: KeyStore | None = None
    ) -> None:
        self.controller = RadioController(name, radio, public_address="CA:12:A0:00:01:01")
        host = Host()
        host.controller = self.controller
        config = DeviceConfiguration(name=name, address=Address(address), irk=bytes(range(16)))
        self.device = Device(config=config, host=host)
        self.keys = self.device.keystore = keys or MemoryKeyStore()
        self.keyboard = Keyboard(None)
        self.device.pairing_config_factory = lambda _: PairingConfig(
            delegate=self.keyboard, identity_address_type=PairingConfig.AddressType.RANDOM
        )
        self.connection: Connection | None = None
        self.closed = asyncio.Event()
        self.reason = 0
        self.values: defaultdict[str, list[bytes]] = defaultdict(list)
        self._news = asyncio.Condition()
        self._proxies: dict[str, CharacteristicProxy[bytes]] = {}

    async def start(self) -> "Central":
        await self.device.power_on()
        return self

    async def scan(self, address: str, *, active: bool = True) -> list[HCI_LE_Advertising_Report_Event.Report]:
        """The raw reports of one address, as the controller gives them, until there are two."""
        heard: list[HCI_LE_Advertising_Report_Event.Report] = []
        enough = asyncio.Event()

        def on_report(report: HCI_LE_Advertising_Report_Event.Report) -> None:
            if report.address.to_string(False) == address:
                heard.append(report)
                if len(heard) >= 2:
                    enough.set()

        self.device.host.on("advertising_report", on_report)
        await self.device.start_scanning(active=active, filter_duplicates=False)
        try:
            await asyncio.wait_for(enough.wait(), WAIT_S)
        finally:
            await self.device.stop_scanning()
            self.device.host.remove_listener("advertising_report", on_report)
        return heard

    async def connect(self, address: str, *, timeout_s: float = WAIT_S, discover: bool = True) -> Connection:
        connection = await self.device.connect(Address(address), timeout=timeout_s)
        self.connection = connection
        self.closed.clear()

        def on_disconnection(reason: int) -> None:
            self.reason = reason
            self.closed.set()

        connection.on(connection.EVENT_DISCONNECTION, on_disconnection)
        if discover:
            peer = Peer(connection)
            await peer.request_mtu(ATT_MTU)
            await peer.discover_services()
            await peer.discover_characteristics()
            self._proxies = characteristics_of(peer)
        return connection

    @property
    def link(self) -> Connection:
        assert self.connection is not None
        return self.connection

    async def pair(self, passkey: int | None) -> None:
        self.keyboard = Keyboard(passkey)
        await self.device.pair(self.link)

    async def lost(self) -> int:
        """Wait for the end of the link and give its HCI reason."""
        await asyncio.wait_for(self.closed.wait(), WAIT_S)
        return self.reason

    def proxy(self, which: str) -> CharacteristicProxy[bytes]:
        return self._proxies[which]

    @property
    def characteristics(self) -> dict[str, CharacteristicProxy[bytes]]:
        return dict(self._proxies)

    async def read(self, which: str) -> bytes:
        return await self._proxies[which].read_value(no_long_read=True)

    async def write(self, which: str, value: bytes) -> None:
        await self._proxies[which].write_value(value, with_response=True)

    async def subscribe(self, *uuids: str) -> None:
        for which in uuids:
            proxy = self._proxies[which]
            await proxy.discover_descriptors()

            def on_value(value: bytes, which: str = which) -> None:
                self.values[which].append(value)
                self._announce()

            await proxy.subscribe(on_value, prefer_notify=True)

    def _announce(self) -> None:
        async def announce() -> None:
            async with self._news:
                self._news.notify_all()

        self._announcement = asyncio.get_running_loop().create_task(announce())

    async def take(self, which: str, timeout_s: float = WAIT_S) -> bytes:
        """Wait for the next value of a characteristic and remove it."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: bool(self.values[which])), timeout_s)
        return self.values[which].pop(0)

    async def until(self, which: str, count: int, timeout_s: float = WAIT_S) -> None:
        """Wait until `count` values of a characteristic have come."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: len(self.values[which]) >= count), timeout_s)

    async def stop(self) -> None:
        self.controller.remove()
