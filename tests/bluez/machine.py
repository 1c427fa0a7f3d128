"""A virtual machine with real BlueZ on a simulated radio: boot it, run commands in it, do things to its Bluetooth.

    async with Machine.boot(image, hci_port, transcript) as machine:
        outcome = await machine.run("calza", "gateway", "scan", "--json")

QEMU without KVM, so that it runs wherever QEMU does. Everything lives in memory: a machine leaves nothing behind.
"""

import asyncio
import json
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TextIO

from tests.bluez.overlay import overlay

BOOT_LIMIT_S = 120.0  # 12 s on two idle cores; this is for a machine that has ten other things to do
RUN_LIMIT_S = 60.0
END_LIMIT_S = 5.0
TAIL_LINES = 60
LINE_OCTETS_AT_MOST = 4 * 1024 * 1024
MEMORY_MB = 1024
ADAPTER = "/org/bluez/hci0"


class MachineError(Exception):
    """The machine, or a command in it, did not do what a test builds on; the message says which and shows why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command in the machine ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The one JSON object it printed."""
        parsed = json.loads(self.out)
        assert isinstance(parsed, dict), self
        return parsed


@dataclass(slots=True)
class Command:
    """A command under way in the machine. Its lines are kept, so that a failure can show them."""

    machine: "Machine"
    number: int
    argv: tuple[str, ...]
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int | None = None
    _said: deque[tuple[str, str]] = field(default_factory=deque)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, document: Mapping[str, object]) -> None:
        """One line from the machine about this command."""
        for name, lines in (("out", self.out), ("err", self.err)):
            if name in document:
                lines.append(str(document[name]))
                self._said.append((name, lines[-1]))
        if "exit" in document:
            self.code = int(str(document["exit"]))
        self._changed.set()

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the command and its children."""
        self.machine.send({"id": self.number, "signal": int(number)})

    async def lines(self, within_s: float = RUN_LIMIT_S) -> AsyncIterator[tuple[str, str]]:
        """Every line from the first on, with "out" or "err", until the command has ended. Raises `MachineError`."""
        async for _ in self.news(within_s, "end"):
            while self._said:
                yield self._said.popleft()
            if self.code is not None:
                return

    async def wait(self, within_s: float = RUN_LIMIT_S) -> Outcome:
        """Until it has ended. Raises `MachineError` when it has not in time."""
        async for _ in self.news(within_s, "end"):
            if self.code is not None:
                break
        assert self.code is not None
        return Outcome(self.code, "\n".join(self.out), "\n".join(self.err))

    async def wait_for(self, kind: str, within_s: float = RUN_LIMIT_S, after: int = 0) -> int:
        """Wait for a JSON line with this `event`, the first one at or after line `after`; the number of the next line.

        Raises `MachineError` when it does not come in time or the command ends without it.
        """
        async for _ in self.news(within_s, f"say {kind!r}"):
            for number in range(after, len(self.out)):
                if self.event(number).get("event") == kind:
                    return number + 1
            after = len(self.out)
            if self.code is not None:
                break
        raise MachineError(f"{self} ended with {self.code} without saying {kind!r}{self.tail()}")

    def event(self, number: int) -> dict[str, object]:
        """Output line `number` as a JSON object, empty when it is none."""
        with suppress(json.JSONDecodeError):
            parsed = json.loads(self.out[number])
            if isinstance(parsed, dict):
                return parsed
        return {}

    def events(self) -> list[dict[str, object]]:
        """Every JSON object printed so far."""
        return [event for number in range(len(self.out)) if (event := self.event(number))]

    async def news(self, within_s: float, what: str) -> AsyncIterator[None]:
        """Once now and after every change, until the caller leaves; raises `MachineError` when `what` takes longer."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            self._changed.clear()
            yield
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                raise MachineError(f"{self} did not {what} within {within_s:g} s{self.tail()}") from None
            self.machine.check()

    def tail(self) -> str:
        """Its last lines, indented."""
        return "".join(f"\n  {line}" for line in [*self.out[-TAIL_LINES:], *self.err[-TAIL_LINES:]])

    def __str__(self) -> str:
        return f"`{' '.join(self.argv)}`"


