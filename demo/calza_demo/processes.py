"""Child processes that speak JSON lines: started, listened to, and gone when the demo is gone.

Knows nothing of Calza beyond `python -m calza ARGS --json`. Every child runs in a session of its own, so that Ctrl-C on
the terminal reaches the demo alone, which then ends its children in order.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Event: TypeAlias = Mapping[str, object]

# A gateway finishes its commit and says goodbye to the broker within a second or two; a hung one must not hold Ctrl-C.
STOP_WITHIN_S = 8.0
# One progress event names one stocking; the default of 64 KiB is ample, a `flash` listing of 30 days is not.
LINE_OCTETS_AT_MOST = 4 * 1024 * 1024
# Typer draws a frame round a complaint about the command line.
FRAME = " \t╭╮╰╯─│"


class ChildFailed(Exception):
    """A child ended or reported an error; the message is one plain sentence for the person at the terminal."""


def _command(arguments: tuple[str, ...]) -> list[str]:
    command = [sys.executable, "-m", "calza", *arguments]
    # If the demo itself is killed outright, the kernel ends its children too (util-linux, on every Debian).
    if setpriv := shutil.which("setpriv"):
        return [setpriv, "--pdeathsig", "TERM", "--", *command]
    return command


def last_sentence(log: Path) -> str:
    """The last line a child wrote to its log: its own explanation of why it ended."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [stripped for line in text.splitlines() if (stripped := line.strip(FRAME))]
    return lines[-1] if lines else "it said nothing"


@dataclass(slots=True)
class Child:
    """One running part and the events it has printed."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    async def events(self) -> AsyncIterator[Event]:
        """Every JSON object the child prints on standard output until it ends."""
        output = self.process.stdout
        if output is None:
            return
        while line := await output.readline():
            with contextlib.suppress(json.JSONDecodeError):  # a library's stray print is not an event
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event

    async def wait_for(self, kind: str, within_s: float) -> Event:
        """The first event of this kind. Raises `ChildFailed` when the child reports an error, ends, or is too slow."""
        try:
            async with asyncio.timeout(within_s):
                async for event in self.events():
                    if event.get("event") == kind:
                        return event
                    if event.get("event") == "error":
                        raise ChildFailed(str(event.get("sentence", event)))
                await self.process.wait()
        except TimeoutError:
            raise ChildFailed(f"the {self.name} was not ready within {within_s:.0f} s (see {self.log})") from None
        raise ChildFailed(last_sentence(self.log))

    async def stop(self) -> None:
        """Ask the child to end; insist when it does not."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_WITHIN_S):
                    await self.process.wait()


class Children:
    """The demo's processes, ended in reverse order of their start whatever happens."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Child] = []

    async def __aenter__(self) -> "Children":
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in reversed(self._running):
            await child.stop()

    async def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Child:
        """Start `calza ARGUMENTS`; its standard error goes to a log file of its own."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *_command(arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                limit=LINE_OCTETS_AT_MOST,
                env={**os.environ, **(environment or {})},
            )
        child = Child(name, process, log)
        self._running.append(child)
        return child

    async def run(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> list[Event]:
        """Run a command to its end and return what it printed. Raises `ChildFailed` when it fails."""
        child = await self.start(name, *arguments, environment=environment)
        printed = [event async for event in child.events()]
        if await child.process.wait() != 0:
            errors = [str(event["sentence"]) for event in printed if "sentence" in event]
            raise ChildFailed(errors[-1] if errors else last_sentence(child.log))
        self._running.remove(child)
        return printed
