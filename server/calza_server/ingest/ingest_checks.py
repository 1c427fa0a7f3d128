"""What a record must be before it may be kept: well made, of a stocking we know, sealed by it, and possible.

Pure: octets, a registry and a time in; a block to keep or a refusal out. One bad record never touches its neighbours.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calza_server.domain.recording.readings_blocks import facts_of
from calza_server.ports import StoredBlock
from calza_wire.errors import WireError
from calza_wire.messages import TEXT_MAX, RefusalReason
from calza_wire.minute_block import compute_tag
from calza_wire.records import Record, decode_record, digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.domain.recording.readings_blocks import BlockFacts
    from calza_server.ports import Registry

FIRST_RECORD: Final = 1  # a log's first record number; 0 is what a stocking with an empty head would send
# A record a minute for two hundred years. Beyond it a number is damage, and one such record would make everything below
# it "missing" in what gateways are asked for.
LAST_RECORD: Final = 100_000_000
# A stocking takes its time from a gateway; a phone's clock may be a zone off or set by hand, but not by a whole day.
AHEAD_LIMIT_S: Final = 86_400
# 300 mmHg ends the scale of a blood-pressure cuff and is five times the firmest stocking; the sensors end below it.
PRESSURE_MAX_TENTH_MMHG: Final = 3_000
# +80 degC destroys the garment (the lower end, -40 degC, is raw 0 and cannot be passed).
SKIN_MAX_RAW: Final = 12_000


@dataclass(frozen=True, slots=True)
class IncomingRecord:
    """A record as a gateway sent it: `serial` and `gateway` are the topic's word, nothing is checked."""

    gateway: str
    serial: str
    payload: bytes = field(repr=False)
    received_ms: int


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that is not kept, and why. `number` is None where the octets are too few to tell."""

    incoming: IncomingRecord
    number: int | None
    reason: RefusalReason
    detail: str
    digest: str

    @classmethod
    def of(cls, incoming: IncomingRecord, number: int | None, reason: RefusalReason, detail: str) -> RefusedRecord:
        """Refuse it; `detail` is a plain sentence without any of its values."""
        return cls(incoming, number, reason, detail[:TEXT_MAX], digest(incoming.payload))


def check(incoming: Sequence[IncomingRecord], registry: Registry) -> list[StoredBlock | RefusedRecord]:
    """Each record as a block to keep or a refusal, in order. Checked together because that is ten times faster."""
    records = [_split(item) for item in incoming]
    facts = facts_of([b"" if isinstance(record, RefusedRecord) else record.body for record in records])
    return [
        record if isinstance(record, RefusedRecord) else _check_one(item, record, fact, registry)
        for item, record, fact in zip(incoming, records, facts, strict=True)
    ]


def _split(item: IncomingRecord) -> Record | RefusedRecord:
    try:
        return decode_record(item.payload)
    except WireError as error:
        return RefusedRecord.of(item, None, RefusalReason.MALFORMED, str(error))


def _check_one(
    item: IncomingRecord, record: Record, facts: BlockFacts | WireError, registry: Registry
) -> StoredBlock | RefusedRecord:
    if isinstance(facts, WireError):
        return RefusedRecord.of(item, record.number, RefusalReason.MALFORMED, str(facts))
    stocking = registry.stocking(item.serial)
    if stocking is None:
        detail = "no stocking with this serial is registered here"
        return RefusedRecord.of(item, record.number, RefusalReason.UNKNOWN_STOCKING, detail)
    tag = compute_tag(
        record.body,
        facts.tag_span,
        key=stocking.key,
        system_id=stocking.system_id,
        log_id=facts.log_id,
        record_number=record.number,
    )
    if not hmac.compare_digest(tag, facts.tag):
        detail = "the tag does not fit this stocking, log and record number"
        return RefusedRecord.of(item, record.number, RefusalReason.FORGED, detail)
    impossible = _impossible(item, record, facts)
    if impossible:
        return RefusedRecord.of(item, record.number, RefusalReason.OUT_OF_RANGE, impossible)
    return StoredBlock(item.serial, facts.log_id, record.number, record.body, item.gateway, item.received_ms)


def _impossible(item: IncomingRecord, record: Record, facts: BlockFacts) -> str:
    """Why a record its stocking really sealed can still not be true; empty if it can."""
    if not FIRST_RECORD <= record.number <= LAST_RECORD:
        return f"record numbers are {FIRST_RECORD}..{LAST_RECORD}"
    if facts.synchronised and facts.start_s > item.received_ms // 1000 + AHEAD_LIMIT_S:
        return "it begins more than a day from now by a clock that was set"
    if facts.pressure_max > PRESSURE_MAX_TENTH_MMHG:
        return f"a pressure above {PRESSURE_MAX_TENTH_MMHG // 10} mmHg without a fault flag"
    if facts.skin_max > SKIN_MAX_RAW:
        return "a skin temperature above 80 degC without a fault flag"
    return ""
