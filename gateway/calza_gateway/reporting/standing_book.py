"""Keeps the newest of what the gateway tells about itself: the standing, and the problems of the moment. Pure.

The supervisors' word on an adapter or a stocking counts; this module only adds what no supervisor judges: the broker,
the outbox, the server. A problem is over when an event shows it, or when nobody has told it for `PROBLEM_LASTS_S`; an
absent broker, told once, lasts until it is back.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from calza_gateway.ports import Moment
from calza_gateway.reporting.events import (
    AdapterChanged,
    Broker,
    GatewayEvent,
    Problem,
    ReceiptCame,
    StockingChanged,
    SyncEnded,
)
from calza_gateway.reporting.standing import (
    AdapterStanding,
    AdapterState,
    GatewayStanding,
    Health,
    StockingStanding,
    StockingState,
)

# What lasts is told again at least every 5 min (the relay's longest pause before it sends again); three times that.
PROBLEM_LASTS_S: Final = 900.0
OUTBOX_CODES: Final = frozenset({"disk_full", "outbox_full", "outbox_unusable", "outbox_damaged"})
SERVER_CODES: Final = frozenset({"no_receipt", "unknown_stocking"})
BROKER_REFUSALS: Final = frozenset({"not_authorised", "quota_exceeded", "refused"})
TLS_CODES: Final = frozenset({"tls_expired", "tls_failed", "tls_not_yet_valid", "tls_unknown_ca", "tls_wrong_host"})
FOR_A_PERSON: Final = OUTBOX_CODES | TLS_CODES | {"bad_login", "not_authorised", "unknown_stocking"}
AILING_ADAPTER: Final = frozenset({AdapterState.RESETTING, AdapterState.RESTARTING, AdapterState.STUCK})
AILING_STOCKING: Final = frozenset({StockingState.TROUBLE, StockingState.NEEDS_PERSON})


@dataclass(frozen=True, slots=True)
class KnownProblem:
    """A problem of the moment: since when it has been told without a break, and when last (Unix milliseconds)."""

    code: str
    sentence: str
    serial: str | None
    since_ms: int
    told_ms: int


class StandingBook:
    """`hear` every event; ask for the rest whenever it is needed. `now` is the clock's."""

    def __init__(self, now: Callable[[], Moment]) -> None:
        self._now = now
        self._adapters: dict[str, AdapterStanding] = {}
        self._stockings: dict[str, StockingStanding] = {}
        self._problems: dict[tuple[str, str | None], tuple[KnownProblem, float]] = {}
        self._broker: KnownProblem | None = None  # why it is away, as long as it is
        self.connections = 0
        """How often the broker was reached; a new number means that it has forgotten nothing but must be told anew."""

    def hear(self, event: GatewayEvent) -> None:
        """Take in one event."""
        match event:
            case AdapterChanged(standing):
                self._adapters[standing.name] = standing
            case StockingChanged(standing):
                self._stockings[standing.serial] = standing
            case Problem(code, sentence, serial):
                if serial is None or code in OUTBOX_CODES | SERVER_CODES:  # of a visit the supervisors speak
                    self._add(code, sentence, None if code in OUTBOX_CODES else serial)
            case Broker(True):
                self._broker = None
                self.connections += 1
                self._over(lambda one: one.code in BROKER_REFUSALS)
            case Broker(False, code, sentence):
                now_ms = self._now().unix_ms
                since_ms = now_ms if self._broker is None else self._broker.since_ms
                self._broker = KnownProblem(code, sentence, None, since_ms, now_ms)
            case ReceiptCame():
                answered = event.serial
                self._over(lambda one: one.code in SERVER_CODES and one.serial in {None, answered})
            case SyncEnded():
                self._over(lambda one: one.code in OUTBOX_CODES)  # it has put its report: there is room
            case _:
                pass

    @property
    def standing(self) -> GatewayStanding:
        """What the supervisors believe, sorted by name and by serial."""
        return GatewayStanding(
            tuple(one for _, one in sorted(self._adapters.items())),
            tuple(one for _, one in sorted(self._stockings.items())),
        )

    def problems(self) -> tuple[KnownProblem, ...]:
        """What is wrong apart from adapters and stockings, oldest first."""
        tick = self._now().tick_s
        self._problems = {key: one for key, one in self._problems.items() if tick - one[1] < PROBLEM_LASTS_S}
        found = [one for one, _ in self._problems.values()]
        if self._broker is not None:
            found.append(self._broker)
        return tuple(sorted(found, key=lambda one: (one.since_ms, one.code)))

    def _add(self, code: str, sentence: str, serial: str | None) -> None:
        now = self._now()
        fresh = KnownProblem(code, sentence, serial, now.unix_ms, now.unix_ms)
        known = self._problems.get((code, serial))
        if known is not None and now.tick_s - known[1] < PROBLEM_LASTS_S:
            fresh = replace(fresh, since_ms=known[0].since_ms)
        self._problems[code, serial] = (fresh, now.tick_s)

    def _over(self, ended: Callable[[KnownProblem], bool]) -> None:
        self._problems = {key: one for key, one in self._problems.items() if not ended(one[0])}


def health(standing: GatewayStanding, problems: Collection[KnownProblem]) -> Health:
    """The worst of all: stuck if anything waits for a person, degraded if anything is being repaired."""
    codes = {one.code for one in problems}
    if standing.health is Health.STUCK or codes & FOR_A_PERSON:
        return Health.STUCK
    return Health.DEGRADED if codes else standing.health


def codes(standing: GatewayStanding, problems: Collection[KnownProblem]) -> tuple[str, ...]:
    """The stable codes of all that is wrong, sorted. A stocking that is merely away is not."""
    found = {one.code for one in problems}
    found |= {one.code for one in standing.adapters if one.code and one.state in AILING_ADAPTER}
    found |= {one.code for one in standing.stockings if one.code and one.state in AILING_STOCKING}
    return tuple(sorted(found))
