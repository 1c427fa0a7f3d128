"""A door of InfluxDB 1.8 and 2 put before the 1.6 that Debian has: `/api/v2/write` becomes `/write`, the rest passes.

Test code, and no more than a door: every octet of a body and of an answer is the engine's own.
Run as a program it serves until it is killed: `python tests/server/influx_shim.py ENGINE_PORT` prints its own port.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

PRECISIONS = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}
PASSED_ON = ("content-type", "content-encoding", "accept", "authorization")
LIMIT_S = 30


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # small answers in two writes stall 40 ms otherwise
    wbufsize = -1
    engine_port = 0

    def setup(self) -> None:
        super().setup()
        self.engine = http.client.HTTPConnection("127.0.0.1", self.engine_port, timeout=LIMIT_S)

    def finish(self) -> None:
        self.engine.close()
        super().finish()

    def do_GET(self) -> None:
        self._pass(self.path)

    def do_POST(self) -> None:
        where = urlsplit(self.path)
        if where.path == "/api/v2/write":
            asked = {name: values[0] for name, values in parse_qs(where.query).items()}
            database, _, policy = asked["bucket"].partition("/")
            named = {"db": database, "precision": PRECISIONS[asked.get("precision", "ns")]} | (
                {"rp": policy} if policy else {}
            )
            self._pass(f"/write?{urlencode(named)}")
        else:
            self._pass(self.path)

    def _pass(self, path: str) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
        try:
            self.engine.request(self.command, path, body, headers)
            answer = self.engine.getresponse()
            octets = answer.read()
        except (OSError, http.client.HTTPException):  # the engine is gone: so is the connection
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() in {"content-type", "x-influxdb-version", "x-influxdb-error"}:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("content-length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def shim(engine_port: int) -> Iterator[int]:
    """The door before the engine at this port of loopback, while the block runs; its own port."""
    door = type("Door", (_Door,), {"engine_port": engine_port})
    with ThreadingHTTPServer(("127.0.0.1", 0), door) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    with shim(int(sys.argv[1])) as own_port:
        sys.stdout.write(f"{own_port}\n")
        sys.stdout.flush()
        threading.Event().wait()
