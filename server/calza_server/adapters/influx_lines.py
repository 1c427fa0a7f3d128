"""Minute blocks as lines of InfluxDB's line protocol. Pure: values in, octets out; knows no server.

The key of a point (measurement, tags, time) follows from the record alone, so the same record makes the same points
however often, in whatever order and by whichever worker it is written. In every time stamp the seconds say *when* and
what lies below them says *which*; see docs/decisions/0007. Our own formatter because the library's `Point` takes 8 us
for a minute, this one 0.6.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.recording.readings import SKIN, SKIN_OFFSET_C
from calza_server.domain.recording.readings_blocks import readings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from calza_server.ports import QuarantinedRecord, StoredBlock
    from calza_wire.messages import SyncReport

MINUTE: Final = "minute"
BLOCK: Final = "block"
EVIDENCE: Final = "evidence"
QUARANTINE: Final = "quarantine"
SYNC: Final = "sync"

NS_PER_S: Final = 1_000_000_000
US_PER_S: Final = 1_000_000
MS_PER_S: Final = 1_000
TIME_S_MAX: Final = 9_223_372_035  # the last whole second InfluxDB knows (April 2262), in 64-bit nanoseconds
RECORDS_APART: Final = US_PER_S  # records so far apart share a microsecond: 114 years of hourly records
NS_PER_US: Final = 1_000
SKIN_OFFSET_CENTI_C: Final = round(SKIN_OFFSET_C * 100)

Value = int | str


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block and the second its first minute starts at, by the stocking's clock."""

    block: StoredBlock
    start_s: int

    @property
    def time_ns(self) -> int:
        """The time stamp of its point: the record number in microseconds, three digits of a digest in nanoseconds.

        No other record of the log has it, and other octets under the same number once in a thousand.
        """
        number = self.block.record % RECORDS_APART * NS_PER_US
        return clamped_s(self.start_s) * NS_PER_S + number + _drawn(self.block.body, NS_PER_US)


def clamped_s(unix_s: int) -> int:
    """A second InfluxDB can name; a stocking that lost its clock may have written any. Keeps the order of seconds."""
    return min(max(unix_s, 0), TIME_S_MAX)


def time_ns(unix_s: int, content: bytes) -> int:
    """A moment in nanoseconds whose fraction of a second is drawn from the content: others share it once in 10^9."""
    return clamped_s(unix_s) * NS_PER_S + _drawn(content, NS_PER_S)


def _drawn(content: bytes, limit: int) -> int:
    """A number below the limit that follows from the content."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8]) % limit


def minute_lines(placed: Sequence[PlacedBlock]) -> bytes:
    """A point for every minute of the blocks, in microseconds; those no InfluxDB time can name are left out.

    Below the second stands the record number: two timelines of one log may show the same minute, but never under the
    same number. In microseconds, because every further digit costs 4 to 8 octets a minute on the disk of InfluxDB.
    ankle, calf, thigh, ripple: 0.1 mmHg; skin: 0.01 degC; flags: as the stocking set them.
    """
    blocks = [each.block for each in placed]
    record = np.array([block.record for block in blocks], np.int64)
    found = readings_of([block.body for block in blocks], record, np.arange(len(blocks), dtype=np.int16), ())
    found = found.between(0, TIME_S_MAX)
    values = found.values.astype(np.int64)
    values[:, SKIN] += SKIN_OFFSET_CENTI_C
    heads = [_head(MINUTE, _tags_of(block)) for block in blocks]
    times = (found.device_s * US_PER_S + found.record % RECORDS_APART).tolist()
    rows = zip([heads[at] for at in found.log.tolist()], *values.T.tolist(), found.flags.tolist(), times, strict=True)
    return "\n".join(
        [
            f"{head} ankle={ankle}i,calf={calf}i,thigh={thigh}i,ripple={ripple}i,skin={skin}i,flags={flags}i {time}"
            for head, ankle, calf, thigh, ripple, skin, flags, time in rows
        ]
    ).encode()


def block_lines(placed: Sequence[PlacedBlock], nth_logs: Sequence[int]) -> bytes:
    """A point for each block with all that must be given back; nanoseconds. A record is held when its point is there.

    `nth_logs` say which log of its stocking each belongs to, in the order first seen, from 0.
    """
    return "\n".join(
        [_block_line(BLOCK, each, each.time_ns, "nth_log", nth) for each, nth in zip(placed, nth_logs, strict=True)]
    ).encode()


def evidence_lines(placed: Sequence[PlacedBlock], places: Sequence[int]) -> bytes:
    """A point for each block that lost a conflict; nanoseconds. `places` settle the order within a millisecond."""
    return "\n".join(
        [
            _block_line(EVIDENCE, each, evidence_ns(each), "place", place)
            for each, place in zip(placed, places, strict=True)
        ]
    ).encode()


def evidence_ns(placed: PlacedBlock) -> int:
    """The time stamp of a block among the evidence, where many may have one number: drawn from octets alone."""
    return time_ns(placed.start_s, placed.block.record.to_bytes(8) + placed.block.body)


def quarantine_line(item: QuarantinedRecord, place: int) -> str:
    """A point for a refused record, at the second it was received; nanoseconds."""
    fields: dict[str, Value] = {
        "gateway": item.gateway,
        "payload": b64encode(item.payload).decode(),
        "digest": item.digest,
        "detail": item.detail,
        "received_ms": item.received_ms,
        "place": place,
    }
    time = time_ns(item.received_ms // MS_PER_S, item.digest.encode())
    return line(QUARANTINE, {"reason": item.reason, "serial": item.serial}, fields, time)


def sync_line(report: SyncReport, received_ms: int, place: int) -> str:
    """A point for a sync report, at the second of its gateway's clock; nanoseconds."""
    fields: dict[str, Value] = {"report": report.encode().decode(), "received_ms": received_ms, "place": place}
    seen = {"battery_percent": report.battery_percent, "rssi": report.rssi, "fetched": report.fetched}
    fields |= {name: value for name, value in seen.items() if value is not None}
    return line(SYNC, {"serial": report.serial}, fields, sync_ns(report))


def sync_ns(report: SyncReport) -> int:
    """The time stamp of a report's point."""
    return time_ns(report.gateway_ms // MS_PER_S, report.encode())


def _block_line(measurement: str, placed: PlacedBlock, time: int, name: str, number: int) -> str:
    block = placed.block
    fields: dict[str, Value] = {
        "record": block.record,
        "body": b64encode(block.body).decode(),
        "gateway": block.gateway,
        "received_ms": block.received_ms,
        name: number,
    }
    return line(measurement, _tags_of(block), fields, time)


def _tags_of(block: StoredBlock) -> dict[str, str]:
    return {"log_id": block.log_id.hex(), "serial": block.serial}


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time: int) -> str:
    """One line. Tags must be sorted by name. Raises ValueError for a text that line protocol cannot carry in a tag."""
    texts = [f"{_key(name)}={_field(value)}" for name, value in fields.items()]
    return f"{_head(measurement, tags)} {','.join(texts)} {time}"


def _head(measurement: str, tags: Mapping[str, str]) -> str:
    return ",".join([_key(measurement), *[f"{_key(name)}={_key(value)}" for name, value in tags.items()]])


def _key(text: str) -> str:
    """A measurement, a name or a tag's value. It has no quotes, so some texts cannot be written at all."""
    if not text or text.endswith("\\") or any(character in text for character in "\n\r\t\0"):
        raise ValueError("a tag of InfluxDB is not empty, does not end in a backslash and has no line break")
    return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def _field(value: Value) -> str:
    if isinstance(value, int):
        return f"{value}i"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
