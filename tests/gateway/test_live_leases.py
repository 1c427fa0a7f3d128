"""Requests for live minutes at the gateway: they become leases that end by themselves, and a refused one says why."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.forwarding.live_leases import LiveLeases
from calza_gateway.forwarding.relay import Relay
from calza_gateway.ports import Moment
from calza_gateway.reporting.events import GatewayEvent, Problem
from calza_wire.live_request import LEASE_MAX_S, LiveRequest
from calza_wire.topics import Kind, down
from tests.gateway.fake_mqtt import FakeMqttLink

HOME, SERIAL = "home", "CZ-0001"
LIVE, WANTED = down(HOME, Kind.LIVE), down(HOME, Kind.WANTED)
NOW_S = 1000.0


class Still:
    """A clock that stands still."""

    def now(self) -> Moment:
        return Moment(1_790_000_000.0, NOW_S)

    def offset_quarters(self) -> int:
        return 0

    def synchronised(self) -> bool | None:
        return None


@dataclass
class Asked:
    """A relay that is asked for live minutes, and what came of it."""

    link: FakeMqttLink
    problems: list[Problem] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: GatewayEvent) -> None:
        if isinstance(event, Problem):
            self.problems.append(event)
            self.told.set()

    async def say(self, *payloads: bytes) -> None:
        """Say them, and wait until the relay has read them: it answers in order, and the last is always told."""
        for payload in payloads:
            self.link.say(LIVE, payload)
        self.told.clear()
        self.link.say(WANTED, b"unreadable")
        async with asyncio.timeout(5):
            await self.told.wait()
            while self.problems[-1].reason != "bad_message":
                self.told.clear()
                await self.told.wait()
        self.problems.pop()


@asynccontextmanager
async def asked(leases: LiveLeases | None) -> AsyncIterator[Asked]:
    link = FakeMqttLink()
    here = Asked(link)
    relay = Relay(
        gateway=HOME,
        software="test",
        stockings=[SERIAL],
        outbox=MemoryOutbox(),
        link=link,
        clock=Still(),
        tell=here.tell,
        leases=leases,
    )
    task = asyncio.create_task(relay.run())
    try:
        await link.until(lambda: bool(link.published))
        yield here
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_request_becomes_a_lease_from_its_receipt_and_wakes_who_waits() -> None:
    leases = LiveLeases()
    async with asked(leases) as here:
        await here.say(LiveRequest(SERIAL, 45).encode())
        assert leases.until(SERIAL) == NOW_S + 45
        assert leases.changed.is_set()
        assert here.problems == []


async def test_a_second_page_never_shortens_what_the_first_one_asked_for() -> None:
    leases = LiveLeases()
    async with asked(leases) as here:
        await here.say(LiveRequest(SERIAL, 90).encode(), LiveRequest(SERIAL, 10).encode())
        assert leases.until(SERIAL) == NOW_S + 90


async def test_an_unknown_stocking_is_told_once_and_not_served() -> None:
    leases = LiveLeases()
    async with asked(leases) as here:
        stranger = LiveRequest("CZ-0099", 45).encode()
        await here.say(stranger, stranger, stranger)
        assert leases.until("CZ-0099") == 0.0
        assert not leases.changed.is_set()
        (problem,) = here.problems
        assert (problem.reason, problem.serial) == ("live_unknown_stocking", "CZ-0099")
        assert "not paired with this gateway" in problem.sentence


async def test_a_gateway_that_syncs_once_says_that_it_serves_none() -> None:
    async with asked(None) as here:
        await here.say(LiveRequest(SERIAL, 45).encode())
        assert [problem.reason for problem in here.problems] == ["live_not_served"]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"v":1,"serial":"CZ-0001","seconds":%d}' % (LEASE_MAX_S + 1), "bad_message"),
        (b'{"v":1,"serial":"CZ-0001","seconds":0}', "bad_message"),
        (b'{"v":2,"serial":"CZ-0001","seconds":45}', "unsupported_version"),
        (b"", "bad_message"),
    ],
)
async def test_a_request_that_cannot_be_read_is_told_and_grants_nothing(payload: bytes, code: str) -> None:
    leases = LiveLeases()
    async with asked(leases) as here:
        here.link.say(LIVE, payload)
        async with asyncio.timeout(5):
            await here.told.wait()
        assert [problem.reason for problem in here.problems] == [code]
        assert leases.until(SERIAL) == 0.0


def test_what_has_lapsed_is_forgotten_and_no_lease_is_longer_than_any_may_be() -> None:
    leases = LiveLeases()
    leases.renew("CZ-0001", 10, 0.0)
    leases.renew("CZ-0002", 1e9, 5.0)
    assert (leases.until("CZ-0001"), leases.until("CZ-0002")) == (10.0, 5.0 + LEASE_MAX_S)
    leases.renew("CZ-0003", 10, 10.0)
    assert leases.until("CZ-0001") == 0.0, "it lapsed, and a gateway that runs for years keeps no list of wishes"
    leases.grant("CZ-0002", 0.0)
    assert leases.until("CZ-0002") == 0.0
