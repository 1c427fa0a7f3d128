"""A real InfluxDB for the benchmarks: its door is a process of its own, so that it costs nobody Python's lock."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from calza_server.adapters import with_parent
from calza_server.store_spec import InfluxSpec
from tests.server.influx_engine import OwnEngine, engine

SHIM = Path(__file__).parents[1] / "server" / "influx_shim.py"
QUIET_S = 60.0  # at most, until the engine has put everything into its compressed files
SAME_S = 5  # for so long nothing changes: it is done


@contextlib.contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """Debian's influxd behind its door. Where there is none it says so (`engine`)."""
    with engine() as own:
        command = [sys.executable, with_parent.__file__, str(os.getpid()), sys.executable, str(SHIM), str(own.port)]
        silent = subprocess.DEVNULL  # it tells at length of every client that was killed
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=silent, text=True) as door:
            assert door.stdout is not None
            try:
                own.url = f"http://127.0.0.1:{door.stdout.readline().strip()}"
                yield own
            finally:
                door.terminate()


def settled(folder: Path, spec: InfluxSpec) -> int:
    """Octets of the bucket's files once the engine has nothing left to put into them."""
    deadline = time.monotonic() + QUIET_S
    before, same = -1, 0
    while same < SAME_S and time.monotonic() < deadline:
        time.sleep(1)
        now = _octets(folder / "data" / spec.bucket / "autogen") if not _octets(folder / "wal" / spec.bucket) else -1
        same = same + 1 if now == before != -1 else 0
        before = now
    return before


def _octets(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
