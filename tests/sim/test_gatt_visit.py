"""A gateway's visit apart from records: live minutes, clock, battery, control point, coming and going, faults."""

import asyncio
import random
import time

import pytest
from bumble import att, hci
from bumble.att import ATT_Error
from bumble.core import AdvertisingData

from calza_sim.gatt import StockingServer
from calza_sim.gatt.advertising import advertising_data
from calza_sim.gatt.sender import Loss
from calza_sim.gatt.server import static_address
from calza_sim.radio import Radio
from calza_wire import uuids
from calza_wire.elapsed_time import CurrentElapsedTime, TimeSource, TimeStamp
from calza_wire.features import HealthSensorFeatures, ObservationSchedule, ValidRange
from calza_wire.nomenclature import Mdc
from calza_wire.segments import Reassembler
from calza_wire.stocking_service import (
    Calibration,
    ControlOp,
    ControlReply,
    ControlResult,
    Identity,
    Label,
    LogStatus,
    SamplingSettings,
)
from tests.sim.central import Central
from tests.sim.conftest import StartStocking
from tests.sim.fake_firmware import PASSKEY, FakeFirmware

LIVE_START, LIVE_STOP = b"\x01", b"\x02"


@pytest.fixture
def firmware(stocking: StockingServer) -> FakeFirmware:
    assert isinstance(stocking.firmware, FakeFirmware)
    return stocking.firmware


async def start_live(central: Central) -> None:
    await central.subscribe(uuids.GHS_CONTROL_POINT, uuids.LIVE_OBSERVATIONS)
    await central.write(uuids.GHS_CONTROL_POINT, LIVE_START)
    assert await central.take(uuids.GHS_CONTROL_POINT) == b"\x80"


# What is on the air -------------------------------------------------------------------------------------------------


async def test_advertising_names_a_health_sensor(stocking: StockingServer, central: Central) -> None:
    advertisement, answer = (await central.scan(stocking.address))[:2]
    data = AdvertisingData.from_bytes(bytes(advertisement.data))
    assert data.get(AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, raw=True) == bytes.fromhex("4018")
    assert data.get(AdvertisingData.SERVICE_DATA_16_BIT_UUID, raw=True) == bytes.fromhex("4018 01 0010")
    name = AdvertisingData.from_bytes(bytes(answer.data)).get(AdvertisingData.COMPLETE_LOCAL_NAME, raw=True)
    assert name == b"Calza 0001"
    assert len(advertising_data(0x1000)) <= 31


def test_the_address_is_random_static_and_fixed_for_a_stocking() -> None:
    assert static_address(bytes(8)) == static_address(bytes(8)) != static_address(bytes(7) + b"\1")
    assert int(static_address(bytes(8))[:2], 16) & 0xC0 == 0xC0


async def test_values_decode_as_the_contract_says(bonded: Central, firmware: FakeFirmware) -> None:
    assert Identity.decode(await bonded.read(uuids.STOCKING_IDENTITY)) == firmware.identity
    assert Label.decode(await bonded.read(uuids.STOCKING_LABEL)) == firmware.label
    assert Calibration.decode(await bonded.read(uuids.CALIBRATION)) == firmware.calibration
    assert SamplingSettings.decode(await bonded.read(uuids.SAMPLING_SETTINGS)) == firmware.sampling
    assert LogStatus.decode(await bonded.read(uuids.LOG_STATUS)) == firmware.log_status(0)
    assert (await bonded.read(uuids.SERIAL)).decode() == firmware.identity.serial
    assert await bonded.read(uuids.SYSTEM_ID) == firmware.identity.system_id
    features = HealthSensorFeatures.decode(await bonded.read(uuids.HEALTH_SENSOR_FEATURES))
    assert Mdc.MDCX_STOCKING_MINUTE_BLOCK in features.types


