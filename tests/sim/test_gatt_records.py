"""Stored records over the air: complete, in order, abortable, resumable, one procedure at a time."""

import asyncio
import random
import sys
import time

import pytest
from bumble.att import ATT_Error

from calza_sim.gatt import StockingServer
from calza_sim.gatt.sender import QUEUE_LIMIT
from calza_sim.radio import PACED, UNPACED, Radio
from calza_wire import uuids
from calza_wire.racp import (
    Abort,
    CombinedReport,
    CombinedReportResponse,
    CountRequest,
    DeleteRequest,
    GeneralResponse,
    NumberResponse,
    Operator,
    RacpOp,
    Response,
    ResponseCode,
    Selection,
    decode_response,
    encode_request,
)
from calza_wire.records import Record, decode_record
from calza_wire.segments import Reassembler
from tests.sim.central import Central
from tests.sim.conftest import StartStocking
from tests.sim.fake_firmware import PASSKEY, FakeFirmware

ALL = encode_request(CombinedReport(Selection(Operator.ALL)))
ABORT = encode_request(Abort())
WAIT_S = 60.0


def within(first: int, last: int) -> bytes:
    return encode_request(CombinedReport(Selection(Operator.WITHIN, first, last)))


async def open_log(central: Central) -> None:
    await central.subscribe(uuids.STORED_OBSERVATIONS, uuids.RACP)


async def answer(central: Central) -> Response:
    return decode_response(await central.take(uuids.RACP, WAIT_S))


def records(central: Central) -> list[Record]:
    """What came so far, reassembled; fails on any gap."""
    reassembler = Reassembler()
    payloads = [reassembler.feed(each) for each in central.values[uuids.STORED_OBSERVATIONS]]
    assert reassembler.gaps == 0
    return [decode_record(payload) for payload in payloads if payload is not None]


def numbers(central: Central) -> list[int]:
    return [record.number for record in records(central)]


async def test_hundreds_of_records_arrive_complete_and_in_order(
    start_stocking: StartStocking, central: Central
) -> None:
    server = await start_stocking(firmware=FakeFirmware(records=400))
    await central.connect(server.address)
    await central.pair(PASSKEY)
    await open_log(central)
    await central.write(uuids.RACP, ALL)
    assert await answer(central) == CombinedReportResponse(400)
    assert [(each.number, each.body) for each in records(central)] == [
        (number, FakeFirmware.body(number)) for number in range(1, 401)
    ]


async def test_the_answer_never_overtakes_the_last_record(bonded: Central) -> None:
    await open_log(bonded)
    for _ in range(20):
        bonded.values.clear()
        await bonded.write(uuids.RACP, within(3, 5))
        await bonded.until(uuids.RACP, 1)
        assert numbers(bonded) == [3, 4, 5]


async def test_segment_counter_runs_on_over_records_and_requests(bonded: Central) -> None:
    await open_log(bonded)
    for _ in range(3):
        await bonded.write(uuids.RACP, within(1, 9))
        await answer(bonded)
    headers = [each[0] >> 2 for each in bonded.values[uuids.STORED_OBSERVATIONS]]
    assert headers == [number % 64 for number in range(len(headers))]
    assert len(headers) > 64
    assert numbers(bonded) == [*range(1, 10)] * 3


async def test_every_notification_fills_one_link_packet(bonded: Central) -> None:
    await open_log(bonded)
    await bonded.write(uuids.RACP, within(1, 1))
    await answer(bonded)
    assert [len(each) for each in bonded.values[uuids.STORED_OBSERVATIONS]][:-1] == [244, 244, 244]


@pytest.mark.parametrize(
    ("request_octets", "expected"),
    [
        (encode_request(CountRequest(Selection(Operator.ALL))), NumberResponse(40)),
        (encode_request(CountRequest(Selection(Operator.AT_LEAST, first=100))), NumberResponse(0)),
        (within(100, 200), GeneralResponse(RacpOp.COMBINED_REPORT, ResponseCode.NO_RECORDS_FOUND)),
        (
            encode_request(DeleteRequest(Selection(Operator.ALL))),
            GeneralResponse(RacpOp.DELETE, ResponseCode.OP_NOT_SUPPORTED),
        ),
        (b"\x07\x09", GeneralResponse(RacpOp.COMBINED_REPORT, ResponseCode.INVALID_OPERATOR)),
        (ABORT, GeneralResponse(RacpOp.ABORT, ResponseCode.SUCCESS)),
        (b"", GeneralResponse(0, ResponseCode.INVALID_OPERAND)),
    ],
)
async def test_requests_that_send_no_record(bonded: Central, request_octets: bytes, expected: Response) -> None:
    await open_log(bonded)
    await bonded.write(uuids.RACP, request_octets)
    assert await answer(bonded) == expected
    assert bonded.values[uuids.STORED_OBSERVATIONS] == []


