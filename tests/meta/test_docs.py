"""What the documents say must be true: links lead somewhere, commands and targets exist, tables are complete."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "wire/*.md", "firmware-sim/*.md", "gateway/*.md", "server/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:make|calza) [^`]+)`")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(text: str) -> Iterator[list[str]]:
    """Every `make ...` and `calza ...` line in fenced blocks and inline code, split into words."""
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
    for line in [*lines, *INLINE.findall(text)]:
        words = line.strip().removeprefix("$ ").split()
        if words and words[0] in {"make", "calza"}:
            yield words


def documented(program: str) -> list[tuple[str, list[str]]]:
    return [
        (relative(path), words)
        for path in DOCUMENTS
        for words in commands(path.read_text(encoding="utf-8"))
        if words[0] == program
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_lead_to_a_file(path: Path) -> None:
    targets = [t.split("#")[0] for t in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in t]
    missing = [t for t in targets if t and not (path.parent / t).exists()]
    assert not missing, f"{relative(path)} links to what is not there: {missing}"


def test_make_targets_named_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[1] for _, words in documented("make") if len(words) > 1}
    assert {"demo", "test"} <= named, "the README names its two commands"
    assert named <= targets, f"documented but not in the Makefile: {sorted(named - targets)}"


def test_calza_commands_named_in_documents_exist() -> None:
    """Each documented command line is asked for its help: an unknown subcommand or option would be refused."""
    from calza.__main__ import PARTS

    seen: set[tuple[str, ...]] = set()
    for _, words in documented("calza"):
        path = [w for w in words[1:] if re.fullmatch(r"[a-z][a-z-]*", w)]
        if path and path[0] in PARTS:
            seen.add((path[0],))
    assert seen, "the documents show at least one calza command"
    for (part,) in sorted(seen):
        done = subprocess.run([sys.executable, "-m", "calza", part, "--help"], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, f"calza {part} --help failed: {done.stderr}"


def test_options_named_in_documents_exist() -> None:
    """An option shown in a document is one the command knows."""
    helps: dict[tuple[str, ...], str] = {}
    for where, words in documented("calza"):
        names: list[str] = []
        for word in words[1:]:
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            names.append(word)
        options = [w.split("=")[0] for w in words if w.startswith("--")]
        if not names or not options:
            continue
        # The longest leading run of words that is a command; what follows are arguments.
        for length in range(min(len(names), 3), 0, -1):
            key = tuple(names[:length])
            if key not in helps:
                done = subprocess.run(
                    [sys.executable, "-m", "calza", *key, "--help"],
                    capture_output=True,
                    text=True,
                    cwd=ROOT,
                    env={"COLUMNS": "300", "NO_COLOR": "1", "PATH": "/usr/bin:/bin"},
                )
                helps[key] = done.stdout if done.returncode == 0 else ""
            if helps[key]:
                unknown = [o for o in options if o not in helps[key]]
                assert not unknown, f"{where}: `{' '.join(words)}` uses unknown options {unknown}"
                break
        else:
            pytest.fail(f"{where}: no such command: {' '.join(words)}")
