"""How far an outbox may grow. At a limit neither the newest nor the oldest is dropped: nothing more is taken in.

The stocking still has what was not taken, for 30 days, and fetching goes on by itself when receipts have made room or
somebody has freed the disk. Receipts and contacts are never held back: they make room. Pure but for `free_octets`,
which is handed in.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calza_gateway.ports import OutboxFullError

OUTBOX_FULL: Final = "outbox_full"
# Two reports a sync; at a sync every 5 min that is 24 for each of the 24 records a stocking closes in a day, and they
# are small. Beyond that something turns in circles.
REPORTS_PER_RECORD: Final = 40


@dataclass(frozen=True, slots=True)
class OutboxLimit:
    """At most `records` records (waiting or refused) and so many reports more, and `floor` octets of disk stay free."""

    records: int
    floor: int
    free_octets: Callable[[], int]

    @classmethod
    def on_disk(cls, folder: Path, records: int, floor: int) -> "OutboxLimit":
        """The limit for an outbox in this folder, which must exist by the time something is put."""
        return cls(records, floor, lambda: shutil.disk_usage(folder).free)

    def check_records(self, count: int, reusable: int = 0) -> None:
        """Whether the outbox may hold `count` records. Raises `OutboxFullError`.

        `reusable` octets lie free inside the outbox's own file, which does not shrink when receipts empty it: without
        them an outbox that had brought the disk to its floor would never go on.
        """
        self._check(count, self.records, "records", reusable)

    def check_reports(self, count: int, reusable: int = 0) -> None:
        """Whether the outbox may hold `count` sync reports. Raises `OutboxFullError`."""
        self._check(count, self.records * REPORTS_PER_RECORD, "sync reports", reusable)

    def _check(self, count: int, limit: int, what: str, reusable: int) -> None:
        if count > limit:
            raise OutboxFullError(
                f"the outbox holds its limit of {limit} {what}, so nothing more is fetched; the stocking keeps its log."
                " It goes on by itself once the server confirms some: look why it does not, or raise --outbox-limit",
                OUTBOX_FULL,
            )
        if self.free_octets() + reusable < self.floor:
            raise OutboxFullError(
                f"less than {self.floor // 1_000_000} MB of the disk are free, so nothing more is fetched;"
                " the stocking keeps its log. It goes on by itself once there is room: free some space"
            )
