"""A system bus of our own: a real dbus-daemon on a socket in a test's folder."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

CONFIG = """<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
</policy></busconfig>
"""

needs_dbus_daemon = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="needs dbus-daemon (package dbus)")


@asynccontextmanager
async def private_bus(folder: Path) -> AsyncIterator[str]:
    """The address of a bus that lives as long as the block."""
    config, socket = folder / "bus.conf", folder / "bus"
    config.write_text(CONFIG.format(socket=socket))
    daemon = await asyncio.create_subprocess_exec(
        "dbus-daemon", f"--config-file={config}", "--nofork", "--print-address", stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout is not None
    try:
        yield (await daemon.stdout.readline()).decode().strip()
    finally:
        daemon.terminate()
        await daemon.wait()
