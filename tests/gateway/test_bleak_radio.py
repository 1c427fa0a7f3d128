"""The radio port over bleak: scanning, links, errors as reasons, and nothing left behind."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import cast

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError, BleakError
from bumble.att import ErrorCode

from calza_gateway.adapters.bleak_backend import BluezBackend, DisconnectCallback
from calza_gateway.adapters.bleak_errors import BLUEZ_REASONS, BLUEZ_REFUSALS, DroppedError, radio_errors
from calza_gateway.adapters.bleak_link import BleakLink
from calza_gateway.adapters.bleak_radio import BleakRadio
from calza_gateway.pairing.pairing import advice, enrol, find
from calza_gateway.ports import PairingAgent, RadioError, RadioReason
from calza_wire.uuids import CURRENT_ELAPSED_TIME, LOG_STATUS, RACP, STOCKING_IDENTITY, STORED_OBSERVATIONS
from tests.gateway.peripheral import ABSENT, OPEN_A, OPEN_B, PASSKEY, REFUSING, Air, Person

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


async def test_without_a_key_what_is_protected_is_not_even_asked_for(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    peripheral.lax = True
    link = await gateway().connect(peripheral.address, 5)
    for step in (
        link.read(LOG_STATUS),
        link.write(CURRENT_ELAPSED_TIME, bytes(9)),
        link.subscribe(STORED_OBSERVATIONS, print),
    ):
        with pytest.raises(RadioError, match=f"lost its key.*calza gateway pair {peripheral.address}") as caught:
            await step
        assert caught.value.reason is RadioReason.NOT_PAIRED
    assert await link.read(STOCKING_IDENTITY)
    await link.disconnect()
    assert peripheral.pairings == 0


async def test_values_of_all_subscriptions_come_in_order(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    await radio.pair(peripheral.address, Person())
    link = await radio.connect(peripheral.address, 5)
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


class Restarted:
    """A bleak client on BlueZ whose bluetoothd was restarted under it: its end never comes, or goes wrong (`fails`)."""

    address = NOBODY
    is_connected = True
    services = None

    def __init__(self, fails: asyncio.Event | None = None) -> None:
        self.cancelled = False
        self._fails = fails or asyncio.Event()

    async def read_gatt_char(self, _uuid: str) -> bytes:
        raise BleakDBusError("org.freedesktop.DBus.Error.UnknownObject", ['Method "ReadValue" doesn\'t exist'])

    async def disconnect(self) -> None:
        try:
            await self._fails.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        raise TimeoutError


async def test_a_link_whose_stack_was_restarted_is_lost_and_let_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calza_gateway.adapters.bleak_link.FORGOTTEN_TIMEOUT_S", 0.01)
    client = Restarted()
    link = BleakLink(cast("BleakClient", client), asyncio.Event(), None, keyless=False)
    with pytest.raises(RadioError, match="service has been restarted") as caught:
        await link.read(OPEN_A)
    assert caught.value.reason is RadioReason.DISCONNECTED, "the stocking is not absent"
    async with asyncio.timeout(5):
        await link.disconnect()
    assert client.cancelled, "bleak closes its connection to the bus when its disconnect is cancelled"
    assert link.closed.is_set()


async def test_an_end_that_goes_wrong_when_nobody_waits_is_not_printed_as_a_fault() -> None:
    fails = asyncio.Event()
    link = BleakLink(cast("BleakClient", Restarted(fails)), asyncio.Event(), None, keyless=False)
    printed: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: printed.append(context["message"]))
    leaving = asyncio.ensure_future(link.disconnect())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    fails.set()
    await asyncio.wait(left)
    del link, leaving, left
    gc.collect()
    assert printed == []


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
    for step in (radio.scan(0.1), radio.connect(NOBODY, 0.5), radio.pair(NOBODY, Person(PASSKEY))):
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
        (DroppedError("again and again"), RadioReason.CONNECT_FAILED),
        (
            BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF),
            RadioReason.NO_ADAPTER,
        ),
        (TimeoutError(), RadioReason.TIMEOUT),
        (EOFError(), RadioReason.STACK_STUCK),
        (ConnectionResetError(), RadioReason.STACK_STUCK),
        (BrokenPipeError(), RadioReason.STACK_STUCK),
        (FileNotFoundError(), RadioReason.NO_ADAPTER),
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


@pytest.mark.parametrize("details", ["le-connection-abort-by-local", "br-connection-canceled"])
def test_a_connect_that_fell_through_is_no_fault_of_the_adapter(details: str) -> None:
    with pytest.raises(RadioError) as caught, radio_errors(NOBODY, RadioReason.NO_ADAPTER):
        raise BleakDBusError("org.bluez.Error.Failed", [details])
    assert caught.value.reason is RadioReason.CONNECT_FAILED


@pytest.mark.parametrize("error", BLUEZ_REFUSALS)
def test_a_refused_pairing_says_what_to_do_in_plain_words(error: str) -> None:
    with pytest.raises(RadioError, match="was not paired") as caught, radio_errors(NOBODY, RadioReason.GATT_ERROR):
        raise BleakDBusError(error, ["Authentication Failed"])
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    assert "BlueZ" not in str(caught.value)


class Hidden:
    """The simulated radio, but its keys are hidden, or it answers like BlueZ: a link without a key goes on for ever."""

    def __init__(self, real: BleakRadio, has_key: bool | None) -> None:
        self._real = real._backend
        self._has_key = has_key
        self.asking = self._real.asking
        self.close = self._real.close

    def scanner(self, on_sighting: AdvertisementDataCallback, service: str) -> BleakScanner:
        return self._real.scanner(on_sighting, service)

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        agent: PairingAgent | None,
    ) -> BleakClient:
        return self._real.client(device, on_disconnect, timeout_s, agent)

    def has_key(self, device: BLEDevice) -> bool | None:
        return self._has_key

    def unless_dropped(self, device: BLEDevice) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def connected(self, service: str) -> list[BLEDevice]:
        return []


async def test_a_read_that_is_never_answered_without_a_key_is_not_paired(
    air: Air, gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calza_gateway.adapters.bleak_link.KEYLESS_TIMEOUT_S", 0.2)
    peripheral = await air.add()
    radio = BleakRadio(Hidden(gateway(), False))
    link = await radio.connect(peripheral.address, 5)
    peripheral.slow.clear()
    with pytest.raises(RadioError, match=f"lost its key.*calza gateway pair {peripheral.address}") as caught:
        await link.read(OPEN_A)
    assert caught.value.reason is RadioReason.NOT_PAIRED
    peripheral.slow.set()
    await radio.close()


async def test_a_stack_that_hides_its_keys_is_asked_by_trying(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = BleakRadio(Hidden(gateway(), None))
    person = Person(PASSKEY)
    for _ in range(2):
        await radio.pair(peripheral.address, person)
    assert person.asked == ["passkey"]
    await radio.close()


CANCELED = BleakDBusError("org.bluez.Error.Failed", ["br-connection-canceled"])


class Dropping(Hidden):
    """As BlueZ with a key that the stocking has forgotten: the link comes up and is dropped, and nobody says why."""

    def __init__(self, real: BleakRadio, has_key: bool = True, how: BleakError = CANCELED) -> None:
        super().__init__(real, has_key)
        self.drops = 99
        self._how = how

    def client(
        self,
        device: BLEDevice | str,
        on_disconnect: DisconnectCallback | None,
        timeout_s: float,
        agent: PairingAgent | None,
    ) -> BleakClient:
        made = super().client(device, on_disconnect, timeout_s, agent)
        really_connect = made.connect

        async def connect(**_more: object) -> None:
            await really_connect()
            if self.drops:
                self.drops -= 1
                await made.disconnect()
                raise self._how

        made.connect = connect  # type: ignore[method-assign]  # what bluetoothd would do
        unpair = made.unpair

        async def forget() -> None:
            self.drops = 0
            self._has_key = None  # as it really is
            await unpair()

        made.unpair = forget  # type: ignore[method-assign]
        return made


async def reasons(radio: BleakRadio, address: str, times: int) -> list[RadioReason]:
    found = []
    for _ in range(times):
        with pytest.raises(RadioError) as caught:
            await radio.connect(address, 5)
        found.append(caught.value.reason)
    return found


@pytest.mark.parametrize("how", [CANCELED, DroppedError("the link came up and was lost 10 times")])
async def test_a_link_dropped_three_times_in_a_row_is_a_lost_bond(
    air: Air, gateway: MakeGateway, how: BleakError
) -> None:
    peripheral = await air.add()
    dropping = Dropping(gateway(), how=how)
    radio = BleakRadio(dropping)
    once = RadioReason.CONNECT_FAILED
    assert await reasons(radio, peripheral.address, 2) == [once, once]
    dropping.drops = 0
    await (await radio.connect(peripheral.address, 5)).disconnect()  # one that holds: it was the signal
    dropping.drops = 99
    assert await reasons(radio, peripheral.address, 3) == [once, once, RadioReason.BOND_LOST]
    await radio.close()


async def test_without_a_key_a_dropped_link_is_only_a_dropped_link(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = BleakRadio(Dropping(gateway(), has_key=False))
    assert set(await reasons(radio, peripheral.address, 4)) == {RadioReason.CONNECT_FAILED}
    await radio.close()


async def test_pairing_again_looks_three_times_before_it_drops_the_key(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    dropping = Dropping(gateway())
    radio = BleakRadio(dropping)
    found = await find(radio, peripheral.serial, await radio.scan(0.3))
    assert dropping.drops == 0
    paired = await enrol(radio, found, Person(PASSKEY))
    assert paired.serial == peripheral.serial
    await radio.close()


def test_a_person_is_told_who_has_forgotten_whom_and_one_command() -> None:
    said = {reason: advice(reason.value, "as it was", "CZ-000001") for reason in RadioReason}
    assert said.pop(RadioReason.BOND_LOST).startswith("CZ-000001 has forgotten this gateway: run")
    assert said.pop(RadioReason.NOT_PAIRED).startswith("this gateway has lost its key for CZ-000001: run")
    assert set(said.values()) == {"as it was"}


async def test_a_radio_without_care_says_so(gateway: MakeGateway) -> None:
    with pytest.raises(RadioError, match="without the care"):
        _ = BleakRadio(Hidden(gateway(), None)).care


# --- listening --------------------------------------------------------------------------------------------------------


async def test_listening_ends_with_the_first_wanted_stocking(air: Air, gateway: MakeGateway) -> None:
    stranger = await air.add("F0:00:00:00:00:01", "Calza 1")
    wanted = await air.add("F0:00:00:00:00:0A", "Calza 10")
    async with asyncio.timeout(5):
        sighting = await gateway().listen([NOBODY, wanted.address.lower()], 60)
    assert sighting is not None
    assert sighting.address == wanted.address != stranger.address
    assert sighting.rssi is not None
    (controller,) = air.port.hosts
    assert not controller.le_scan_enable


async def test_listening_in_vain_ends_in_time(air: Air, gateway: MakeGateway) -> None:
    await air.add()
    assert await gateway().listen([NOBODY], 0.2) is None


async def test_bluez_is_asked_for_the_adapter_that_was_given() -> None:
    client = BluezBackend("hci1").client(NOBODY, None, 1.0, None)
    assert client._backend._adapter == "hci1"  # type: ignore[attr-defined]  # bleak's BlueZ client


@pytest.mark.parametrize(
    ("properties", "has_key"),
    [
        ({"Paired": True, "Bonded": True}, True),
        ({"Paired": True, "Bonded": False}, False),  # a pairing that was not kept
        ({"Paired": True}, True),  # before BlueZ 5.65
        ({}, False),
    ],
)
def test_bluez_tells_whether_it_has_a_key(properties: dict[str, bool], has_key: bool) -> None:
    assert BluezBackend("hci0").has_key(BLEDevice(NOBODY, None, {"props": properties})) is has_key
