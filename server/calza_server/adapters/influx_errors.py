"""What InfluxDB and the network complain of, in the words of the port. Repeats nothing a server said: they echo lines.

Which complaint means what was read in the sources of 1.6 to 2.7 and tried on 1.6.7; see docs/influxdb.md.
"""

from __future__ import annotations

import json
from typing import Final

from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError, LocationValueError

from calza_server.adapters.influx_query import QueryError
from calza_server.ports import StoreError

RETRY_AFTER_S_MAX: Final = 60.0  # a proxy that asks for an hour is asked again before
# Complaints about what the bucket is, not about the record: every other record would meet them too.
_NOT_OURS: Final = "another program writes into this bucket: give Calza one of its own"
ABOUT_THE_BUCKET: Final = {
    "field type conflict": _NOT_OURS,
    "invalid column type": _NOT_OURS,
    "max-series-per-database": "the database is at its limit of series: raise max-series-per-database",
    "max-values-per-tag": "the database is at its limit of values: raise max-values-per-tag",
}
BEYOND_RETENTION: Final = ("retention polic", "retention enforcement", "retention period")
NOT_THERE: Final = ("database not found", "bucket", "dbrp", "organization", "retention policy not found")


class PointsRefused(Exception):
    """InfluxDB takes some of these points for no points of a bucket of its. `detail` says why, without a value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class TooLarge(Exception):
    """The request is longer than this InfluxDB, or a proxy before it, takes."""


class Busy(StoreError):
    """It may work later. `after_s` is what InfluxDB asked to wait, None if it did not say."""

    def __init__(self, sentence: str, after_s: float | None = None) -> None:
        super().__init__("busy", sentence)
        self.after_s = after_s


Fault = PointsRefused | TooLarge | StoreError


def fault_of(error: ApiException | HTTPError | QueryError, where: str) -> Fault:
    """The same trouble as something to raise; `where` is the address, as it may be shown."""
    if isinstance(error, QueryError):
        return _of_query(error, where)
    if isinstance(error, ApiException):
        return _of_status(error.status or 0, _complaint(error), error.retry_after, where)
    if isinstance(error, LocationValueError):
        return StoreError("broken", f"{where} is no address InfluxDB can have: look at --store")
    return Busy(f"InfluxDB at {where} cannot be reached or does not answer")


def store_error_of(error: ApiException | HTTPError | QueryError, where: str) -> StoreError:
    """The same where nothing was written that could be refused or too large."""
    fault = fault_of(error, where)
    return fault if isinstance(fault, StoreError) else QueryError("refused")


def _of_status(status: int, complaint: str, retry_after: str | None, where: str) -> Fault:
    broken = _broken(status, complaint, where)
    if broken:
        return StoreError("broken", broken)
    if status == 413:
        return TooLarge()
    if status == 429 or status == 503:
        return Busy(f"InfluxDB at {where} asks to wait", _seconds(retry_after))
    # Early 2.x answer 500 to a partial write, later ones 422, and 1.x and 3 answer 400.
    if status in {400, 422} or "partial write" in complaint:
        return _refused(complaint, where)
    if "no space left" in complaint:
        return StoreError("full", "the disk of InfluxDB is full: free some space, nothing is lost meanwhile")
    if status == 408 or status >= 500:
        return Busy(f"InfluxDB at {where} is in trouble (status {status})", _seconds(retry_after))
    return StoreError("broken", f"InfluxDB at {where} answers with status {status}: look at the address in --store")


def _broken(status: int, complaint: str, where: str) -> str:
    if status == 0:
        return f"the certificate of InfluxDB at {where} is not one this machine trusts"
    if status == 401:
        return f"InfluxDB at {where} does not know the token: give the right one in CALZA_SERVER_STORE_TOKEN_FILE"
    if status == 403:
        return f"the token for InfluxDB at {where} may not do this: give one that reads and writes the bucket"
    if status == 404:
        if any(each in complaint for each in NOT_THERE):
            return _no_bucket(where)
        return f"{where} does not know how to write as InfluxDB 1.8, 2 and 3 do: look at the address in --store"
    return ""


def _refused(complaint: str, where: str) -> Fault:
    for mark, sentence in ABOUT_THE_BUCKET.items():
        if mark in complaint:
            return StoreError("broken", f"InfluxDB at {where} refuses every record: {sentence}")
    if any(each in complaint for each in BEYOND_RETENTION):
        return PointsRefused("it is older than InfluxDB was told to keep anything")
    return PointsRefused("InfluxDB refuses a point of this record")


def _of_query(error: QueryError, where: str) -> StoreError:
    complaint = error.complaint.lower()
    if any(each in complaint for each in NOT_THERE):
        return StoreError("broken", _no_bucket(where))
    if "partial" in complaint:
        return StoreError("broken", f"InfluxDB at {where} cuts answers short: set its max-row-limit to 0")
    if "timeout" in complaint or "max-concurrent-queries" in complaint or "engine is closed" in complaint:
        return Busy(f"InfluxDB at {where} has no time for a question")
    return error


def _no_bucket(where: str) -> str:
    return f"the bucket is not there, or cannot be asked, on InfluxDB at {where}: run `calza server init` once"


def _complaint(error: ApiException) -> str:
    """What the server said, in small letters: 2.x calls it `message`, 1.x and 3 call it `error`."""
    said = error.body or ""
    try:
        told = json.loads(said)
    except ValueError:
        return str(said).lower()
    fields = told if isinstance(told, dict) else {}
    return " ".join(str(fields.get(each, "")) for each in ("message", "error", "data")).lower()


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds, bounded; a date is not understood, and then our own pauses are long enough."""
    if retry_after is None or not retry_after.isdecimal():
        return None
    return min(float(retry_after), RETRY_AFTER_S_MAX)
