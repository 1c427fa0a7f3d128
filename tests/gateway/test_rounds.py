"""The rounds under faults, in simulated time and with the limits a gateway runs with: hours pass in milliseconds.

The radio is scripted, because these faults cannot be staged on a simulated one: a stack that says InProgress for ever,
a call that never returns and cannot be cancelled, an adapter that works only after the service was restarted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from calza_gateway import service
from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.forwarding.live_leases import LiveLeases
from calza_gateway.ports import Link, RadioError, RadioReason, Sighting
from calza_gateway.recovery.budget import Budget
from calza_gateway.reporting.events import AdapterChanged, GatewayEvent, Problem, StockingChanged, SyncEnded
from calza_gateway.reporting.standing import AdapterState, StockingState
from calza_gateway.state.bonds import PairedStocking
from calza_gateway.sync.steps import Received
from calza_wire.channels import Side
from tests.gateway.scripted_radio import ScriptedCare, ScriptedLink, ScriptedRadio
from tests.gateway.scripted_stocking import ScriptedStocking
from tests.gateway.test_service import Server
from tests.soak.clocks import GatewayClock, TrueClock
from tests.soak.virtual_time import run_virtually

HOUR_S = 3600.0
INTERVAL_S = 60.0
BUDGET = Budget()
A, B, C = "CZ-000A", "CZ-000B", "CZ-000C"
IN_PROGRESS = RadioError(RadioReason.STACK_STUCK, "org.bluez.Error.InProgress")


class Air(ScriptedRadio):
    """A scripted radio with people moving about and a stack that can break."""

    def __init__(self, stockings: dict[str, ScriptedStocking], name: str = "hci0") -> None:
        super().__init__(stockings, cared=ScriptedCare(name))
        self.audible = set(stockings)
        self.deaf: RadioError | None = None
        self.hangs: set[str] = set()
        self.connects: list[tuple[float, str]] = []
        self.release = asyncio.Event()
        self.alter: Callable[[ScriptedLink], None] = lambda _link: None

    async def listen(self, addresses: Collection[str], seconds: float) -> Sighting | None:
        if "listen" in self.hangs:
            await self._hang()
        if self.deaf is not None:
            raise self.deaf
        for _ in range(int(seconds / 0.5)):
            await asyncio.sleep(0.5)
            for address in sorted(addresses):
                if address in self.audible:
                    return Sighting(address, None, -50)
        return None

    async def connect(self, address: str, timeout_s: float) -> Link:
        self.connects.append((asyncio.get_running_loop().time(), address))
        await asyncio.sleep(0.2)
        if "connect" in self.hangs:
            await self._hang()
        link = await super().connect(address, timeout_s)
        assert isinstance(link, ScriptedLink)
        link.on_disconnect = self._hang if "disconnect" in self.hangs else None
        self.alter(link)
        return link

    async def _hang(self) -> None:
        """As a D-Bus call that waits for ever, and whose tidying up waits for ever too."""
        while not self.release.is_set():
            with suppress(asyncio.CancelledError):
                await self.release.wait()


@dataclass
class Home:
    """A gateway in simulated time. `told` is what it told, with the second it was told at."""

    airs: dict[str, Air]
    paired: list[PairedStocking]
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    server: Server = field(default_factory=Server)
    leases: LiveLeases = field(default_factory=LiveLeases)
    told: list[tuple[float, GatewayEvent]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = GatewayClock(TrueClock(1_800_000_000.0))

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def parts(self) -> service.Parts:
        self.server.kept = {stocking.serial: {} for stocking in self.paired}
        return service.Parts(
            gateway="home",
            software="test",
            stockings=self.paired,
            radios=self.airs,
            outbox=self.outbox,
            link=self.server,
            clock=self.clock,
            tell=lambda event: self.told.append((self.now_s, event)),
            interval_s=INTERVAL_S,
            leases=self.leases,
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        task = asyncio.create_task(service.serve(self.parts, live=False))
        try:
            yield
            assert not task.done(), "the gateway ended by itself"
        finally:
            for air in self.airs.values():
                air.release.set()
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended

    def adapter(self, name: str = "hci0") -> list[AdapterState]:
        """The adapter's states in order, without repetitions."""
        states = [e.standing.state for _, e in self.told if isinstance(e, AdapterChanged) and e.standing.name == name]
        return [state for at, state in enumerate(states) if at == 0 or state is not states[at - 1]]

    def pleas(self) -> dict[float, str]:
        """When a person was asked for help, and with which words."""
        stuck = [(at, e.standing) for at, e in self.told if isinstance(e, AdapterChanged)]
        return {
            at: one.sentence or ""
            for (_, before), (at, one) in pairwise(stuck)
            if one.state is AdapterState.STUCK and before.state is not AdapterState.STUCK
        }

    def stocking(self, serial: str) -> list[StockingState]:
        return [
            e.standing.state for _, e in self.told if isinstance(e, StockingChanged) and e.standing.serial == serial
        ]

    def problems(self) -> list[str]:
        return [event.reason for _, event in self.told if isinstance(event, Problem)]

    def syncs(self, serial: str) -> list[float]:
        return [at for at, event in self.told if isinstance(event, SyncEnded) and event.serial == serial]


