"""bleak's scanner on Bumble: `BleakScanner(..., backend=BumbleScanner, host=host)`.

Like BlueZ, it shows an advertisement and its scan response as one, and keeps what earlier ones said. Must not know
links.
"""

from dataclasses import dataclass, field
from uuid import UUID

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.uuids import normalize_uuid_16, normalize_uuid_32
from bumble.core import AdvertisingData
from bumble.device import Advertisement

from calza_gateway.adapters.bumble_host import BumbleHost

Type = AdvertisingData.Type

UUID_LISTS = {
    Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    Type.INCOMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    Type.COMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
SERVICE_DATA = {Type.SERVICE_DATA_16_BIT_UUID: 2, Type.SERVICE_DATA_32_BIT_UUID: 4, Type.SERVICE_DATA_128_BIT_UUID: 16}
COMPANY_OCTETS = 2
RSSI_UNKNOWN_DBM = -127  # what bleak reports on BlueZ when the stack does not say


@dataclass(slots=True)
class _Seen:
    """What one address has said of itself since scanning began."""

    name: str | None = None
    tx_power: int | None = None
    uuids: dict[str, None] = field(default_factory=dict)  # a set that keeps its order
    service_data: dict[str, bytes] = field(default_factory=dict)
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)

    def add(self, kind: int, value: bytes) -> None:
        """Take one AD structure in; one that is malformed or unknown says nothing."""
        if kind in UUID_LISTS:
            width = UUID_LISTS[Type(kind)]
            for at in range(0, len(value) - width + 1, width):
                self.uuids[_uuid(value[at : at + width])] = None
        elif kind in SERVICE_DATA and len(value) >= SERVICE_DATA[Type(kind)]:
            width = SERVICE_DATA[Type(kind)]
            self.service_data[_uuid(value[:width])] = value[width:]
        elif kind == Type.COMPLETE_LOCAL_NAME or (kind == Type.SHORTENED_LOCAL_NAME and self.name is None):
            self.name = value.decode("utf-8", errors="replace")
        elif kind == Type.TX_POWER_LEVEL and len(value) == 1:
            self.tx_power = int.from_bytes(value, "little", signed=True)
        elif kind == Type.MANUFACTURER_SPECIFIC_DATA and len(value) >= COMPANY_OCTETS:
            self.manufacturer_data[int.from_bytes(value[:COMPANY_OCTETS], "little")] = value[COMPANY_OCTETS:]


class BumbleScanner(BaseBleakScanner):
    """Scans actively on the host it is given; `BLEDevice.details` is the address with its type (random or public)."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        host: BumbleHost,
        **_other_platforms: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        if scanning_mode != "active":
            raise NotImplementedError("the simulated radio is scanned actively: names come with the scan response")
        self._host = host
        self._seen: dict[str, _Seen] = {}

    async def start(self) -> None:
        """Begin to listen. Raises BleakBluetoothNotAvailableError when the radio cannot be reached."""
        self.seen_devices = {}
        self._seen = {}
        await self._host.start_scanning(self._heard)

    async def stop(self) -> None:
        """Stop listening; what was seen stays readable."""
        await self._host.stop_scanning(self._heard)

    def _heard(self, advertisement: Advertisement) -> None:
        key = str(advertisement.address)
        seen = self._seen.setdefault(key, _Seen())
        for kind, value in advertisement.data.ad_structures:
            seen.add(int(kind), value)
        uuids = list(seen.uuids)
        if not self.is_allowed_uuid(uuids):
            return
        known = advertisement.rssi != Advertisement.RSSI_NOT_AVAILABLE
        data = AdvertisementData(
            local_name=seen.name,
            manufacturer_data=dict(seen.manufacturer_data),
            service_data=dict(seen.service_data),
            service_uuids=uuids,
            tx_power=seen.tx_power,
            rssi=advertisement.rssi if known else RSSI_UNKNOWN_DBM,
            platform_data=(advertisement,),
        )
        address = advertisement.address.to_string(False)
        device = self.create_or_update_device(key, address, seen.name, advertisement.address, data)
        self.call_detection_callbacks(device, data)


def _uuid(octets: bytes) -> str:
    """The 128-bit text form of a little-endian UUID of 2, 4 or 16 octets."""
    number = int.from_bytes(octets, "little")
    match len(octets):
        case 2:
            return normalize_uuid_16(number)
        case 4:
            return normalize_uuid_32(number)
        case _:
            return str(UUID(int=number))
