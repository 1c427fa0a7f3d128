"""The series store in memory: for trying things out, and the measure of what the contract says. Keeps no file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from calza_server.adapters.block_starts import block_starts
from calza_server.domain.recording.readings import Readings
from calza_server.domain.recording.readings_blocks import LONGEST_BLOCK_S, readings_of
from calza_server.ports import Appended, HeldLog, QuarantinedRecord, StoredBlock, Visit
from calza_wire.ranges import RangeSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_wire.messages import SyncReport


class MemoryStore:
    """Keeps `calza_server.ports.SeriesStore` in dictionaries; gone when the process is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logs: dict[str, dict[bytes, dict[int, tuple[int, StoredBlock]]]] = {}  # start second and block
        self._evidence: dict[tuple[str, bytes, int, bytes], StoredBlock] = {}
        self._quarantine: dict[tuple[str, str, str], QuarantinedRecord] = {}
        self._visits: dict[str, dict[bytes, Visit]] = {}

    def append(self, blocks: Sequence[StoredBlock]) -> list[Appended]:
        """See the port."""
        starts = block_starts(blocks)
        with self._lock:
            return [self._keep(start, block) for start, block in zip(starts, blocks, strict=True)]

    def _keep(self, start_s: int, block: StoredBlock) -> Appended:
        log = self._logs.setdefault(block.serial, {}).setdefault(block.log_id, {})
        if block.record not in log:
            log[block.record] = (start_s, block)
            return Appended.STORED
        if log[block.record][1].body == block.body:
            return Appended.DUPLICATE
        self._evidence.setdefault((block.serial, block.log_id, block.record, block.body), block)
        return Appended.CONFLICT

    def evidence(self, serial: str) -> list[StoredBlock]:
        """See the port."""
        with self._lock:
            return [block for block in self._evidence.values() if block.serial == serial]

    def quarantine(self, items: Sequence[QuarantinedRecord]) -> None:
        """See the port."""
        with self._lock:
            for item in items:
                self._quarantine.setdefault((item.serial, item.digest, item.reason), item.bounded())

    def held(self, serial: str) -> list[HeldLog]:
        """See the port."""
        with self._lock:
            logs = self._logs.get(serial, {})
            return [HeldLog(log_id, RangeSet.from_numbers(log)) for log_id, log in logs.items()]

    def read(self, serial: str, from_device_s: int, to_device_s: int) -> Readings:
        """See the port."""
        with self._lock:
            logs = self._logs.get(serial, {})
            rows = [
                (index, number, log[number][1].body)
                for index, log in enumerate(logs.values())
                for number in sorted(log)
                if from_device_s - LONGEST_BLOCK_S < log[number][0] < to_device_s
            ]
            names = tuple(logs)
        record = np.array([number for _, number, _ in rows], np.int64)
        index = np.array([index for index, _, _ in rows], np.int16)
        return readings_of([body for *_, body in rows], record, index, names).between(from_device_s, to_device_s)

    def count(self, serial: str) -> int:
        """See the port."""
        with self._lock:
            return sum(len(log) for log in self._logs.get(serial, {}).values())

    def add_sync(self, report: SyncReport, received_ms: int) -> None:
        """See the port."""
        with self._lock:
            self._visits.setdefault(report.serial, {}).setdefault(report.encode(), Visit(report, received_ms))

    def syncs(self, serial: str) -> list[SyncReport]:
        """See the port."""
        return [visit.report for visit in self.visits(serial)]

    def visits(self, serial: str) -> list[Visit]:
        """See the port."""
        with self._lock:
            return list(self._visits.get(serial, {}).values())

    def quarantined(self, serial: str | None = None) -> list[QuarantinedRecord]:
        """See the port."""
        with self._lock:
            return [item for item in self._quarantine.values() if serial in {None, item.serial}]

    def close(self) -> None:
        """See the port."""
