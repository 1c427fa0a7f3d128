"""What an image of ours has installed, laid out beside this environment's packages: for running `calza` with no more.

A folder of links to the distributions on an image's list, and to our own packages. A Python that is given this folder
and not its own site-packages sees what the image's Python sees.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from tests.deploy.compose_file import ROOT

PINNED = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)(?P<rest>.*?)(?=^[a-z#]|\Z)", re.MULTILINE | re.DOTALL
)
HASH = re.compile(r"--hash=(\S+)")
OURS = ("calza", "wire/calza_wire", "firmware-sim/calza_sim", "gateway/calza_gateway", "server/calza_server")


def locked(part: str) -> dict[tuple[str, str], frozenset[str]]:
    """Names and versions in requirements/PART.txt with their hashes."""
    text = (ROOT / f"requirements/{part}.txt").read_text(encoding="utf-8")
    return {(f["name"], f["version"]): frozenset(HASH.findall(f["rest"])) for f in PINNED.finditer(text)}


def lay_out(part: str, folder: Path) -> Path:
    """The folder with what requirements/PART.txt lists; packages of other platforms are not here and are left out."""
    folder.mkdir(parents=True)
    for name, version in locked(part):
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if found.version == version:
            _link(found, folder)
    _link(metadata.distribution("calza"), folder)
    for package in OURS:
        (folder / Path(package).name).symlink_to(ROOT / package)
    return folder


def program(part: str, folder: Path) -> Path:
    """`calza` as the image has it: a program in FOLDER/bin that sees nothing but the packages of its part."""
    packages = lay_out(part, folder / "packages")
    path = folder / "bin/calza"
    path.parent.mkdir()
    text = f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} -S -P -m calza "$@"\n'
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def _link(found: metadata.Distribution, folder: Path) -> None:
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        there = Path(str(found.locate_file(top)))
        if top.endswith(".pth") or not there.exists() or (folder / top).exists():
            continue
        (folder / top).symlink_to(there)