class Machine:
    """A booted machine; made by `boot`."""

    def __init__(self, console: Path, transcript: TextIO) -> None:
        self._console = console
        self._transcript = transcript
        self._numbers = count(1)
        self._commands: dict[int, Command] = {}
        self._ready = asyncio.Event()
        self._gone = False
        self._writer: asyncio.StreamWriter | None = None
        self._forwarded: set[int] = set()

    @classmethod
    @asynccontextmanager
    async def boot(cls, image: Path, hci_port: int, transcript: Path) -> AsyncIterator["Machine"]:
        """A machine whose Bluetooth adapter is on the simulated radio at `hci_port`, powered; gone when the block ends.

        `image` is what `scripts/bluez-image.sh` printed; every command and every line it says goes to `transcript`
        with the time. Raises `MachineError`.
        """
        with tempfile.TemporaryDirectory(prefix="calza-bluez-") as name, transcript.open("a", buffering=1) as said:
            folder = Path(name)
            initrd = folder / "initrd"
            with initrd.open("wb") as whole, (image / "base.cpio.zst").open("rb") as base:
                whole.write(overlay())
                shutil.copyfileobj(base, whole)
            machine = cls(folder / "console.log", said)
            port = await asyncio.start_unix_server(machine._serve, folder / "command", limit=LINE_OCTETS_AT_MOST)
            with (folder / "qemu.log").open("wb") as complaints:
                qemu = await asyncio.create_subprocess_exec(
                    *_command_line(image, folder, hci_port),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=complaints,
                    start_new_session=True,  # Ctrl-C is for the test, which then ends the machine
                )
            try:
                await machine._booted(qemu, folder / "qemu.log")
                yield machine
            finally:
                port.close()
                machine._hang_up()
                await _end(qemu)

    async def start(self, *argv: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Command:
        """Start a command in the machine."""
        self.check()
        command = Command(self, next(self._numbers), argv)
        self._commands[command.number] = command
        self._note(command.number, f"$ {' '.join(argv)}")
        self.send({"id": command.number, "argv": argv, "stdin": stdin, "env": dict(env or {})})
        return command

    async def run(
        self, *argv: str, stdin: str = "", env: Mapping[str, str] | None = None, within_s: float = RUN_LIMIT_S
    ) -> Outcome:
        """Run a command in the machine to its end; one that is too slow is killed, and `MachineError` raised."""
        command = await self.start(*argv, stdin=stdin, env=env)
        try:
            return await command.wait(within_s)
        finally:
            if command.code is None and not self._gone:
                command.signal(signal.SIGKILL)

    async def sh(self, script: str, within_s: float = RUN_LIMIT_S) -> str:
        """Run a line of shell that has to succeed; what it printed. Raises `MachineError`."""
        outcome = await self.run("sh", "-ec", script, within_s=within_s)
        if outcome.code != 0:
            raise MachineError(f"`{script}` ended with {outcome.code}: {outcome.err}")
        return outcome.out

    async def forward(self, port: int) -> None:
        """Make a TCP port of the host's loopback one of the machine's own loopback, under the same number."""
        if port not in self._forwarded:
            command = await self.start("python3", "-m", "tests.bluez.guest.forward", str(port))
            async for _ in command.news(RUN_LIMIT_S, "listen"):
                if command.out:
                    break
            self._forwarded.add(port)

    # --- its Bluetooth ------------------------------------------------------------------------------------------------

    async def kill_bluetoothd(self, down_s: float = 0.0) -> None:
        """SIGKILL bluetoothd. It comes back at once, or after `down_s` seconds; does not wait for that."""
        await self.sh("touch /run/keep-bluetoothd-down; pkill -KILL -x bluetoothd")
        await self.start("sh", "-c", f"sleep {down_s:g}; rm /run/keep-bluetoothd-down")

    async def power(self, on: bool) -> None:
        """Switch the adapter on or off, as a desktop's switch does."""
        word = "true" if on else "false"
        await self.sh(
            f"dbus-send --system --print-reply --dest=org.bluez {ADAPTER} org.freedesktop.DBus.Properties.Set"
            f" string:org.bluez.Adapter1 string:Powered variant:boolean:{word}"
        )

    async def powered(self) -> None:
        """Wait until bluetoothd is there and the adapter is on."""
        await self.sh(
            f"until dbus-send --system --print-reply --dest=org.bluez {ADAPTER} org.freedesktop.DBus.Properties.Get"
            " string:org.bluez.Adapter1 string:Powered 2>/dev/null | grep -q true; do sleep 0.1; done"
        )

    async def remove_bond(self, address: str) -> None:
        """Make BlueZ forget a device, as `bluetoothctl remove` does. Raises `MachineError` when it knows none."""
        device = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        await self.sh(
            f"dbus-send --system --print-reply --dest=org.bluez {ADAPTER}"
            f" org.bluez.Adapter1.RemoveDevice objpath:{device}"
        )

    async def bonds(self) -> set[str]:
        """The addresses BlueZ has a long-term key for."""
        found = await self.sh("cd /var/lib/bluetooth; grep -ls LongTermKey */*/info || true")
        return {line.split("/")[1] for line in found.splitlines()}

    # --- the inside ---------------------------------------------------------------------------------------------------

    def console(self) -> str:
        """The last lines of the serial console."""
        return "\n".join(_text(self._console).splitlines()[-TAIL_LINES:])

    def last_words(self, commands: int = 2) -> str:
        """What the last commands said."""
        return "\n".join(f"{command}{command.tail()}" for command in [*self._commands.values()][-commands:])

    def check(self) -> None:
        """Raises `MachineError` when the machine is gone."""
        if self._gone:
            raise MachineError(f"the machine is gone\n{self.console()}")

    def send(self, document: Mapping[str, object]) -> None:
        """One line to the agent in the machine."""
        assert self._writer is not None, "the machine has not booted"
        self._writer.write(json.dumps(document).encode() + b"\n")

    def _note(self, number: int, *lines: str) -> None:
        for line in lines:
            self._transcript.write(f"{time.strftime('%H:%M:%S')} {number:3} {line}\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        with suppress(ConnectionError):
            while line := await reader.readline():
                document = json.loads(line)
                if "ready" in document:
                    self._ready.set()
                else:
                    number = document.pop("id")
                    self._note(number, *(f"{name}: {what}" for name, what in document.items()))
                    self._commands[number].heard(document)
        self._gone = True
        for command in self._commands.values():
            command._changed.set()

    async def _booted(self, qemu: asyncio.subprocess.Process, log: Path) -> None:
        ready = asyncio.ensure_future(self._ready.wait())
        ended = asyncio.ensure_future(qemu.wait())
        try:
            await asyncio.wait({ready, ended}, timeout=BOOT_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                why = "QEMU ended" if ended.done() else f"nothing was heard within {BOOT_LIMIT_S:g} s"
                raise MachineError(f"the machine did not boot: {why}\n{_text(log)}{self.console()}")
        finally:
            ready.cancel()
            ended.cancel()
        await self.powered()

    def _hang_up(self) -> None:
        self._gone = True
        if self._writer is not None:
            self._writer.close()


def _command_line(image: Path, folder: Path, hci_port: int) -> list[str]:
    command = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MB)),
        *("-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{folder / 'console.log'}"),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(folder / "initrd")),
        *("-append", "console=ttyS0 loglevel=5 panic=-1 rdinit=/init"),
        *("-device", "virtio-serial-pci"),
        *("-chardev", f"socket,id=hci,host=127.0.0.1,port={hci_port}"),
        *("-device", "virtserialport,chardev=hci,name=hci"),
        *("-chardev", f"socket,id=command,path={folder / 'command'}"),
        *("-device", "virtserialport,chardev=command,name=command"),
        *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
    ]
    # If the tests themselves are killed outright, the kernel ends the machine too (util-linux, on every Debian).
    if setpriv := shutil.which("setpriv"):
        return [setpriv, "--pdeathsig", "KILL", "--", *command]
    return command


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""


async def _end(qemu: asyncio.subprocess.Process) -> None:
    """There is nothing to save: everything in the machine is in its memory."""
    with suppress(ProcessLookupError):
        qemu.kill()
    async with asyncio.timeout(END_LIMIT_S):
        await qemu.wait()
