"""The folder a fleet lives in: its plan, the fleet file of a server's registry, per stocking flash, bonds and truth.

Knows names and files, not what runs on them. A folder made here, and every file with a key, is its owner's alone.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from calza_sim.private_files import write_private
from calza_wire.minute_block import Side

PLAN_VERSION = 1


class StateError(Exception):
    """The state folder cannot be used. `code` is stable: "in_use", "bad_plan", "no_plan"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class StockingPlan:
    """One stocking: who makes it, which leg, and the name of the scenario its wearer lives."""

    serial: str
    side: Side
    scenario: str


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """All that is needed to make a fleet again: `start_s` is when it was fitted, in true Unix seconds."""

    seed: int
    start_s: float
    timezone: str
    stockings: tuple[StockingPlan, ...]

    def encode(self) -> str:
        """As JSON."""
        return json.dumps({"version": PLAN_VERSION, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def decode(cls, text: str) -> Self:
        """From JSON. Raises ValueError, KeyError or TypeError for anything that is no plan."""
        document = json.loads(text)
        if document["version"] != PLAN_VERSION:
            raise ValueError(f"version {document['version']} is not {PLAN_VERSION}")
        stockings = tuple(
            StockingPlan(str(each["serial"]), Side(each["side"]), str(each["scenario"]))
            for each in document["stockings"]
        )
        return cls(int(document["seed"]), float(document["start_s"]), str(document["timezone"]), stockings)


class StateFolder:
    """An opened folder; only one simulator may have it open. Close it when done."""

    def __init__(self, path: Path) -> None:
        """Create the folder if need be and lock it. Raises StateError "in_use", or OSError."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go by the kernel, however the process ends
        except BlockingIOError:
            os.close(self._lock)
            raise StateError("in_use", f"another simulator is running on {path}") from None

    def close(self) -> None:
        """Unlock the folder."""
        os.close(self._lock)

    def read_plan(self) -> FleetPlan | None:
        """The plan the folder was made with, None for a new folder. Raises StateError "bad_plan"."""
        return read_plan(self.path)

    def write_plan(self, plan: FleetPlan) -> None:
        """Remember the plan."""
        write_private(self.path / "sim.json", plan.encode())

    @property
    def fleet_file(self) -> Path:
        """What a server's registry needs, keys included."""
        return self.path / "fleet.json"

    def flash_file(self, serial: str) -> Path:
        """The flash chip of one stocking."""
        return flash_file(self.path, serial)

    def bonds_file(self, serial: str) -> Path:
        """The bonds of one stocking."""
        return self.path / f"{serial}.bonds.json"

    def truth_files(self, serial: str) -> tuple[Path, Path]:
        """Who wore it when, for people (CSV) and for programs (JSON)."""
        return self.path / f"{serial}.truth.csv", self.path / f"{serial}.truth.json"


def read_plan(folder: Path) -> FleetPlan | None:
    """The plan of a folder somebody else may have open. Raises StateError "bad_plan"."""
    file = folder / "sim.json"
    if not file.exists():
        return None
    try:
        return FleetPlan.decode(file.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise StateError("bad_plan", f"{file} is not a plan of this simulator: {error}") from error


def flash_file(folder: Path, serial: str) -> Path:
    """Where the flash of a stocking is kept in a state folder."""
    return folder / f"{serial}.flash"
