"""In the machine: runs what the host asks for, several commands at once, over one port that speaks JSON lines.

    host:    {"id": 1, "argv": ["calza", "gateway", "scan"], "env": {}, "stdin": ""}     {"id": 1, "signal": 15}
    machine: {"id": 1, "out": "a line"}     {"id": 1, "err": "a line"}     {"id": 1, "exit": 0}

Knows nothing of Calza or Bluetooth. Standard library only.
"""

import json
import os
import subprocess
import threading
from contextlib import suppress
from typing import IO, Any

from tests.bluez.guest.shuttle import port_named

NOT_FOUND = 127  # as a shell says it


class Agent:
    """The commands under way and the one port they all write to."""

    def __init__(self, port: IO[bytes]) -> None:
        self._port = port
        self._writing = threading.Lock()
        self._running: dict[int, subprocess.Popen[str]] = {}

    def serve(self) -> None:
        """Until the host hangs up."""
        self.say({"ready": True})
        for line in self._port:
            request: dict[str, Any] = json.loads(line)
            if "signal" in request:
                self._signal(request["id"], request["signal"])
            else:
                self._start(request["id"], request["argv"], request["env"], request["stdin"])

    def say(self, document: dict[str, object]) -> None:
        """One line to the host."""
        with self._writing:
            octets = json.dumps(document).encode() + b"\n"
            while octets:
                octets = octets[self._port.write(octets) :]

    def _start(self, number: int, argv: list[str], env: dict[str, str], stdin: str) -> None:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **env},
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self.say({"id": number, "err": str(error)})
            self.say({"id": number, "exit": NOT_FOUND})
            return
        self._running[number] = process
        threading.Thread(target=self._attend, args=(number, process, stdin), daemon=True).start()

    def _attend(self, number: int, process: subprocess.Popen[str], stdin: str) -> None:
        assert process.stdin is not None
        streams = [
            threading.Thread(target=self._forward, args=(number, name, stream), daemon=True)
            for name, stream in (("out", process.stdout), ("err", process.stderr))
        ]
        for stream in streams:
            stream.start()
        with suppress(BrokenPipeError):  # it may not want to be told
            process.stdin.write(stdin)
            process.stdin.close()
        code = process.wait()
        for stream in streams:
            stream.join()
        del self._running[number]
        self.say({"id": number, "exit": code})

    def _forward(self, number: int, name: str, stream: IO[str]) -> None:
        for line in stream:
            self.say({"id": number, name: line.rstrip("\n")})

    def _signal(self, number: int, signal: int) -> None:
        process = self._running.get(number)
        if process is not None:
            with suppress(ProcessLookupError):  # it may have ended meanwhile
                os.killpg(process.pid, signal)


def main() -> None:
    """Serve the host."""
    with port_named("command").open("r+b", buffering=0) as port:
        Agent(port).serve()


if __name__ == "__main__":
    main()
