"""The fuzzer runs, repeats itself from its seed, and does find a decoder that breaks the rule."""

import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from calza_wire.errors import WireError
from tests.wire.fuzz_decoders import inputs, main, run
from tests.wire.golden import DECODERS

SCRIPT = Path(__file__).with_name("fuzz_decoders.py")


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    """From any folder, as `make fuzz` starts it."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--seconds", "2", "--seed", "20260101"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 20260101" in done.stdout
    found = re.search(r"(\d+) inputs", done.stdout)
    assert found
    assert int(found[1]) > 500


def test_a_seed_is_a_sequence() -> None:
    def first(seed: int) -> list[tuple[str, bytes]]:
        return [(kind, octets) for kind, octets, _ in islice(inputs(seed, list(DECODERS)), 200)]

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert {kind for kind, _ in first(1)} == set(DECODERS)


def test_a_decoder_that_raises_something_else_is_found_and_can_be_replayed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(octets: bytes) -> int:
        if len(octets) > 40:
            raise WireError("too_long", "more than it reads")
        return octets[10]

    assert run(1, 10, {"observation": careless}) == 1
    printed = capsys.readouterr()
    found = re.search(r"--replay (\S+) ([0-9a-f]*)$", printed.out, re.MULTILINE)
    assert found, printed.out
    assert "IndexError" in printed.err
    monkeypatch.setitem(DECODERS, "observation", careless)
    assert main(["--replay", found[1], found[2]]) == 1
    assert main(["--replay", "elapsed-time", found[2]]) == 0
