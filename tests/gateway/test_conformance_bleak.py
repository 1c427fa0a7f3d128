"""A canary for what is leaned on in bleak and Bumble beyond, or at the edge of, their documented interfaces.

When one of these fails after an upgrade, the adapter named in the test needs a look; the behaviour tests say where it
hurts, these say why.
"""

import asyncio
import dataclasses
import inspect

import bleak
import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.assigned_numbers import CHARACTERISTIC_PROPERTIES
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)
from bumble import core, gatt, hci, keys, smp
from bumble.att import ATT_Error
from bumble.device import Advertisement, Connection, Device
from bumble.gatt_client import CharacteristicProxy, Client
from bumble.host import Host
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import BaseSource, Transport

from calza_gateway.adapters.bumble_client import BumbleClient
from calza_gateway.adapters.bumble_pairing import MISMATCHES, REFUSALS
from calza_gateway.adapters.bumble_scanner import BumbleScanner


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


# --- bleak ------------------------------------------------------------------------------------------------------------


def test_our_backends_implement_everything_bleak_asks_for() -> None:
    assert not inspect.isabstract(BumbleClient)
    assert not inspect.isabstract(BumbleScanner)


@pytest.mark.parametrize("ours", [BumbleClient, BumbleScanner])
def test_our_methods_take_what_bleak_passes(ours: type) -> None:
    base = BaseBleakClient if ours is BumbleClient else BaseBleakScanner
    for name in base.__abstractmethods__:
        expected = getattr(base, name)
        if isinstance(expected, property):
            assert isinstance(getattr(ours, name), property)
            continue
        wanted = [p for p in parameters(expected) if p not in ("args", "kwargs")]
        assert [p for p in parameters(getattr(ours, name)) if not p.startswith("_")] == wanted, name


def test_bleak_hands_unknown_keywords_to_the_backend() -> None:
    for outer in (BleakClient, BleakScanner):
        signature = inspect.signature(outer)
        assert "backend" in signature.parameters
        assert any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())


def test_the_base_classes_keep_what_we_use_of_them() -> None:
    assert parameters(BaseBleakScanner.create_or_update_device) == ["self", "key", "address", "name", "details", "adv"]
    assert parameters(BaseBleakScanner.call_detection_callbacks) == ["self", "device", "advertisement_data"]
    assert parameters(BaseBleakScanner.is_allowed_uuid) == ["self", "service_uuids"]
    assert "self._disconnected_callback" in inspect.getsource(BaseBleakClient.__init__)
    assert "self._timeout" in inspect.getsource(BaseBleakClient.__init__)
    assert AdvertisementData._fields == (
        "local_name",
        "manufacturer_data",
        "service_data",
        "service_uuids",
        "tx_power",
        "rssi",
        "platform_data",
    )
    assert parameters(BleakGATTService)[:3] == ["obj", "handle", "uuid"]
    assert parameters(BleakGATTCharacteristic)[:4] == ["obj", "handle", "uuid", "properties"]
    assert parameters(BleakGATTDescriptor) == ["obj", "handle", "uuid", "characteristic"]
    for method in ("add_service", "add_characteristic", "add_descriptor"):
        assert hasattr(BleakGATTServiceCollection, method)
    assert list(CHARACTERISTIC_PROPERTIES)[:8] == [1 << bit for bit in range(8)]


def test_every_error_of_bleak_is_a_bleak_error() -> None:
    for error in (
        BleakBluetoothNotAvailableError,
        BleakCharacteristicNotFoundError,
        BleakDBusError,
        BleakDeviceNotFoundError,
        BleakGATTProtocolError,
    ):
        assert issubclass(error, BleakError)
    assert not issubclass(BleakError, (OSError, TimeoutError))
    assert BleakGATTProtocolErrorCode(0x80) == 0x80  # application errors pass through


def test_bleak_on_bluez_still_starts_notifications_the_safe_way() -> None:
    from bleak.backends.bluezdbus.client import BleakClientBlueZDBus

    source = inspect.getsource(BleakClientBlueZDBus.start_notify)
    assert 'bluez.get("use_start_notify", True)' in source  # AcquireNotify crashes BlueZ 5.66


def test_bleak_on_bluez_still_lets_go_when_its_disconnect_is_cancelled() -> None:
    """Our link gives up waiting for the end of one that a restarted bluetoothd does not know."""
    from bleak.backends.bluezdbus.client import BleakClientBlueZDBus

    source = inspect.getsource(BleakClientBlueZDBus.disconnect)
    teardown = source[source.index("finally:") :]
    assert "self._on_disconnected()" in teardown


def test_bleak_on_bluez_takes_its_adapter_and_ignores_what_it_does_not_know() -> None:
    from bleak.backends.bluezdbus.client import BleakClientBlueZDBus

    assert 'bluez.get("adapter")' in inspect.getsource(BleakClientBlueZDBus.__init__)
    assert "service_uuids" in parameters(BleakAdapter.get_connected_devices)


