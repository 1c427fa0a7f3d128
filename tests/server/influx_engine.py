"""Real InfluxDBs for tests and benchmarks: Debian's 1.6 behind the door of `influx_shim`, and any that is named.

The engine has its own folder and a free port of loopback; the system's own service is never touched.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from calza_server.adapters import with_parent
from calza_server.adapters.influx_query import name, select
from calza_server.adapters.influx_setup import prepare, remove
from calza_server.store_spec import InfluxSpec
from tests.server.influx_shim import shim

URL_VARIABLE = "CALZA_TEST_INFLUX_URL"
CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:0"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
cache-snapshot-write-cold-duration = "1s"
compact-full-write-cold-duration = "2s"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
max-body-size = {max_body_octets}
"""
LISTENING = re.compile(r"service=httpd addr=127\.0\.0\.1:(\d+)")
MAX_BODY_OCTETS = 25_000_000  # its own default


@dataclass
class Engine:
    """An InfluxDB a test may make buckets in."""

    url: str
    org: str = ""
    token: str | None = field(default=None, repr=False)
    prefix: str = "calza"
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextlib.contextmanager
    def bucket(self) -> Iterator[InfluxSpec]:
        """A new, empty bucket, gone afterwards."""
        spec = InfluxSpec(self.url, self.org, f"{self.prefix}-{secrets.token_hex(4)}-{next(self._numbers)}")
        prepare(spec, self.token)
        try:
            yield spec
        finally:
            remove(spec, self.token)

    def query(self, statement: str, spec: InfluxSpec | None = None) -> list[dict[str, Any]]:
        """What the engine itself says to one InfluxQL statement, around everything of ours."""
        form = {"q": statement, "epoch": "ns"} | ({"db": spec.database} if spec else {})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        answer = urllib3.request("POST", f"{self.url}/query", body=urlencode(form), headers=headers)
        (result,) = answer.json()["results"]
        assert "error" not in result, result
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    def points(self, spec: InfluxSpec, measurement: str, field: str) -> int:
        """How many points of a measurement have a field."""
        found = self.query(select(f"count({name(field)})", measurement, {}), spec)
        return int(found[0]["values"][0][1]) if found else 0


@dataclass
class OwnEngine(Engine):
    """Debian's influxd as a child of the test; killed and started at will, with the same folder and port."""

    folder: Path = Path()
    port: int = 0
    max_body_octets: int = MAX_BODY_OCTETS
    _process: subprocess.Popen[str] | None = None
    _reading: threading.Thread | None = None

    def start(self) -> None:
        """Run it; returns when it listens."""
        found = program()
        assert found is not None
        config = self.folder / "influxd.conf"
        config.write_text(
            CONFIG.format(folder=self.folder, port=self.port, max_body_octets=self.max_body_octets), encoding="utf-8"
        )
        command = [sys.executable, with_parent.__file__, str(os.getpid()), found, "-config", str(config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = self._process.stderr
        assert said is not None
        self.port = next(int(seen[1]) for text in said if (seen := LISTENING.search(text)))
        self._reading = threading.Thread(target=deque, args=(said, 0))  # or a full pipe would stop the engine
        self._reading.start()

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End it at once, or in the way of another signal."""
        assert self._process is not None
        assert self._process.stderr is not None
        assert self._reading is not None
        self._process.send_signal(how)
        self._process.wait()
        self._reading.join()
        self._process.stderr.close()


def program() -> str | None:
    """Where Debian's influxd is, None if it is not installed."""
    return shutil.which("influxd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")


@contextlib.contextmanager
def engine(max_body_octets: int = MAX_BODY_OCTETS) -> Iterator[OwnEngine]:
    """Debian's influxd, while the block runs. Skips the test where there is none."""
    if program() is None:
        pytest.skip("influxd is not installed: `make setup` as root installs it")
    with tempfile.TemporaryDirectory(prefix="calza-influx-") as name:
        own = OwnEngine("", folder=Path(name), max_body_octets=max_body_octets)
        own.start()
        try:
            with shim(own.port) as door:
                own.url = f"http://127.0.0.1:{door}"
                yield own
        finally:
            own.kill(signal.SIGTERM)


def named() -> Engine | None:
    """The InfluxDB the environment names, if it names one."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        return None
    return Engine(
        url.rstrip("/"),
        os.environ.get("CALZA_TEST_INFLUX_ORG", ""),
        os.environ.get("CALZA_TEST_INFLUX_TOKEN"),
        prefix=os.environ.get("CALZA_TEST_INFLUX_BUCKET", "calza-test"),
    )
