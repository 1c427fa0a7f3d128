"""Discovers a peer's services and describes them the way bleak does. Must not read or write any value."""

from collections.abc import Callable
from uuid import UUID

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bumble import core
from bumble.gatt_client import Client


async def discover(gatt: Client, max_write_size: Callable[[], int]) -> BleakGATTServiceCollection:
    """All services with characteristics and descriptors, each descriptor under its own handle.

    A UUID may appear several times on one characteristic (the observation schedules do); handles do not.
    """
    tree = BleakGATTServiceCollection()
    for found in await gatt.discover_services():
        service = BleakGATTService(found, found.handle, _text(found.uuid))
        tree.add_service(service)
        for proxy in await gatt.discover_characteristics((), found):
            names = sorted(gatt_char_props_to_strs(int(proxy.properties)))
            characteristic = BleakGATTCharacteristic(
                proxy, proxy.handle, _text(proxy.uuid), names, max_write_size, service
            )
            tree.add_characteristic(characteristic)
            for descriptor in await gatt.discover_descriptors(proxy):
                tree.add_descriptor(
                    BleakGATTDescriptor(descriptor, descriptor.handle, _text(descriptor.type), characteristic)
                )
    return tree


def _text(uuid: core.UUID) -> str:
    """The 128-bit text form, lower case, as bleak has it."""
    return str(UUID(bytes=uuid.to_bytes(force_128=True)[::-1]))
