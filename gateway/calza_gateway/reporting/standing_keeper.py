"""Keeps `standing.json` up to date without wearing out a memory card: at once what matters, the rest now and then."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

from calza_gateway.reporting.events import Problem, Tell
from calza_gateway.reporting.standing import GatewayStanding
from calza_gateway.reporting.standing_book import KnownProblem
from calza_gateway.reporting.standing_file import SavedStanding, write_standing
from calza_gateway.reporting.upkeep import Overview
from calza_gateway.state.bonds import StateError

CHANGE_GAP_S: Final = 60.0  # a state that flaps all day costs 1,440 writes, a tenth of what the outbox writes
CHANGES_AT_ONCE: Final = 6  # saved up while it is calm, so that a start or an outage is written as it goes
REST_EVERY_S: Final = 1_800.0  # when the next try is, how often a problem was told: 48 writes a day


class StandingKeeper:
    """A chore of `Upkeep`. Its first look replaces what an earlier gateway left behind."""

    def __init__(self, state: Path, tell: Tell) -> None:
        self._state = state
        self._tell = tell
        self._written: SavedStanding | None = None
        self._written_tick_s = 0.0
        self._saved_up = float(CHANGES_AT_ONCE)

    async def see(self, overview: Overview) -> None:
        """Write if it is time."""
        if self._due(_saved(overview), overview.now.tick_s):
            await self.write(overview)

    async def write(self, overview: Overview) -> None:
        """Write in any case, as at the end. A folder that cannot be written is told, and tried again."""
        saved = _saved(overview)
        try:
            await asyncio.to_thread(write_standing, self._state, saved)
        except StateError as error:
            self._tell(Problem(error.code, str(error)))
            return
        tick_s = overview.now.tick_s
        saved_up = self._saved_up + (tick_s - self._written_tick_s) / CHANGE_GAP_S
        self._saved_up = max(0.0, min(saved_up, CHANGES_AT_ONCE) - 1)
        self._written, self._written_tick_s = saved, tick_s

    def _due(self, fresh: SavedStanding, tick_s: float) -> bool:
        if self._written is None:
            return True
        if replace(fresh, written_ms=self._written.written_ms) == self._written:
            return False
        age_s = tick_s - self._written_tick_s
        if _core(fresh.standing, fresh.problems) != _core(self._written.standing, self._written.problems):
            return self._saved_up + age_s / CHANGE_GAP_S >= 1
        return age_s >= REST_EVERY_S


def _saved(overview: Overview) -> SavedStanding:
    return SavedStanding(overview.now.unix_ms, overview.standing, overview.problems)


def _core(standing: GatewayStanding, problems: tuple[KnownProblem, ...]) -> object:
    """What a person would act on."""
    return (
        [(one.name, one.state, one.code, one.resets, one.restarts) for one in standing.adapters],
        [(one.serial, one.state, one.code) for one in standing.stockings],
        [(one.code, one.serial) for one in problems],
    )
