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
from dataclasses import dataclass

import psutil

SETTLED_DAY = 3  # by then every cache of ours is warm, every code path has been taken, and the rings are full
# Each of five SQLite connections keeps up to 2 MB of pages of a file that grows. Measured: 2.5 of the 2.7 MB that came
# between day 2 and day 8 were SQLite's own; from day 21 on nothing came any more.
CACHES_FULL_DAY = 21
FEWEST_DAYS = 3  # at either end; a slope over less is noise
BLOCKS_GROWTH = 0.01  # of some 400,000: a leak of one object a visit would be more in thirty days
RESIDENT_GROWTH = 0.01  # the allocator rounds up to whole arenas
COUNT_GROWTH = 5  # threads, tasks, files: faults that wait for their moment and a relay at work have some of their own


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
    """What grew, in sentences: memory from `CACHES_FULL_DAY` on, all else from `SETTLED_DAY` on.

    Medians of `FEWEST_DAYS` looks at either end are compared, so that one look at a bad moment says nothing. A soak
    with fewer looks says nothing at all.
    """
    grown = [
        _growth("allocated objects", [look.blocks for look in looks if look.day >= SETTLED_DAY], share=BLOCKS_GROWTH),
        _growth("resident memory", [look.resident for look in looks if look.day >= CACHES_FULL_DAY], RESIDENT_GROWTH),
        _growth("threads", [look.threads for look in looks if look.day >= SETTLED_DAY], more=COUNT_GROWTH),
        _growth("tasks", [look.tasks for look in looks if look.day >= SETTLED_DAY], more=COUNT_GROWTH),
        _growth("open files", [look.files for look in looks if look.day >= SETTLED_DAY], more=COUNT_GROWTH),
    ]
    return [sentence for sentence in grown if sentence is not None]


def _growth(what: str, figures: Sequence[int], share: float = 0.0, more: float = 0.0) -> str | None:
    if len(figures) < 2 * FEWEST_DAYS:
        return None
    first, last = statistics.median(figures[:FEWEST_DAYS]), statistics.median(figures[-FEWEST_DAYS:])
    return f"{what} grew from {first:,.0f} to {last:,.0f}" if last - first > first * share + more else None
