"""The one connection to an InfluxDB: lines go in, rows come out, everything that goes wrong is a word of the port.

Writes go to `/api/v2/write` (InfluxDB 1.8, 2, 3), questions in InfluxQL to `/query` (all of them). Each call is one
request and ends before it returns; nothing is queued, tried again or forgotten in here.
"""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING, Final, Literal, Protocol, cast

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError

from calza_server.adapters.influx_errors import Busy, fault_of, store_error_of
from calza_server.adapters.influx_query import QueryError, Table, tables_of
from calza_server.ports import StoreError
from calza_server.store_spec import check_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from calza_server.store_spec import InfluxSpec

CONNECT_LIMIT_MS: Final = 5_000
ANSWER_LIMIT_MS: Final = 30_000  # a busy engine under compaction takes seconds; then the outcome counts as unknown
GZIP_LEVEL: Final = 1  # lines shrink to a ninth; level 9, the library's own, makes it a fourteenth in 18 times the time
CONNECTIONS: Final = 8  # ingest writes on one, pages read on the others

Precision = Literal["us", "ns"]


class _Response(Protocol):
    data: bytes
    headers: dict[str, str]


class _Caller(Protocol):
    """What we use of the library's own HTTP machinery, which carries no types."""

    def call_api(
        self,
        resource_path: str,
        method: str,
        *,
        header_params: dict[str, str],
        post_params: Sequence[tuple[str, str]],
        _preload_content: bool,
        _return_http_data_only: bool,
    ) -> _Response: ...


class _Writer(Protocol):
    """The library's synchronous write."""

    def post_write(self, org: str, bucket: str, body: bytes, *, precision: str, content_encoding: str) -> None: ...


class _Closing(Protocol):
    def close(self) -> None: ...


class InfluxLink:
    """Speaks to the bucket of `spec`. Connects when first asked, so a server starts while its InfluxDB is away.

    Every method raises StoreError; its text names the address, never the token.
    """

    def __init__(self, spec: InfluxSpec, token: str | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.spec = spec
        self._client = InfluxDBClient(
            spec.url,
            token="" if token is None else check_token(token),  # empty: no such header is sent
            org=spec.org,
            timeout=(CONNECT_LIMIT_MS, ANSWER_LIMIT_MS),
            connection_pool_maxsize=CONNECTIONS,
        )
        self._caller = cast("_Caller", self._client.api_client)
        self._writer = cast("Callable[[object], _Writer]", WriteService)(self._client.api_client)
        self._monotonic = monotonic
        self._not_before = 0.0
        self._closed = False

    @property
    def client(self) -> InfluxDBClient:
        """The library's own client, for setting up."""
        return self._client

    def write(self, lines: bytes, precision: Precision) -> None:
        """Have the points stored; durable on return. Raises PointsRefused, TooLarge, StoreError.

        After StoreError "busy" nobody knows whether they were stored; writing them again is harmless.
        """
        if not lines:
            return
        self._check_open()
        if self._monotonic() < self._not_before:
            raise Busy(f"InfluxDB at {self.spec.url} asks to wait")
        try:
            self._writer.post_write(
                self.spec.org,
                self.spec.bucket,
                gzip.compress(lines, GZIP_LEVEL, mtime=0),
                precision=precision,
                content_encoding="gzip",
            )
        except (ApiException, HTTPError) as error:
            fault = fault_of(error, self.spec.url)
            if isinstance(fault, Busy) and fault.after_s is not None:
                self._not_before = self._monotonic() + fault.after_s
            # The library's error holds the answer, which may repeat a reading: it goes no further than here.
            raise fault from None

    def ask(self, *statements: str) -> list[list[Table]]:
        """The tables each statement finds, times in nanoseconds, all in one request. Raises StoreError."""
        if not statements:
            return []
        self._check_open()
        form = [("db", self.spec.database), ("q", ";".join(statements)), ("epoch", "ns")]
        if self.spec.retention_policy:
            form.append(("rp", self.spec.retention_policy))
        try:
            return tables_of(self._call("/query", "POST", form).data, len(statements))
        except QueryError as error:
            if len(statements) > 1:
                self.ask(statements[0])  # 1.x says "not executed" of many, and why only of one
            raise store_error_of(error, self.spec.url) from None
        except (ApiException, HTTPError) as error:
            raise store_error_of(error, self.spec.url) from None

    def version(self) -> str:
        """What InfluxDB calls its version, without a leading "v". Raises StoreError."""
        self._check_open()
        try:
            answer = self._call("/ping", "GET")
        except (ApiException, HTTPError) as error:
            raise store_error_of(error, self.spec.url) from None
        return answer.headers.get("X-Influxdb-Version", "").removeprefix("v")

    def close(self) -> None:
        """Let go of every connection; the link cannot be used afterwards."""
        if not self._closed:
            self._closed = True
            cast("_Closing", self._client).close()

    def _call(self, path: str, method: str, form: Sequence[tuple[str, str]] = ()) -> _Response:
        """One request by the library's own machinery; the answer has been received whole."""
        answer = self._caller.call_api(
            path,
            method,
            header_params={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            post_params=form,
            _preload_content=False,
            _return_http_data_only=True,
        )
        _ = answer.data  # read now: the connection goes back, and a time-out is met in here
        return answer

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("broken", "the store has been closed")