async def test_records_overwritten_meanwhile_are_left_out_and_not_counted(
    bonded: Central, stocking: StockingServer
) -> None:
    firmware = stocking.firmware
    assert isinstance(firmware, FakeFirmware)
    await open_log(bonded)
    await bonded.write(uuids.RACP, ALL)
    firmware.first_record = 39
    last = await answer(bonded)
    assert last == CombinedReportResponse(len(numbers(bonded)))
    assert numbers(bonded)[-2:] == [39, 40]
    assert len(numbers(bonded)) < 40


async def test_indications_must_be_on(bonded: Central) -> None:
    for uuid in (uuids.RACP, uuids.GHS_CONTROL_POINT, uuids.STOCKING_CONTROL_POINT):
        with pytest.raises(ATT_Error) as refused:
            await bonded.write(uuid, b"\x01")
        assert refused.value.error_code == 0xFD
    await bonded.subscribe(uuids.RACP)
    with pytest.raises(ATT_Error) as refused:
        await bonded.write(uuids.RACP, ALL)  # records could not be sent: their characteristic is off
    assert refused.value.error_code == 0xFD
    await bonded.write(uuids.RACP, encode_request(CountRequest(Selection(Operator.ALL))))
    assert await answer(bonded) == NumberResponse(40)


async def paced_pair(
    start_stocking: StartStocking, records: int, serial: str = "TEST-0001", on: Radio | None = None, host: int = 1
) -> tuple[StockingServer, Central, Radio]:
    """A paired gateway with the log open; set up at once, then on a radio that takes its time (400 packets/s)."""
    air = on or Radio(seed=1)
    air.set_pacing(UNPACED)
    server = await start_stocking(serial, firmware=FakeFirmware(serial, records=records), on=air)
    central = await Central(air, f"gateway-{host}", f"F0:00:00:00:00:{host:02X}").start()
    await central.connect(server.address)
    await central.pair(PASSKEY)
    await central.subscribe(uuids.GHS_CONTROL_POINT)
    await open_log(central)
    air.set_pacing(PACED)
    return server, central, air


async def reconnect(server: StockingServer, central: Central, air: Radio) -> None:
    air.set_pacing(UNPACED)
    await central.connect(server.address)
    await central.link.encrypt()
    await open_log(central)
    air.set_pacing(PACED)


@pytest.fixture
async def paced(start_stocking: StartStocking) -> Central:
    """300 records are about 3 s of paced air."""
    return (await paced_pair(start_stocking, 300))[1]


async def test_a_second_procedure_is_refused_while_one_runs(paced: Central) -> None:
    await paced.write(uuids.RACP, ALL)
    await paced.until(uuids.STORED_OBSERVATIONS, 1)
    for uuid in (uuids.RACP, uuids.GHS_CONTROL_POINT):
        with pytest.raises(ATT_Error) as refused:
            await paced.write(uuid, ALL if uuid == uuids.RACP else b"\x01")
        assert refused.value.error_code == 0xFE
    await paced.write(uuids.RACP, ABORT)
    await answer(paced)


async def test_abort_stops_between_records_and_is_answered_once(paced: Central) -> None:
    await paced.write(uuids.RACP, ALL)
    await paced.until(uuids.STORED_OBSERVATIONS, 50)
    await paced.write(uuids.RACP, ABORT)
    assert await answer(paced) == GeneralResponse(RacpOp.ABORT, ResponseCode.SUCCESS)
    got = numbers(paced)
    assert got == [*range(1, len(got) + 1)]
    assert len(got) < 100
    await paced.write(uuids.RACP, within(1, 2))
    assert await answer(paced) == CombinedReportResponse(2)


async def test_live_minutes_and_records_exclude_each_other(bonded: Central) -> None:
    await open_log(bonded)
    await bonded.subscribe(uuids.GHS_CONTROL_POINT)
    await bonded.write(uuids.GHS_CONTROL_POINT, b"\x01")
    assert await bonded.take(uuids.GHS_CONTROL_POINT) == b"\x80"
    await bonded.write(uuids.RACP, ALL)
    assert await answer(bonded) == GeneralResponse(RacpOp.COMBINED_REPORT, ResponseCode.SERVER_BUSY)
    await bonded.write(uuids.GHS_CONTROL_POINT, b"\x02")
    assert await bonded.take(uuids.GHS_CONTROL_POINT) == b"\x80"
    await bonded.write(uuids.RACP, within(1, 2))
    assert await answer(bonded) == CombinedReportResponse(2)


