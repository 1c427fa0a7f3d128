"""Whose turn it is: which stockings of one adapter are due, whom to listen for, and what is believed of each.

Pure: no asyncio, no radio; times are arguments. The rules:

* Whoever was visited well is not due before the interval is over, counted from the end of the visit.
* Whoever failed waits longer each time, by the kind of failure; nobody else waits with them.
* All who are due are listened for at once, and the first to be heard is visited. Whom others were quicker than as
  often as there are stockings is then listened for alone, the one longest without contact first: so everybody who can
  be heard has a turn, however loud, broken or full the others are.
* What is the adapter's fault is held against no stocking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calza_gateway.ports import Moment
from calza_gateway.recovery.budget import ABSENT, ADAPTER_AT_FAULT, HOPELESS, Budget
from calza_gateway.reporting.standing import StockingStanding, StockingState

DOUBLINGS_MAX = 20  # beyond it every pause is at its longest


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom to listen for, and for how long at most."""

    serials: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class _Entry:
    standing: StockingStanding
    due_s: float
    contact_s: float  # when it was last in contact; before that, when it joined
    passed: int = 0  # how often another was visited while this one was due
    linked: bool = False  # its link is up and looked after elsewhere
    finished: bool = False


class Rota:
    """The stockings of one adapter. Everything that changes a standing returns it, None where it stayed the same."""

    def __init__(self, serials: Sequence[str], adapter: str, interval_s: float, budget: Budget, now: Moment) -> None:
        self._interval_s = interval_s
        self._budget = budget
        self._entries = {
            serial: _Entry(
                StockingStanding(serial, adapter, StockingState.UNKNOWN, now.unix_ms), now.tick_s, now.tick_s
            )
            for serial in serials
        }

    # --- whose turn ---------------------------------------------------------------------------------------------------

    def audience(self, tick_s: float) -> Audience | None:
        """Whom to listen for now; None when nobody is due."""
        due = self._due(tick_s)
        if not due:
            return None
        passed_over = [serial for serial in due if self._entries[serial].passed >= len(self._entries)]
        if passed_over and len(due) > 1:
            return Audience((passed_over[0],), self._budget.listen_alone_s)
        return Audience(tuple(due), self._budget.listen_s)

    def next_due_s(self) -> float | None:
        """The `tick_s` at which somebody is due; None when nobody will be without being asked for."""
        dues = [entry.due_s for entry in self._entries.values() if not entry.linked and not entry.finished]
        return min(dues, default=None)

    def unfinished(self) -> tuple[str, ...]:
        """Who is still to be visited."""
        return tuple(serial for serial, entry in self._entries.items() if not entry.finished)

    def _due(self, tick_s: float) -> list[str]:
        """Who is due, longest without contact first."""
        due = [
            (entry.contact_s, serial)
            for serial, entry in self._entries.items()
            if entry.due_s <= tick_s and not entry.linked and not entry.finished
        ]
        return [serial for _, serial in sorted(due)]

    # --- what happened ------------------------------------------------------------------------------------------------

    def chosen(self, serial: str, tick_s: float) -> None:
        """It was heard and is visited now; the others who are due were passed over."""
        for other in self._due(tick_s):
            self._entries[other].passed += 1
        self._entries[serial].passed = 0

    def not_heard(self, audience: Audience, now: Moment, *, adapter_hears: bool) -> list[StockingStanding]:
        """A turn of listening ended without any of them; with an adapter in doubt, that says nothing of them."""
        changed = []
        for serial in audience.serials:
            entry = self._entries[serial]
            entry.passed = 0
            entry.due_s = now.tick_s + self._pause_s("not_found", self._count(entry, StockingState.AWAY))
            if adapter_hears:
                sentence = f"{serial} is not heard: it is out of range or flat"
                changed.append(self._believe(serial, StockingState.AWAY, "not_found", sentence, now))
            else:
                sentence = f"{serial} is not heard, and it may be the adapter"
                changed.append(self._believe(serial, StockingState.UNKNOWN, "not_found", sentence, now))
        return [standing for standing in changed if standing is not None]

    def in_contact(self, serial: str, now: Moment, *, more: bool = False) -> StockingStanding | None:
        """A sync went well; with `more` to fetch it is due again at once, behind the others."""
        entry = self._entries[serial]
        entry.contact_s = now.tick_s
        entry.due_s = now.tick_s if more else now.tick_s + self._interval_s
        return self._believe(serial, StockingState.IN_CONTACT, None, None, now)

    def failed(self, serial: str, code: str, sentence: str, now: Moment) -> StockingStanding | None:
        """A visit failed; `code` decides who is to blame and how long to wait."""
        entry = self._entries[serial]
        state = _state(code)
        failures = self._count(entry, state)
        entry.due_s = now.tick_s + self._pause_s(code, failures)
        if state not in (StockingState.AWAY, StockingState.UNKNOWN):
            entry.contact_s = now.tick_s  # it answered: the others come first now
        return self._believe(serial, state, code, sentence, now)

    def asked_for(self, serial: str, tick_s: float) -> None:
        """Somebody wants to see it live: it is due at once, unless only a person could help."""
        entry = self._entries[serial]
        if entry.standing.state is not StockingState.NEEDS_PERSON:
            entry.due_s = min(entry.due_s, tick_s)

    def linked(self, serial: str, linked: bool) -> None:
        """Its link stays up, or is down again; meanwhile it is not due."""
        self._entries[serial].linked = linked

    def finished(self, serial: str) -> None:
        """It is never due again (a gateway that runs once)."""
        self._entries[serial].finished = True

    def standing(self, serial: str) -> StockingStanding:
        """What is believed of a stocking."""
        return self._entries[serial].standing

    # --- beliefs ------------------------------------------------------------------------------------------------------

    def _count(self, entry: _Entry, state: StockingState) -> int:
        """Failures in a row of one kind, with this one; the adapter's are nobody's."""
        if state is StockingState.UNKNOWN:
            return entry.standing.failures
        return entry.standing.failures + 1 if entry.standing.state is state else 1

    def _pause_s(self, code: str, failures: int) -> float:
        budget = self._budget
        if code in HOPELESS:
            return budget.person_pause_s
        if code in ADAPTER_AT_FAULT:
            return 0.0  # the adapter's own pauses apply
        if code == "internal":
            return budget.internal_pause_s
        low, high = (
            (budget.absent_pause_min_s, budget.absent_pause_max_s)
            if code in ABSENT
            else (budget.trouble_pause_min_s, budget.trouble_pause_max_s)
        )
        return float(min(high, low * 2.0 ** min(max(failures - 1, 0), DOUBLINGS_MAX)))

    def _believe(
        self, serial: str, state: StockingState, code: str | None, sentence: str | None, now: Moment
    ) -> StockingStanding | None:
        entry = self._entries[serial]
        old = entry.standing
        failures = 0 if state is StockingState.IN_CONTACT else self._count(entry, state)
        entry.standing = StockingStanding(
            serial,
            old.adapter,
            state,
            old.since_ms if old.state is state else now.unix_ms,
            code,
            sentence,
            failures,
            now.unix_ms + round((entry.due_s - now.tick_s) * 1000),
        )
        news = replace(entry.standing, failures=old.failures, next_try_ms=old.next_try_ms, sentence=old.sentence)
        return None if news == old else entry.standing


def _state(code: str) -> StockingState:
    if code in HOPELESS:
        return StockingState.NEEDS_PERSON
    if code in ABSENT:
        return StockingState.AWAY
    if code in ADAPTER_AT_FAULT:
        return StockingState.UNKNOWN
    return StockingState.TROUBLE
