"""The gateway as a whole: the relay and each adapter's rounds side by side, for ever or once.

Everything it works with is handed in; `cli.py` builds it. To leave, cancel: commits end, links and broker are let go.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from calza_gateway.forwarding.live_leases import LiveLeases
from calza_gateway.forwarding.relay import Relay
from calza_gateway.ports import Clock, MqttLink, Outbox, Radio
from calza_gateway.recovery.budget import Budget
from calza_gateway.recovery.clock_watch import ClockWatch
from calza_gateway.recovery.pulse import Pulse
from calza_gateway.reporting.events import GatewayEvent, ReceiptCame, StockingChanged, Tell
from calza_gateway.reporting.standing import StockingStanding, StockingState
from calza_gateway.state.bonds import PairedStocking
from calza_gateway.visits.rounds import Machine, Rounds
from calza_gateway.visits.visitor import Visitor

ADAPTER_MISSING: Final = "adapter_missing"
CLOCK_LOOK_S: Final = 10.0  # a jump of the wall clock is noticed within this


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gateway is made of. `radios` by the name that `PairedStocking.adapter` gives them, the first for those
    that name none; `leases` says who is watched live."""

    gateway: str
    software: str
    stockings: Sequence[PairedStocking]
    radios: Mapping[str, Radio]
    outbox: Outbox
    link: MqttLink
    clock: Clock
    tell: Tell
    interval_s: float
    leases: LiveLeases = field(default_factory=LiveLeases)
    budget: Budget = field(default_factory=Budget)
    pulse: Pulse = field(default_factory=Pulse)


@dataclass(frozen=True, slots=True)
class OnceOutcome:
    """How one round went: `failed` stockings by serial with the code, records refused, all receipted or not."""

    failed: dict[str, str]
    refused: int
    drained: bool

    @property
    def sentence(self) -> str | None:
        """What is to be said about it, None if all went well."""
        if self.failed:
            return "not synced: " + ", ".join(f"{serial} ({code})" for serial, code in sorted(self.failed.items()))
        if not self.drained:
            return "not everything was confirmed by the server in time; it is kept and sent again at the next run"
        if self.refused:
            return f"the server refused {self.refused} records; `calza gateway status` tells why"
        return None


async def serve(parts: Parts, *, live: bool) -> None:
    """Visit and forward until cancelled; with `live`, every stocking is watched for ever."""
    relay = _relay(parts, parts.tell, parts.leases)
    rounds = _rounds(parts, relay, parts.tell, (lambda _serial: math.inf) if live else parts.leases.until)
    _tell_missing(parts)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run())
        group.create_task(_pass_on_leases(parts.leases, rounds))
        group.create_task(_watch_clock(parts, rounds))
        for each in rounds:
            group.create_task(each.serve())


async def once(parts: Parts, timeout_s: float) -> OnceOutcome:
    """Sync every stocking once and empty the outbox, within `timeout_s` in all."""
    refused = 0

    def tell(event: GatewayEvent) -> None:
        nonlocal refused
        if isinstance(event, ReceiptCame):
            refused += event.refused
        parts.tell(event)

    relay = _relay(parts, tell, None)
    rounds = _rounds(parts, relay, tell, lambda _serial: 0.0)
    drained = False

    async def work() -> None:
        nonlocal drained
        async with asyncio.TaskGroup() as group:
            for each in rounds:
                group.create_task(each.once())
        await relay.drained()
        drained = True

    missing = _tell_missing(parts)
    await _together(relay.run(), work(), timeout_s)
    outcomes = {stocking.serial: "timeout" for stocking in parts.stockings}
    outcomes |= {stocking.serial: ADAPTER_MISSING for stocking in missing}
    for each in rounds:
        outcomes |= each.outcomes
    return OnceOutcome({serial: code for serial, code in outcomes.items() if code != "ok"}, refused, drained)


async def _together(
    background: Coroutine[None, None, None], work: Coroutine[None, None, None], timeout_s: float
) -> None:
    """Run both until the work is done, the time is up, or either fails; both are over on return."""
    tasks = [asyncio.create_task(background), asyncio.create_task(work)]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in reversed(tasks):  # the work first: what it still commits, the relay may still send
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _pass_on_leases(leases: LiveLeases, rounds: Sequence[Rounds]) -> None:
    """Every adapter's rounds hear of a wish, whichever of them has the stocking."""
    while True:
        await leases.changed.wait()
        leases.changed.clear()
        for each in rounds:
            each.look_at_leases()


async def _watch_clock(parts: Parts, rounds: Sequence[Rounds]) -> None:
    """When the wall clock is put right, every stocking is synced again: the reports place its records anew."""
    watch = ClockWatch()
    while True:
        jump = watch.look(parts.clock.now())
        if jump is not None:
            parts.tell(jump.problem)
            for each in rounds:
                each.sync_all()
        await asyncio.sleep(CLOCK_LOOK_S)


def _at(parts: Parts) -> dict[str, list[PairedStocking]]:
    """The stockings by the name of their radio, also of one that is not open."""
    first = next(iter(parts.radios))
    places: dict[str, list[PairedStocking]] = {}
    for stocking in parts.stockings:
        places.setdefault(stocking.adapter or first, []).append(stocking)
    return places


def _tell_missing(parts: Parts) -> list[PairedStocking]:
    """Say which stockings cannot be visited, because their bond is kept by an adapter that was not asked for."""
    missing = []
    for name, stockings in _at(parts).items():
        if name in parts.radios:
            continue
        for stocking in stockings:
            sentence = f"{stocking.serial} is paired with the adapter {name}: give --radio {name} too, or pair it again"
            state, since_ms = StockingState.UNKNOWN, parts.clock.now().unix_ms
            parts.tell(
                StockingChanged(StockingStanding(stocking.serial, name, state, since_ms, ADAPTER_MISSING, sentence))
            )
            missing.append(stocking)
    return missing


def _relay(parts: Parts, tell: Tell, leases: LiveLeases | None) -> Relay:
    return Relay(
        gateway=parts.gateway,
        software=parts.software,
        stockings=[stocking.serial for stocking in parts.stockings],
        outbox=parts.outbox,
        link=parts.link,
        clock=parts.clock,
        tell=tell,
        leases=leases,
        pulse=parts.pulse,
    )


def _rounds(parts: Parts, relay: Relay, tell: Tell, live_until: Callable[[str], float]) -> list[Rounds]:
    visitor = Visitor(
        outbox=parts.outbox,
        server=relay,
        clock=parts.clock,
        tell=tell,
        publish_live=relay.publish_live,
        budget=parts.budget,
    )
    places, machine = _at(parts), Machine()
    return [
        Rounds(
            radio=radio,
            stockings=places[name],
            visitor=visitor,
            clock=parts.clock,
            tell=tell,
            interval_s=parts.interval_s,
            machine=machine,
            live_until=live_until,
            budget=parts.budget,
            pulse=parts.pulse,
        )
        for name, radio in parts.radios.items()
        if name in places
    ]