async def test_schedules_and_ranges_are_read_only_and_clinical(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    descriptors = await central.proxy(uuids.HEALTH_SENSOR_FEATURES).discover_descriptors()
    with pytest.raises(ATT_Error):
        await central.link.gatt_client.read_value(descriptors[0])
    await central.pair(PASSKEY)
    octets = [await central.link.gatt_client.read_value(each) for each in descriptors]
    schedules = [ObservationSchedule.decode(each) for each in octets if len(each) == 12]
    ranges = [ValidRange.decode(each) for each in octets if len(each) == 18]
    assert [each.type for each in schedules] == [each.type for each in ranges]
    assert len(schedules) == 5
    with pytest.raises(ATT_Error):
        await central.link.gatt_client.write_value(descriptors[0], bytes(12), with_response=True)


async def test_nothing_can_be_written_that_is_not_writable(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    for uuid in (uuids.DEVICE_NAME, uuids.SERIAL, uuids.BATTERY_LEVEL):
        before = await central.read(uuid)
        with pytest.raises(ATT_Error) as refused:
            await central.write(uuid, b"somebody else")
        assert refused.value.error_code == att.ATT_WRITE_NOT_PERMITTED_ERROR
        await central.proxy(uuid).write_value(b"somebody else", with_response=False)
        assert await central.read(uuid) == before


async def test_mtu_is_247_whatever_the_gateway_offers(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address, discover=False)
    assert await central.link.gatt_client.request_mtu(517) == 247


async def test_requests_without_an_answer_of_their_own_are_refused(stocking: StockingServer, central: Central) -> None:
    """Bumble's handlers of these requests would never answer for a protected value, and the peer wait 30 s."""
    await central.connect(stocking.address)
    client = central.link.gatt_client
    handle = central.proxy(uuids.LOG_STATUS).handle
    refused = await client.send_request(att.ATT_Read_Multiple_Request(set_of_handles=[handle, handle]))
    assert isinstance(refused, att.ATT_Error_Response)
    refused = await client.send_request(
        att.ATT_Find_By_Type_Value_Request(
            starting_handle=1,
            ending_handle=0xFFFF,
            attribute_type=central.proxy(uuids.LOG_STATUS).uuid,
            attribute_value=b"\x01",
        )
    )
    assert isinstance(refused, att.ATT_Error_Response)


@pytest.mark.parametrize(("octets", "code"), [(b"\x01", 0x0D), (b"\x02\x00", 0x13), (b"\x04\x00", 0x13)])
async def test_a_configuration_that_makes_no_sense_is_refused(bonded: Central, octets: bytes, code: int) -> None:
    proxy = bonded.proxy(uuids.LIVE_OBSERVATIONS)  # it notifies and never indicates
    await proxy.discover_descriptors()
    cccd = next(each for each in proxy.descriptors if each.type.to_bytes() == bytes.fromhex("0229"))
    with pytest.raises(ATT_Error) as refused:
        await bonded.link.gatt_client.write_value(cccd, octets, with_response=True)
    assert refused.value.error_code == code


# Live minutes -------------------------------------------------------------------------------------------------------


async def test_live_minutes_come_after_the_start_until_the_stop(
    bonded: Central, stocking: StockingServer, firmware: FakeFirmware
) -> None:
    firmware.live = [b"before anybody asked"]
    stocking.tick()
    await start_live(bonded)
    firmware.live += [b"second" * 50]
    stocking.tick()
    await bonded.until(uuids.LIVE_OBSERVATIONS, 3)
    reassembler = Reassembler()
    got = [reassembler.feed(each) for each in bonded.values[uuids.LIVE_OBSERVATIONS]]
    assert got == [b"before anybody asked", None, b"second" * 50]
    await bonded.write(uuids.GHS_CONTROL_POINT, LIVE_STOP)
    assert await bonded.take(uuids.GHS_CONTROL_POINT) == b"\x80"
    firmware.live = [b"after the stop"]
    stocking.tick()
    await bonded.read(uuids.LOG_STATUS)
    assert len(bonded.values[uuids.LIVE_OBSERVATIONS]) == 3


async def test_live_sending_ends_with_the_connection(
    bonded: Central, stocking: StockingServer, firmware: FakeFirmware
) -> None:
    await start_live(bonded)
    await bonded.link.disconnect()
    await bonded.connect(stocking.address)
    await bonded.link.encrypt()
    await bonded.subscribe(uuids.LIVE_OBSERVATIONS)
    firmware.live = [b"nobody asked"]
    stocking.tick()
    await bonded.read(uuids.LOG_STATUS)
    assert bonded.values[uuids.LIVE_OBSERVATIONS] == []


@pytest.mark.parametrize(("command", "code"), [(b"\x03", 0x81), (b"", 0x0D), (b"\x01\x00", 0x0D)])
async def test_unknown_live_commands_are_refused(bonded: Central, command: bytes, code: int) -> None:
    await bonded.subscribe(uuids.GHS_CONTROL_POINT)
    with pytest.raises(ATT_Error) as refused:
        await bonded.write(uuids.GHS_CONTROL_POINT, command)
    assert refused.value.error_code == code


# Clock, battery, control point --------------------------------------------------------------------------------------


async def test_the_clock_is_read_set_and_told(bonded: Central, firmware: FakeFirmware) -> None:
    await bonded.subscribe(uuids.CURRENT_ELAPSED_TIME)
    told = CurrentElapsedTime.decode(await bonded.take(uuids.CURRENT_ELAPSED_TIME))
    assert abs(told.stamp.unix_s - time.time()) < 5
    wanted = TimeStamp.at(time.time(), source=TimeSource.NTP).encode()
    await bonded.write(uuids.CURRENT_ELAPSED_TIME, wanted)
    assert firmware.clock_writes == [wanted]


@pytest.mark.parametrize("code", [0x0D, 0x80, 0x81, 0xFF])
async def test_the_firmware_may_refuse_a_clock(bonded: Central, firmware: FakeFirmware, code: int) -> None:
    firmware.clock_refusal = code
    with pytest.raises(ATT_Error) as refused:
        await bonded.write(uuids.CURRENT_ELAPSED_TIME, bytes(9))
    assert refused.value.error_code == code


async def test_battery_is_open_and_told_when_it_changes(
    stocking: StockingServer, central: Central, firmware: FakeFirmware
) -> None:
    await central.connect(stocking.address)
    await central.subscribe(uuids.BATTERY_LEVEL)
    for percent in (90, 90, 89):
        firmware.battery = percent
        stocking.tick()
    assert [await central.take(uuids.BATTERY_LEVEL), await central.take(uuids.BATTERY_LEVEL)] == [b"\x5a", b"\x59"]
    assert await central.read(uuids.BATTERY_LEVEL) == b"\x59"


@pytest.mark.parametrize(
    ("octets", "op", "result"),
    [
        (b"\x01", ControlOp.CLOSE_BLOCK, ControlResult.SUCCESS),
        (b"\x09", 9, ControlResult.UNSUPPORTED),
        (b"", 0, ControlResult.INVALID),
        (b"\x01\x01", 1, ControlResult.INVALID),
        (b"\x02\x01", 2, ControlResult.INVALID),
    ],
)
async def test_control_point_answers_in_its_reply(
    bonded: Central, firmware: FakeFirmware, octets: bytes, op: int, result: ControlResult
) -> None:
    await bonded.subscribe(uuids.STOCKING_CONTROL_POINT)
    await bonded.write(uuids.STOCKING_CONTROL_POINT, octets)
    assert ControlReply.decode(await bonded.take(uuids.STOCKING_CONTROL_POINT)) == ControlReply(op, result)
    assert firmware.blocks_closed == (octets == b"\x01")
    assert not bonded.closed.is_set()


async def test_hang_up_replies_then_disconnects_and_advertises(bonded: Central, stocking: StockingServer) -> None:
    await bonded.subscribe(uuids.STOCKING_CONTROL_POINT)
    await bonded.write(uuids.STOCKING_CONTROL_POINT, bytes((ControlOp.HANG_UP,)))
    reply = await bonded.take(uuids.STOCKING_CONTROL_POINT)
    assert ControlReply.decode(reply) == ControlReply(ControlOp.HANG_UP, ControlResult.SUCCESS)
    assert await bonded.lost() == hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR
    await bonded.connect(stocking.address)


# Coming and going ---------------------------------------------------------------------------------------------------


async def test_a_stocking_serves_one_gateway_at_a_time(radio: Radio, stocking: StockingServer, bonded: Central) -> None:
    second = await Central(radio, "second", "F0:00:00:00:00:02").start()
    waiting = asyncio.create_task(second.connect(stocking.address))
    await bonded.read(uuids.LOG_STATUS)
    assert not waiting.done()
    await bonded.link.disconnect()
    await waiting
    assert stocking.connected


async def test_out_of_range_ends_the_visit_and_coming_back_begins_another(
    radio: Radio, bonded: Central, stocking: StockingServer
) -> None:
    radio.carry_away(stocking.controller)
    assert await bonded.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    assert not stocking.connected
    radio.bring_back(stocking.controller)
    await bonded.connect(stocking.address)
    await bonded.link.encrypt()
    assert await bonded.read(uuids.LOG_STATUS)


async def test_an_answer_that_is_late_is_dropped(bonded: Central, stocking: StockingServer) -> None:
    """A task of the first visit must not send on the second, although both have the same connection handle."""
    await start_live(bonded)
    old = stocking.session
    assert old is not None
    await bonded.link.disconnect()
    await bonded.connect(stocking.address)
    await bonded.link.encrypt()
    await bonded.subscribe(uuids.BATTERY_LEVEL)
    assert stocking.session is not old
    gatt = old.connection.gatt_server
    assert gatt is not None
    gatt.send_response(old.connection, att.ATT_Read_Response(attribute_value=b"late"))
    assert await bonded.read(uuids.BATTERY_LEVEL) == bytes((90,))


async def test_power_loss_takes_it_off_the_air_for_a_while(
    bonded: Central, stocking: StockingServer, firmware: FakeFirmware
) -> None:
    stocking.power_loss(0.3)
    assert await bonded.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    assert firmware.lost_power == [0.3]
    await bonded.connect(stocking.address)
    await bonded.link.encrypt()  # bonds are in flash
    assert await bonded.read(uuids.LOG_STATUS)


async def test_a_flat_stocking_is_off_the_air_until_it_is_charged(
    bonded: Central, stocking: StockingServer, firmware: FakeFirmware
) -> None:
    firmware.battery = 0
    stocking.tick()
    assert await bonded.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    firmware.battery = 90
    stocking.tick()
    await bonded.connect(stocking.address)
    await bonded.link.encrypt()
    assert await bonded.read(uuids.LOG_STATUS)


async def test_factory_reset_forgets_log_and_bonds(
    bonded: Central, stocking: StockingServer, firmware: FakeFirmware
) -> None:
    await stocking.factory_reset()
    await bonded.lost()
    assert firmware.resets == 1
    await bonded.connect(stocking.address)
    with pytest.raises(hci.HCI_Error):
        await bonded.link.encrypt()


async def test_a_stocking_switched_off_leaves_the_air(
    radio: Radio, start_stocking: StartStocking, central: Central
) -> None:
    server = await start_stocking()
    await central.connect(server.address)
    await server.stop()
    assert await central.lost() == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    assert radio.links == ()


def test_loss_is_seeded_and_keeps_indications_unless_asked() -> None:
    def drawn(seed: int) -> list[bool]:
        loss = Loss(random.Random(seed), rate=0.3)
        return [loss.loses(indication=False) for _ in range(500)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 100 < sum(drawn(1)) < 200
    everything = Loss(random.Random(1), rate=1.0)
    assert not everything.loses(indication=True)
    everything.indications = True
    assert everything.loses(indication=True)
