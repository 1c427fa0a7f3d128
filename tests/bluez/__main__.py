"""A machine with real BlueZ, two stockings and a server, for a developer: every line typed is run in it by a shell.

    .venv/bin/python -m tests.bluez --days 1
    calza gateway pair CALZA-0001 --passkey-file /label/CALZA-0001
    calza gateway run --once --json

`!line` is run on this machine instead, with $CONTROL set: `!calza sim fault drop --seconds 5 --control $CONTROL`.
Lines may also come through a pipe; `&` at the end of a line starts it and goes on.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TextIO

from calza_demo.processes import Children
from tests.bluez.image import NoImageError, image_folder
from tests.bluez.machine import Command, Machine
from tests.bluez.stage import start_clinic, start_radio, write_labels

LINE_LIMIT_S = 24 * 3600.0  # a developer knows when to give up; Ctrl-D ends everything
TWO = ("--stocking", "CALZA-0001:left:perfect", "--stocking", "CALZA-0002:right:falls-short")


async def main(days: float, paced: bool) -> None:
    """Bring everything up, obey the lines, take everything down."""
    image = await image_folder()
    with tempfile.TemporaryDirectory(prefix="calza-bluez-") as name:
        async with Children(Path(name) / "logs") as children:
            words = ["--days", f"{days:g}", *TWO, *([] if paced else ["--unpaced"])]
            radio = await start_radio(children, Path(name) / "sim", *words)
            clinic = await start_clinic(children, Path(name) / "server", radio)
            async with Machine.boot(image, radio.hci_port, Path(name) / "machine.log") as machine:
                await machine.forward(clinic.mqtt_port)
                await write_labels(machine, radio)
                say("".join(f"{each}\n" for each in radio.stockings))
                here = {
                    **os.environ,
                    "CONTROL": radio.control,
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                }
                await obey(machine, clinic.environment, here)


async def obey(machine: Machine, inside: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Run every line of standard input."""
    async for line in typed():
        if line.startswith("!"):
            child = await asyncio.create_subprocess_shell(line[1:], env=here, stdin=asyncio.subprocess.DEVNULL)
            say(f"[{await child.wait()}]\n")
            continue
        command = await machine.start("sh", "-c", line.removesuffix("&"), env=inside)
        watching = asyncio.create_task(show(command))
        if not line.endswith("&"):
            await watching


async def show(command: Command) -> None:
    """Print what a command says as it says it, and its exit code."""
    async for stream, line in command.lines(LINE_LIMIT_S):
        say(f"{line}\n", sys.stdout if stream == "out" else sys.stderr)
    say(f"[{command.code}]\n")


def say(text: str, stream: TextIO | None = None) -> None:
    """Write to a stream at once; by default to standard error, which is not what a command in the machine printed."""
    stream = stream or sys.stderr
    stream.write(text)
    stream.flush()


async def typed() -> AsyncIterator[str]:
    """The lines of standard input that are not empty."""
    while True:
        if sys.stdin.isatty():
            say("machine> ")
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line:
            return
        if line := line.strip():
            yield line


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bluez", description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=float, default=1.0, help="days of log in each stocking")
    parser.add_argument(
        "--unpaced", action="store_true", help="move data faster than a radio does; BlueZ then loses some"
    )
    given = parser.parse_args()
    try:
        asyncio.run(main(given.days, not given.unpaced))
    except NoImageError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
