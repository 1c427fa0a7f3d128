"""What ingest tells whoever counts, and what follows from it: promises and values. Knows no Prometheus.

Nothing here names a person, a leg, a stocking or a gateway to the outside: a meter may look at a report to find a clock
error in it, and shows figures alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from calza_server.domain.recording.readings_blocks import facts_of
from calza_server.ports import Appended
from calza_wire.elapsed_time import ClockFlag
from calza_wire.errors import WireError
from calza_wire.messages import SyncReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.ingest.ingest_checks import RefusedRecord
    from calza_server.ports import StoredBlock
    from calza_wire.messages import RefusalReason


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one group of messages at `now_ms` (Unix milliseconds): durable, and not receipted yet.

    `outcomes` has one entry for each of `blocks`, and `reports` has each sync report, or why it was refused.
    """

    now_ms: int
    blocks: Sequence[StoredBlock]
    outcomes: Sequence[Appended]
    refused: Sequence[RefusedRecord]
    reports: Sequence[SyncReport | RefusalReason]

    def ages_s(self) -> list[float]:
        """How long ago the last minute of each block stored now was over, by the stocking's own clock.

        Without blocks of a clock that nobody set. Never below 0: such a clock is ahead, and that is counted elsewhere.
        """
        fresh = [
            block.body for block, outcome in zip(self.blocks, self.outcomes, strict=True) if outcome is Appended.STORED
        ]
        return [
            max(0.0, self.now_ms / 1000 - (facts.start_s + 60 * facts.minutes))
            for facts in facts_of(fresh)
            if not isinstance(facts, WireError) and facts.synchronised
        ]

    def clock_errors_s(self) -> list[float]:
        """Stocking minus gateway of every sync that began, before the clock was set; without clocks nobody ever set."""
        return [
            report.device_time.unix_s - report.gateway_ms / 1000
            for report in self.reports
            if isinstance(report, SyncReport)
            and report.phase == "began"
            and report.device_time.synchronised
            and not report.device_time.flags & ClockFlag.TICK_COUNTER
        ]


class IngestMeter(Protocol):
    """Who is told what ingest does. Called from the thread of ingest; quick, and never raises."""

    def took(self, now_ms: int) -> None:
        """A group of messages was taken and is under way from now on, until `answered`."""

    def settled(self, group: Settled) -> None:
        """The group is durable."""

    def answered(self, now_ms: int) -> None:
        """Its receipts went out."""

    def store_failed(self, code: str) -> None:
        """The store could not do it; it is tried again. `code` is that of StoreError."""

    def unreadable(self) -> None:
        """A message was put aside because it cannot be read."""

    def gateway_said(self, gateway: str, sent_ms: int, now_ms: int) -> None:
        """A gateway showed its clock (Unix milliseconds) in what arrived now."""


class NoMeter:
    """Counts nothing."""

    def took(self, now_ms: int) -> None:
        """See the port."""

    def settled(self, group: Settled) -> None:
        """See the port."""

    def answered(self, now_ms: int) -> None:
        """See the port."""

    def store_failed(self, code: str) -> None:
        """See the port."""

    def unreadable(self) -> None:
        """See the port."""

    def gateway_said(self, gateway: str, sent_ms: int, now_ms: int) -> None:
        """See the port."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """The answer to a scrape."""

    body: bytes
    content_type: str


class Scrape(Protocol):
    """Where a scrape is answered. May be called from any thread."""

    def __call__(self, accept: str, /) -> Exposition:
        """The figures of this moment, in the format the `Accept` header asks for."""
