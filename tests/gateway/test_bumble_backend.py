"""bleak on Bumble: every pitfall of running a real host stack under an asynchronous client, staged for real."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)
from bumble.device import Connection
from bumble.hci import Address
from bumble.transport.common import Transport
from bumble.transport.tcp_client import open_tcp_client_transport

from calza_gateway.adapters.bleak_errors import BondLostError, LinkLostError, PairingRefusedError
from calza_gateway.adapters.bumble_client import BumbleClient
from calza_gateway.adapters.bumble_host import BumbleHost
from calza_gateway.adapters.bumble_keyring import Keyring
from calza_gateway.adapters.bumble_scanner import BumbleScanner
from calza_gateway.ports import PairingAgent
from calza_wire.uuids import GHS_SERVICE, LOG_STATUS, RACP, STORED_OBSERVATIONS
from tests.gateway.peripheral import (
    ABSENT,
    OPEN_A,
    OPEN_B,
    PASSKEY,
    REFUSING,
    STATUS_OCTETS,
    Air,
    Person,
)

NOBODY = "F0:00:00:00:00:99"
SHORT_S = 0.3  # long enough for a present peer to be heard a dozen times, short enough to wait for an absent one


def drawn(count: int) -> bytes:
    return bytes(range(1, count + 1))


def make_host(air: Air, state: Path | None = None, draw: Callable[[int], bytes] = drawn) -> BumbleHost:
    async def open_transport() -> Transport:
        return await open_tcp_client_transport(f"127.0.0.1:{air.port.port}")

    return BumbleHost(open_transport, Keyring(state, draw), air.spec)


@pytest.fixture
async def host(air: Air) -> AsyncIterator[BumbleHost]:
    host = make_host(air)
    yield host
    await host.close()


def client(
    host: BumbleHost,
    address: str | BLEDevice,
    *,
    agent: PairingAgent | None = None,
    on_disconnect: Callable[[BleakClient], None] | None = None,
    timeout_s: float = 5.0,
) -> BleakClient:
    return BleakClient(address, on_disconnect, backend=BumbleClient, host=host, agent=agent, timeout=timeout_s)


async def first_named(host: BumbleHost, services: list[str] | None = None) -> tuple[BLEDevice, AdvertisementData]:
    """The first sighting that has a name: with it the scan response has come."""
    scanner = BleakScanner(None, services, backend=BumbleScanner, host=host)
    async with asyncio.timeout(5), scanner:
        async for device, data in scanner.advertisement_data():
            if data.local_name is not None:
                return device, data
    raise AssertionError("never reached")


# --- scanning ---------------------------------------------------------------------------------------------------------


async def test_advertisement_and_scan_response_are_merged(air: Air, host: BumbleHost) -> None:
    await air.add(name="Calza seven")
    _, data = await first_named(host)
    assert (data.local_name, data.service_uuids) == ("Calza seven", [GHS_SERVICE])


async def test_the_device_keeps_its_address_with_the_type(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    device, _ = await first_named(host)
    assert device.address == peripheral.address
    assert isinstance(device.details, Address)
    assert device.details.is_static


async def test_the_service_filter_hides_other_advertisers(air: Air, host: BumbleHost) -> None:
    await air.add()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SHORT_S):
            await first_named(host, [ABSENT])


async def test_two_scanners_share_the_radio_and_the_last_one_stops_it(air: Air, host: BumbleHost) -> None:
    await air.add()
    async with BleakScanner(backend=BumbleScanner, host=host):
        await first_named(host)  # starts and stops in between
        (controller,) = air.port.hosts
        assert controller.le_scan_enable
        await first_named(host)
    assert not controller.le_scan_enable


async def test_a_scan_cancelled_at_any_moment_leaves_the_radio_quiet(air: Air, host: BumbleHost) -> None:
    await air.add()
    await first_named(host)
    steps = 0
    while True:
        scanner = BleakScanner(backend=BumbleScanner, host=host)
        starting = asyncio.ensure_future(scanner.start())
        for _ in range(steps):
            await asyncio.sleep(0)
        if starting.done():
            await scanner.stop()
            break
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await host._work.settle()
        (controller,) = air.port.hosts
        assert not controller.le_scan_enable
        steps += 1
    assert steps > 3


# --- connecting -------------------------------------------------------------------------------------------------------


async def test_connects_by_address_alone_and_discovers(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    one = client(host, peripheral.address)
    await one.connect()
    assert one.is_connected
    assert one.mtu_size == 517
    assert GHS_SERVICE in [service.uuid for service in one.services]
    await one.disconnect()
    assert not one.is_connected


async def test_descriptors_with_one_uuid_are_told_apart_by_handle(air: Air, host: BumbleHost) -> None:
    async with client(host, (await air.add()).address) as one:
        schedules = [d for d in one.services.get_characteristic(REFUSING).descriptors if "2910" in d.uuid]  # type: ignore[union-attr]  # it is there
        assert [bytes(await one.read_gatt_descriptor(d)) for d in schedules] == [b"\x01", b"\x02"]


async def test_a_timed_out_connect_leaves_the_controller_free(air: Air, host: BumbleHost) -> None:
    absent = client(host, BLEDevice(NOBODY, None, Address(NOBODY, Address.RANDOM_DEVICE_ADDRESS)), timeout_s=SHORT_S)
    with pytest.raises(TimeoutError):
        await absent.connect()
    async with client(host, (await air.add()).address) as present:
        assert present.is_connected


async def test_a_cancelled_connect_leaves_the_controller_free(air: Air, host: BumbleHost) -> None:
    absent = client(host, BLEDevice(NOBODY, None, Address(NOBODY, Address.RANDOM_DEVICE_ADDRESS)))
    connecting = asyncio.ensure_future(absent.connect())
    while not (air.port.hosts and air.port.hosts[0].pending_le_connection):  # noqa: ASYNC110 - the chip tells nobody
        await asyncio.sleep(0.001)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    async with client(host, (await air.add()).address) as present:
        assert present.is_connected


async def test_a_connect_cancelled_at_any_moment_leaves_no_link(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    device, _ = await first_named(host)
    steps = 0
    while True:
        one = client(host, device)
        connecting = asyncio.ensure_future(one.connect())
        for _ in range(steps):
            await asyncio.sleep(0)
        if connecting.done():
            await one.disconnect()
            break
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await host._work.settle()
        assert not one.is_connected
        assert not peripheral.device.connections
        steps += 7
    assert steps > 20  # it was cancelled in the middle of many different things


async def test_a_link_that_comes_up_as_the_caller_goes_away_is_ended(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    really_connect = host._connect

    async def connect_and_cancel_the_caller(address: Address, give_up: asyncio.Event) -> Connection | None:
        connection = await really_connect(address, give_up)
        caller.cancel()
        return connection

    host._connect = connect_and_cancel_the_caller  # type: ignore[method-assign]  # the moment cannot be hit otherwise
    caller = asyncio.ensure_future(host.connect(Address(peripheral.address), 5))
    with pytest.raises(asyncio.CancelledError):
        await caller
    await host._work.settle()
    assert not peripheral.device.connections


async def test_several_clients_connecting_at_once_take_turns(air: Air, host: BumbleHost) -> None:
    peripherals = [await air.add(f"F0:00:00:00:01:{n:02X}", f"Calza {n}") for n in range(4)]
    clients = [client(host, p.address) for p in peripherals]
    await asyncio.gather(*(one.connect() for one in clients))
    assert all(one.is_connected for one in clients)
    await asyncio.gather(*(one.disconnect() for one in clients))


async def test_the_same_client_object_can_be_connected_again(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    ends: list[str] = []
    one = client(host, peripheral.address, on_disconnect=lambda c: ends.append(c.address))
    for _ in range(3):
        await one.connect()
        assert bytes(await one.read_gatt_char(OPEN_B)) == b"value of B"
        await one.disconnect()
    assert ends == [peripheral.address] * 3


# --- GATT -------------------------------------------------------------------------------------------------------------


async def test_an_abandoned_read_does_not_answer_the_next_one(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    async with client(host, peripheral.address) as one:
        peripheral.slow.clear()
        reading = asyncio.ensure_future(one.read_gatt_char(OPEN_A))
        await peripheral.asked.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        next_one = asyncio.ensure_future(one.read_gatt_char(OPEN_B))
        await asyncio.sleep(0)
        peripheral.slow.set()
        assert bytes(await next_one) == b"value of B"


async def test_link_loss_inside_a_read_is_an_error_and_no_cancellation(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    gone = asyncio.Event()
    one = client(host, peripheral.address, on_disconnect=lambda _: gone.set())
    await one.connect()
    peripheral.slow.clear()
    readings = [asyncio.ensure_future(one.read_gatt_char(uuid)) for uuid in (OPEN_A, OPEN_B)]  # one waits for the other
    await peripheral.asked.wait()
    peripheral.cut()
    async with asyncio.timeout(2):
        for reading in readings:
            with pytest.raises(LinkLostError):
                await reading
        await gone.wait()
    assert not one.is_connected
    with pytest.raises(BleakError, match="Service Discovery"):
        await one.read_gatt_char(OPEN_B)


async def test_an_att_error_carries_its_code(air: Air, host: BumbleHost) -> None:
    async with client(host, (await air.add()).address) as one:
        with pytest.raises(BleakGATTProtocolError) as caught:
            await one.read_gatt_char(REFUSING)
        assert caught.value.code == 0x80


async def test_notifications_and_the_final_indication_come_in_order(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    got: list[bytes] = []
    done = asyncio.Event()

    def arrived(_characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
        got.append(bytes(value))
        if value == b"end":
            done.set()

    async with client(host, peripheral.address) as one:
        await one.start_notify(STORED_OBSERVATIONS, arrived)
        await one.start_notify(RACP, arrived)
        expected = [b"%d" % n for n in range(300)]
        for value in expected:
            await peripheral.notify(value)
        await peripheral.indicate(b"end")
        async with asyncio.timeout(5):
            await done.wait()
    assert got == [*expected, b"end"]


async def test_values_that_came_before_the_end_are_delivered_before_it(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    events: list[str] = []
    gone = asyncio.Event()

    def ended(_client: BleakClient) -> None:
        events.append("end")
        gone.set()

    one = client(host, peripheral.address, on_disconnect=ended)
    await one.connect()
    await one.start_notify(STORED_OBSERVATIONS, lambda _, value: events.append(value.decode()))
    await peripheral.notify(b"last")
    await peripheral.link.disconnect()
    await gone.wait()
    assert events == ["last", "end"]


async def test_a_callback_that_raises_stops_neither_indications_nor_the_rest(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["exception"]))
    got: list[bytes] = []

    def arrived(_characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
        got.append(bytes(value))
        raise ValueError("not my day")

    async with client(host, peripheral.address) as one:
        await one.start_notify(RACP, arrived)
        async with asyncio.timeout(5):  # an unconfirmed indication would hold the next one back for 30 s
            await peripheral.indicate(b"one")
            await peripheral.indicate(b"two")
    assert got == [b"one", b"two"]
    assert len(complaints) == 2


async def test_a_characteristic_without_notifications_cannot_be_subscribed(air: Air, host: BumbleHost) -> None:
    async with client(host, (await air.add()).address) as one:
        with pytest.raises(BleakError, match="cannot be subscribed"):
            await one.start_notify(OPEN_B, lambda _, __: None)


# --- the simulator dies -----------------------------------------------------------------------------------------------


async def test_when_the_simulator_dies_every_client_hears_of_it_and_can_come_back(air: Air, host: BumbleHost) -> None:
    peripherals = [await air.add(f"F0:00:00:00:02:{n:02X}", f"Calza {n}") for n in range(2)]
    ended: list[asyncio.Event] = [asyncio.Event() for _ in peripherals]
    clients = [
        client(host, p.address, on_disconnect=lambda _, e=event: e.set())  # type: ignore[misc]  # the default binds
        for p, event in zip(peripherals, ended, strict=True)
    ]
    for one in clients:
        await one.connect()
    peripherals[0].slow.clear()
    reading = asyncio.ensure_future(clients[0].read_gatt_char(OPEN_A))
    await peripherals[0].asked.wait()
    await air.restart()
    async with asyncio.timeout(2):
        for event in ended:
            await event.wait()
    with pytest.raises(LinkLostError):
        await reading
    peripherals[0].slow.set()
    for one in clients:
        await one.connect()
        assert bytes(await one.read_gatt_char(OPEN_B)) == b"value of B"
        await one.disconnect()


async def test_a_scanner_goes_on_hearing_after_the_transport_was_opened_again(air: Air, host: BumbleHost) -> None:
    await air.add()
    device, _ = await first_named(host)
    heard = asyncio.Event()
    async with BleakScanner(lambda _, __: heard.set(), backend=BumbleScanner, host=host):
        await heard.wait()
        await air.restart()
        heard.clear()
        async with client(host, device):  # opens the transport again, without a scan of its own
            async with asyncio.timeout(2):
                await heard.wait()


async def test_no_simulator_is_one_plain_sentence(air: Air, host: BumbleHost) -> None:
    port = air.port.port
    await air.port.close()
    host._open_transport = lambda: open_tcp_client_transport(f"127.0.0.1:{port}")
    with pytest.raises(BleakBluetoothNotAvailableError, match="calza sim run"):
        await client(host, NOBODY).connect()


# --- pairing ----------------------------------------------------------------------------------------------------------


async def test_a_protected_read_pairs_with_the_right_passkey_and_is_tried_once_more(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    person = Person(PASSKEY)
    async with client(host, peripheral.address, agent=person) as one:
        assert bytes(await one.read_gatt_char(LOG_STATUS)) == STATUS_OCTETS
    assert person.asked == ["passkey"]


async def test_a_wrong_passkey_is_refused_and_drops_the_link(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    gone = asyncio.Event()
    one = client(host, peripheral.address, agent=Person(PASSKEY ^ 1), on_disconnect=lambda _: gone.set())
    await one.connect()
    with pytest.raises(PairingRefusedError, match="passkey is wrong"):
        await one.pair()
    async with asyncio.timeout(2):
        await gone.wait()
    assert not host.keyring.has(peripheral.address)
    async with client(host, peripheral.address, agent=Person(PASSKEY)) as again:
        await again.pair()
        assert bytes(await again.read_gatt_char(LOG_STATUS)) == STATUS_OCTETS


@pytest.mark.parametrize("passkey", [0, PASSKEY - 1])
async def test_no_passkey_makes_pairing_hang(air: Air, host: BumbleHost, passkey: int) -> None:
    peripheral = await air.add()
    one = client(host, peripheral.address, agent=Person(passkey))
    await one.connect()
    async with asyncio.timeout(5):
        with pytest.raises(PairingRefusedError):
            await one.pair()


async def test_without_an_agent_nothing_pairs_by_itself(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    async with client(host, peripheral.address) as one:
        with pytest.raises(BleakGATTProtocolError) as caught:
            await one.read_gatt_char(LOG_STATUS)
        assert caught.value.code == 0x0F
        assert bytes(await one.read_gatt_char(OPEN_B)) == b"value of B"
    assert peripheral.pairings == 0


async def test_just_works_encrypts_and_is_still_refused_on_a_protected_read(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    async with client(host, peripheral.address) as one:
        await one.pair()
        with pytest.raises(BleakGATTProtocolError) as caught:
            await one.read_gatt_char(LOG_STATUS)
        assert caught.value.code == 0x05


async def test_what_the_agent_raises_comes_out_of_pair(air: Air, host: BumbleHost) -> None:
    class ChangedTheirMind(Person):
        async def passkey(self, address: str) -> int:
            raise LookupError("no label in sight")

    one = client(host, (await air.add()).address, agent=ChangedTheirMind())
    await one.connect()
    with pytest.raises(LookupError, match="no label"):
        await one.pair()


async def test_a_bonded_link_is_encrypted_at_once_without_an_agent(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    async with client(host, peripheral.address, agent=Person(PASSKEY)) as one:
        await one.pair()
    async with client(host, peripheral.address) as again:
        assert peripheral.link.is_encrypted
        assert bytes(await again.read_gatt_char(LOG_STATUS)) == STATUS_OCTETS
    assert peripheral.pairings == 1


async def test_a_bond_and_the_address_outlive_the_gateway(air: Air, tmp_path: Path) -> None:
    peripheral = await air.add()
    first = make_host(air, tmp_path)
    async with client(first, peripheral.address, agent=Person(PASSKEY)) as one:
        await one.pair()
        seen = str(peripheral.link.peer_address)
    await first.close()
    second = make_host(air, tmp_path, lambda count: bytes(count))  # would draw another address
    async with client(second, peripheral.address) as one:
        assert str(peripheral.link.peer_address) == seen
        assert bytes(await one.read_gatt_char(LOG_STATUS)) == STATUS_OCTETS
    await second.close()


async def test_a_bond_lost_on_the_stocking_is_told_and_cured_by_unpairing(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    async with client(host, peripheral.address, agent=Person(PASSKEY)) as one:
        await one.pair()
    await peripheral.forget_bonds()
    again = client(host, peripheral.address, agent=Person(PASSKEY))
    with pytest.raises(BondLostError):
        await again.connect()
    assert not peripheral.device.connections
    await again.unpair()
    await again.connect()
    assert bytes(await again.read_gatt_char(LOG_STATUS)) == STATUS_OCTETS
    await again.disconnect()


async def test_a_key_that_does_not_match_is_a_lost_bond(air: Air, host: BumbleHost) -> None:
    peripheral = await air.add()
    async with client(host, peripheral.address, agent=Person(PASSKEY)) as one:
        await one.pair()
    ((_, keys),) = await peripheral.keys.get_all()
    assert keys.ltk is not None
    keys.ltk.value = bytes(16)
    with pytest.raises(BondLostError):
        await client(host, peripheral.address).connect()


async def test_unpairing_without_a_bond_says_so(host: BumbleHost) -> None:
    with pytest.raises(BleakDeviceNotFoundError):
        await client(host, NOBODY).unpair()


async def test_a_bond_that_cannot_be_kept_is_not_a_pairing(air: Air, tmp_path: Path) -> None:
    peripheral = await air.add()
    state = tmp_path / "state"
    host = make_host(air, state)
    one = client(host, peripheral.address, agent=Person(PASSKEY))
    await one.connect()
    (state / "bonds.json.new").mkdir()  # nothing can be written any more
    with pytest.raises(BleakError, match="could not be kept"):
        await one.pair()
    await host.close()


async def test_two_hosts_never_share_one_state(air: Air, tmp_path: Path) -> None:
    peripheral = await air.add()
    first, second = make_host(air, tmp_path), make_host(air, tmp_path)
    async with client(first, peripheral.address):
        with pytest.raises(BleakBluetoothNotAvailableError, match="another gateway"):
            await client(second, peripheral.address).connect()
    await first.close()
    async with client(second, peripheral.address):
        pass
    await second.close()


async def test_neither_passkey_nor_key_reaches_a_log(
    air: Air, host: BumbleHost, caplog: pytest.LogCaptureFixture
) -> None:
    peripheral = await air.add()
    caplog.set_level(logging.DEBUG)
    async with client(host, peripheral.address, agent=Person(PASSKEY)) as one:
        await one.pair()
    async with client(host, peripheral.address):
        pass
    keys = await host.keyring.get(peripheral.address)
    assert keys is not None
    assert keys.ltk is not None
    assert str(PASSKEY) not in caplog.text
    assert keys.ltk.value.hex() not in caplog.text.lower()