async def test_a_full_queue_is_waited_for(start_stocking: StartStocking) -> None:
    """Never more than `QUEUE_LIMIT` packets wait, so an abort is felt at once and memory stays flat."""
    server, central, _ = await paced_pair(start_stocking, 60)
    await central.write(uuids.RACP, ALL)
    deepest = 0
    while not central.values[uuids.RACP]:
        await central.until(uuids.STORED_OBSERVATIONS, len(central.values[uuids.STORED_OBSERVATIONS]) + 1)
        deepest = max(deepest, server.queued_packets)
        if len(numbers(central)) == 60:
            break
    assert 6 <= deepest <= QUEUE_LIMIT


@pytest.mark.parametrize("notifications", [1, 2, 5, 63, 64, 150])
async def test_a_link_lost_in_the_middle_is_resumed_where_it_stopped(
    start_stocking: StartStocking, notifications: int
) -> None:
    server, central, air = await paced_pair(start_stocking, 60)
    await central.write(uuids.RACP, ALL)
    await central.until(uuids.STORED_OBSERVATIONS, notifications)
    air.cut(server.controller)
    await central.lost()
    had = numbers(central)
    central.values.clear()
    await reconnect(server, central, air)
    first = len(had) + 1
    await central.write(uuids.RACP, within(first, 60))
    assert await answer(central) == CombinedReportResponse(60 - len(had))
    assert had + numbers(central) == [*range(1, 61)]
    assert central.values[uuids.STORED_OBSERVATIONS][0][0] == 0x01  # the counter began anew


async def test_a_lost_link_leaves_no_work_behind(start_stocking: StartStocking) -> None:
    server, central, air = await paced_pair(start_stocking, 60)
    await central.write(uuids.RACP, ALL)
    await central.until(uuids.STORED_OBSERVATIONS, 5)
    visit = server.session
    assert visit is not None
    air.cut(server.controller)
    await central.lost()
    async with asyncio.timeout(5):
        await server.idle.wait()
        await visit.settled()


async def test_seeded_drops_while_fetching_lose_nothing(start_stocking: StartStocking) -> None:
    seed = 20_261_121
    chance = random.Random(seed)
    server, central, air = await paced_pair(start_stocking, 80)
    held: list[int] = []
    cuts = 0
    while len(held) < 80:
        await central.write(uuids.RACP, within(len(held) + 1, 80))
        if cuts < 5:
            await central.until(uuids.STORED_OBSERVATIONS, chance.randint(1, 40))
            air.cut(server.controller)
            cuts += 1
            await central.lost()
        else:
            await answer(central)
        held += numbers(central)
        central.values.clear()
        if len(held) < 80:
            await reconnect(server, central, air)
    assert held == [*range(1, 81)], f"seed {seed}"


async def test_lost_notifications_leave_gaps_and_the_count_tells(bonded: Central, stocking: StockingServer) -> None:
    stocking.loss.rate = 0.05
    await open_log(bonded)
    await bonded.write(uuids.RACP, ALL)
    assert await answer(bonded) == CombinedReportResponse(40)
    reassembler = Reassembler()
    whole = [p for p in map(reassembler.feed, bonded.values[uuids.STORED_OBSERVATIONS]) if p is not None]
    assert reassembler.gaps > 0
    assert 0 < len(whole) < 40
    assert all(decode_record(each).body == FakeFirmware.body(decode_record(each).number) for each in whole)


async def test_a_peer_that_unsubscribes_ends_the_transfer(paced: Central) -> None:
    await paced.write(uuids.RACP, ALL)
    await paced.until(uuids.STORED_OBSERVATIONS, 10)
    await paced.proxy(uuids.STORED_OBSERVATIONS).unsubscribe()
    assert await answer(paced) == GeneralResponse(RacpOp.COMBINED_REPORT, ResponseCode.NOT_COMPLETED)


async def test_two_gateways_fetch_from_two_stockings_at_once(start_stocking: StartStocking) -> None:
    """Paced, each as fast as alone; and the process keeps up on less than one core."""
    air, count = Radio(seed=1), 250
    gateways = [(await paced_pair(start_stocking, count, f"TEST-000{host}", air, host))[1] for host in (1, 2)]
    began, cpu = time.monotonic(), time.process_time()
    for gateway in gateways:
        await gateway.write(uuids.RACP, ALL)
    for response in await asyncio.gather(*map(answer, gateways)):
        assert response == CombinedReportResponse(count)
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    for gateway in gateways:
        assert numbers(gateway) == [*range(1, count + 1)]
    rate = count * 4 / took
    sys.stdout.write(f"2 links: {rate:.0f} notifications/s each, {cpu / took:.0%} of one core for both ends\n")
    assert 400 / 1.25 <= rate <= 400 * 1.02
