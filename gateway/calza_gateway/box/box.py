"""What a gateway that runs for months has beside its work: who watches it, and to whom it tells how it is.

Puts the chores of `upkeep` together from the settings; `cli.py` hands in the rest. The work itself is `service.py`.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack
from typing import Final, TypeVar

from calza_gateway.box.watchdog import Watchdog
from calza_gateway.ports import Clock, MqttLink, Outbox
from calza_gateway.recovery.pulse import Pulse
from calza_gateway.reporting.events import GatewayEvent, Tell
from calza_gateway.reporting.standing_book import StandingBook
from calza_gateway.reporting.standing_keeper import StandingKeeper
from calza_gateway.reporting.status_report import StatusReport
from calza_gateway.reporting.upkeep import Chore, Upkeep
from calza_gateway.settings.settings import Settings

NOT_LOOPBACK: Final = (
    "the metrics are offered at %s, where others than this machine may read them: there is no sign-in and no encryption"
)
_T = TypeVar("_T")
_log = logging.getLogger("calza.gateway")


class Box:
    """`tell` and `pulse` go to the gateway's parts, `beside` runs the work with all that belongs to it."""

    def __init__(self, settings: Settings, clock: Clock, tell: Tell, environment: Mapping[str, str]) -> None:
        self.pulse = Pulse()
        self._settings = settings
        self._clock = clock
        self._show = tell
        self._environment = environment
        self._book = StandingBook(clock.now)
        self._hearers: list[Tell] = [self._book.hear, tell]

    def tell(self, event: GatewayEvent) -> None:
        """To everybody: the display, the book, the metrics."""
        for hear in self._hearers:
            hear(event)

    async def beside(
        self, work: Coroutine[None, None, _T], *, outbox: Outbox, link: MqttLink, software: str, stockings: int
    ) -> _T:
        """The work's result, with everything else running as long as it does. Raises `MetricsError`."""
        keeper = StandingKeeper(self._settings.state, self.tell)
        chores: list[Chore] = [keeper, StatusReport(link, self._settings.gateway, software)]
        with ExitStack() as stack:
            try:
                chores += self._metrics(stack) + self._service_manager(stack)
            except BaseException:
                work.close()
                raise
            upkeep = Upkeep(
                book=self._book, outbox=outbox, clock=self._clock, tell=self.tell, stockings=stockings, chores=chores
            )
            working, watching = asyncio.ensure_future(work), asyncio.ensure_future(upkeep.run())
            try:
                await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (working, watching):
                    task.cancel()
                await asyncio.gather(working, watching, return_exceptions=True)
                await keeper.write(await upkeep.look())
        if not watching.cancelled():
            watching.result()  # it never ends but by a fault
        return working.result()

    def _metrics(self, stack: ExitStack) -> list[Chore]:
        where = self._settings.metrics
        if where is None:
            return []
        from calza_gateway.adapters.gateway_metrics import GatewayMetrics, served

        if not where.loopback:
            _log.warning(NOT_LOOPBACK, f"{where.host}:{where.port}")
        metrics = GatewayMetrics(self._settings.state)
        stack.enter_context(served(metrics, where))
        self._hearers.append(metrics.hear)
        return [metrics]

    def _service_manager(self, stack: ExitStack) -> list[Chore]:
        from calza_gateway.adapters.systemd_notify import SystemdNotify

        manager = SystemdNotify.of(self._environment)
        if manager is None:
            return []
        stack.callback(manager.say, "STOPPING=1")
        return [Watchdog(manager.say, _log.error, self.pulse)]
