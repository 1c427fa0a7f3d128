"""InfluxDB as the series store beside the bridge most people write, on Debian's own engine: same data, same minute.

The bridge is the store half of what tutorials show: a `Point` for every row, handed to the library's batching writer.
The door before the engine (`influx_shim`) is a process of its own, so that it costs neither of them Python's lock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions
from influxdb_client.domain.write_precision import WritePrecision

from calza_server.adapters.influx_query import select
from calza_server.adapters.influx_store import InfluxStore
from calza_server.domain.recording.readings_blocks import readings_of
from calza_server.ports import StoredBlock
from calza_server.store_spec import InfluxSpec
from calza_wire.minute_block import minutes_of
from tests.bench.engine import own_engine, settled
from tests.bench.store import START_S, blocks_of, median
from tests.server.influx_engine import OwnEngine

LEGS = 20
GROUP = 500  # what ingest takes at once when there is a backlog
SMALL_GROUP = 10
BRIDGE_BATCH = 5_000  # what InfluxDB's own pages advise
FIELDS = ("ankle", "calf", "thigh", "ripple", "skin", "flags")


@dataclass(frozen=True, slots=True)
class InfluxFigures:
    """Records and minutes a second, processor seconds of our process a record, octets a minute on disk, seconds to
    read fourteen days of a leg into numpy (median)."""

    records_per_s: float
    minutes_per_s: float
    cpu_s_per_record: float
    octets_per_minute: float
    read_s: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The store in large and in small groups, and the bridge; and records a second when all come again."""

    ours: InfluxFigures
    ours_small: InfluxFigures
    bridge: InfluxFigures
    resent_per_s: float


def measure() -> Comparison:
    """All of it on one engine, a bucket each. Where there is no influxd it says so (`engine`)."""
    serials = [f"CALZA-{number:04d}" for number in range(LEGS)]
    one = blocks_of(serials[0])
    rows = [
        StoredBlock(serial, b.log_id, b.record, b.body, b.gateway, b.received_ms) for b in one for serial in serials
    ]
    with own_engine() as own:
        with own.bucket() as spec:
            store = InfluxStore(spec, None)
            ours = _figures(own, spec, rows, lambda: _append(store, rows, GROUP), lambda: _read(store, serials[7]))
            began = time.perf_counter()
            _append(store, rows, GROUP)
            resent_s = time.perf_counter() - began
            store.close()
        with own.bucket() as spec:
            store = InfluxStore(spec, None)
            few = rows[: len(rows) // 5]
            small = _figures(own, spec, few, lambda: _append(store, few, SMALL_GROUP), lambda: _read(store, serials[7]))
            store.close()
        with own.bucket() as spec:
            bridge = _figures(own, spec, rows, lambda: _bridge(spec, rows), lambda: _rows(own, spec, serials[7]))
    return Comparison(ours, small, bridge, len(rows) / resent_s)


def _append(store: InfluxStore, rows: list[StoredBlock], group: int) -> None:
    for at in range(0, len(rows), group):
        store.append(rows[at : at + group])


def _read(store: InfluxStore, serial: str) -> None:
    store.read(serial, START_S, 2**40)


def _bridge(spec: InfluxSpec, rows: list[StoredBlock]) -> None:
    """What a paho callback would do with each message."""
    options = WriteOptions(batch_size=BRIDGE_BATCH, flush_interval=1_000)
    with InfluxDBClient(spec.url, token="", org="", enable_gzip=True) as client:
        with client.write_api(write_options=options) as writer:
            for row in rows:
                zero = np.zeros(1, np.int16)
                found = readings_of([row.body], zero.astype(np.int64), zero, (row.log_id,))
                minutes = zip(found.device_s.tolist(), found.values.tolist(), found.flags.tolist(), strict=True)
                for second, values, flags in minutes:
                    point: Any = Point("minute")  # type: ignore[no-untyped-call]  # the library has no types here
                    point.tag("serial", row.serial).time(second, WritePrecision.S)
                    for name, value in zip(FIELDS, [*(each / 10 for each in values), float(flags)], strict=True):
                        point.field(name, value)
                    writer.write(spec.bucket, "", point, WritePrecision.S)


def _rows(own: OwnEngine, spec: InfluxSpec, serial: str) -> None:
    (found,) = own.query(select(", ".join(FIELDS), "minute", {"serial": serial}), spec)
    np.array(found["values"])


def _figures(
    own: OwnEngine, spec: InfluxSpec, rows: list[StoredBlock], write: Callable[[], None], read: Callable[[], None]
) -> InfluxFigures:
    minutes = sum(minutes_of(len(row.body)) or 0 for row in rows)
    began, cpu = time.perf_counter(), time.process_time()
    write()
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    assert own.points(spec, "minute", "ankle") == minutes
    octets = settled(own.folder, spec)
    return InfluxFigures(len(rows) / took_s, minutes / took_s, cpu_s / len(rows), octets / minutes, median(read))


def main() -> None:
    """Print the figures."""
    found = measure()
    figures = {"store": found.ours, f"store, groups of {SMALL_GROUP}": found.ours_small, "bridge": found.bridge}
    for who, each in figures.items():
        sys.stdout.write(
            f"{who}: {each.records_per_s:,.0f} records/s, {each.minutes_per_s:,.0f} minutes/s,"
            f" {each.cpu_s_per_record * 1e6:,.0f} us CPU/record, {each.octets_per_minute:.1f} octets/minute,"
            f" 14 days in {each.read_s * 1e3:.1f} ms\n"
        )
    sys.stdout.write(f"store, everything re-sent: {found.resent_per_s:,.0f} records/s\n")


if __name__ == "__main__":
    main()
