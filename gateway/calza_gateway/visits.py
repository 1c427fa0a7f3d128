"""Visiting stockings for ever: connect, sync, perhaps stay for live minutes, come back.

One task per stocking; the radio is used by one of them at a time, except for links that only listen. How long to wait
after a failure depends on the failure: an absent stocking is looked for again soon, a lost bond waits for a person.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from calza_gateway.bonds import PairedStocking
from calza_gateway.events import Connected, LiveMinuteCame, Problem, SyncEnded, Tell
from calza_gateway.ports import Clock, Contact, Link, Outbox, OutboxError, Radio, RadioError, RadioReason
from calza_gateway.runner import Runner
from calza_gateway.session import SessionFacts
from calza_gateway.steps import Done, Failed
from calza_gateway.switchboard import Switchboard
from calza_wire.errors import WireError
from calza_wire.live_minute import LiveMinute
from calza_wire.segments import Reassembler
from calza_wire.uuids import GHS_CONTROL_POINT, LIVE_OBSERVATIONS

CONNECT_LIMIT_S: Final = 20.0
CLOSE_EVERY_S: Final = (
    900.0  # each closing makes a record of its own; one a minute would cost the store ten times as much
)
START_LIVE: Final = b"\x01"
STOP_LIVE: Final = b"\x02"
RETRY_MIN_S: Final = 1.0
RETRY_MAX_S: Final = 15.0  # who comes home after a day out should not wait longer than that
NEEDS_A_PERSON_S: Final = 600.0
HOPELESS: Final = frozenset({"pairing_refused", "not_paired", "bond_lost", "wrong_stocking"})
"""Codes that no further try in the same run can cure."""


@dataclass(slots=True)
class Backoff:
    """How long to wait after failures in a row: 1, 2, 4 ... 15 seconds; ten minutes if a person is needed."""

    failures: int = 0

    def after(self, code: str) -> float:
        """The wait after one more failure."""
        self.failures += 1
        if code in HOPELESS:
            return NEEDS_A_PERSON_S
        return min(RETRY_MAX_S, RETRY_MIN_S * 2.0 ** min(self.failures - 1, 10))

    def reset(self) -> None:
        """A visit went well."""
        self.failures = 0


@dataclass(slots=True)
class Visitor:
    """What all visits of one gateway share. `interval_s` is the pause between two syncs of one stocking."""

    radio: Radio
    outbox: Outbox
    runner: Runner
    clock: Clock
    tell: Tell
    interval_s: float
    live: Callable[[str, bytes], None] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _closed_at: dict[str, float] = field(default_factory=dict)

    async def visit_for_ever(self, stocking: PairedStocking) -> None:
        """Sync at once and then every interval, until cancelled."""
        backoff = Backoff()
        while True:
            code = await self.visit(stocking, stay=self.live is not None)
            if code == "ok":
                backoff.reset()
                await asyncio.sleep(self.interval_s)
            else:
                await asyncio.sleep(backoff.after(code))

    async def visit_until_done(self, stocking: PairedStocking) -> str:
        """Try until one sync is complete; "ok", or the code of a failure that trying again cannot cure."""
        backoff = Backoff()
        while True:
            code = await self.visit(stocking, stay=False)
            if code == "ok" or code in HOPELESS or code == RadioReason.NO_ADAPTER.value:
                return code
            await asyncio.sleep(backoff.after(code))

    async def visit(self, stocking: PairedStocking, *, stay: bool) -> str:
        """One connection with a sync in it, with more of them and live minutes in between if asked to stay."""
        link: Switchboard | None = None
        try:
            try:
                async with self.turn:
                    link = Switchboard(await self.radio.connect(stocking.address, CONNECT_LIMIT_S))
                    self.tell(Connected(stocking.serial))
                    await self._sync(stocking, link)
                while stay:
                    await self._listen(stocking, link)
                    async with self.turn:
                        await self._sync(stocking, link)
            finally:
                if link is not None:
                    await asyncio.shield(link.disconnect())
        except (RadioError, OutboxError, _SyncFailedError) as error:
            self.tell(Problem(error.code, str(error), stocking.serial))
            await self._note(stocking.serial, error.code)
            return error.code
        return "ok"

    async def _sync(self, stocking: PairedStocking, link: Link) -> None:
        now = self.clock.now()
        last = self._closed_at.get(stocking.serial)
        close = last is None or now.tick_s - last >= CLOSE_EVERY_S
        facts = SessionFacts(
            serial=stocking.serial,
            mtu=link.mtu,
            rssi=link.rssi,
            close_block=close,
            offset_quarters=self.clock.offset_quarters(),
        )
        outcome = await self.runner.sync(link, facts)
        match outcome:
            case Failed(code, sentence):
                raise _SyncFailedError(code, sentence)
            case Done():
                if close:
                    self._closed_at[stocking.serial] = now.tick_s
                await self._note(stocking.serial, "ok")
                self.tell(
                    SyncEnded(
                        serial=stocking.serial,
                        expected=outcome.expected,
                        fetched=outcome.fetched,
                        absent=outcome.absent,
                        clock_error_s=outcome.clock_error_s,
                        clock_set=outcome.clock_set,
                        battery_percent=outcome.battery_percent,
                    )
                )

    async def _listen(self, stocking: PairedStocking, link: Link) -> None:
        """Forward live minutes until the next sync is due. Raises `RadioError` when the link is lost."""
        stream = Reassembler()

        def on_value(pdu: bytes) -> None:
            with suppress(WireError):  # a live minute that came to harm is not missed: the record brings it again
                payload = stream.feed(pdu)
                if payload is not None and self.live is not None:
                    self.live(stocking.serial, payload)
                    self._show(stocking.serial, LiveMinute.decode(payload))

        await link.subscribe(GHS_CONTROL_POINT, _ignore)
        await link.subscribe(LIVE_OBSERVATIONS, on_value)
        await link.write(GHS_CONTROL_POINT, START_LIVE)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.interval_s):
                await link.closed.wait()
            raise RadioError(RadioReason.DISCONNECTED, "the connection was lost")
        await link.write(GHS_CONTROL_POINT, STOP_LIVE)

    def _show(self, serial: str, minute: LiveMinute) -> None:
        self.tell(
            LiveMinuteCame(
                serial,
                ankle_mmhg=float(minute.ankle_mmhg),
                calf_mmhg=float(minute.calf_mmhg),
                thigh_mmhg=float(minute.thigh_mmhg),
                skin_c=float(minute.skin_c),
            )
        )

    async def _note(self, serial: str, outcome: str) -> None:
        """For `status`. A disk too full even for this has been reported where it mattered."""
        now_ms = self.clock.now().unix_ms
        contact = Contact(serial, now_ms, outcome, now_ms if outcome == "ok" else None)
        try:
            await asyncio.to_thread(self.outbox.note_contact, contact)
        except OutboxError as error:
            self.tell(Problem(error.code, str(error), serial))


class _SyncFailedError(Exception):  # carries a session's `Failed` to where every failure of a visit ends
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _ignore(_value: bytes) -> None:
    """The control point's answer: that live minutes come, or do not, shows by itself."""
