"""The answers to gateways: what is durable now, what was refused, what is still wanted. Pure; sends nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calza_server.ingest.ingest_checks import FIRST_RECORD
from calza_wire.errors import WireError
from calza_wire.messages import TEXT_MAX, Receipt, Refusal, StoredRanges, SyncReport, Wanted, WantedLog
from calza_wire.ranges import RangeSet
from calza_wire.records import digest
from calza_wire.topics import Kind, down

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from calza_server.ingest.ingest_checks import RefusedRecord
    from calza_server.ports import HeldLog, Registry, SeriesStore, StoredBlock
    from calza_wire.messages import RefusalReason

# A message has at most 65,536 octets; a refusal takes at most 300 in a receipt and a range at most 24 anywhere.
REFUSALS_AT_MOST: Final = 100
REPORTS_AT_MOST: Final = 1_500  # 35 octets each
GAPS_AT_MOST: Final = 1_500


@dataclass(frozen=True, slots=True)
class IncomingReport:
    """A sync report as a gateway sent it; `serial` and `gateway` are the topic's word."""

    gateway: str
    serial: str
    payload: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """What a receipt calls it."""
        return digest(self.payload)


def read_report(incoming: IncomingReport) -> SyncReport:
    """The report in it. Raises WireError, also for one that came under the topic of another stocking."""
    report = SyncReport.decode(incoming.payload)
    if report.serial != incoming.serial:
        raise WireError("bad_message", "a sync report about another stocking than its topic")
    return report


@dataclass(slots=True)
class ReceiptBook:
    """Collects what became of one group of messages. Out come receipts, each for one gateway and one stocking.

    Reports have receipts of their own, so that a gateway too old to read those reads all that is said of its records.
    """

    _stored: dict[tuple[str, str], dict[bytes, list[int]]] = field(default_factory=dict)
    _refused: dict[tuple[str, str], list[Refusal]] = field(default_factory=dict)
    _reports: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def stored(self, block: StoredBlock) -> None:
        """The block is durable."""
        logs = self._stored.setdefault((block.gateway, block.serial), {})
        logs.setdefault(block.log_id, []).append(block.record)

    def refused(self, record: RefusedRecord) -> None:
        """The record is in quarantine, or kept as evidence."""
        refusal = Refusal(record.digest, record.number, record.reason, record.detail)
        self._refused.setdefault((record.incoming.gateway, record.incoming.serial), []).append(refusal)

    def report_stored(self, report: IncomingReport) -> None:
        """The sync report is durable."""
        self._reports.setdefault((report.gateway, report.serial), []).append(report.digest)

    def report_refused(self, report: IncomingReport, reason: RefusalReason, detail: str) -> None:
        """The sync report is not taken; the gateway keeps it."""
        refusal = Refusal(report.digest, None, reason, detail[:TEXT_MAX])
        self._refused.setdefault((report.gateway, report.serial), []).append(refusal)

    def messages(self) -> Iterator[tuple[str, bytes]]:
        """Topic and payload of every receipt."""
        for gateway, serial in dict.fromkeys((*self._stored, *self._refused)):
            stored = tuple(
                StoredRanges(log_id.hex(), RangeSet.from_numbers(numbers).ranges)
                for log_id, numbers in self._stored.get((gateway, serial), {}).items()
            )
            refused = self._refused.get((gateway, serial), [])
            topic = down(gateway, Kind.RECEIPT)
            yield topic, Receipt(serial, stored, tuple(refused[:REFUSALS_AT_MOST])).encode()
            for start in range(REFUSALS_AT_MOST, len(refused), REFUSALS_AT_MOST):
                yield topic, Receipt(serial, refused=tuple(refused[start : start + REFUSALS_AT_MOST])).encode()
        for (gateway, serial), reports in self._reports.items():
            for start in range(0, len(reports), REPORTS_AT_MOST):
                part = tuple(reports[start : start + REPORTS_AT_MOST])
                yield down(gateway, Kind.RECEIPT), Receipt(serial, reports=part).encode()


def wanted(serials: Sequence[str], registry: Registry, store: SeriesStore) -> Wanted:
    """What a gateway with these stockings is told: per log what is held, and which stockings are not known here."""
    known = [serial for serial in dict.fromkeys(serials) if registry.stocking(serial) is not None]
    held = {serial: store.held(serial) for serial in known}
    gaps = max(1, GAPS_AT_MOST // max(1, sum(len(logs) for logs in held.values())))
    logs: list[WantedLog] = []
    for serial, of_stocking in held.items():
        logs += [_wanted_log(serial, log, gaps) for log in of_stocking] or [WantedLog(serial, None, None)]
    return Wanted(tuple(logs), tuple(serial for serial in dict.fromkeys(serials) if serial not in held))


def _wanted_log(serial: str, log: HeldLog, gaps: int) -> WantedLog:
    """Held is everything through the last number but the gaps; with too many gaps, only as far as they can be told."""
    ranges = log.held.ranges[:gaps]
    last = ranges[-1].last if ranges else None
    if last is None:
        return WantedLog(serial, log.log_id.hex(), None)
    return WantedLog(serial, log.log_id.hex(), last, log.held.missing_between(FIRST_RECORD, last).ranges)
