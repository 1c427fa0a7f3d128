"""Chromium without a driver: its DevTools protocol over a pipe, as far as a test of a page needs it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
LIMIT_S = 20.0


class Tab:
    """One page; `do` runs JavaScript in it and gives its value."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._ids = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self.faults: list[str] = []
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **params: object) -> Any:
        number = next(self._ids)
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("method") == "Runtime.exceptionThrown":
                self.faults.append(str(answer["params"]))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self) -> Any:
        while b"\0" not in self._rest:
            octets = os.read(self._reads, 65_536)
            assert octets, "Chromium ended"
            self._rest += octets
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def do(self, script: str) -> Any:
        result = self.command("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until it is true."""
        limit = time.monotonic() + LIMIT_S
        while not self.do(script):
            assert time.monotonic() < limit, f"never became true: {script}"
            time.sleep(0.02)


@contextmanager
def chromium(profile: Path) -> Iterator[Tab]:
    """A tab in a browser of its own with an empty profile; skips where Chromium is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: `apt-get install chromium` as root installs it")
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    words = [program, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
    child = subprocess.Popen(
        # Chromium reads its commands from file 3 and answers on file 4, whatever ours are called.
        ["/bin/bash", "-c", f'exec "$@" 3<&{to_read} 4>&{from_write}', "chromium", *words],
        pass_fds=(to_read, from_write),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(from_write)
    try:
        yield Tab(from_read, to_write)
    finally:
        child.terminate()
        child.wait(LIMIT_S)
        os.close(to_write)
        os.close(from_read)
