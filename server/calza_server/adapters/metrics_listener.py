"""A small HTTP listener for a process without pages: `/metrics` and `/healthz`, by the standard library alone.

Which figures there are is not known here. A page elsewhere can make a browser ask a loopback address under a name of
its own (DNS rebinding), so a listener on loopback answers loopback names alone.
"""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from typing import TYPE_CHECKING, Final

from calza_wire.tls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket
    from ssl import SSLContext

    from calza_server.ingest.metrics import Scrape
    from calza_server.ports import Health

REQUEST_LIMIT_S: Final = 10.0  # a scrape takes milliseconds; who says nothing for so long holds a thread for nothing
POLL_S: Final = 0.2  # how soon it ends when it should
HOST: Final = "This listener answers to loopback names only. Use 127.0.0.1 or localhost with its port."

_log = logging.getLogger(__name__)


class ListenError(Exception):
    """The address cannot be had; the sentence says what to do."""

    code: Final = "metrics_unusable"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen; port 0 is a free one."""

    host: str
    port: int


def parse_listen(text: str) -> Listen:
    """`HOST:PORT`, `[HOST]:PORT` or `PORT` alone, which is on loopback. Raises ValueError with a sentence."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"--metrics is HOST:PORT, such as 127.0.0.1:9465, not {text!r}")
    return Listen(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))


@contextmanager
def metrics_served(
    where: Listen, scrape: Scrape, health: Callable[[], Health], tls: SSLContext | None = None
) -> Iterator[str]:
    """Answers while the block runs, from threads of its own; the address it has. Raises ListenError.

    Off loopback it needs `tls`: `tls_files.refuse_in_clear` says so to whoever asked.
    """
    if tls is None and not is_loopback(where.host):
        raise ListenError(f"{where.host} is reached from other machines: give --tls too, or a loopback address")
    try:
        server = _Server(where, scrape, health, tls)
    except OSError as error:
        raise ListenError(f"the metrics cannot be offered at {where.host}:{where.port}: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="metrics")
    thread.start()
    host = f"[{where.host}]" if ":" in where.host else where.host
    try:
        yield f"{'http' if tls is None else 'https'}://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Holds what its handlers need."""

    def __init__(self, where: Listen, scrape: Scrape, health: Callable[[], Health], tls: SSLContext | None) -> None:
        self.scrape, self.health, self.tls = scrape, health, tls
        self.loopback_only = is_loopback(where.host)
        if ":" in where.host:
            self.address_family = AF_INET6
        super().__init__((where.host, where.port), _Handler)

    def finish_request(self, request: socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]  # ours is a TCP server
        """In the thread of the connection, so that a slow handshake holds up nobody else."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(REQUEST_LIMIT_S)
        with self.tls.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """One connection failed, a handshake most likely: the next one is none the worse for it."""
        _log.debug("a connection to the metrics failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One request, then the connection is closed."""

    server: _Server
    server_version, sys_version = "calza", ""
    timeout = REQUEST_LIMIT_S

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if self.server.loopback_only and not is_loopback(_name(self.headers.get("host", ""))):
            self._answer(*_problem(HTTPStatus.MISDIRECTED_REQUEST, "unknown_host", "Unknown host name", HOST, path))
        elif path == "/metrics":
            shown = self.server.scrape(self.headers.get("accept", ""))
            self._answer(HTTPStatus.OK, shown.content_type, shown.body)
        elif path == "/healthz":
            self._answer(*_health(self.server.health(), path))
        else:
            told = "There is /metrics and /healthz, and nothing else."
            self._answer(*_problem(HTTPStatus.NOT_FOUND, "not_found", "Not found", told, path))

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", content_type), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A scrape every few seconds is no news."""


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    return (host if host.endswith("]") else host.rpartition(":")[0] or host).strip("[]")


def _health(seen: Health, path: str) -> tuple[HTTPStatus, str, bytes]:
    """As `/healthz` of the API answers, without the gateways: a worker hears of a share of them only."""
    figures: dict[str, object] = {
        "status": "ok" if seen.ok else "failing",
        "problem": seen.problem,
        "broker_connected": seen.broker_connected,
        "store_ok": seen.store_ok,
        "stored": seen.stored,
        "duplicates": seen.duplicates,
        "conflicts": seen.conflicts,
        "refused": seen.refused,
    }
    if seen.ok:
        return HTTPStatus.OK, "application/json", json.dumps(figures).encode()
    told = seen.problem or "Records that arrive now are not being kept; gateways keep them meanwhile."
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "unhealthy", "Not receiving", told, path, health=figures)


def _problem(
    status: HTTPStatus, code: str, title: str, detail: str, path: str, **more: object
) -> tuple[HTTPStatus, str, bytes]:
    """In the shape of every error of the API (RFC 9457)."""
    fields = {"type": f"urn:calza:problem:{code}", "title": title, "status": status.value, "detail": detail}
    return status, "application/problem+json", json.dumps({**fields, "instance": path, "code": code, **more}).encode()
