"""How big the process is: memory, threads, tasks, open files; and whether that stayed flat.

`blocks` counts the objects Python has allocated, after a collection: exact, cheap, and blind to what the allocator
keeps in reserve. `resident` is what the machine sees, in octets, without what is a file (the store is mapped into
memory, and grows by what it keeps for good).
"""

import asyncio
import gc
import statistics
import sys
import threading
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import psutil

SETTLED_DAY = 3  # by then every cache is warm, every code path has been taken, and the rings are full
FEWEST_DAYS = 3  # at either end; a slope over less is noise
BLOCKS_GROWTH = 0.01  # of some 700,000: a leak of one object a visit would be more in thirty days
# The allocator rounds up to whole arenas, and each of five SQLite connections keeps up to 2 MB of pages of a file that
# grows: that comes to an end, but not before the third week.
RESIDENT_GROWTH = 0.08
COUNT_GROWTH = 2  # threads, tasks, files: a visit under way has some more than none


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look, at `day` of the soak."""

    day: float
    blocks: int
    resident: int
    threads: int
    tasks: int
    files: int


def vitals(day: float) -> Vitals:
    """Look now; to be called in the loop, when no visit is under way."""
    gc.collect()
    process = psutil.Process()
    memory = process.memory_info()
    return Vitals(
        day,
        sys.getallocatedblocks(),
        memory.rss - memory.shared,
        threading.active_count(),
        len(asyncio.all_tasks()),
        process.num_fds(),
    )


def growth(looks: Sequence[Vitals]) -> list[str]:
    """What grew from the first days after `SETTLED_DAY` to the last days; empty if nothing did, or the soak was short.

    Medians of `FEWEST_DAYS` looks at each end are compared, so that one look at a bad moment says nothing.
    """
    settled = [each for each in looks if each.day >= SETTLED_DAY]
    if len(settled) < 2 * FEWEST_DAYS:
        return []
    first, last = (
        [statistics.median(column) for column in zip(*map(astuple, part), strict=True)]
        for part in (settled[:FEWEST_DAYS], settled[-FEWEST_DAYS:])
    )
    names = ("", "allocated objects", "resident memory", "threads", "tasks", "open files")
    allowed = (
        float("inf"),
        first[1] * BLOCKS_GROWTH,
        first[2] * RESIDENT_GROWTH,
        COUNT_GROWTH,
        COUNT_GROWTH,
        COUNT_GROWTH,
    )
    return [
        f"{name} grew from {was:,.0f} to {now:,.0f}"
        for name, was, now, most in zip(names, first, last, allowed, strict=True)
        if now - was > most
    ]
