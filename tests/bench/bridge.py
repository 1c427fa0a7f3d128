"""The bridge most people write, in its two halves: a `Point` for every row on the way in, JSON rows on the way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions
from influxdb_client.domain.write_precision import WritePrecision

from calza_server.adapters.influx_query import select
from calza_server.domain.recording.readings_blocks import readings_of
from calza_server.store_spec import InfluxSpec
from tests.server.influx_engine import OwnEngine

BATCH_ROWS = 5_000  # what InfluxDB's own pages advise
FLUSH_MS = 1_000  # the library's default
FIELDS = ("ankle", "calf", "thigh", "ripple", "skin", "flags")


def options() -> WriteOptions:
    """Of the library's batching writer; each writer needs its own, because they hold its thread."""
    return WriteOptions(batch_size=BATCH_ROWS, flush_interval=FLUSH_MS)


def points_of(serial: str, log_id: bytes, body: bytes) -> Iterator[Any]:
    """A `Point` for each minute of a record. The body is read by our decoder, so that only the writing differs."""
    zero = np.zeros(1, np.int16)
    found = readings_of([body], zero.astype(np.int64), zero, (log_id,))
    for second, values, flags in zip(found.device_s.tolist(), found.values.tolist(), found.flags.tolist(), strict=True):
        point: Any = Point("minute")  # type: ignore[no-untyped-call]  # the library has no types here
        point.tag("serial", serial).time(second, WritePrecision.S)
        for name, value in zip(FIELDS, [*(each / 10 for each in values), float(flags)], strict=True):
            point.field(name, value)
        yield point


def read_rows(own: OwnEngine, spec: InfluxSpec, serial: str) -> None:
    """A stocking's minutes into numpy, as they come from the engine."""
    (found,) = own.query(select(", ".join(FIELDS), "minute", {"serial": serial}), spec)
    np.array(found["values"])
