"""Which records to fetch from a stocking: pure arithmetic on what three places hold. Knows no radio and no broker."""

from calza_wire.messages import Wanted
from calza_wire.ranges import RangeSet


def to_fetch(
    *,
    serial: str,
    log_id: bytes,
    first: int,
    next_record: int,
    wanted: Wanted | None,
    held: RangeSet,
    receipted: RangeSet,
) -> RangeSet:
    """The numbers in [first, next_record) that the server lacks and the outbox does not hold.

    Without an answer from the server (`wanted` None, or nothing said about this stocking) the gateway's own memory of
    receipts stands in, so that no reading waits in a stocking for a server to come back. With an answer the server's
    word counts alone: it may have lost what it once confirmed.
    """
    log = RangeSet().missing_between(first, next_record - 1)
    answer = wanted and [entry for entry in wanted.logs if entry.serial == serial]
    if not answer:
        return log.subtract(held).subtract(receipted)
    stored = RangeSet()
    for entry in answer:
        if entry.log_id == log_id.hex() and entry.through is not None:
            stored = RangeSet().missing_between(0, entry.through).subtract(RangeSet(entry.missing))
    return log.subtract(stored).subtract(held)
