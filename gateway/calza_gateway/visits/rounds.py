"""One adapter's rounds, for ever or until every stocking was synced once: wait until somebody is due, listen, visit,
tell, next; and carry out what the adapter's doctor orders.

Whose turn it is, and what is wrong with the adapter, is decided in `recovery`; how a visit goes, in `visitor.py`. Here
nothing may end silently: what fails is told, what hangs is left behind at its limit, and a fault of this program itself
is logged, told as `internal` and survived.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from calza_gateway.pairing.pairing import advice
from calza_gateway.ports import Clock, Link, Moment, OutboxError, Radio, RadioError, RadioReason, Sighting
from calza_gateway.recovery.adapter_doctor import AdapterDoctor, Remedy, Use
from calza_gateway.recovery.budget import ADAPTER_AT_FAULT, HOPELESS, Budget
from calza_gateway.recovery.pulse import Pulse
from calza_gateway.recovery.rota import Audience, Rota
from calza_gateway.reporting.events import AdapterChanged, Problem, StockingChanged, Tell
from calza_gateway.reporting.standing import AdapterState, StockingStanding
from calza_gateway.state.bonds import PairedStocking
from calza_gateway.visits.limits import Limits, any_set
from calza_gateway.visits.visitor import UNFINISHED, SyncFailedError, Visitor

UNANSWERED: Final = "timeout"  # a session that got no answer: the stocking's fault or the stack's, nobody can tell
INTERNAL: Final = "internal"
TURN_S: Final = 1_200.0  # for the watchdog: twice what the limits within one turn add up to, so only a hang reaches it

_log = logging.getLogger("calza.gateway")


@dataclass(slots=True)
class Machine:
    """What all adapters of one machine share: its Bluetooth service, and one remedy at a time."""

    treatment: asyncio.Lock = field(default_factory=asyncio.Lock)
    doctors: list[AdapterDoctor] = field(default_factory=list)

    def serves_another(self, doctor: AdapterDoctor) -> bool:
        """Whether another adapter is well, and would lose its links with the service."""
        return any(other is not doctor and other.standing.state is AdapterState.OK for other in self.doctors)


class Rounds:
    """The rounds of one radio. `live_until` tells the `tick_s` until which somebody watches a stocking live."""

    def __init__(
        self,
        *,
        radio: Radio,
        stockings: Sequence[PairedStocking],
        visitor: Visitor,
        clock: Clock,
        tell: Tell,
        interval_s: float,
        machine: Machine,
        live_until: Callable[[str], float],
        budget: Budget,
        pulse: Pulse | None = None,
    ) -> None:
        now = clock.now()
        self._pulse = pulse if pulse is not None else Pulse()
        self.outcomes: dict[str, str] = {}
        """By serial: "ok", or the code that ended the tries, of those `once` is done with."""
        self._radio = radio
        self._stockings = {stocking.serial: stocking for stocking in stockings}
        self._visitor = visitor
        self._clock = clock
        self._tell = tell
        self._interval_s = interval_s
        self._machine = machine
        self._live_until = live_until
        self._budget = budget
        self._limits = Limits(budget.grace_s)
        self._rota = Rota(list(self._stockings), radio.care.name, interval_s, budget, now)
        self._doctor = AdapterDoctor(radio.care.name, budget, now)
        machine.doctors.append(self._doctor)
        self._told = self._doctor.standing
        self._turn = asyncio.Lock()  # the radio belongs to one who listens, connects or syncs; live links only receive
        self._news = asyncio.Event()
        self._live: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}

    async def serve(self) -> None:
        """Until cancelled."""
        await self._go_round(lambda: True, once=False)

    async def once(self) -> None:
        """Until every stocking has been synced, or failed in a way that no repetition can cure; see `outcomes`."""
        await self._go_round(lambda: bool(self._rota.unfinished()), once=True)

    def look_at_leases(self) -> None:
        """Somebody began or ceased to watch a stocking live: who is watched and not connected is due at once."""
        tick_s = self._clock.now().tick_s
        for serial in self._stockings:
            if serial in self._live:
                self._live[serial][1].set()
            elif self._live_until(serial) > tick_s:
                self._rota.asked_for(serial, tick_s)
                self._news.set()

    def sync_all(self) -> None:
        """Every stocking is due (the wall clock was put right)."""
        for serial in self._stockings:
            self._rota.asked_for(serial, self._clock.now().tick_s)
        self._news.set()

    # --- one turn after the other -------------------------------------------------------------------------------------

    async def _go_round(self, wanted: Callable[[], bool], *, once: bool) -> None:
        self._tell(AdapterChanged(self._doctor.standing))
        for serial in self._stockings:
            self._tell(StockingChanged(self._rota.standing(serial)))
        try:
            while wanted():
                self._pulse.beat(self._radio.care.name, self._clock.now().tick_s, TURN_S)
                try:
                    await self._next(once=once)
                except Exception as error:  # noqa: BLE001 - a fault in one turn must not end the gateway's work
                    self._report_fault(error, None)
                    await asyncio.sleep(self._budget.internal_pause_s)
        finally:
            self._pulse.ended(self._radio.care.name)
            links = [task for task, _ in self._live.values()]
            for task in links:
                task.cancel()
            await asyncio.gather(*links, return_exceptions=True)

    async def _next(self, *, once: bool) -> None:
        await self._treat()
        pause_s = self._doctor.pause_s(self._clock.now())
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        self._news.clear()
        audience = self._rota.audience(self._clock.now().tick_s)
        if audience is None:
            due_s = self._rota.next_due_s()
            left_s = None if due_s is None else max(0.0, due_s - self._clock.now().tick_s)
            self._pulse.beat(self._radio.care.name, self._clock.now().tick_s, math.inf if left_s is None else left_s)
            await any_set([self._news], left_s)
            return
        async with self._machine.treatment:
            pass  # a restart of the service for another adapter is under way: nothing would work
        async with self._turn:
            await self._take_turn(audience, once=once)
        self._tell_adapter()

    async def _take_turn(self, audience: Audience, *, once: bool) -> None:
        try:
            sighting = await self._listen(audience)
        except RadioError as error:
            await self._deaf(audience, error, once=once)
            return
        if sighting is None:
            return
        stocking = next(one for one in self._stockings.values() if one.address.upper() == sighting.address.upper())
        self._rota.chosen(stocking.serial, self._clock.now().tick_s)
        code = await self._visit(stocking, stay=not once)
        if once and (code == "ok" or code in HOPELESS):
            self._finish(stocking.serial, code)
        elif once and code == RadioReason.NO_ADAPTER.value:
            self._finish_all(code)

    async def _listen(self, audience: Audience) -> Sighting | None:
        """Who was heard first; None when nobody was, or when there is news to look at instead."""
        addresses = [self._stockings[serial].address for serial in audience.serials]
        began_s = self._clock.now().tick_s
        listening = asyncio.ensure_future(
            self._limits.run(
                self._radio.listen(addresses, audience.seconds), audience.seconds + self._budget.grace_s, "listening"
            )
        )
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({listening, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            if not listening.done():
                listening.cancel()
                await asyncio.wait({listening})
        if listening.cancelled():
            return None
        sighting, now = listening.result(), self._clock.now()
        if sighting is not None:
            self._doctor.heard(now)
            self._tell_adapter()
            return sighting
        self._doctor.silent(now.tick_s - began_s, now)
        for standing in self._rota.not_heard(audience, now, adapter_hears=self._doctor.hears):
            self._tell(StockingChanged(standing))
            await self._visitor.note(standing.serial, standing.code or "")
        return None

    async def _deaf(self, audience: Audience, error: RadioError, *, once: bool) -> None:
        """Listening itself failed: never a stocking's fault."""
        now = self._clock.now()
        code = error.code if error.code in ADAPTER_AT_FAULT else RadioReason.STACK_STUCK.value
        self._doctor.failed(Use.LISTEN, code, str(error), now)
        if self._doctor.standing.state is not AdapterState.OK:
            for serial in audience.serials:
                self._tell_stocking(self._rota.failed(serial, code, str(error), now))
        if once and code == RadioReason.NO_ADAPTER.value:
            for serial in self._rota.unfinished():
                self._tell(Problem(code, str(error), serial))
            self._finish_all(code)

    # --- a visit ------------------------------------------------------------------------------------------------------

    async def _visit(self, stocking: PairedStocking, *, stay: bool) -> str:
        """Connect, sync, hang up; with somebody watching, the link goes on in a task of its own. The outcome's code."""
        link: Link | None = None
        try:
            link = await self._visitor.connect(self._radio, stocking, self._limits)
            more = await self._visitor.sync(stocking, link)
            self._in_contact(stocking.serial, more=more)
            if stay and not more and self._live_until(stocking.serial) > self._clock.now().tick_s:
                self._stay(stocking, link)
                link = None
        except Exception as error:  # noqa: BLE001 - told by `_failed`, whatever it is
            return await self._failed(stocking.serial, error, connected=link is not None)
        else:
            return UNFINISHED if more else "ok"
        finally:
            if link is not None:
                await self._hang_up(stocking.serial, link)

    def _stay(self, stocking: PairedStocking, link: Link) -> None:
        news = asyncio.Event()
        self._rota.linked(stocking.serial, linked=True)
        task = asyncio.ensure_future(self._stream(stocking, link, news))
        self._live[stocking.serial] = (task, news)

    async def _stream(self, stocking: PairedStocking, link: Link, news: asyncio.Event) -> None:
        """Live minutes for as long as somebody watches, with a sync on the same link whenever one is due."""
        serial = stocking.serial

        def until() -> float:
            return min(sync_s, self._live_until(serial))

        try:
            while self._live_until(serial) > self._clock.now().tick_s:
                sync_s = self._clock.now().tick_s + self._interval_s
                await self._visitor.live(stocking, link, until, news)
                if self._clock.now().tick_s < sync_s:
                    break
                async with self._turn:
                    await self._visitor.sync(stocking, link)
                self._in_contact(serial)
        except Exception as error:  # noqa: BLE001 - told by `_failed`, whatever it is
            await self._failed(serial, error, connected=True)
        finally:
            await self._hang_up(serial, link)
            del self._live[serial]
            self._rota.linked(serial, linked=False)
            self._news.set()

    async def _hang_up(self, serial: str, link: Link) -> None:
        try:
            await link.disconnect()
        except RadioError as error:
            self._doctor.failed(Use.HANG_UP, error.code, str(error), self._clock.now())
            self._tell(Problem(error.code, str(error), serial))
        else:
            self._doctor.hung_up(self._clock.now())

    def _in_contact(self, serial: str, *, more: bool = False) -> None:
        now = self._clock.now()
        self._doctor.connected(now)
        self._tell_stocking(self._rota.in_contact(serial, now, more=more))

    async def _failed(self, serial: str, error: Exception, *, connected: bool) -> str:
        """Who is to blame, and telling it. The code."""
        now = self._clock.now()
        if isinstance(error, RadioError | OutboxError | SyncFailedError):
            code, sentence = error.code, advice(error.code, str(error), serial)
            self._tell(Problem(code, sentence, serial))
        else:
            code, sentence = INTERNAL, self._report_fault(error, serial)
        if connected or not isinstance(error, OutboxError):  # otherwise the radio was not even asked
            self._judge_adapter(code, sentence, now, connected=connected)
        self._tell_stocking(self._rota.failed(serial, code, sentence, now))
        await self._visitor.note(serial, code)
        return code

    def _judge_adapter(self, code: str, sentence: str, now: Moment, *, connected: bool) -> None:
        """What a failed visit says of the adapter."""
        answered = connected or code in HOPELESS  # a refusal, too, came over a link
        if code in ADAPTER_AT_FAULT or code == UNANSWERED or not (answered or code == INTERNAL):
            self._doctor.failed(Use.CONNECT, code, sentence, now)
        elif code != INTERNAL:
            self._doctor.connected(now)

    def _finish(self, serial: str, code: str) -> None:
        self.outcomes[serial] = code
        self._rota.finished(serial)

    def _finish_all(self, code: str) -> None:
        for serial in self._rota.unfinished():
            self._finish(serial, code)

    # --- the adapter --------------------------------------------------------------------------------------------------

    async def _treat(self) -> None:
        """Carry out what the doctor orders."""
        doctor, care, machine = self._doctor, self._radio.care, self._machine
        remedy = doctor.decide(self._clock.now(), stack_spared=machine.serves_another(doctor))
        if remedy is Remedy.NOTHING:
            self._tell_adapter()
            return
        async with machine.treatment:
            doctor.began(remedy, self._clock.now())
            self._tell_adapter()
            refusal: str | None = None
            call = care.reset() if remedy is Remedy.RESET else care.restart_stack()
            try:
                await self._limits.run(call, self._budget.care_s, f"repairing {care.name}")
            except RadioError as error:
                refusal = str(error)
                _log.warning("%s could not be repaired: %s", care.name, refusal)
            finally:
                now = self._clock.now()
                doctor.ended(remedy, now, refusal)
                if remedy is Remedy.RESTART_STACK:
                    for other in machine.doctors:
                        if other is not doctor:
                            other.stack_restarted(now)
            await asyncio.sleep(self._budget.settle_s)
        self._tell_adapter()

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell_adapter(self) -> None:
        new, old = self._doctor.standing, self._told
        if (new.state, new.code, new.resets, new.restarts) == (old.state, old.code, old.resets, old.restarts):
            return
        self._told = new
        self._tell(AdapterChanged(new))

    def _tell_stocking(self, standing: StockingStanding | None) -> None:
        if standing is not None:
            self._tell(StockingChanged(standing))

    def _report_fault(self, error: Exception, serial: str | None) -> str:
        """A fault of this program: with its trace into the log, in one sentence to whoever listens."""
        _log.error("a fault in the gateway itself", exc_info=error)
        sentence = f"a fault in the gateway itself ({type(error).__name__}), see its log; it goes on"
        self._tell(Problem(INTERNAL, sentence, serial))
        return sentence
