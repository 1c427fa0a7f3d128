"""The gateway as a whole: relay and visits side by side, for ever or once.

Everything it works with is handed in; `cli.py` builds it. To leave, cancel: commits end, links and broker are let go.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass

from calza_gateway.bonds import PairedStocking
from calza_gateway.events import GatewayEvent, ReceiptCame, Tell
from calza_gateway.ports import Clock, MqttLink, Outbox, Radio
from calza_gateway.relay import Relay
from calza_gateway.runner import Runner
from calza_gateway.visits import Visitor


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gateway is made of."""

    gateway: str
    software: str
    stockings: Sequence[PairedStocking]
    radio: Radio
    outbox: Outbox
    link: MqttLink
    clock: Clock
    tell: Tell
    interval_s: float


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
    """Visit and forward until cancelled."""
    relay = _relay(parts, parts.tell)
    visitor = _visitor(parts, relay, parts.tell, live=live)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run())
        for stocking in parts.stockings:
            group.create_task(visitor.visit_for_ever(stocking))


async def once(parts: Parts, timeout_s: float) -> OnceOutcome:
    """Sync every stocking once and empty the outbox, within `timeout_s` in all."""
    refused = 0

    def tell(event: GatewayEvent) -> None:
        nonlocal refused
        if isinstance(event, ReceiptCame):
            refused += event.refused
        parts.tell(event)

    relay = _relay(parts, tell)
    visitor = _visitor(parts, relay, tell, live=False)
    outcomes = {stocking.serial: "timeout" for stocking in parts.stockings}
    drained = False

    async def visit(stocking: PairedStocking) -> None:
        outcomes[stocking.serial] = await visitor.visit_until_done(stocking)

    async def work() -> None:
        nonlocal drained
        await asyncio.gather(*(visit(stocking) for stocking in parts.stockings))
        await relay.drained()
        drained = True

    await _together(relay.run(), work(), timeout_s)
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


def _relay(parts: Parts, tell: Tell) -> Relay:
    return Relay(
        gateway=parts.gateway,
        software=parts.software,
        stockings=[stocking.serial for stocking in parts.stockings],
        outbox=parts.outbox,
        link=parts.link,
        clock=parts.clock,
        tell=tell,
    )


def _visitor(parts: Parts, relay: Relay, tell: Tell, *, live: bool) -> Visitor:
    return Visitor(
        radio=parts.radio,
        outbox=parts.outbox,
        runner=Runner(parts.outbox, relay, parts.clock, tell),
        clock=parts.clock,
        tell=tell,
        interval_s=parts.interval_s,
        live=relay.publish_live if live else None,
    )
