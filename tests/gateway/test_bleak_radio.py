"""The radio port over bleak: scanning, links, errors as reasons, and nothing left behind."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError, BleakError
from bumble.att import ErrorCode

from calza_gateway.adapters.bleak_backend import BluezBackend, DisconnectCallback
from calza_gateway.adapters.bleak_errors import BLUEZ_REASONS, radio_errors
from calza_gateway.adapters.bleak_radio import BleakRadio
from calza_gateway.ports import PasskeyPrompt, RadioError, RadioReason
from calza_wire.uuids import LOG_STATUS, RACP, STORED_OBSERVATIONS
from tests.gateway.peripheral import ABSENT, OPEN_A, OPEN_B, PASSKEY, REFUSING, Air, passkey_prompt

NOBODY = "F0:00:00:00:00:99"
MakeGateway = Callable[..., BleakRadio]


async def test_scan_lists_stockings_with_name_and_signal(air: Air, gateway: MakeGateway) -> None:
    await air.add("F0:00:00:00:00:01", "Calza 1")
    await air.add("F0:00:00:00:00:02", "Calza 2")
    sightings = await gateway().scan(0.3)
    assert {(s.address, s.name) for s in sightings} == {
        ("F0:00:00:00:00:01", "Calza 1"),
        ("F0:00:00:00:00:02", "Calza 2"),
    }
    signals = [s.rssi for s in sightings if s.rssi is not None]
    assert len(signals) == 2
    assert signals == sorted(signals, reverse=True)


async def test_link_reads_writes_and_tells_its_mtu_and_signal(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    link = await gateway().connect(peripheral.address, 5)
    assert (link.address, link.mtu) == (peripheral.address, 517)
    assert link.rssi is not None
    assert link.rssi < 0
    assert await link.read(OPEN_B) == b"value of B"
    await link.write(RACP, b"\x04\x01")
    assert peripheral.written == [b"\x04\x01"]
    await link.disconnect()
    assert link.closed.is_set()
    await link.disconnect()


async def test_the_address_may_be_given_in_lower_case(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add("F0:00:00:00:0A:BC")
    link = await gateway().connect(peripheral.address.lower(), 5)
    await link.disconnect()


async def test_an_absent_stocking_is_not_found_in_time(air: Air, gateway: MakeGateway) -> None:
    with pytest.raises(RadioError) as caught:
        await gateway().connect(NOBODY, 0.2)
    assert caught.value.reason is RadioReason.NOT_FOUND


async def test_after_the_link_is_gone_everything_says_disconnected(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    link = await gateway().connect(peripheral.address, 5)
    peripheral.cut()
    async with asyncio.timeout(2):
        await link.closed.wait()
    for step in (link.read(OPEN_B), link.write(RACP, b"\x01"), link.subscribe(RACP, print)):
        with pytest.raises(RadioError) as caught:
            await step
        assert caught.value.reason is RadioReason.DISCONNECTED
    assert link.mtu == 23


async def test_link_loss_inside_a_read_is_disconnected(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    link = await gateway().connect(peripheral.address, 5)
    peripheral.slow.clear()
    reading = asyncio.ensure_future(link.read(OPEN_A))
    await peripheral.asked.wait()
    peripheral.cut()
    with pytest.raises(RadioError) as caught:
        await reading
    assert caught.value.reason is RadioReason.DISCONNECTED


async def test_an_att_error_is_gatt_error_with_its_code(air: Air, gateway: MakeGateway) -> None:
    link = await gateway().connect((await air.add()).address, 5)
    with pytest.raises(RadioError) as caught:
        await link.read(REFUSING)
    assert (caught.value.reason, caught.value.att_code) == (RadioReason.GATT_ERROR, 0x80)
    with pytest.raises(RadioError) as caught:
        await link.read(ABSENT)
    assert (caught.value.reason, caught.value.att_code) == (RadioReason.GATT_ERROR, None)
    await link.disconnect()


async def test_an_error_that_races_with_the_end_of_the_link_is_the_end(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    peripheral.refusal = ErrorCode.UNLIKELY_ERROR  # what BlueZ says of an operation that the link did not survive
    link = await gateway().connect(peripheral.address, 5)
    asyncio.get_running_loop().call_later(0.1, peripheral.cut)
    with pytest.raises(RadioError) as caught:
        await link.read(REFUSING)
    assert caught.value.reason is RadioReason.DISCONNECTED


async def test_the_same_error_on_a_link_that_stays_is_the_peers(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    peripheral.refusal = ErrorCode.UNLIKELY_ERROR
    link = await gateway().connect(peripheral.address, 5)
    with pytest.raises(RadioError) as caught:
        await link.read(REFUSING)
    assert (caught.value.reason, caught.value.att_code) == (RadioReason.GATT_ERROR, 0x0E)
    await link.disconnect()


async def test_a_protected_read_without_a_bond_is_not_paired(air: Air, gateway: MakeGateway) -> None:
    link = await gateway().connect((await air.add()).address, 5)
    with pytest.raises(RadioError) as caught:
        await link.read(LOG_STATUS)
    assert (caught.value.reason, caught.value.att_code) == (RadioReason.NOT_PAIRED, 0x0F)
    await link.disconnect()


async def test_values_of_all_subscriptions_come_in_order(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    link = await gateway().connect(peripheral.address, 5)
    got: list[bytes] = []
    await link.subscribe(STORED_OBSERVATIONS, got.append)
    await link.subscribe(RACP, got.append)
    await peripheral.notify(b"one")
    await peripheral.notify(b"two")
    await peripheral.indicate(b"done")
    assert got == [b"one", b"two", b"done"]
    assert all(type(value) is bytes for value in got)
    await link.disconnect()


async def test_a_cancelled_connect_leaves_no_connection(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    for steps in range(0, 200, 9):
        connecting = asyncio.ensure_future(radio.connect(peripheral.address, 5))
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
    link = await radio.connect(peripheral.address, 5)
    assert len(peripheral.device.connections) == 1
    await link.disconnect()


async def test_a_disconnect_goes_on_when_its_caller_is_cancelled(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    link = await gateway().connect(peripheral.address, 5)
    leaving = asyncio.ensure_future(link.disconnect())
    await asyncio.sleep(0)
    leaving.cancel()
    async with asyncio.timeout(2):
        await link.closed.wait()
    assert not peripheral.device.connections


async def test_closing_the_radio_ends_its_links(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    link = await radio.connect(peripheral.address, 5)
    await radio.close()
    assert link.closed.is_set()
    assert not air.port.hosts or not peripheral.device.connections


async def test_two_gateways_share_the_air(air: Air, gateway: MakeGateway) -> None:
    peripherals = [await air.add(f"F0:00:00:00:00:0{n}", f"Calza {n}") for n in (1, 2)]
    radios = [gateway("g1"), gateway("g2")]
    links = await asyncio.gather(*(r.connect(p.address, 5) for r, p in zip(radios, peripherals, strict=True)))
    assert await asyncio.gather(*(link.read(OPEN_B) for link in links)) == [b"value of B"] * 2
    for link in links:
        await link.disconnect()


async def test_when_the_simulator_comes_back_the_same_radio_connects_again(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    link = await radio.connect(peripheral.address, 5)
    await air.restart()
    async with asyncio.timeout(2):
        await link.closed.wait()
    link = await radio.connect(peripheral.address, 5)
    assert await link.read(OPEN_B) == b"value of B"
    await link.disconnect()


async def test_without_a_simulator_there_is_no_adapter(air: Air, gateway: MakeGateway) -> None:
    radio = gateway()
    await air.port.close()
    for step in (radio.scan(0.1), radio.connect(NOBODY, 0.5), radio.pair(NOBODY, passkey_prompt(PASSKEY))):
        with pytest.raises(RadioError, match="calza sim run") as caught:
            await step
        assert caught.value.reason is RadioReason.NO_ADAPTER


# --- what only BlueZ does, staged by stand-ins ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        *((BleakDBusError(name, ["x"]), reason) for name, reason in BLUEZ_REASONS.items()),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]), RadioReason.CONNECT_FAILED),
        (BleakError("anything"), RadioReason.CONNECT_FAILED),
        (
            BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF),
            RadioReason.NO_ADAPTER,
        ),
        (TimeoutError(), RadioReason.TIMEOUT),
        (EOFError(), RadioReason.NO_ADAPTER),
        (ConnectionResetError(), RadioReason.NO_ADAPTER),
        (AssertionError(), RadioReason.CONNECT_FAILED),
    ],
)
def test_every_error_of_the_stack_has_a_reason(error: Exception, reason: RadioReason) -> None:
    with pytest.raises(RadioError) as caught, radio_errors(NOBODY, RadioReason.CONNECT_FAILED):
        raise error
    assert caught.value.reason is reason
    assert caught.value.__cause__ is error


def test_a_cancellation_is_no_error_of_the_radio() -> None:
    with pytest.raises(asyncio.CancelledError), radio_errors(NOBODY, RadioReason.CONNECT_FAILED):
        raise asyncio.CancelledError


class NoAgent:
    """The simulated radio, but like BlueZ it cannot ask for a passkey, and it keeps links of its own."""

    asks_passkey = False

    def __init__(self, real: BleakRadio) -> None:
        self._real = real._backend

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        return self._real.scanner(on_sighting, service)

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        passkey: PasskeyPrompt | None,
    ) -> BleakClient:
        return self._real.client(device, on_disconnect, timeout_s, None)

    async def connected(self, service: str) -> list[BLEDevice]:
        return []

    async def close(self) -> None:
        await self._real.close()


@pytest.fixture
async def no_agent(gateway: MakeGateway) -> AsyncIterator[BleakRadio]:
    radio = BleakRadio(NoAgent(gateway()))
    yield radio
    await radio.close()


async def test_without_a_pairing_agent_pair_says_to_use_bluetoothctl(air: Air, no_agent: BleakRadio) -> None:
    peripheral = await air.add()
    with pytest.raises(RadioError, match="bluetoothctl") as caught:
        await no_agent.pair(peripheral.address, passkey_prompt(PASSKEY))
    assert caught.value.reason is RadioReason.NOT_PAIRED
    assert peripheral.address in str(caught.value)


async def test_without_a_pairing_agent_a_bond_made_elsewhere_is_enough(
    air: Air, gateway: MakeGateway, no_agent: BleakRadio
) -> None:
    peripheral = await air.add()
    elsewhere = gateway()
    await elsewhere.pair(peripheral.address, passkey_prompt(PASSKEY))
    await elsewhere.close()
    await no_agent.pair(peripheral.address, passkey_prompt(PASSKEY))


async def test_bluez_is_asked_for_the_adapter_that_was_given() -> None:
    assert not BluezBackend("hci1").asks_passkey
    client = BluezBackend("hci1").client(NOBODY, None, 1.0, None)
    assert client._backend._adapter == "hci1"  # type: ignore[attr-defined]  # bleak's BlueZ client
