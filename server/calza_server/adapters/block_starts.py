"""When the minute blocks begin that a store is given to keep; it keeps nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calza_server.domain.recording.readings_blocks import facts_of
from calza_wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.ports import StoredBlock


def block_starts(blocks: Sequence[StoredBlock]) -> list[int]:
    """The first second of each block by its stocking's clock. Raises ValueError for what is no block of its log."""
    starts = []
    for block, facts in zip(blocks, facts_of([block.body for block in blocks]), strict=True):
        if isinstance(facts, WireError) or facts.log_id != block.log_id:
            raise ValueError(f"record {block.record} of {block.serial} is no minute block of its log")
        starts.append(facts.start_s)
    return starts
