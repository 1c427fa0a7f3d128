"""Canaries for Bumble: the gaps our simulated radio and stockings close, and what they use of it without a promise.

Each gap is shown on stock Bumble. When such a test fails after an upgrade, nothing is broken: the gap has been closed,
and the workaround that its assertion names may go. When a test about a hook fails, what is built on it is.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bumble import att, gatt, hci, ll, smp
from bumble.controller import Connection as ControllerConnection
from bumble.controller import Controller, LegacyAdvertiser
from bumble.core import AdvertisingData
from bumble.device import Advertisement, Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.gatt_client import Client
from bumble.gatt_server import Server
from bumble.hci import Address, HCI_Packet, LeFeatureMask
from bumble.host import Host
from bumble.keys import KeyStore
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import PacketParser

CENTRAL, PERIPHERAL = "F0:00:00:00:00:01", "F0:00:00:00:00:02"
WITHIN_S = 5.0
SETTLED_TURNS = 200  # of the event loop: stock Bumble has no timing, so whatever was to come has come by then


@dataclass
class Sink:
    """The host of a controller: keeps the events it is sent."""

    packets: list[HCI_Packet] = field(default_factory=list)

    def on_packet(self, packet: bytes) -> None:
        self.packets.append(HCI_Packet.from_bytes(packet))


async def settle() -> None:
    for _ in range(SETTLED_TURNS):
        await asyncio.sleep(0)


async def device(link: LocalLink, address: str) -> Device:
    made = Device(name=address[-2:], address=Address(address), host=Host())
    made.host.controller = Controller(address, link=link)
    await made.power_on()
    return made


@asynccontextmanager
async def two(prepare: Callable[[Device], None] = lambda _peripheral: None) -> AsyncIterator[tuple[Device, Device]]:
    """A central and a peripheral that advertises, both stock Bumble."""
    link = LocalLink()  # type: ignore[no-untyped-call]  # Bumble leaves this constructor untyped
    central, peripheral = await device(link, CENTRAL), await device(link, PERIPHERAL)
    prepare(peripheral)
    await peripheral.start_advertising(auto_restart=False)
    try:
        yield central, peripheral
    finally:
        await peripheral.stop_advertising()
        await settle()


@asynccontextmanager
async def linked(
    prepare: Callable[[Device], None] = lambda _peripheral: None,
) -> AsyncIterator[tuple[Connection, Connection]]:
    """Both ends of a link between stock devices: the central's, the peripheral's."""
    async with two(prepare) as (central, peripheral):
        made: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        peripheral.once(Device.EVENT_CONNECTION, made.set_result)
        async with asyncio.timeout(WITHIN_S):
            near = await central.connect(Address(PERIPHERAL))
            far = await made
        yield near, far
        await near.disconnect()


# --- gaps of the virtual controller: calza_sim.radio.controller, calza_sim.radio.air ----------------------------------


def test_a_link_stamps_data_with_the_random_address_whichever_is_in_use() -> None:
    source = inspect.getsource(LocalLink.send_acl_data)
    assert "source_address = sender_controller.random_address" in source, "AirLink need no longer carry data itself"


async def test_scan_responses_and_signal_strength_are_not_simulated() -> None:
    name = bytes(AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, b"stocking")]))
    link = LocalLink()  # type: ignore[no-untyped-call]
    central, peripheral = await device(link, CENTRAL), await device(link, PERIPHERAL)
    heard: list[Advertisement] = []
    any_heard = asyncio.Event()

    def hear(one: Advertisement) -> None:
        heard.append(one)
        any_heard.set()

    central.on(Device.EVENT_ADVERTISEMENT, hear)
    await central.start_scanning(legacy=True, active=True, filter_duplicates=False)
    await peripheral.start_advertising(advertising_data=b"", scan_response_data=name, auto_restart=False)
    async with asyncio.timeout(WITHIN_S):
        await any_heard.wait()
    await settle()
    await peripheral.stop_advertising()
    names = {one.data.get(AdvertisingData.COMPLETE_LOCAL_NAME) for one in heard}
    assert names == {None}, "`RadioController.hear` need no longer send scan responses"
    assert {one.rssi for one in heard} == {-50}, "`RadioController._report` need no longer make up a signal"


async def test_a_connection_attempt_cannot_be_cancelled() -> None:
    sink = Sink()
    controller = Controller("stock", host_sink=sink, link=LocalLink())  # type: ignore[no-untyped-call]
    absent = hci.HCI_LE_Create_Connection_Command(
        le_scan_interval=96,
        le_scan_window=96,
        initiator_filter_policy=0,
        peer_address_type=1,
        peer_address=Address(PERIPHERAL),
        own_address_type=1,
        connection_interval_min=12,
        connection_interval_max=12,
        max_latency=0,
        supervision_timeout=72,
        min_ce_length=0,
        max_ce_length=0,
    )
    controller.on_packet(bytes(absent))
    controller.on_packet(bytes(hci.HCI_LE_Create_Connection_Cancel_Command()))
    await settle()
    ended = [packet for packet in sink.packets if isinstance(packet, hci.HCI_LE_Connection_Complete_Event)]
    assert not ended, "`on_hci_le_create_connection_cancel_command` of RadioController may go"
    assert controller.pending_le_connection is not None


async def test_a_reset_forgets_nothing() -> None:
    controller = Controller("stock", host_sink=Sink(), link=LocalLink())  # type: ignore[no-untyped-call]
    controller.le_scan_enable = True
    controller.on_packet(bytes(hci.HCI_Reset_Command()))
    await settle()
    assert controller.le_scan_enable, "`on_hci_reset_command` of RadioController may go"


async def test_the_signal_of_a_link_is_never_told() -> None:
    sink = Sink()
    controller = Controller("stock", host_sink=sink, link=LocalLink())  # type: ignore[no-untyped-call]
    controller.on_packet(bytes(hci.HCI_Read_RSSI_Command(handle=1)))
    await settle()
    rssi = [p for p in sink.packets if "RSSI" in type(getattr(p, "return_parameters", None)).__name__]
    assert not rssi, "`on_hci_read_rssi_command` of RadioController may go"


def test_advertising_intervals_are_taken_for_milliseconds() -> None:
    taken = inspect.getsource(Controller.on_hci_le_set_advertising_parameters_command)
    assert "command.advertising_interval_min\n" in taken, "the correction in RadioController would be made twice"
    assert "self.advertising_interval_min / 1000.0" in inspect.getsource(LegacyAdvertiser)


def test_features_are_claimed_that_no_event_follows() -> None:
    claimed = Controller.le_features
    assert claimed & LeFeatureMask.LL_PRIVACY, "`LE_FEATURES` of RadioController may be shorter"
    assert claimed & LeFeatureMask.LE_EXTENDED_ADVERTISING
    assert Controller.le_acl_data_packet_length == 27, "251 octets a packet may have become the default"


async def test_the_controller_is_hooked_into_where_it_still_is() -> None:
    """`RadioController` and `AirLink` override or call these; renamed, an override would silently do nothing."""
    for name in (
        "allocate_connection_handle",
        "find_le_connection_by_handle",
        "on_hci_le_connection_update_command",
        "on_hci_le_create_connection_cancel_command",
        "on_hci_le_set_advertising_parameters_command",
        "on_hci_le_set_scan_enable_command",
        "on_hci_reset_command",
        "on_le_disconnected",
        "send_hci_packet",
        "set_packet_sink",
    ):
        assert callable(getattr(Controller, name)), name
    assert "f'on_{command.name.lower()}'" in inspect.getsource(Controller.on_hci_command_packet)
    assert hci.HCI_Read_RSSI_Command(handle=1).name.lower() == "hci_read_rssi_command"
    for name in ("add_controller", "remove_controller", "send_advertising_pdu", "send_acl_data"):
        assert callable(getattr(LocalLink, name)), name
    names = {field.name for field in ControllerConnection.__dataclass_fields__.values()}
    assert {"controller", "handle", "role", "self_address", "peer_address", "link", "transport", "link_type"} <= names
    controller = Controller("stock", link=LocalLink())  # type: ignore[no-untyped-call]
    for name in ("pending_le_connection", "le_scan_enable", "le_scan_type", "filter_duplicates", "le_connections"):
        assert hasattr(controller, name), name
    assert {"advertiser_address", "data"} <= set(ll.AdvInd.__dataclass_fields__)
    for name in ("enabled", "address", "scan_response_data", "stop"):
        assert hasattr(controller.le_legacy_advertiser, name), name
    assert callable(PacketParser().feed_data)


# --- gaps of the host: calza_sim.gatt.device, calza_sim.gatt.session --------------------------------------------------


class Nobody(PairingDelegate):
    """Pairs with whoever comes, without a passkey."""


def just_works(one: Device) -> None:
    one.pairing_config_factory = lambda _connection: PairingConfig(mitm=False, delegate=Nobody())


def protected(one: Device) -> None:
    """With one service: a value for who is authenticated, and one that may be read and not be written."""
    just_works(one)
    secret = Characteristic(
        "A0000000-0000-0000-0000-000000000001",
        Characteristic.Properties.READ,
        Characteristic.READABLE | Characteristic.READ_REQUIRES_AUTHENTICATION,
        b"secret",
    )
    fixed: Characteristic[bytes] = Characteristic(
        "A0000000-0000-0000-0000-000000000002",
        Characteristic.Properties.READ,
        Characteristic.READABLE,
        CharacteristicValue(read=lambda _: b"fixed", write=lambda _connection, _value: None),
    )
    one.add_service(Service("A0000000-0000-0000-0000-000000000000", [secret, fixed]))


async def handles(near: Connection) -> list[int]:
    await near.gatt_client.discover_services()
    (service,) = [s for s in near.gatt_client.services if str(s.uuid).startswith("A0000000")]
    await service.discover_characteristics()
    return [characteristic.handle for characteristic in service.characteristics]


async def test_any_encryption_counts_as_authentication() -> None:
    async with linked(protected) as (near, far):
        just_works(near.device)
        secret, _ = await handles(near)
        async with asyncio.timeout(WITHIN_S):
            await near.pair()
            assert await near.gatt_client.read_value(secret) == b"secret", "`StockingDevice.refusal` may be simpler"
        assert far.authenticated


async def test_a_value_that_may_not_be_written_is_written() -> None:
    async with linked(protected) as (near, _far):
        _, fixed = await handles(near)
        async with asyncio.timeout(WITHIN_S):
            await near.gatt_client.write_value(fixed, b"other", with_response=True)
    assert "# TODO: check permissions" in inspect.getsource(Server.on_att_write_request), (
        "the check of permissions in `StockingGattServer` may go"
    )


async def test_a_finished_pairing_stays_in_the_way() -> None:
    async with linked(just_works) as (near, far):
        just_works(near.device)
        async with asyncio.timeout(WITHIN_S):
            await near.pair()
        await settle()
        assert far.handle in far.device.smp_manager.sessions, "`pairing_over` of StockingDevice may go"
    assert parameters(smp.Session.on_disconnection) == ["self", "_"], "it is how `pairing_over` ends a session"


def test_answers_go_by_handle_and_may_meet_another_link() -> None:
    source = inspect.getsource(Server.send_gatt_pdu)
    assert "send_l2cap_pdu(bearer.handle" in source, "`StockingGattServer.send_gatt_pdu` may be out of date"
    assert "lookup_connection" not in source, "and if it looks first, it may go"


def test_some_requests_for_protected_values_are_never_answered() -> None:
    for handler in (
        Server.on_att_find_by_type_value_request,
        Server.on_att_read_multiple_request,
        Server.on_att_read_multiple_variable_request,
    ):
        source = inspect.getsource(handler)
        assert "await attribute.read_value(bearer)" in source
        assert "except att.ATT_Error" not in source, f"`_refusal` of StockingGattServer may let {handler.__name__} pass"


async def test_nobody_asks_for_an_mtu_by_itself() -> None:
    async with linked() as (near, _far):
        await settle()
        assert near.att_mtu == att.ATT_DEFAULT_MTU, "`BumbleLink.exchange_mtu` may go"


def test_an_empty_key_store_must_not_be_false() -> None:
    source = inspect.getsource(Device)
    assert "if self.keystore:" in source, "`BondStore` and `Keyring` may have a length again"


async def test_a_connect_that_is_cancelled_is_not_cancelled_at_the_controller() -> None:
    async with two() as (central, _peripheral):
        asked: list[hci.HCI_Command] = []
        send = central.host.send_hci_packet

        def sent(packet: HCI_Packet) -> None:
            if isinstance(packet, hci.HCI_Command):
                asked.append(packet)
            send(packet)

        central.host.send_hci_packet = sent  # type: ignore[method-assign]
        attempt = asyncio.ensure_future(central.connect(Address("F0:00:00:00:00:03"), timeout=None))
        await settle()
        attempt.cancel()
        await settle()
        assert any("CREATE_CONNECTION" in command.name for command in asked)
        cancelled = [command for command in asked if isinstance(command, hci.HCI_LE_Create_Connection_Cancel_Command)]
        assert not cancelled, "`OpenController._take_back` may go"


def test_debug_logs_tell_secrets() -> None:
    assert "logger.debug" in inspect.getsource(smp), "`OpenController.open` may stop muting Bumble"


def test_the_host_is_hooked_into_where_it_still_is() -> None:
    for name in (
        "add_default_services",
        "get_long_term_key",
        "lookup_connection",
        "on_disconnection",
        "on_flush",
        "send_l2cap_pdu",
    ):
        assert callable(getattr(Device, name)), name
    for name in ("get_attribute", "on_gatt_pdu", "send_gatt_pdu", "send_response", "on_disconnection"):
        assert callable(getattr(Server, name)), name
    source = inspect.getsource(Server.__init__)
    for name in ("pending_confirmations", "indication_semaphores", "max_mtu"):
        assert f"self.{name}" in source or name in Server.__annotations__, name
    for name in (
        "EVENT_CONNECTION_ENCRYPTION_CHANGE",
        "EVENT_CONNECTION_ENCRYPTION_KEY_REFRESH",
        "EVENT_PAIRING",
        "EVENT_PAIRING_FAILURE",
        "EVENT_DISCONNECTION",
    ):
        assert isinstance(getattr(Connection, name), str), name
    assert parameters(Device.get_long_term_key) == ["self", "connection_handle", "rand", "ediv"]
    for name in ("accept", "generate_passkey", "get_number", "compare_numbers"):
        assert inspect.iscoroutinefunction(getattr(PairingDelegate, name)), name
    assert "notification_subscribers" in inspect.getsource(Client)
    assert inspect.isclass(KeyStore)
    assert gatt.GATT_PRIMARY_SERVICE_ATTRIBUTE_TYPE.to_hex_str() == "2800"


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)
