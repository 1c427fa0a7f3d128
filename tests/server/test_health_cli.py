"""`calza server health`: 0 when all is well, otherwise 1 and why."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from calza_server.access.tls_files import serving_context, tls_files
from calza_server.ca import establish
from calza_server.commands import cli
from tests.server.conftest import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_MS = 1_790_000_000_000


@contextlib.contextmanager
def answering(status: int, body: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Somebody who gives this answer to everything; the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def health(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.app, ["health", *words])
    return done.exit_code, done.output


def test_well() -> None:
    with answering(200, b"{}") as port:
        assert health(f"http://127.0.0.1:{port}/healthz") == (0, "ok\n")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (json.dumps({"detail": "The store is away."}).encode(), "The store is away.\n"),
        (b"<html>", "it answers 503 Service Unavailable\n"),
        (b"[]", "it answers 503 Service Unavailable\n"),
    ],
)
def test_not_well(body: bytes, said: str) -> None:
    with answering(503, body) as port:
        assert health(f"http://127.0.0.1:{port}/healthz") == (1, said)


def test_nobody_there() -> None:
    code, said = health(f"http://127.0.0.1:{free_port()}/healthz")
    assert code == 1
    assert said.startswith("nobody answers at")


def test_no_address() -> None:
    assert health("ftp://127.0.0.1")[0] == 2


def test_with_tls_only_the_authority_that_was_given_is_believed(tmp_path: Path) -> None:
    for name in ("ours", "another"):
        establish(tmp_path / name, ["server"], "here", NOW_MS, renew=False)
    context = serving_context(tls_files(tmp_path / "ours").server)
    with answering(200, b"{}", context) as port:
        url = f"https://127.0.0.1:{port}/healthz"
        assert health(url, "--ca-file", str(tls_files(tmp_path / "ours").ca)) == (0, "ok\n")
        assert health(url, "--ca-file", str(tls_files(tmp_path / "another").ca))[0] == 1
        assert health(url, "--ca-file", str(tmp_path / "missing.pem"))[0] == 1
