"""Rows of InfluxDB as values of the port, and which of two rivals counts. Pure; knows no server.

What can be there twice is told once: the first by the time it was received, which every reader finds alike.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Final, NamedTuple

from calza_server.adapters.influx_query import QueryError, text, whole
from calza_server.ports import QuarantinedRecord, StoredBlock, Visit
from calza_wire.errors import WireError
from calza_wire.messages import SyncReport
from calza_wire.records import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from calza_server.adapters.influx_query import Table

BLOCK_FIELDS: Final = "record, body, gateway, received_ms"
EVIDENCE_FIELDS: Final = "record, body, gateway, received_ms, place"
QUARANTINE_FIELDS: Final = "gateway, payload, digest, detail, received_ms, place"
SYNC_FIELDS: Final = "report, received_ms, place"


class Key(NamedTuple):
    """What a record is called."""

    serial: str
    log_id: bytes
    record: int


def key_of(block: StoredBlock) -> Key:
    """What a block's record is called."""
    return Key(block.serial, block.log_id, block.record)


def log_id_of(table: Table) -> bytes:
    """The log a table is about. Raises QueryError."""
    try:
        return bytes.fromhex(table.tags["log_id"])
    except (KeyError, ValueError) as error:
        raise QueryError("a log id that is none") from error


def octets(value: object) -> bytes:
    """The octets a text field carries. Raises QueryError."""
    try:
        return b64decode(text(value), validate=True)
    except ValueError as error:
        raise QueryError("octets that are not base64") from error


def blocks_of(serial: str, tables: Iterable[Table]) -> list[StoredBlock]:
    """The blocks of a stocking from tables with `BLOCK_FIELDS`, one table per log. Raises QueryError."""
    return [
        StoredBlock(serial, log_id, whole(record), octets(body), text(gateway), whole(received_ms))
        for table in tables
        for log_id in [log_id_of(table)]
        for record, body, gateway, received_ms in table.rows("record", "body", "gateway", "received_ms")
    ]


def winners(blocks: Iterable[StoredBlock]) -> dict[Key, StoredBlock]:
    """Of the blocks stored under each key the one that counts: the first received, then the lowest digest."""
    found: dict[Key, StoredBlock] = {}
    for block in blocks:
        rival = found.setdefault(key_of(block), block)
        if rival is not block and _rank(block) < _rank(rival):
            found[key_of(block)] = block
    return found


def evidence_of(serial: str, tables: Sequence[Table], stored: Sequence[StoredBlock]) -> list[StoredBlock]:
    """What was kept as evidence, and those of the stored blocks that lost to another, oldest first, each once."""
    kept = [
        (whole(place), StoredBlock(serial, log_id, whole(record), octets(body), text(gateway), whole(received_ms)))
        for table in tables
        for log_id in [log_id_of(table)]
        for record, body, gateway, received_ms, place in table.rows("record", "body", "gateway", "received_ms", "place")
    ]
    count = winners(stored)
    kept += [(-1, block) for block in stored if count[key_of(block)].body != block.body]
    kept.sort(key=lambda each: (each[1].received_ms, each[0], digest(each[1].body)))
    once: dict[tuple[Key, bytes], StoredBlock] = {}
    for _, block in kept:
        once.setdefault((key_of(block), block.body), block)
    return list(once.values())


def quarantined_of(tables: Iterable[Table]) -> list[QuarantinedRecord]:
    """Refused records from tables with `QUARANTINE_FIELDS` by serial and reason, oldest first, each once."""
    kept: list[tuple[int, int, QuarantinedRecord]] = []
    for table in tables:
        rows = table.rows("gateway", "payload", "digest", "detail", "received_ms", "place")
        for gateway, payload, name, detail, received_ms, place in rows:
            item = QuarantinedRecord(
                gateway=text(gateway),
                serial=table.tags["serial"],
                payload=octets(payload),
                digest=text(name),
                reason=table.tags["reason"],
                detail=text(detail),
                received_ms=whole(received_ms),
            )
            kept.append((item.received_ms, whole(place), item))
    kept.sort(key=lambda each: (each[0], each[1], each[2].digest))
    once: dict[tuple[str, str, str], QuarantinedRecord] = {}
    for *_, item in kept:
        once.setdefault((item.serial, item.digest, item.reason), item)
    return list(once.values())


def visits_of(tables: Iterable[Table]) -> list[Visit]:
    """Sync reports from tables with `SYNC_FIELDS`, oldest first, each once. Raises QueryError."""
    kept = sorted(
        (whole(received_ms), whole(place), text(report))
        for table in tables
        for report, received_ms, place in table.rows("report", "received_ms", "place")
    )
    once: dict[str, int] = {}
    for received_ms, _, report in kept:
        once.setdefault(report, received_ms)
    try:
        return [Visit(SyncReport.decode(report.encode()), received_ms) for report, received_ms in once.items()]
    except WireError as error:
        raise QueryError("a sync report that is none") from error


def _rank(block: StoredBlock) -> tuple[int, str]:
    return block.received_ms, digest(block.body)