def test_bleak_still_brings_no_pairing_agent() -> None:
    """When this fails, bleak can ask for a passkey on BlueZ itself, and `NO_AGENT` is out of date."""
    from bleak.backends.bluezdbus import client, defs, manager

    for module in (client, defs, manager):
        assert "RegisterAgent" not in inspect.getsource(module)
    assert bleak.__name__ == "bleak"


# --- Bumble -----------------------------------------------------------------------------------------------------------


def test_every_error_of_bumble_has_one_root() -> None:
    for error in (
        core.ProtocolError,
        core.ConnectionError,
        core.TimeoutError,
        core.InvalidStateError,
        core.InvalidOperationError,
        hci.HCI_Error,
        hci.HCI_StatusError,
        ATT_Error,
    ):
        assert issubclass(error, core.BaseBumbleError)
    assert not issubclass(core.TimeoutError, TimeoutError)
    assert not issubclass(ATT_Error, hci.HCI_Error)


def test_the_device_has_what_the_controller_uses() -> None:
    for name in (
        "power_on",
        "connect",
        "start_scanning",
        "stop_scanning",
        "send_sync_command",
        "send_async_command",
        "lookup_connection",
        "on_flush",
        "on_disconnection",
        "is_scanning",
        "pairing_config_factory",
    ):
        assert hasattr(Device, name), name
    assert Device.EVENT_ADVERTISEMENT == "advertisement"
    assert Connection.EVENT_DISCONNECTION == "disconnection"
    assert Advertisement.RSSI_NOT_AVAILABLE == 127
    assert "timeout" in parameters(Device.connect)


def test_an_ended_transport_reaches_every_link() -> None:
    assert "terminated" in BaseSource.__annotations__
    assert "on_transport_lost" in inspect.getsource(BaseSource.on_transport_lost)
    assert "emit('flush')" in inspect.getsource(Host.on_transport_lost)
    assert "EVENT_DISCONNECTION" in inspect.getsource(Device.on_flush)
    assert inspect.iscoroutinefunction(Transport.close)


def test_a_lost_link_cancels_the_request_under_way() -> None:
    assert "pending_response.cancel" in inspect.getsource(Client.on_disconnection)
    assert gatt.GATT_REQUEST_TIMEOUT < 35  # `GATT_TIMEOUT_S` of the link lets Bumble be the first to give up


def test_the_gatt_client_delivers_values_where_we_hook_in() -> None:
    for name in (
        "request_mtu",
        "discover_services",
        "discover_characteristics",
        "read_value",
        "write_value",
        "subscribe",
    ):
        assert inspect.iscoroutinefunction(getattr(Client, name)), name
    source = inspect.getsource(Client.__init__)
    assert "self.notification_subscribers" in source
    assert "self.indication_subscribers" in source
    assert "discover_descriptors" in dir(CharacteristicProxy)


def test_bonds_are_found_under_the_address_of_the_link() -> None:
    assert "self.keystore.get(str(connection.peer_address))" in inspect.getsource(Device.encrypt)
    assert "logger.exception" in inspect.getsource(Device.update_keys)  # which is why `pair` looks into the keyring
    address = hci.Address("F0:00:00:00:00:01", hci.Address.RANDOM_DEVICE_ADDRESS)
    assert str(address) == "F0:00:00:00:00:01"
    assert str(hci.Address("00:00:00:00:00:01", hci.Address.PUBLIC_DEVICE_ADDRESS)) == "00:00:00:00:00:01/P"


async def test_the_key_store_still_has_the_methods_we_override() -> None:
    for name in ("delete", "update", "get", "get_all", "get_resolving_keys"):
        assert inspect.iscoroutinefunction(getattr(keys.KeyStore, name)), name
    kept = keys.PairingKeys(ltk=keys.PairingKeys.Key(bytes(16), authenticated=True))
    assert keys.PairingKeys.from_dict(kept.to_dict()) == kept


def test_refusals_and_keyboards_are_still_called_that() -> None:
    assert set(REFUSALS) | MISMATCHES <= set(smp.ErrorCode)
    for question in ("confirm", "compare_numbers"):
        assert inspect.iscoroutinefunction(getattr(PairingDelegate, question)), question
    fields = [field.name for field in dataclasses.fields(PairingConfig.OobConfig)]
    assert fields == ["our_context", "peer_data", "legacy_context"]
    assert parameters(smp.OobSharedData) == ["c", "r"]
    assert inspect.iscoroutinefunction(PairingDelegate.get_number)
    assert PairingDelegate.KEYBOARD_INPUT_ONLY is PairingDelegate.IoCapability.KEYBOARD_INPUT_ONLY


def test_bumble_still_cannot_do_with_a_passkey_of_zero() -> None:
    """When this fails, the detour in `Asking.get_number` can go."""
    assert "assert self.passkey\n" in inspect.getsource(smp.Session.send_pairing_confirm_command)


async def test_waiting_for_a_task_does_not_take_over_its_cancellation() -> None:
    """What `Procedures` is built on."""
    task = asyncio.ensure_future(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(task.cancel)
    await asyncio.wait({task})
    assert task.cancelled()