def home(*serials: str, adapters: tuple[str, ...] = ("hci0",)) -> Home:
    """Stockings on adapters in turn, each with a few records."""
    airs: dict[str, dict[str, ScriptedStocking]] = {name: {} for name in adapters}
    paired = []
    for index, serial in enumerate(serials):
        stocking = ScriptedStocking(Random(index), serial=serial)
        for _ in range(3):
            stocking.add_record()
        adapter = adapters[index % len(adapters)]
        airs[adapter][f"AA:{serial[-1]}"] = stocking
        paired.append(PairedStocking(serial, f"AA:{serial[-1]}", Side.LEFT, adapter))
    return Home({name: Air(stockings, name) for name, stockings in airs.items()}, paired)


def virtually(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """The test on a clock that jumps."""

    def run() -> None:
        run_virtually(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


# --- the adapter fails ------------------------------------------------------------------------------------------------


@virtually
async def test_a_stack_in_progress_for_ever_ends_stuck_and_recovers_by_itself() -> None:
    there = home(A)
    air = there.airs["hci0"]
    air.deaf = IN_PROGRESS
    async with there.serving():
        await asyncio.sleep(600)
        assert there.adapter() == [AdapterState.OK, AdapterState.RESETTING, AdapterState.RESTARTING, AdapterState.STUCK]
        assert air.cared.done[:3] == ["reset", "reset", "restart_stack"]
        (stuck_s,) = there.pleas()
        assert stuck_s < 150
        assert there.problems() == [], "what is wrong with the adapter is not told again for every stocking"
        assert there.stocking(A) == [StockingState.UNKNOWN, StockingState.UNKNOWN], "it may be in perfect health"
        await asyncio.sleep(6 * HOUR_S)
        assert 30 <= len(air.cared.done) <= 40, "rarely, and for ever"
        air.deaf = None
        await asyncio.sleep(40)
        assert there.adapter()[-1] is AdapterState.OK
        assert there.syncs(A)
        assert there.stocking(A)[-1] is StockingState.IN_CONTACT


@virtually
async def test_what_a_restart_of_the_service_cures_is_cured_in_two_minutes() -> None:
    there = home(A)
    air = there.airs["hci0"]
    air.deaf = RadioError(RadioReason.NO_ADAPTER, "bluetoothd is gone")

    def cure(remedy: str) -> None:
        if remedy == "restart_stack":
            air.deaf = None

    air.cared.cures = cure
    async with there.serving():
        await asyncio.sleep(120)
        assert there.syncs(A)
        assert there.adapter()[-1] is AdapterState.OK
        assert not there.pleas()


@virtually
async def test_a_remedy_that_is_refused_is_told_and_ends_in_a_plea() -> None:
    there = home(A)
    air = there.airs["hci0"]
    air.deaf = IN_PROGRESS
    air.cared.refuses = RadioError(RadioReason.STACK_STUCK, "not allowed to restart")
    async with there.serving():
        await asyncio.sleep(300)
        (plea,) = there.pleas().values()
        assert "not allowed to restart" in plea
        assert "sudo systemctl restart bluetooth" in plea


@virtually
async def test_listening_that_never_returns_is_left_behind_and_held_against_the_adapter() -> None:
    there = home(A)
    air = there.airs["hci0"]
    air.hangs = {"listen"}
    air.cared.cures = lambda _remedy: air.hangs.clear()
    async with there.serving():
        await asyncio.sleep(120)
        assert air.cared.done == ["reset"]
        assert there.syncs(A)


@virtually
async def test_a_connect_that_never_returns_is_left_behind_and_its_late_link_is_ended() -> None:
    there = home(A)
    air = there.airs["hci0"]
    air.hangs = {"connect"}
    async with there.serving():
        await asyncio.sleep(100)
        assert air.cared.done[:1] == ["reset"]
        assert "stack_stuck" in there.problems()
        air.hangs.clear()
        air.connecting = 0
        await asyncio.sleep(120)
        assert there.syncs(A)
        before = list(air.links)
        air.release.set()  # now the lost calls come back, with links nobody waits for
        await asyncio.sleep(1)
        late = [link for link in air.links if link not in before]
        assert late
        assert all(link.closed.is_set() for link in late)
        assert there.adapter()[-1] is AdapterState.OK


@virtually
async def test_a_disconnect_that_hangs_does_not_spoil_the_visit_but_is_noticed() -> None:
    there = home(A)
    air = there.airs["hci0"]
    air.hangs = {"disconnect"}
    async with there.serving():
        await asyncio.sleep(400)
        assert len(there.syncs(A)) >= 3, "the records are home all the same"
        assert "reset" in air.cared.done


@virtually
async def test_one_adapter_stuck_stops_neither_the_other_nor_the_relay_and_spares_the_service() -> None:
    there = home(A, B, adapters=("hci0", "hci1"))
    there.airs["hci0"].deaf = IN_PROGRESS
    async with there.serving():
        await asyncio.sleep(HOUR_S)
        assert there.adapter("hci0")[-1] is AdapterState.STUCK
        assert there.adapter("hci1") == [AdapterState.OK]
        assert "restart_stack" not in there.airs["hci0"].cared.done, "it would end the links of the other"
        assert 45 <= len(there.syncs(B)) <= 61
        assert there.server.kept[B], "and they reach the server"


@virtually
async def test_a_shared_service_is_restarted_once_for_both() -> None:
    there = home(A, B, adapters=("hci0", "hci1"))
    for air in there.airs.values():
        air.deaf = IN_PROGRESS
    restarts: list[float] = []

    def cure(remedy: str) -> None:
        if remedy == "restart_stack":
            restarts.append(there.now_s)
            for air in there.airs.values():
                air.deaf = None

    for air in there.airs.values():
        air.cared.cures = cure
    async with there.serving():
        await asyncio.sleep(300)
        assert len(restarts) == 1
        assert there.syncs(A)
        assert there.syncs(B)


@virtually
async def test_a_stocking_of_an_adapter_that_is_not_open_is_said_plainly() -> None:
    there = home(A, B, adapters=("bluez:hci0", "bluez:hci1"))
    del there.airs["bluez:hci1"]
    async with there.serving():
        await asyncio.sleep(60)
        (missing,) = [e.standing for _, e in there.told if isinstance(e, StockingChanged) and e.standing.serial == B]
        assert (missing.state, missing.code) == (StockingState.UNKNOWN, "adapter_missing")
        assert missing.sentence is not None
        assert "--radio bluez:hci1" in missing.sentence
        assert there.syncs(A)


# --- somebody is away -------------------------------------------------------------------------------------------------


@virtually
async def test_one_away_for_hours_while_the_other_is_home_is_no_reason_to_touch_the_adapter() -> None:
    there = home(A, B)
    air = there.airs["hci0"]
    async with there.serving():
        await asyncio.sleep(600)
        air.audible.remove("AA:B")
        await asyncio.sleep(4 * HOUR_S)
        assert air.cared.done == []
        assert there.adapter() == [AdapterState.OK]
        assert there.stocking(B) == [StockingState.UNKNOWN, StockingState.IN_CONTACT, StockingState.AWAY]
        gaps = [b - a for a, b in pairwise(there.syncs(A))]
        assert max(gaps) < INTERVAL_S + 2 * BUDGET.listen_s, "the other is not kept waiting"
        assert {contact.serial: contact.outcome for contact in there.outbox.contacts()} == {A: "ok", B: "not_found"}
        air.audible.add("AA:B")
        came_s = there.now_s
        await asyncio.sleep(60)
        assert there.syncs(B)[-1] - came_s < BUDGET.absent_pause_max_s + BUDGET.listen_s + BUDGET.listen_alone_s
        assert there.stocking(B)[-1] is StockingState.IN_CONTACT


@virtually
async def test_a_patient_out_for_a_day_with_the_only_stocking_causes_few_resets() -> None:
    there = home(A)
    air = there.airs["hci0"]
    async with there.serving():
        await asyncio.sleep(600)
        air.audible.clear()
        await asyncio.sleep(24 * HOUR_S)
        assert 8 <= len(air.cared.done) <= 12
        assert air.cared.done.count("restart_stack") == 1
        assert AdapterState.STUCK not in there.adapter()
        assert there.adapter()[-1] is AdapterState.QUIET
        assert there.problems() == []
        air.audible.add("AA:A")
        await asyncio.sleep(60)
        assert there.adapter()[-1] is AdapterState.OK


# --- turns ------------------------------------------------------------------------------------------------------------


@virtually
async def test_three_take_turns_although_one_never_ends_and_one_always_fails() -> None:
    there = home(A, B, C)
    air = there.airs["hci0"]
    full = air.stockings["AA:A"]
    for _ in range(400):
        full.add_record()

    sending: set[asyncio.Task[None]] = set()

    def trickle(link: ScriptedLink) -> None:
        async def slowly() -> None:
            while full.outgoing and not link.closed.is_set():
                await asyncio.sleep(0.5)
                for event in full.transmit():
                    assert isinstance(event, Received)
                    link.notify(event.uuid, event.value)

        async def begin() -> None:
            sending.add(asyncio.ensure_future(slowly()))

        if link.address == "AA:A":
            link._transmit = begin  # type: ignore[method-assign]

    air.alter = trickle
    air.stockings["AA:B"].serial = "CZ-OTHER"
    async with there.serving():
        await asyncio.sleep(BUDGET.visit_s + 30)
        assert {one.serial: one.outcome for one in there.outbox.contacts()}[A] == "unfinished"
        assert not there.syncs(A)
        await asyncio.sleep(2 * HOUR_S)
    assert there.syncs(A), "piece by piece everything comes home"
    assert there.server.kept[A] == full.made
    assert max(b - a for (a, _), (b, _) in pairwise(air.connects)) <= BUDGET.visit_s + INTERVAL_S
    visits = {address: sum(one == address for _, one in air.connects) for address in air.stockings}
    assert there.stocking(B)[-1] is StockingState.NEEDS_PERSON
    assert 10 <= visits["AA:B"] <= 14, "every ten minutes, not more"
    gaps = [b - a for a, b in pairwise(there.syncs(C))]
    assert max(gaps) <= BUDGET.visit_s + 2 * INTERVAL_S, "one long visit of another at most"


@virtually
async def test_visits_keep_their_interval_and_links_are_short() -> None:
    there = home(A)
    air = there.airs["hci0"]
    async with there.serving():
        await asyncio.sleep(HOUR_S)
        assert 55 <= len(air.connects) <= 60
        assert all(link.closed.is_set() for link in air.links)


# --- live -------------------------------------------------------------------------------------------------------------


@virtually
async def test_a_lease_connects_at_once_streams_while_others_are_visited_and_ends_by_itself() -> None:
    there = home(A, B)
    air = there.airs["hci0"]
    async with there.serving():
        await asyncio.sleep(90)
        asked_s = there.now_s
        there.leases.grant(A, there.now_s + 200)
        await asyncio.sleep(3)
        link = air.links[-1]
        assert link.address == "AA:A"
        assert air.connects[-1][0] - asked_s < 1.5
        await asyncio.sleep(190)
        assert not link.closed.is_set(), "it stays for the lease"
        assert link.live_writes[-1] == b"\x01"
        assert sum(at > asked_s for at in there.syncs(A)) >= 3, "syncs go on over the same link"
        assert sum(at > asked_s for at in there.syncs(B)) >= 3, "and the other is visited meanwhile"
        await asyncio.sleep(20)
        assert link.closed.is_set()
        assert link.live_writes[-1] == b"\x02"
        await asyncio.sleep(120)
        assert there.syncs(A)[-1] > asked_s + 220, "and then as before"


@virtually
async def test_a_lease_taken_back_ends_the_stream_at_once() -> None:
    there = home(A)
    air = there.airs["hci0"]
    async with there.serving():
        await asyncio.sleep(30)
        there.leases.grant(A, there.now_s + 10_000)
        await asyncio.sleep(5)
        assert not air.links[-1].closed.is_set()
        there.leases.grant(A, 0.0)
        await asyncio.sleep(1)
        assert air.links[-1].closed.is_set()


@virtually
async def test_a_live_link_that_is_lost_is_looked_for_again_at_once() -> None:
    there = home(A)
    air = there.airs["hci0"]
    async with there.serving():
        await asyncio.sleep(30)
        there.leases.grant(A, there.now_s + 600)
        await asyncio.sleep(5)
        air.links[-1].closed.set()
        await asyncio.sleep(5)
        assert len(air.links) == 3
        assert not air.links[-1].closed.is_set()
        assert "disconnected" in there.problems()


# --- a fault of ours, and the end -------------------------------------------------------------------------------------


def test_a_bug_in_one_visit_is_logged_told_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        there = home(A, B, adapters=("hci0", "hci1"))
        air = there.airs["hci0"]

        def break_it(link: ScriptedLink) -> None:
            read = link.read

            async def broken(uuid: str) -> bytes:
                if there.now_s < 100:
                    raise ZeroDivisionError
                return await read(uuid)

            link.read = broken  # type: ignore[method-assign]

        air.alter = break_it
        async with there.serving():
            await asyncio.sleep(300)
        assert 2 <= there.problems().count("internal") <= 4, "not a storm"
        assert there.syncs(A), "and when it is over, it goes on"
        assert len(there.syncs(B)) >= 4
        assert all(link.closed.is_set() for link in air.links)

    with caplog.at_level(logging.ERROR, "calza.gateway"):
        run_virtually(scene())
    (first, *_) = caplog.records
    assert first.exc_info is not None
    assert first.exc_info[0] is ZeroDivisionError


@virtually
async def test_a_bug_outside_of_visits_is_survived_too() -> None:
    there = home(A)
    air = there.airs["hci0"]
    listen, faults = air.listen, [ValueError("a bug"), KeyError("another")]

    async def buggy(addresses: Collection[str], seconds: float) -> Sighting | None:
        if faults:
            raise faults.pop()
        return await listen(addresses, seconds)

    air.listen = buggy  # type: ignore[method-assign]
    async with there.serving():
        await asyncio.sleep(120)
        assert there.problems() == ["internal", "internal"]
        assert there.syncs(A)


@virtually
async def test_whoever_stops_the_gateway_leaves_no_link_behind() -> None:
    there = home(A, B)
    there.leases.grant(A, 10_000.0)
    async with there.serving():
        await asyncio.sleep(62)
    assert all(link.closed.is_set() for link in there.airs["hci0"].links)


@virtually
async def test_when_the_clock_is_put_right_everybody_is_synced_again() -> None:
    there = home(A)
    async with there.serving():
        await asyncio.sleep(95)
        before = len(there.syncs(A))
        there.clock.wrong_by_s = HOUR_S
        await asyncio.sleep(15)
        assert len(there.syncs(A)) == before + 1
        assert "clock_jumped" in there.problems()


@virtually
async def test_why_a_clock_was_left_alone_is_told_once_and_again_after_it_was_not() -> None:
    there = home(A)
    stocking = there.airs["hci0"].stockings["AA:A"]
    stocking.needs_set, there.clock.synchronised_now = True, False
    async with there.serving():
        await asyncio.sleep(HOUR_S)
        assert there.problems().count("gateway_clock_unsure") == 1
        there.clock.synchronised_now = True
        await asyncio.sleep(2 * INTERVAL_S)
        stocking.needs_set, there.clock.synchronised_now = True, False
        await asyncio.sleep(HOUR_S)
        assert there.problems().count("gateway_clock_unsure") == 2


@virtually
async def test_once_ends_at_a_missing_adapter_and_says_which_stockings_it_cost() -> None:
    there = home(A, B, adapters=("hci0", "hci1"))
    there.airs["hci0"].deaf = RadioError(RadioReason.NO_ADAPTER, "unplugged")
    outcome = await service.once(there.parts, 300)
    assert outcome.failed == {A: "no_adapter"}
    assert there.airs["hci0"].cared.done == []
    assert there.now_s < 30


@virtually
async def test_once_waits_for_one_that_is_away_until_its_time_is_over() -> None:
    there = home(A, B)
    there.airs["hci0"].audible.remove("AA:B")
    outcome = await service.once(there.parts, 120)
    assert outcome.failed == {B: "timeout"}
    assert there.syncs(A)
    assert 119 < there.now_s < 130
