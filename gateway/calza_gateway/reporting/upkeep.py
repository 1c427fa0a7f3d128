"""Runs beside relay and rounds: looks at the whole every few seconds and shows it to those who pass it on.

Passing on is the business of `Chore`s: the file for `calza gateway status`, the MQTT status, the metrics, the service
manager. Nothing here decides anything about the gateway's work. Knows no library.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from calza_gateway.ports import Clock, Contact, Moment, Outbox, OutboxCounts, OutboxError
from calza_gateway.reporting.events import Problem, Tell
from calza_gateway.reporting.standing import GatewayStanding, Health, StockingState
from calza_gateway.reporting.standing_book import KnownProblem, StandingBook, codes, health

LOOK_EVERY_S: Final = 10.0  # a person who watches sees what happened; one look costs a few milliseconds
NOTHING: Final = OutboxCounts(0, 0, 0, None, ())


@dataclass(frozen=True, slots=True)
class Overview:
    """The gateway at one moment. `connections` rises with every new connection to the broker."""

    now: Moment
    stockings: int
    standing: GatewayStanding
    problems: tuple[KnownProblem, ...]
    counts: OutboxCounts
    contacts: tuple[Contact, ...]
    synchronised: bool | None
    connections: int

    @property
    def health(self) -> Health:
        """In one word."""
        return health(self.standing, self.problems)

    @property
    def codes(self) -> tuple[str, ...]:
        """Of all that is wrong, sorted."""
        return codes(self.standing, self.problems)

    @property
    def in_contact(self) -> int:
        """How many stockings were synced when last tried."""
        return sum(one.state is StockingState.IN_CONTACT for one in self.standing.stockings)


class Chore(Protocol):
    """Somebody who passes on what is seen."""

    async def see(self, overview: Overview) -> None:
        """Called every `LOOK_EVERY_S`; what it raises ends the gateway."""
        ...


class Upkeep:
    """`run` it beside the service; `hear` goes into the gateway's `tell`."""

    def __init__(
        self, *, book: StandingBook, outbox: Outbox, clock: Clock, tell: Tell, stockings: int, chores: Sequence[Chore]
    ) -> None:
        self._book = book
        self._outbox = outbox
        self._clock = clock
        self._tell = tell
        self._stockings = stockings
        self._chores = tuple(chores)
        self._seen: tuple[OutboxCounts, tuple[Contact, ...]] = (NOTHING, ())

    async def run(self) -> None:
        """Look and pass on until cancelled. An outbox call that hangs holds this up, as the watchdog wants it."""
        while True:
            overview = await self.look()
            for chore in self._chores:
                await chore.see(overview)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> Overview:
        """What there is to see now; figures of the outbox stay as they were while it cannot be read."""
        try:
            self._seen = await asyncio.to_thread(self._read)
        except OutboxError as error:
            self._tell(Problem(error.code, str(error)))
        counts, contacts = self._seen
        return Overview(
            now=self._clock.now(),
            stockings=self._stockings,
            standing=self._book.standing,
            problems=self._book.problems(),
            counts=counts,
            contacts=contacts,
            synchronised=self._clock.synchronised(),
            connections=self._book.connections,
        )

    def _read(self) -> tuple[OutboxCounts, tuple[Contact, ...]]:
        return self._outbox.counts(), tuple(self._outbox.contacts())
