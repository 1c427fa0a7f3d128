"""Our own sources as a second RAM disk image, which the kernel unpacks beside the cached one: a run needs no rebuild.

Writes the "newc" format of cpio; the kernel takes several archives in a row. Knows no QEMU.
"""

import stat
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUEST = Path(__file__).parent / "guest"
PACKAGES = (ROOT / "calza", ROOT / "wire" / "calza_wire", ROOT / "gateway" / "calza_gateway")
CALZA = b'#!/bin/sh\nexec python3 -m calza "$@"\n'
EXECUTABLE = stat.S_IFREG | 0o755
PLAIN = stat.S_IFREG | 0o644
FOLDER = stat.S_IFDIR | 0o755
END = "TRAILER!!!"


def overlay() -> bytes:
    """The archive: `/init`, the guest's own programs, the command `calza` and the packages a gateway box has."""
    files = {"init": (EXECUTABLE, (GUEST / "init").read_bytes()), "calza/bin/calza": (EXECUTABLE, CALZA)}
    for path in GUEST.glob("*.py"):
        files[f"calza/{path.relative_to(ROOT)}"] = PLAIN, path.read_bytes()
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            files[f"calza/{path.relative_to(package.parent)}"] = PLAIN, path.read_bytes()
    # The kernel makes no folder by itself.
    folders = {str(folder): (FOLDER, b"") for name in files for folder in Path(name).parents if folder.name}
    entries = [*sorted(folders.items()), *files.items(), (END, (0, b""))]
    return b"".join(_entry(number, name, mode, body) for number, (name, (mode, body)) in enumerate(entries, start=1))


def _entry(number: int, name: str, mode: int, body: bytes) -> bytes:
    """One file: magic, thirteen numbers of eight hexadecimal digits, the name, the body; each padded to four octets."""
    label = name.encode() + b"\0"
    numbers = (number, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(label), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in numbers)
    return _padded(header + label) + _padded(body)


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)
