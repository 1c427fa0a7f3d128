"""The GATT server over the real firmware: what a gateway fetches opens with the key and is what flash holds."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from calza_sim.faults import ControlPort, Fault, do
from calza_sim.fleet import Fleet, Member
from calza_sim.radio import PACED, UNPACED
from calza_sim.state_folder import FleetPlan, StockingPlan
from calza_wire import uuids
from calza_wire.elapsed_time import CurrentElapsedTime, TimeSource, TimeStamp
from calza_wire.live_minute import LiveMinute
from calza_wire.minute_block import Side, open_sealed
from calza_wire.racp import CombinedReport, CombinedReportResponse, Operator, Selection, decode_response, encode_request
from calza_wire.records import decode_record
from calza_wire.segments import Reassembler
from calza_wire.stocking_service import ControlOp, LogStatus
from tests.sim.central import Central

DAY_S = 86_400.0
ALL = encode_request(CombinedReport(Selection(Operator.ALL)))


class Clock:
    """True time that a test can push forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fleet(clock: Clock) -> AsyncIterator[Fleet]:
    """Two stockings with 14 days of log."""
    stockings = tuple(StockingPlan(f"CALZA-000{n}", side, "perfect") for n, side in enumerate(Side, 1))
    started = await Fleet.start(
        FleetPlan(3, clock() - 14 * DAY_S, "Europe/Rome", stockings), clock=clock, pacing=UNPACED
    )
    yield started
    await started.stop()


@pytest.fixture
def member(fleet: Fleet) -> Member:
    return fleet.members["CALZA-0001"]


@pytest.fixture
async def gateway(fleet: Fleet, member: Member) -> Central:
    central = await Central(fleet.radio, "gateway").start()
    await central.connect(member.server.address)
    await central.pair(member.made.passkey)
    await central.subscribe(
        uuids.STORED_OBSERVATIONS, uuids.RACP, uuids.GHS_CONTROL_POINT, uuids.LIVE_OBSERVATIONS,
        uuids.STOCKING_CONTROL_POINT,
    )  # fmt: skip
    return central


def payloads(central: Central, uuid: str) -> list[bytes]:
    reassembler = Reassembler()
    whole = [payload for payload in map(reassembler.feed, central.values[uuid]) if payload is not None]
    assert reassembler.gaps == 0
    return whole


async def test_fourteen_days_arrive_sealed_and_within_the_pacing_limit(
    fleet: Fleet, member: Member, gateway: Central
) -> None:
    await gateway.write(uuids.STOCKING_CONTROL_POINT, bytes((ControlOp.CLOSE_BLOCK,)))
    await gateway.take(uuids.STOCKING_CONTROL_POINT)
    status = LogStatus.decode(await gateway.read(uuids.LOG_STATUS))
    fleet.radio.set_pacing(PACED)
    began = time.monotonic()
    await gateway.write(uuids.RACP, ALL)
    answer = decode_response(await gateway.take(uuids.RACP, 60))
    took = time.monotonic() - began
    records = [decode_record(each) for each in payloads(gateway, uuids.STORED_OBSERVATIONS)]
    assert answer == CombinedReportResponse(len(records))
    assert [each.number for each in records] == [*range(status.first_record, status.next_record)]
    minutes = 0
    for record in records:
        assert record.body == member.flash.body(record.number)
        opened = open_sealed(
            record.body, key=member.made.key, system_id=member.made.system_id, record_number=record.number
        )
        assert opened.log_id == status.log_id
        minutes += len(opened.block.ankle)
    assert 14 * 1440 - 2 <= minutes <= 14 * 1440
    packets = len(gateway.values[uuids.STORED_OBSERVATIONS])
    limit_s = packets / 400
    sys.stdout.write(f"14 days: {len(records)} records in {took:.2f} s; the air alone needs {limit_s:.2f} s\n")
    assert limit_s * 0.98 <= took <= limit_s * 1.25


async def test_live_minute_of_a_real_stocking(gateway: Central, member: Member, clock: Clock) -> None:
    await gateway.write(uuids.GHS_CONTROL_POINT, b"\x01")
    await gateway.take(uuids.GHS_CONTROL_POINT)
    for minute in range(1, 4):
        await gateway.until(uuids.LIVE_OBSERVATIONS, minute)
        if minute < 3:
            clock.ahead_s += 60
            member.server.tick()
    live = [LiveMinute.decode(each) for each in payloads(gateway, uuids.LIVE_OBSERVATIONS)]
    assert [later.stamp.unix_s - earlier.stamp.unix_s for earlier, later in pairwise(live)] == [60, 60]
    assert abs(live[-1].stamp.unix_s - clock()) < 180, "the minute before this one, a busy machine's delay included"


async def test_clock_set_and_power_loss_of_a_real_stocking(
    fleet: Fleet, gateway: Central, member: Member, clock: Clock
) -> None:
    before = LogStatus.decode(await gateway.read(uuids.LOG_STATUS))
    await do(fleet, Fault("power-loss", "CALZA-0001", seconds=0.2))
    await gateway.lost()
    await gateway.connect(member.server.address)
    await gateway.link.encrypt()
    lost = CurrentElapsedTime.decode(await gateway.read(uuids.CURRENT_ELAPSED_TIME))
    assert lost.needs_set
    assert lost.stamp.source is TimeSource.NOT_SYNCHRONISED
    await gateway.write(uuids.CURRENT_ELAPSED_TIME, TimeStamp.at(clock(), source=TimeSource.NTP).encode())
    now = CurrentElapsedTime.decode(await gateway.read(uuids.CURRENT_ELAPSED_TIME))
    assert not now.needs_set
    assert abs(now.stamp.unix_s - clock()) <= 2
    after = LogStatus.decode(await gateway.read(uuids.LOG_STATUS))
    assert (after.log_id, after.first_record) == (before.log_id, before.first_record)
    assert after.timeline_first_record == after.next_record >= before.next_record


async def test_factory_reset_of_a_real_stocking_draws_a_new_log(fleet: Fleet, gateway: Central, member: Member) -> None:
    before = LogStatus.decode(await gateway.read(uuids.LOG_STATUS))
    await do(fleet, Fault("factory-reset", "CALZA-0001"))
    await gateway.lost()
    await gateway.connect(member.server.address)
    await gateway.pair(member.made.passkey)
    after = LogStatus.decode(await gateway.read(uuids.LOG_STATUS))
    assert after.log_id != before.log_id
    assert (after.first_record, after.next_record) == (1, 1)


async def test_a_fault_for_one_stocking_leaves_the_other_alone(fleet: Fleet, gateway: Central) -> None:
    await do(fleet, Fault("cut", "CALZA-0002"))
    await gateway.read(uuids.LOG_STATUS)
    assert not gateway.closed.is_set()
    await do(fleet, Fault("cut"))
    await gateway.lost()


async def test_the_control_port_closes_with_clients_connected(fleet: Fleet) -> None:

    port = await ControlPort.open(fleet)
    host, _, number = port.address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(number))
    writer.write(Fault("status").encode())
    assert b'"ok": true' in await reader.readline()
    writer.write(b"nonsense\n")
    assert b'"ok": false' in await reader.readline()
    await port.close()
    writer.close()
