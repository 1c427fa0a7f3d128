"""The cached image of the machine, built on first use by `scripts/bluez-image.sh`. Knows nothing of what is in it."""

import asyncio
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bluez-image.sh"
BUILD_LIMIT_S = 1800.0  # a minute and a half on a quick line


class NoImageError(Exception):
    """The image cannot be had here; the message is the script's own last sentence."""


async def image_folder() -> Path:
    """Where `vmlinuz` and `base.cpio.zst` are. Raises `NoImageError`."""
    script = await asyncio.create_subprocess_exec(
        SCRIPT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(BUILD_LIMIT_S):
        out, err = await script.communicate()
    if script.returncode != 0:
        lines = err.decode(errors="replace").strip().splitlines()
        raise NoImageError(lines[-1] if lines else f"{SCRIPT.name} ended with {script.returncode}")
    return Path(out.decode().strip())
