"""One connection to one stocking: connect within the budget, sync, perhaps live minutes, hang up.

Short on purpose: the link is up for as long as there is something to read, because it costs the stocking's battery.
Knows no library, and not whose turn it is: that is the rounds' business.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from calza_gateway.ports import Clock, Contact, Link, Outbox, OutboxError, Radio, RadioError, RadioReason
from calza_gateway.recovery.budget import RETRY_AT_ONCE, Budget
from calza_gateway.recovery.clock_watch import CLOCK_LEFT_ALONE
from calza_gateway.reporting.events import (
    Connected,
    GatewayEvent,
    LiveMinuteCame,
    Problem,
    Progress,
    SyncBegan,
    SyncEnded,
    Tell,
)
from calza_gateway.state.bonds import PairedStocking
from calza_gateway.sync.runner import Runner, WantedSource
from calza_gateway.sync.session import SessionFacts
from calza_gateway.sync.steps import Done, Failed
from calza_gateway.visits.limits import LimitedLink, Limits, any_set
from calza_gateway.visits.switchboard import Switchboard
from calza_wire.errors import WireError
from calza_wire.live_minute import LiveMinute
from calza_wire.messages import GatewayClock
from calza_wire.segments import Reassembler
from calza_wire.uuids import GHS_CONTROL_POINT, LIVE_OBSERVATIONS

CLOSE_EVERY_S: Final = (
    900.0  # each closing makes a record of its own; one a minute would cost the store ten times as much
)
START_LIVE: Final = b"\x01"
STOP_LIVE: Final = b"\x02"
UNFINISHED: Final = "unfinished"  # outcome of a visit that ended at its limit with more to fetch: no failure


class SyncFailedError(Exception):
    """A session's `Failed`, carried to where every failure of a visit ends."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Visitor:
    """What all visits of one gateway share. `publish_live` forwards a live minute as it came."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        server: WantedSource,
        clock: Clock,
        tell: Tell,
        publish_live: Callable[[str, bytes], None],
        budget: Budget,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._tell = tell
        self._publish_live = publish_live
        self._budget = budget
        self._runner = Runner(outbox, server, clock, self._overhear)
        self._closed_at: dict[str, float] = {}
        self._left: dict[str, int] = {}  # records still in a stocking, as far as this visit knows
        self._clock_refusals: dict[str, tuple[str, ...]] = {}  # why a stocking's clock was left alone, as last told

    async def connect(self, radio: Radio, stocking: PairedStocking, limits: Limits) -> Link:
        """A link to a stocking that has just been heard. Raises RadioError when the budget is spent.

        Raises OutboxError without connecting while its records could not be kept: a connection costs its battery.
        """
        budget = self._budget
        self._left.pop(stocking.serial, None)
        await asyncio.to_thread(self._outbox.check_room)
        give_up = self._clock.now().tick_s + budget.connect_visit_s
        for attempt in range(1, budget.connect_attempts + 1):
            try:
                link = await limits.run(
                    radio.connect(stocking.address, budget.connect_s),
                    budget.connect_s + budget.grace_s,
                    f"connecting to {stocking.serial}",
                    _hang_up,
                )
                break
            except RadioError as error:
                over = self._clock.now().tick_s + budget.connect_pause_s >= give_up
                if error.code not in RETRY_AT_ONCE or attempt == budget.connect_attempts or over:
                    raise
            await asyncio.sleep(budget.connect_pause_s)
        self._tell(Connected(stocking.serial))
        return Switchboard(LimitedLink(link, limits, budget.operation_s, budget.disconnect_s))

    async def sync(self, stocking: PairedStocking, link: Link) -> bool:
        """One sync; True when its time was over before everything was fetched.

        Raises SyncFailedError, OutboxError; RadioError when the link cannot be used at all.
        """
        now = self._clock.now()
        last = self._closed_at.get(stocking.serial)
        close = last is None or now.tick_s - last >= CLOSE_EVERY_S
        facts = SessionFacts(
            serial=stocking.serial,
            mtu=link.mtu,
            rssi=link.rssi,
            close_block=close,
            offset_quarters=self._clock.offset_quarters(),
            gateway_clock=GatewayClock.of(self._clock.synchronised()),
        )
        limit = asyncio.timeout(self._budget.visit_s)
        try:
            async with limit:
                outcome = await self._runner.sync(link, facts)
        except TimeoutError:
            if not limit.expired():
                raise
            await self.note(stocking.serial, UNFINISHED)
            return True
        match outcome:
            case Failed(code, sentence):
                raise SyncFailedError(code, sentence)
            case Done():
                if close:
                    self._closed_at[stocking.serial] = now.tick_s
                await self._synced(outcome)
        return False

    async def live(self, stocking: PairedStocking, link: Link, until: Callable[[], float], news: asyncio.Event) -> None:
        """Forward live minutes until that `tick_s`, asked again at every news. Raises RadioError, also for a link that
        ends."""
        stream = Reassembler()

        def on_value(pdu: bytes) -> None:
            with suppress(WireError):  # a live minute that came to harm is not missed: the record brings it again
                payload = stream.feed(pdu)
                if payload is not None:
                    self._publish_live(stocking.serial, payload)
                    self._show(stocking.serial, LiveMinute.decode(payload))

        await link.subscribe(GHS_CONTROL_POINT, _ignore)
        await link.subscribe(LIVE_OBSERVATIONS, on_value)
        await link.write(GHS_CONTROL_POINT, START_LIVE)
        while (left_s := until() - self._clock.now().tick_s) > 0:
            news.clear()
            await any_set([link.closed, news], left_s if math.isfinite(left_s) else None)
            if link.closed.is_set():
                raise RadioError(RadioReason.DISCONNECTED, "the connection was lost")
        await link.write(GHS_CONTROL_POINT, STOP_LIVE)

    async def note(self, serial: str, outcome: str) -> None:
        """Write a failed or unfinished visit down for `status`, with what is known to be left in the stocking."""
        await self._note(Contact(serial, self._clock.now().unix_ms, outcome, None, self._left.get(serial)))

    async def _synced(self, done: Done) -> None:
        now_ms = self._clock.now().unix_ms
        error_ms = None if done.clock_error_s is None else round(done.clock_error_s * 1000)
        left = done.expected - done.fetched - done.absent
        self._tell_clock_left_alone(done)
        await self._note(Contact(done.serial, now_ms, "ok", now_ms, left, error_ms, done.battery_percent))
        self._tell(
            SyncEnded(
                serial=done.serial,
                expected=done.expected,
                fetched=done.fetched,
                absent=done.absent,
                clock_error_s=done.clock_error_s,
                clock_set=done.clock_set,
                battery_percent=done.battery_percent,
            )
        )

    def _tell_clock_left_alone(self, done: Done) -> None:
        """Once for as long as the reasons stay the same: a visit a minute would fill the log with one sentence."""
        reasons = tuple(code for code in done.refused if code in CLOCK_LEFT_ALONE)
        if reasons != self._clock_refusals.get(done.serial, ()):
            for code in reasons:
                self._tell(Problem(code, CLOCK_LEFT_ALONE[code], done.serial))
        self._clock_refusals[done.serial] = reasons

    async def _note(self, contact: Contact) -> None:
        """A disk too full even for this has been reported where it mattered."""
        try:
            await asyncio.to_thread(self._outbox.note_contact, contact)
        except OutboxError as error:
            self._tell(Problem(error.code, str(error), contact.serial))

    def _overhear(self, event: GatewayEvent) -> None:
        """What the runner tells goes on as it is; on the way it says what is left."""
        match event:
            case SyncBegan(serial, expected):
                self._left[serial] = expected
            case Progress(serial, fetched, expected):
                self._left[serial] = expected - fetched
        self._tell(event)

    def _show(self, serial: str, minute: LiveMinute) -> None:
        self._tell(
            LiveMinuteCame(
                serial,
                ankle_mmhg=float(minute.ankle_mmhg),
                calf_mmhg=float(minute.calf_mmhg),
                thigh_mmhg=float(minute.thigh_mmhg),
                skin_c=float(minute.skin_c),
            )
        )


async def _hang_up(link: Link) -> None:
    """A link that came up when nobody waited for it any more would stay up for ever."""
    await link.disconnect()


def _ignore(_value: bytes) -> None:
    """The control point's answer: that live minutes come, or do not, shows by itself."""
