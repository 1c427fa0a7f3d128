"""The gateway can be imported where there is no D-Bus and no POSIX; what needs them asks for them when it is used.

Seen from Linux, so only as far as imports go: other systems were not tried (docs/platforms.md).
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway" / "calza_gateway"
DOORS_TO_BLUEZ = ("calza_gateway.adapters.bluez_",)
ABSENT = {
    "win32": ("dbus_fast", "fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"),
    "darwin": ("dbus_fast",),
    "android": ("dbus_fast", "grp", "pwd"),
}

IMPORT_ALL = """
import importlib, importlib.abc, json, os, pkgutil, sys, types
absent, doors, platform = json.loads(sys.argv[1])
# Libraries choose by platform what to import and would look for what this machine has not: they come first, as
# themselves. Then this machine stops being Linux, and our modules are next.
import asyncio, bleak, bumble.device, ctypes, paho.mqtt.client, rich.progress, sqlite3, ssl, tempfile, typer

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} does not exist on {platform}", name=name)
        return None

for name in [name for name in sys.modules if name.partition(".")[0] in absent]:
    del sys.modules[name]
sys.meta_path.insert(0, Absent())
sys.platform = platform
if platform == "win32":  # names, not behaviour: what a module of ours may look at while it is imported
    for name in ("O_CLOEXEC", "fork", "getuid", "geteuid", "chown", "sync", "uname"):
        delattr(os, name)
    os.O_BINARY, os.O_NOINHERIT = 0x8000, 0x80
    sys.modules["msvcrt"] = types.ModuleType("msvcrt")
import calza_gateway
found = {}
for module in pkgutil.walk_packages(calza_gateway.__path__, "calza_gateway."):
    if module.name.startswith(tuple(doors)):
        continue
    try:
        importlib.import_module(module.name)
    except (ImportError, AttributeError) as error:
        found[module.name] = str(error)
print(json.dumps({"imported": sorted(n for n in sys.modules if n.startswith("calza_gateway")), "failed": found}))
"""


@pytest.mark.parametrize("platform", ABSENT)
def test_every_module_of_the_gateway_can_be_imported_elsewhere(platform: str) -> None:
    asked = json.dumps([ABSENT[platform], DOORS_TO_BLUEZ, platform])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, asked], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["failed"] == {}
    assert len(found["imported"]) > 30, "the modules were not found, so nothing was shown"
    assert not [name for name in found["imported"] if name.startswith(DOORS_TO_BLUEZ)]


def sources() -> list[tuple[str, str]]:
    return [(str(path.relative_to(GATEWAY)), path.read_text(encoding="utf-8")) for path in GATEWAY.rglob("*.py")]


def test_only_the_adapters_for_bluez_know_d_bus() -> None:
    """The import contract says so of imports; this says so of imports inside functions too."""
    knowing = {name for name, text in sources() if re.search(r"^\s*(from|import) dbus_fast\b", text, re.MULTILINE)}
    assert knowing
    assert {name for name in knowing if not name.startswith("adapters/bluez_")} == set()


ASKED = 'if sys.platform == "win32":'  # a module that has something of its own for Windows
POSIX_ONLY = {
    r"\bos\.O_CLOEXEC\b": "Python sets it anyway, and Windows has no such name",
    r"^import fcntl\b": "import it in the function that locks: `file_lock`",
    r"\bos\.(getuid|geteuid|fork|chown|sync)\b": "Windows has none",
}


@pytest.mark.parametrize("pattern", POSIX_ONLY, ids=list(POSIX_ONLY.values()))
def test_nothing_that_only_posix_has_is_used_unasked(pattern: str) -> None:
    using = {name for name, text in sources() if re.search(pattern, text, re.MULTILINE) and ASKED not in text}
    assert using == set(), POSIX_ONLY[pattern]
