"""The distribution holds what it needs and nothing else; the locks pin every dependency and name no index."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def canonical(requirement: str) -> str:
    name = re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0]
    return name.lower().replace("_", "-")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_names_no_index_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text, "an address in a lock file ties every user to one index"
    assert not re.search(r"^\s*-{1,2}(i|f|index|extra|find|trusted)", text, re.MULTILINE)
    blocks = re.split(r"\n(?=[a-z])", text)
    pinned = [block for block in blocks if re.match(r"[a-z0-9-]+==", block)]
    assert len(pinned) > (1 if lock.name == "build.txt" else 20)  # one builds with next to nothing
    assert all("--hash=sha256:" in block for block in pinned)


def test_every_dependency_is_pinned() -> None:
    runtime = {canonical(r) for r in PROJECT["dependencies"]}
    development = runtime | {canonical(r) for r in PROJECT["optional-dependencies"]["dev"]}
    for name, wanted in (("runtime.txt", runtime), ("dev.txt", development)):
        lock = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
        assert wanted <= pinned, f"{name} lacks {sorted(wanted - pinned)}: run `make lock`"


def test_wheel_holds_every_package_with_its_data(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("calza-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in ("calza", "calza_wire", "calza_sim", "calza_gateway", "calza_server", "calza_demo"):
        assert f"{package}/__init__.py" in names
        assert f"{package}/py.typed" in names
    assert "calza_server/data/presets.json" in names
    assert any(name.startswith("calza_server/web/") and name.endswith(".html") for name in names)
    assert any(name.startswith("calza_server/web/") and name.endswith(".css") for name in names)
    assert not [name for name in names if name.startswith("tests/")]
