"""The series store in a bucket of an InfluxDB. Next files to read: `influx_lines`, and docs/decisions/0007.

InfluxDB has no transactions and overwrites silently. What takes their place: keys that follow from the record alone,
minutes written before the block that makes them count, a look at what is held before each write, and a rule every
reader applies alike where two workers were equally early. Several workers may write at once.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.adapters import influx_lines as lines
from calza_server.adapters.block_starts import block_starts
from calza_server.adapters.influx_errors import PointsRefused, TooLarge
from calza_server.adapters.influx_lines import PlacedBlock
from calza_server.adapters.influx_link import InfluxLink
from calza_server.adapters.influx_query import select, whole, within
from calza_server.adapters.influx_rows import (
    BLOCK_FIELDS,
    EVIDENCE_FIELDS,
    QUARANTINE_FIELDS,
    SYNC_FIELDS,
    Key,
    blocks_of,
    evidence_of,
    key_of,
    log_id_of,
    octets,
    quarantined_of,
    visits_of,
    winners,
)
from calza_server.domain.recording.readings import Readings
from calza_server.domain.recording.readings_blocks import LONGEST_BLOCK_S, readings_of
from calza_server.ports import Appended, HeldLog, QuarantinedRecord, StoredBlock, StoreError, Visit
from calza_wire.messages import RefusalReason, SyncReport
from calza_wire.ranges import RangeSet
from calza_wire.records import digest, encode_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from calza_server.adapters.influx_query import Table
    from calza_server.store_spec import InfluxSpec

# A request of a hundred full records has 6,000 lines and 0.8 MB before gzip: the size at which InfluxDB was fastest
# (25: a third less, 500: an eighth less), and far below the least limit of any of them (10 MB).
RECORDS_AT_ONCE: Final = 100
WRITES_AT_MOST: Final = 3
# The numbers of points and of records differ only where two workers stored other octets at the same moment.
SUMMARY: Final = "count(record) AS points, count(distinct(record)) AS records, min(nth_log) AS nth_log"


class InfluxStore:
    """Keeps `calza_server.ports.SeriesStore` in the bucket of `spec`. Connects when it is first used."""

    def __init__(self, spec: InfluxSpec, token: str | None) -> None:
        self._link = InfluxLink(spec, token)
        self._appending = threading.Lock()  # threads of one process need not race as processes do
        self._nth_log: dict[str, dict[bytes, int]] = {}
        self._places = itertools.count()  # settles the order of what came in the same millisecond

    # --- blocks -------------------------------------------------------------------------------------------------------

    def append(self, blocks: Sequence[StoredBlock]) -> list[Appended]:
        """See the port. After StoreError some blocks may be held; the same call again finds them there."""
        starts = block_starts(blocks)
        with self._appending:
            held = self._looked_up([key_of(block) for block in blocks])
            outcomes: list[Appended] = []
            fresh: dict[Key, PlacedBlock] = {}
            again: dict[Key, PlacedBlock] = {}
            rivals: list[PlacedBlock] = []
            for block, start_s in zip(blocks, starts, strict=True):
                key = key_of(block)
                if key not in held:
                    held[key] = block
                    fresh[key] = PlacedBlock(block, start_s)
                    outcomes.append(Appended.STORED)
                elif held[key].body == block.body:
                    outcomes.append(Appended.DUPLICATE)
                    if key not in fresh:
                        again[key] = PlacedBlock(held[key], start_s)
                else:
                    rivals.append(PlacedBlock(block, start_s))
                    outcomes.append(Appended.CONFLICT)
            refused = self._write_blocks(list(fresh.values()), list(again.values()))
            self._write_evidence(rivals)
            if refused:
                self.quarantine([_quarantined(block, why) for block, why in refused])
        lost = {key_of(block) for block, _ in refused}
        return [
            Appended.REFUSED if key_of(block) in lost and outcome is not Appended.CONFLICT else outcome
            for block, outcome in zip(blocks, outcomes, strict=True)
        ]

    def evidence(self, serial: str) -> list[StoredBlock]:
        """See the port."""
        mine = {"serial": serial}
        summary, kept = self._link.ask(
            select(SUMMARY, lines.BLOCK, mine, by="log_id"),
            select(EVIDENCE_FIELDS, lines.EVIDENCE, mine, by="log_id"),
        )
        stored = self._stored(serial) if _rivals_in(summary) else []
        return evidence_of(serial, kept, stored)

    def held(self, serial: str) -> list[HeldLog]:
        """See the port."""
        (tables,) = self._link.ask(select("record, nth_log", lines.BLOCK, {"serial": serial}, by="log_id"))
        return [HeldLog(log_id_of(each), RangeSet.from_numbers(each.column("record"))) for each in _in_order(tables)]

    def read(self, serial: str, from_device_s: int, to_device_s: int) -> Readings:
        """See the port."""
        mine = {"serial": serial}
        first_s, last_s = (lines.clamped_s(each) for each in (from_device_s - LONGEST_BLOCK_S, to_device_s))
        span = within(first_s * lines.NS_PER_S, last_s * lines.NS_PER_S + lines.NS_PER_S - 1)
        summary, tables = self._link.ask(
            select(SUMMARY, lines.BLOCK, mine, by="log_id"),
            select("record, body", lines.BLOCK, mine, span, by="log_id"),
        )
        logs = tuple(log_id_of(table) for table in _in_order(summary))
        rows = [
            (logs.index(log_id), whole(record), octets(body))
            for table in tables
            for log_id in [log_id_of(table)]
            if log_id in logs  # one that began a moment ago is there next time
            for record, body in table.rows("record", "body")
        ]
        if _rivals_in(summary) or len({row[:2] for row in rows}) < len(rows):
            # Which of them counts may hang on a block outside of the span.
            counting = winners(self._stored(serial))
            rows = [
                (logs.index(key.log_id), key.record, each.body) for key, each in counting.items() if key.log_id in logs
            ]
        rows.sort(key=lambda row: row[:2])
        record = np.array([number for _, number, _ in rows], np.int64)
        index = np.array([log for log, _, _ in rows], np.int16)
        return readings_of([body for *_, body in rows], record, index, logs).between(from_device_s, to_device_s)

    def count(self, serial: str) -> int:
        """See the port."""
        (tables,) = self._link.ask(select(SUMMARY, lines.BLOCK, {"serial": serial}, by="log_id"))
        return sum(sum(table.column("records")) for table in tables)

    def _stored(self, serial: str) -> list[StoredBlock]:
        """Every block point of a stocking, rivals included."""
        (tables,) = self._link.ask(select(BLOCK_FIELDS, lines.BLOCK, {"serial": serial}, by="log_id"))
        return blocks_of(serial, tables)

    def _looked_up(self, keys: Sequence[Key]) -> dict[Key, StoredBlock]:
        """What is held under these keys: first where, which reads a column of numbers only, then those octets."""
        times: dict[tuple[str, bytes], list[int]] = {}
        for key, time_ns in self._where(keys):
            times.setdefault((key.serial, key.log_id), []).append(time_ns)
        answers = self._link.ask(
            *[
                select(BLOCK_FIELDS, lines.BLOCK, _tags(*log), within(min(there), max(there)), by="log_id")
                for log, there in times.items()
            ]
        )
        asked = set(keys)
        stored = [
            block
            for (serial, _), tables in zip(times, answers, strict=True)
            for block in blocks_of(serial, tables)
            if key_of(block) in asked
        ]
        return winners(stored)

    def _where(self, keys: Sequence[Key]) -> list[tuple[Key, int]]:
        """Those of the keys that are stored, each with the time of its point."""
        numbers: dict[tuple[str, bytes], set[int]] = {}
        for key in keys:
            numbers.setdefault((key.serial, key.log_id), set()).add(key.record)
        answers = self._link.ask(
            *[
                select("record", lines.BLOCK, _tags(*log), f"record >= {min(asked)} AND record <= {max(asked)}")
                for log, asked in numbers.items()
            ]
        )
        return [
            (Key(*log, whole(record)), whole(time_ns))
            for (log, asked), tables in zip(numbers.items(), answers, strict=True)
            for table in tables
            for record, time_ns in table.rows("record", "time")
            if record in asked
        ]

    def _write_blocks(
        self, fresh: Sequence[PlacedBlock], again: Sequence[PlacedBlock]
    ) -> list[tuple[StoredBlock, str]]:
        """Have new blocks stored; returns those InfluxDB does not take, each with the reason.

        InfluxDB shows a point before it is on its disk. So what was found there is written `again`, as it is: our word
        for it must hold even if the worker that wrote it, and the engine, die now. Its minutes were on disk before.
        """
        self._place_logs([each.block for each in (*fresh, *again)])
        refused = []
        for placed, new in ((fresh, True), (again, False)):
            for at in range(0, len(placed), RECORDS_AT_ONCE):
                refused += self._write_some(placed[at : at + RECORDS_AT_ONCE], new=new)
        self._make_sure([each for each in fresh if all(each.block is not block for block, _ in refused)])
        return refused

    def _make_sure(self, placed: Sequence[PlacedBlock]) -> None:
        """Look whether what was stored is there, and write it again where it is not; a receipt must not be wrong.

        1.6.7 may drop what several writers put into a new shard at the same moment, and answers 204 to each. Only
        minutes were ever seen to go that way, because they come first; nobody should have to rely on that.
        """
        for _ in range(WRITES_AT_MOST):
            there = {key for key, _ in self._where([key_of(each.block) for each in placed])}
            placed = [each for each in placed if key_of(each.block) not in there]
            if not placed:
                return
            for at in range(0, len(placed), RECORDS_AT_ONCE):
                self._write_some(placed[at : at + RECORDS_AT_ONCE], new=True)
        raise StoreError("busy", "InfluxDB said that records are stored, and does not show them")

    def _write_some(self, placed: Sequence[PlacedBlock], *, new: bool) -> list[tuple[StoredBlock, str]]:
        """Two requests: the minutes, if they are new, and when they are stored, what makes them count.

        Halved until what InfluxDB does not take stands alone; what is written twice on the way makes no new points.
        """
        nth_logs = [self._nth_log[each.block.serial][each.block.log_id] for each in placed]
        try:
            if new:
                self._link.write(lines.minute_lines(placed), "us")
            self._link.write(lines.block_lines(placed, nth_logs), "ns")
        except (PointsRefused, TooLarge) as fault:
            if len(placed) > 1:
                half = len(placed) // 2
                return self._write_some(placed[:half], new=new) + self._write_some(placed[half:], new=new)
            if isinstance(fault, TooLarge):
                raise _too_small() from None
            return [(placed[0].block, fault.detail)]
        return []

    def _place_logs(self, blocks: Sequence[StoredBlock]) -> None:
        """Learn or decide which log of its stocking each is, in the order first seen. Once decided it never changes."""
        strangers = [block for block in blocks if block.log_id not in self._nth_log.get(block.serial, {})]
        serials = list(dict.fromkeys(block.serial for block in strangers))
        answers = self._link.ask(*[select(SUMMARY, lines.BLOCK, {"serial": each}, by="log_id") for each in serials])
        for serial, tables in zip(serials, answers, strict=True):
            known = self._nth_log.setdefault(serial, {})
            known.update((log_id_of(table), nth) for table in tables if (nth := _nth_log(table)) is not None)
        for block in strangers:
            known = self._nth_log[block.serial]
            known.setdefault(block.log_id, max(known.values(), default=-1) + 1)

    def _write_evidence(self, rivals: Sequence[PlacedBlock]) -> None:
        """Keep what lost a conflict; what is kept already stays as it came first."""
        once: dict[int, PlacedBlock] = {}
        for each in rivals:
            once.setdefault(lines.evidence_ns(each), each)
        new = self._not_there(lines.EVIDENCE, {at: _tags(*key_of(each.block)[:2]) for at, each in once.items()})
        self._write(lines.evidence_lines([once[at] for at in new], [next(self._places) for _ in new]))

    # --- what else came -----------------------------------------------------------------------------------------------

    def quarantine(self, items: Sequence[QuarantinedRecord]) -> None:
        """See the port."""
        kinds = list(dict.fromkeys((item.serial, item.reason) for item in items))
        answers = self._link.ask(
            *[select("digest", lines.QUARANTINE, {"serial": serial, "reason": reason}) for serial, reason in kinds]
        )
        there = {
            (*kind, name)
            for kind, tables in zip(kinds, answers, strict=True)
            for table in tables
            for name in table.texts("digest")
        }
        new: dict[tuple[str, str, str], QuarantinedRecord] = {}
        for item in items:
            new.setdefault((item.serial, item.reason, item.digest), item.bounded())
        kept = [lines.quarantine_line(item, next(self._places)) for key, item in new.items() if key not in there]
        for at in range(0, len(kept), RECORDS_AT_ONCE):
            self._write("\n".join(kept[at : at + RECORDS_AT_ONCE]).encode())

    def quarantined(self, serial: str | None = None) -> list[QuarantinedRecord]:
        """See the port."""
        where = {} if serial is None else {"serial": serial}
        (tables,) = self._link.ask(select(QUARANTINE_FIELDS, lines.QUARANTINE, where, by="serial, reason"))
        return quarantined_of(tables)

    def add_sync(self, report: SyncReport, received_ms: int) -> None:
        """See the port."""
        at = lines.sync_ns(report)
        if self._not_there(lines.SYNC, {at: {"serial": report.serial}}):
            self._write(lines.sync_line(report, received_ms, next(self._places)).encode())

    def syncs(self, serial: str) -> list[SyncReport]:
        """See the port."""
        return [visit.report for visit in self.visits(serial)]

    def visits(self, serial: str) -> list[Visit]:
        """See the port."""
        (tables,) = self._link.ask(select(SYNC_FIELDS, lines.SYNC, {"serial": serial}))
        return visits_of(tables)

    def close(self) -> None:
        """See the port."""
        self._link.close()

    def _not_there(self, measurement: str, points: dict[int, dict[str, str]]) -> list[int]:
        """Of points by time and tags the times of those that are not stored yet."""
        answers = self._link.ask(*[select("*", measurement, tags, f"time = {at}") for at, tags in points.items()])
        return [at for at, tables in zip(points, answers, strict=True) if not tables]

    def _write(self, few: bytes) -> None:
        """Write points that InfluxDB has no reason to refuse."""
        try:
            self._link.write(few, "ns")
        except TooLarge:
            raise _too_small() from None
        except PointsRefused as fault:
            sentence = f"InfluxDB refuses what must be kept ({fault.detail}): let the bucket keep everything for good"
            raise StoreError("broken", sentence) from None


def _tags(serial: str, log_id: bytes) -> dict[str, str]:
    return {"serial": serial, "log_id": log_id.hex()}


def _nth_log(table: Table) -> int | None:
    """Which log of its stocking a table is about; None for one whose first block is only just being written."""
    return min(table.column("nth_log"), default=None)


def _in_order(tables: Iterable[Table]) -> list[Table]:
    """The logs in the order first seen; two seen by two workers at once are ordered by their ids."""
    placed = [(nth, log_id_of(table), table) for table in tables if (nth := _nth_log(table)) is not None]
    return [table for *_, table in sorted(placed, key=lambda each: each[:2])]


def _rivals_in(summary: Iterable[Table]) -> bool:
    return any(table.column("points") != table.column("records") for table in summary)


def _too_small() -> StoreError:
    return StoreError("broken", "InfluxDB, or a proxy before it, takes no request of 10 kB: raise its max-body-size")


def _quarantined(block: StoredBlock, why: str) -> QuarantinedRecord:
    payload = encode_record(block.record, block.body)
    return QuarantinedRecord(
        gateway=block.gateway,
        serial=block.serial,
        payload=payload,
        digest=digest(payload),
        reason=RefusalReason.OUT_OF_RANGE.value,
        detail=why,
        received_ms=block.received_ms,
    )
