"""Files a person would bring to `calza verdict`: minutes and an order, and the command run on them in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typer.testing import CliRunner

from calza_server.commands.verdict_cli import app

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from calza_server.domain.recording.grid import MinuteGrid

HEADER = "time,ankle,calf,thigh,ripple,skin"
DIGITS = {"ankle": 1, "calf": 1, "thigh": 1, "ripple": 2, "skin": 1}


def csv_of(grid: MinuteGrid, columns: Iterable[str] = DIGITS) -> str:
    """The minutes of a grid as a table, as a device with few digits would write it."""
    columns = tuple(columns)
    times = np.datetime_as_string(np.arange(grid.start_minute, grid.end_minute).astype("datetime64[m]"), unit="m")
    lines = [",".join(["time", *columns])]
    for at in np.flatnonzero(grid.present):
        figures = (f"{getattr(grid, name)[at]:.{DIGITS[name]}f}" for name in columns)
        lines.append(f"{times[at]}Z,{','.join(figures)}")
    return "\n".join([*lines, ""])


@dataclass
class Ran:
    """What became of one command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """What was printed, as JSON."""
        assert self.code == 0, self.err
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def sentence(self) -> str:
        """The one sentence of a refusal, which is all there is."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        return line


def ran(*words: str | Path) -> Ran:
    """`calza verdict` with these words."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)


@dataclass
class Desk:
    """A folder with an order and a table in it."""

    folder: Path

    @property
    def order(self) -> Path:
        """rx.json."""
        return self.folder / "rx.json"

    @property
    def minutes(self) -> Path:
        """minutes.csv."""
        return self.folder / "minutes.csv"

    @property
    def both(self) -> tuple[str, ...]:
        """The two options most commands need."""
        return ("--prescription", str(self.order), "--minutes", str(self.minutes))

    def lay(self, order: Mapping[str, object], minutes: str | MinuteGrid) -> Desk:
        """Put an order and a table there."""
        self.order.write_text(json.dumps(order, indent=1))
        self.minutes.write_text(minutes if isinstance(minutes, str) else csv_of(minutes))
        return self

    def compute(self, *words: str) -> dict[str, object]:
        """The JSON of `compute`."""
        return ran("compute", *self.both, "--json", *words).document
