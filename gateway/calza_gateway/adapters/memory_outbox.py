"""The outbox in memory, for tests and for looking at the rules without a database. Nothing in it survives."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from calza_gateway.forwarding.outbox_limit import OutboxLimit
from calza_gateway.ports import (
    Contact,
    OutboxCounts,
    OutboxRecord,
    OutboxReport,
    RefusedRecord,
    Settled,
    StockingCounts,
)
from calza_wire.messages import Receipt, Refusal, RefusalReason
from calza_wire.ranges import RangeSet
from calza_wire.records import Record, digest, encode_record


@dataclass(slots=True)
class _Row:
    item: OutboxRecord
    digest: str
    put_ms: int
    refusal: Refusal | None = None
    refused_ms: int = 0
    readings: int = 1


class MemoryOutbox:
    """See `calza_gateway.ports.Outbox`."""

    def __init__(self, limit: OutboxLimit | None = None) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._rows: dict[int, _Row] = {}
        self._receipted: dict[tuple[str, bytes], RangeSet] = {}
        self._reports: dict[int, OutboxReport] = {}
        self._reports_refused: dict[int, RefusalReason] = {}
        self._contacts: dict[str, Contact] = {}
        self._last_key = 0

    def _key(self) -> int:
        self._last_key += 1
        return self._last_key

    def _waiting(self) -> list[_Row]:
        return [row for row in self._rows.values() if row.refusal is None]

    def put(self, serial: str, log_id: bytes, records: Sequence[Record], now_ms: int) -> int:
        new: list[_Row] = []
        again: list[_Row] = []
        with self._lock:
            for record in records:
                payload = encode_record(record.number, record.body)
                name = digest(payload)
                same = [
                    row
                    for row in (*self._rows.values(), *new)
                    if (row.item.serial, row.item.log_id, row.item.number, row.digest)
                    == (serial, log_id, record.number, name)
                ]
                if same:
                    again += [row for row in same if row.refusal is not None]
                else:
                    item = OutboxRecord(self._key(), serial, log_id, record.number, payload)
                    new.append(_Row(item, name, now_ms))
            if new and self._limit is not None:
                self._limit.check_records(len(self._rows) + len(new))
            for row in again:
                row.readings += 1
            self._rows.update({row.item.key: row for row in new})
        return len(new)

    def check_room(self) -> None:
        if self._limit is not None:
            with self._lock:
                self._limit.check_records(len(self._rows) + 1)

    def pending(self, limit: int, after: int = 0) -> list[OutboxRecord]:
        with self._lock:
            return [row.item for row in self._waiting() if row.item.key > after][:limit]

    def waiting(self) -> int:
        with self._lock:
            return len(self._waiting())

    def settle(self, receipt: Receipt, now_ms: int) -> Settled:
        stored: set[int] = set()
        refused: set[int] = set()
        with self._lock:
            for log in receipt.stored:
                place, ranges = (receipt.serial, bytes.fromhex(log.log_id)), RangeSet(log.ranges)
                self._receipted[place] = self._receipted.get(place, RangeSet()).add(ranges)
                for row in self._waiting():
                    if (row.item.serial, row.item.log_id) == place and row.item.number in ranges:
                        stored.add(row.item.key)
                        del self._rows[row.item.key]
            for refusal in receipt.refused:
                for row in self._waiting():
                    if (row.item.serial, row.digest) == (receipt.serial, refusal.digest):
                        row.refusal, row.refused_ms = refusal, now_ms
                        refused.add(row.item.key)
            reports = self._settle_reports(receipt)
        return Settled(frozenset(stored), frozenset(refused), frozenset(reports))

    def _settle_reports(self, receipt: Receipt) -> set[int]:
        waiting = {
            digest(one.payload): one.key for one in self.reports(len(self._reports)) if one.serial == receipt.serial
        }
        stored = {waiting.pop(name) for name in receipt.reports if name in waiting}
        refused = {waiting[one.digest]: one.reason for one in receipt.refused if one.digest in waiting}
        for key in stored:
            del self._reports[key]
        self._reports_refused.update(refused)
        return {*stored, *refused}

    def release(self, serial: str) -> int:
        released = 0
        with self._lock:
            for row in self._rows.values():
                reason = row.refusal and row.refusal.reason
                if row.item.serial == serial and reason is RefusalReason.UNKNOWN_STOCKING:
                    row.refusal = None
                    released += 1
            for key, reason in list(self._reports_refused.items()):
                if self._reports[key].serial == serial and reason is RefusalReason.UNKNOWN_STOCKING:
                    del self._reports_refused[key]
                    released += 1
        return released

    def held(self, serial: str, log_id: bytes) -> RangeSet:
        spoilt = {RefusalReason.MALFORMED, RefusalReason.FORGED}
        with self._lock:
            return RangeSet.from_numbers(
                row.item.number
                for row in self._rows.values()
                if (row.item.serial, row.item.log_id) == (serial, log_id)
                and (row.refusal is None or row.refusal.reason not in spoilt or row.readings > 1)
            )

    def receipted(self, serial: str, log_id: bytes) -> RangeSet:
        with self._lock:
            return self._receipted.get((serial, log_id), RangeSet())

    def refused(self) -> list[RefusedRecord]:
        with self._lock:
            return [
                RefusedRecord(
                    row.item.serial,
                    row.item.log_id,
                    row.item.number,
                    row.digest,
                    row.refusal.reason.value,
                    row.refusal.detail,
                    row.refused_ms,
                )
                for row in self._rows.values()
                if row.refusal is not None
            ]

    def put_report(self, serial: str, payload: bytes) -> None:
        with self._lock:
            if self._limit is not None:
                self._limit.check_reports(len(self._reports) + 1)
            report = OutboxReport(self._key(), serial, payload)
            self._reports[report.key] = report

    def reports(self, limit: int, after: int = 0) -> list[OutboxReport]:
        with self._lock:
            return [
                report
                for report in self._reports.values()
                if report.key > after and report.key not in self._reports_refused
            ][:limit]

    def note_contact(self, contact: Contact) -> None:
        with self._lock:
            earlier = self._contacts.get(contact.serial)
            if contact.synced_ms is None and earlier is not None:
                contact = replace(contact, synced_ms=earlier.synced_ms)
            self._contacts[contact.serial] = contact

    def contacts(self) -> list[Contact]:
        with self._lock:
            return sorted(self._contacts.values(), key=lambda contact: contact.serial)

    def counts(self) -> OutboxCounts:
        with self._lock:
            waiting, refused = self._waiting(), self.refused()
            serials = {row.item.serial for row in self._rows.values()} | {serial for serial, _ in self._receipted}
            stockings = tuple(
                StockingCounts(
                    serial,
                    sum(row.item.serial == serial for row in waiting),
                    sum(row.serial == serial for row in refused),
                    sum(ranges.count for (owner, _), ranges in self._receipted.items() if owner == serial),
                )
                for serial in sorted(serials)
            )
            oldest = min((row.put_ms for row in waiting), default=None)
            return OutboxCounts(len(waiting), len(refused), len(self.reports(len(self._reports))), oldest, stockings)

    def close(self) -> None:
        """Nothing to let go of."""
