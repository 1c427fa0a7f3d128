"""An InfluxDB 2 that says what a test tells it to: answers in the shapes read in its sources and in recorded errors."""

from __future__ import annotations

import contextlib
import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from calza_server.store_spec import InfluxSpec

TOKEN = "a-token-nobody-may-see"


@dataclass(frozen=True)
class Asked:
    """A request as it came, its body unpacked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[str]:
        return self.body.decode().split("\n")

    @property
    def statements(self) -> list[str]:
        return parse_qs(self.body.decode())["q"][0].split(";")


@dataclass(frozen=True)
class Answer:
    """What to say to one request; with `lost` it is taken, and the connection breaks before a word is said."""

    status: int = 204
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error as 2.x says it."""
    return Answer(status, {"code": code, "message": message}, headers)


class Double:
    """`say` what the next writes get. Questions are answered by `found`, at first with the blocks taken since the last.

    So the look before a write finds nothing, and the look after it finds everything.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.to_writes: list[Answer | Callable[[Asked], Answer]] = []
        self.found: Callable[[Asked], Answer] = self.written
        self.taken: list[str] = []
        self.spec = InfluxSpec("", "", "")

    def say(self, *answers: Answer | Callable[[Asked], Answer]) -> None:
        self.to_writes += answers

    @property
    def writes(self) -> list[Asked]:
        return [each for each in self.asked if each.path == "/api/v2/write"]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if asked.path != "/api/v2/write":
            return self.found(asked)
        told = self.to_writes.pop(0) if self.to_writes else Answer()
        answer = told if isinstance(told, Answer) else told(asked)
        self.taken += [line for line in asked.lines if answer.status == 204 and line.startswith("block,")]
        return answer

    def written(self, asked: Asked) -> Answer:
        """The numbers of the blocks taken since the last question, to every statement."""
        rows = [[1, int(line.split("record=")[1].split("i")[0])] for line in self.taken]
        self.taken = []
        series = [{"name": "block", "columns": ["time", "record"], "values": rows}] if rows else []
        return Answer(
            200, {"results": [{"statement_id": at, "series": series} for at, _ in enumerate(asked.statements)]}
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    double: Double

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        where = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = {name: values[0] for name, values in parse_qs(where.query, keep_blank_values=True).items()}
        answer = self.double.answer(Asked(where.path, query, headers, body))
        if answer.lost:
            self.close_connection = True
            return
        octets = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def double(tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    found = Double()
    handler = type("Handler", (_Handler,), {"double": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        scheme = "http"
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is the test
            scheme = "https"
        found.spec = InfluxSpec(f"{scheme}://127.0.0.1:{server.server_address[1]}", "clinic", "calza")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
