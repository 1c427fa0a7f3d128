"""The virtual radio against what a real one does: scans, connects, timing, range, death of a host."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable

import pytest
from bumble import core, hci
from bumble.core import AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host

from calza_sim.radio import PACED, UNPACED, Pacing, Radio, RadioController
from tests.sim.central import Central

Report = hci.HCI_LE_Advertising_Report_Event
STOCKING = "C0:00:00:00:00:01"
ADVERTISED = bytes(AdvertisingData([(AdvertisingData.FLAGS, b"\x06")]))
ANSWERED = bytes(AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, b"Calza 0001")]))


class Peripheral:
    """A bare advertiser."""

    def __init__(self, radio: Radio, address: str = STOCKING) -> None:
        self.controller = RadioController(f"peripheral-{address}", radio)
        host = Host()
        host.controller = self.controller
        self.device = Device(config=DeviceConfiguration(name="bare", address=Address(address)), host=host)
        self.connections: list[Connection] = []
        self.reasons: list[int] = []
        self.lost = asyncio.Event()
        self.device.on(self.device.EVENT_CONNECTION, self._on_connection)

    def _on_connection(self, connection: Connection) -> None:
        self.connections.append(connection)

        def on_disconnection(reason: int) -> None:
            self.reasons.append(reason)
            self.lost.set()

        connection.on(connection.EVENT_DISCONNECTION, on_disconnection)

    async def start(self) -> "Peripheral":
        await self.device.power_on()
        await self.advertise()
        return self

    async def advertise(self) -> None:
        await self.device.start_advertising(
            advertising_data=ADVERTISED,
            scan_response_data=ANSWERED,
            advertising_interval_min=20,
            advertising_interval_max=20,
        )


@pytest.fixture
async def radio() -> Radio:
    return Radio(seed=1, pacing=PACED)


@pytest.fixture
async def peripheral(radio: Radio) -> Peripheral:
    return await Peripheral(radio).start()


@pytest.fixture
async def central(radio: Radio) -> AsyncIterator[Central]:
    made = await Central(radio, "gateway").start()
    yield made
    await made.stop()


async def test_active_scan_gets_the_scan_response_and_a_signal_strength(
    central: Central, peripheral: Peripheral
) -> None:
    first, second = (await central.scan(STOCKING))[:2]
    assert (first.event_type, bytes(first.data)) == (Report.EventType.ADV_IND, ADVERTISED)
    assert (second.event_type, bytes(second.data)) == (Report.EventType.SCAN_RSP, ANSWERED)
    assert -90 <= first.rssi <= -40


async def test_passive_scan_asks_for_no_scan_response(central: Central, peripheral: Peripheral) -> None:
    heard = await central.scan(STOCKING, active=False)
    assert {each.event_type for each in heard} == {Report.EventType.ADV_IND}


async def test_duplicates_are_filtered_when_asked(central: Central, peripheral: Peripheral, radio: Radio) -> None:
    heard: list[object] = []
    central.device.host.on("advertising_report", heard.append)
    other = await Peripheral(radio, "C0:00:00:00:00:02").start()
    await central.device.start_scanning(active=True, filter_duplicates=True)
    await asyncio.sleep(0.2)  # ten advertisements of each; there is no event for "nothing more came"
    await central.device.stop_scanning()
    assert len(heard) == 4
    other.controller.remove()


async def test_signal_strength_is_seeded_and_flutters() -> None:
    async def series(seed: int) -> list[int]:
        radio = Radio(seed=seed)
        one, other = RadioController("one", radio), RadioController("other", radio)
        return [radio.rssi_dbm(one, other) for _ in range(50)]

    assert await series(3) == await series(3)
    assert await series(3) != await series(4)
    assert len(set(await series(3))) > 1


async def test_a_connect_that_finds_nobody_ends_at_its_time_limit(central: Central) -> None:
    with pytest.raises(core.TimeoutError):
        await central.device.connect(Address("C0:00:00:00:00:99"), timeout=0.1)


async def test_after_a_cancelled_connect_the_next_one_works(central: Central, peripheral: Peripheral) -> None:
    with pytest.raises(core.TimeoutError):
        await central.device.connect(Address("C0:00:00:00:00:99"), timeout=0.1)
    connection = await central.device.connect(Address(STOCKING), timeout=5)
    assert connection.parameters.connection_interval == pytest.approx(15.0)


async def test_cancel_without_a_pending_connect_is_refused(central: Central) -> None:
    with pytest.raises(hci.HCI_Error) as refused:
        await central.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
    assert refused.value.error_code == hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR


async def test_two_centrals_that_want_one_peripheral_get_one_link(radio: Radio, peripheral: Peripheral) -> None:
    one = await Central(radio, "one", "F0:00:00:00:00:01").start()
    two = await Central(radio, "two", "F0:00:00:00:00:02").start()
    attempts = [asyncio.create_task(each.device.connect(Address(STOCKING), timeout=0.5)) for each in (one, two)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(isinstance(outcome, core.TimeoutError) for outcome in outcomes) == [False, True]
    assert len(peripheral.connections) == 1
    assert len(radio.links) == 1


async def test_public_addresses_carry_data(radio: Radio, peripheral: Peripheral, central: Central) -> None:
    connection = await central.device.connect(Address(STOCKING), own_address_type=hci.OwnAddressType.PUBLIC, timeout=5)
    assert await connection.gatt_client.request_mtu(100) == 100
    assert peripheral.connections[0].peer_address.is_public


async def test_reset_leaves_links_and_stops_advertising(radio: Radio, peripheral: Peripheral, central: Central) -> None:
    await central.connect(STOCKING, discover=False)
    await peripheral.device.host.send_sync_command(hci.HCI_Reset_Command())
    assert await central.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    assert radio.links == ()
    assert not peripheral.controller.le_legacy_advertiser.enabled
    with pytest.raises(core.TimeoutError):
        await central.device.connect(Address(STOCKING), timeout=0.1)


async def test_disconnect_reaches_the_other_side_with_its_reason(
    peripheral: Peripheral, central: Central, radio: Radio
) -> None:
    await central.connect(STOCKING, discover=False)
    await central.link.disconnect()
    await asyncio.wait_for(peripheral.lost.wait(), 5)
    assert peripheral.reasons == [hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR]
    assert radio.links == ()


async def test_cut_ends_the_link_on_both_sides(peripheral: Peripheral, central: Central, radio: Radio) -> None:
    await central.connect(STOCKING, discover=False)
    radio.cut(peripheral.controller)
    assert await central.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    await asyncio.wait_for(peripheral.lost.wait(), 5)
    assert peripheral.reasons == [hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR]


async def test_out_of_range_is_not_seen_and_comes_back(peripheral: Peripheral, central: Central, radio: Radio) -> None:
    radio.carry_away(peripheral.controller)
    with pytest.raises(core.TimeoutError):
        await central.device.connect(Address(STOCKING), timeout=0.2)
    radio.bring_back(peripheral.controller)
    await central.connect(STOCKING, discover=False)


async def test_out_of_range_ends_a_link_only_after_the_supervision_timeout(
    peripheral: Peripheral, central: Central, radio: Radio
) -> None:
    await central.connect(STOCKING, discover=False)
    loop = asyncio.get_running_loop()
    radio.carry_away(peripheral.controller)
    began = loop.time()
    assert await central.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    assert loop.time() - began >= central.link.parameters.supervision_timeout / 1000


async def test_a_drop_out_shorter_than_the_supervision_timeout_is_only_a_stall(
    peripheral: Peripheral, central: Central, radio: Radio
) -> None:
    await central.connect(STOCKING, discover=False)
    radio.drop_out(peripheral.controller, 0.2)
    began = asyncio.get_running_loop().time()
    await central.link.gatt_client.request_mtu(100)
    assert asyncio.get_running_loop().time() - began >= 0.15
    assert not central.closed.is_set()


async def test_what_was_queued_waits_for_the_end_of_a_drop_out(
    peripheral: Peripheral, central: Central, radio: Radio
) -> None:
    await central.connect(STOCKING, discover=False)
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[float] = loop.create_future()
    central.device.l2cap_channel_manager.register_fixed_channel(
        0x60, lambda _connection, _pdu: arrived.set_result(loop.time())
    )
    began = loop.time()
    peripheral.connections[0].send_l2cap_pdu(0x60, b"queued before the silence")
    radio.drop_out(peripheral.controller, 0.2)
    assert await asyncio.wait_for(arrived, 5) - began >= 0.19


async def test_a_drop_out_does_not_bring_back_what_was_carried_away(peripheral: Peripheral, radio: Radio) -> None:
    radio.drop_out(peripheral.controller, 0.02)
    radio.carry_away(peripheral.controller)
    await asyncio.sleep(0.05)
    assert not radio.in_range(peripheral.controller)


async def test_power_off_tells_the_own_host_now_and_the_peer_by_timeout(
    peripheral: Peripheral, central: Central, radio: Radio
) -> None:
    await central.connect(STOCKING, discover=False)
    peripheral.controller.power_off()
    await asyncio.wait_for(peripheral.lost.wait(), 0.3)
    assert not central.closed.is_set()
    assert await central.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR


@pytest.mark.parametrize(
    ("interval_steps", "spacing_s", "packets"), [(12, 0.015, 6), (24, 0.03, 12), (6, 0.0075, 3), (1, 0.00125, 1)]
)
def test_pacing_figures(interval_steps: int, spacing_s: float, packets: int) -> None:
    assert PACED.event_spacing_s(interval_steps) == pytest.approx(spacing_s)
    assert PACED.packets_per_event(interval_steps) == packets
    assert UNPACED.event_spacing_s(interval_steps) == 0


async def _stream(pacing: Pacing, packets: int, log: Callable[[str], object]) -> float:
    """Seconds for `packets` full packets from peripheral to central, in order."""
    radio = Radio(seed=1, pacing=pacing)
    peripheral, central = await Peripheral(radio).start(), await Central(radio, "gateway").start()
    await central.connect(STOCKING, discover=False)
    got: list[bytes] = []
    done = asyncio.Event()

    def on_pdu(_connection: int, pdu: bytes) -> None:
        got.append(pdu)
        if len(got) == packets:
            done.set()

    cid = 0x60
    central.device.l2cap_channel_manager.register_fixed_channel(cid, on_pdu)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(packets):
        peripheral.connections[0].send_l2cap_pdu(cid, number.to_bytes(247, "little"))
    await asyncio.wait_for(done.wait(), 30)
    took = loop.time() - began
    assert [int.from_bytes(each, "little") for each in got] == list(range(packets))
    log(f"{packets} packets of 251 octets: {packets / took:.0f}/s, {packets * 247 / took / 1000:.1f} kB/s\n")
    return took


async def test_paced_link_carries_what_a_real_one_carries(record_property: Callable[[str, object], None]) -> None:
    packets = 600
    took = await _stream(PACED, packets, sys.stdout.write)
    record_property("packets_per_second", packets / took)
    limit_s = (packets / 6 - 1) * 0.015
    assert limit_s <= took <= limit_s * 1.25


async def test_unpaced_link_is_faster_than_any_air() -> None:
    assert await _stream(UNPACED, 600, sys.stdout.write) < 600 / 6 * 0.015
