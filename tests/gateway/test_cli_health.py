"""`calza gateway health`: whether a gateway works with a state folder, for the health checks of containers."""

from __future__ import annotations

import time
from pathlib import Path

from typer.testing import CliRunner

from calza_gateway.commands import cli
from calza_gateway.commands.cli_health import SILENT_S
from calza_gateway.reporting.standing import GatewayStanding
from calza_gateway.reporting.standing_file import SavedStanding, write_standing
from calza_gateway.state.lock import only_one


def health(state: Path) -> tuple[int, str]:
    done = CliRunner().invoke(cli.app, ["health", "--state", str(state)])
    return done.exit_code, done.output


def written(state: Path, seconds_ago: float) -> None:
    written_ms = int((time.time() - seconds_ago) * 1000)
    write_standing(state, SavedStanding(written_ms, GatewayStanding((), ()), ()))


def test_nobody_runs(tmp_path: Path) -> None:
    assert health(tmp_path) == (1, f"no gateway runs with {tmp_path}\n")
    written(tmp_path, 0)
    assert health(tmp_path)[0] == 1, "what an earlier one left behind is no sign of life"


def test_one_runs(tmp_path: Path) -> None:
    with only_one(tmp_path):
        assert health(tmp_path) == (0, "ok\n"), "just started: nothing is written yet"
        written(tmp_path, SILENT_S - 60)
        assert health(tmp_path) == (0, "ok\n")


def test_one_hangs(tmp_path: Path) -> None:
    with only_one(tmp_path):
        written(tmp_path, SILENT_S + 60)
        code, said = health(tmp_path)
        assert code == 1
        assert "hangs" in said


def test_what_it_wrote_cannot_be_read(tmp_path: Path) -> None:
    with only_one(tmp_path):
        written(tmp_path, 0)
        (tmp_path / "standing.json").write_text("{", encoding="utf-8")
        assert health(tmp_path)[0] == 1
