"""Makes the forecast come true in a world, and tells a witness when each fault began and ended. Judges nothing."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from typing import Protocol

from tests.soak.forecast import Fault, Kind
from tests.soak.world import Leg, World

AIM_LIMIT_S = 3600.0  # a fault whose visit never comes strikes without one


class Witness(Protocol):
    """Who wants to know."""

    def began(self, fault: Fault) -> None: ...

    def ended(self, fault: Fault) -> None: ...


class Weather:
    """The faults of one soak. One that comes to a place where its kind holds already only makes that last longer."""

    def __init__(self, world: World, witness: Witness) -> None:
        self._world = world
        self._witness = witness
        self._held: Counter[tuple[Kind, str | None]] = Counter()
        self._aimed: dict[str | None, deque[asyncio.Future[None]]] = {serial: deque() for serial in (None, *world.legs)}
        self._under_way: set[asyncio.Task[None]] = set()
        world.radio.on_link = self._link_came_up

    async def run(self, faults: Iterable[Fault]) -> None:
        """Let every fault happen at its time; returns when the last one is over."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        try:
            async with asyncio.TaskGroup() as group:
                for fault in faults:
                    await asyncio.sleep(begun_s + fault.at_s - loop.time())
                    group.create_task(self._happen(fault), name=f"fault {fault.number}")
        finally:
            self._world.radio.on_link = None

    async def _happen(self, fault: Fault) -> None:
        if fault.aim_s is not None:
            await self._visit(fault.serial)
            await asyncio.sleep(fault.aim_s)
        place = (fault.kind, fault.serial)
        self._held[place] += 1
        self._witness.began(fault)
        if self._held[place] == 1:
            self._begin(fault)
        await asyncio.sleep(fault.seconds)
        self._held[place] -= 1
        if not self._held[place]:
            self._end(fault)
        self._witness.ended(fault)

    async def _visit(self, serial: str | None) -> None:
        """The next link to that stocking, to any if it is None; each link that comes up serves one fault."""
        coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._aimed[serial].append(coming)
        await asyncio.wait({coming}, timeout=AIM_LIMIT_S)
        if not coming.done():
            coming.cancel()
            self._aimed[serial].remove(coming)

    def _link_came_up(self, serial: str) -> None:
        for queue in (self._aimed[serial], self._aimed[None]):
            if queue:
                queue.popleft().set_result(None)

    # --- what a fault does --------------------------------------------------------------------------------------------

    def _begin(self, fault: Fault) -> None:
        world = self._world
        match fault.kind:
            case Kind.STALL:
                world.radio.drop_out(self._leg(fault).server.controller, fault.seconds)
            case Kind.CUT:
                world.radio.cut(self._leg(fault).server.controller)
            case Kind.AWAY:
                world.radio.carry_away(self._leg(fault).server.controller)
            case Kind.REBOOT:
                self._leg(fault).server.power_loss(fault.seconds)
            case Kind.LOSSY:
                loss = self._leg(fault).server.loss
                loss.rate, loss.indications = fault.figure, fault.worse
            case Kind.ADAPTER_OUT | Kind.ADAPTER_DEAD:
                world.dongle.pull_out()
            case Kind.ADAPTER_HANGS:
                world.dongle.hang()
            case Kind.ADAPTER_DEAF:
                world.dongle.go_deaf()
            case Kind.BROKER_GONE:
                world.broker.stop()
            case Kind.BROKER_KICKS:
                world.broker.link.drop()
            case Kind.BROKER_FORGETS:
                world.broker.forgetful = True
            case Kind.SERVER_STOPS | Kind.SERVER_DIES:
                world.server.stop(before_answering=fault.kind is Kind.SERVER_DIES)
            case Kind.RECEIPTS_LOST:
                world.broker.receipts_lost = fault.figure
            case Kind.DISK_FULL:
                world.outbox.fill()
            case Kind.CLOCK_JUMPS:
                world.clock.wrong_by_s, world.clock.synchronised_now = fault.figure, not fault.worse
            case Kind.ZONE_CHANGES:
                world.clock.quarters = int(fault.figure)

    def _end(self, fault: Fault) -> None:
        world = self._world
        match fault.kind:
            case Kind.AWAY:
                world.radio.bring_back(self._leg(fault).server.controller)
            case Kind.LOSSY:
                loss = self._leg(fault).server.loss
                loss.rate, loss.indications = 0.0, False
            case Kind.ADAPTER_OUT | Kind.ADAPTER_DEAD:
                if not self._held[Kind.ADAPTER_OUT, None] and not self._held[Kind.ADAPTER_DEAD, None]:
                    world.dongle.plug_in()
            case Kind.BROKER_GONE:
                world.broker.start()
            case Kind.BROKER_FORGETS:
                world.broker.forgetful = False
            case Kind.SERVER_STOPS | Kind.SERVER_DIES:
                if not self._held[Kind.SERVER_STOPS, None] and not self._held[Kind.SERVER_DIES, None]:
                    world.server.start()
            case Kind.RECEIPTS_LOST:
                world.broker.receipts_lost = 0.0
            case Kind.DISK_FULL:
                world.outbox.make_room()
            case Kind.CLOCK_JUMPS:
                world.clock.wrong_by_s, world.clock.synchronised_now = 0.0, True
            case _:
                pass  # it was over as soon as it had struck, or ends by itself

    def _leg(self, fault: Fault) -> Leg:
        assert fault.serial is not None
        return self._world.legs[fault.serial]
