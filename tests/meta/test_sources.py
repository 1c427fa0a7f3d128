"""House rules that no linter knows: size of a module, what its first line says, names that say nothing."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "calza",
    "wire/calza_wire",
    "firmware-sim/calza_sim",
    "gateway/calza_gateway",
    "server/calza_server",
    "demo/calza_demo",
)
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULE_LINES_AT_MOST = 400
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_is_small_named_and_introduced(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MODULE_LINES_AT_MOST, f"{relative(path)} is too long to be one idea"
    assert not NAMES_THAT_SAY_NOTHING & set(path.with_suffix("").parts[len(ROOT.parts) :])
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), f"{relative(path)} does not say what it is"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_nothing_is_silenced_without_a_reason(path: Path) -> None:
    """`noqa` and `type: ignore` carry a reason in words after them."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for mark in ("# noqa", "# type: ignore"):
            if mark in line:
                rest = line.split(mark, 1)[1]
                assert len([w for w in rest.split() if w.isalpha()]) >= 3, f"{relative(path)}:{number} gives no reason"


def test_every_skip_prints_a_reason() -> None:
    listed = subprocess.run(["git", "ls-files", "tests"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "pytest.skip",
                "pytest.mark.skip",
                "pytest.mark.skipif",
            }:
                words = [a for a in ast.walk(node) if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                assert words, f"{name}:{node.lineno} skips without saying why"
