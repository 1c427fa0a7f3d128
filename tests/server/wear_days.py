"""Minutes of a made-up leg for tests: plain enough to see what is true, and nothing in it comes from the detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from calza_server.domain.recording.grid import MinuteGrid

DAY = 1440
START = 29_542_110  # 2026-03-03T08:30Z, any minute will do

Mask = npt.NDArray[np.bool_]


def worn_between(minutes: int, *spans: tuple[int, int]) -> Mask:
    """A truth: worn in the given spans of minutes, not otherwise."""
    worn = np.zeros(minutes, np.bool_)
    for start, end in spans:
        worn[start:end] = True
    return worn


def every_day(days: int, start: int, end: int) -> Mask:
    """A truth: worn each day from one minute of the day to another."""
    return np.tile(worn_between(DAY, (start, end)), days)


def grid_of(
    worn: Mask,
    *,
    ambient_c: float = 20.0,
    leg_c: float = 31.5,
    mmhg: tuple[float, float, float] = (26.0, 18.5, 10.0),
    idle_mmhg: tuple[float, float, float] = (0.5, 0.3, 0.2),
    ripple: float = 0.6,
    idle_ripple: float = 0.12,
    idle_spread: float = 0.03,
    seed: int = 7,
) -> MinuteGrid:
    """What a stocking would have recorded: pressure at once, warmth with a lag, ripple while alive, and noise.

    A leg is livelier in one minute than in another; what is off the leg shows the noise of its sensor, known to 3 % by
    600 samples, unless it is shaken (`idle_spread`).
    """
    rng = np.random.default_rng(seed)
    n = len(worn)
    grid = MinuteGrid.empty(START, START + n)
    for site, on, off in zip((grid.ankle, grid.calf, grid.thigh), mmhg, idle_mmhg, strict=True):
        site[:] = np.maximum(0.0, np.where(worn, on, off) + rng.normal(0, 0.3, n))
    grid.ripple[:] = np.where(worn, ripple, idle_ripple) * rng.lognormal(0.0, np.where(worn, 0.3, idle_spread))
    skin = leg_c if worn[0] else ambient_c
    for i in range(n):
        target, tau = (leg_c, 5.0) if worn[i] else (ambient_c, 12.0)
        skin += (target - skin) / tau
        grid.skin[i] = skin
    grid.skin[:] += rng.normal(0, 0.1, n).astype(np.float32)
    grid.present[:] = True
    grid.record[:] = np.arange(n) // 60
    grid.log[:] = 0
    return replace(grid, logs=(b"log-one.",))


def without(grid: MinuteGrid, *spans: tuple[int, int]) -> MinuteGrid:
    """The same recording with holes in it."""
    gone = worn_between(len(grid), *spans)
    columns = {}
    for name in ("ankle", "calf", "thigh", "ripple", "skin"):
        column = getattr(grid, name).copy()
        column[gone] = np.nan
        columns[name] = column
    return replace(
        grid,
        **columns,
        present=grid.present & ~gone,
        record=np.where(gone, -1, grid.record),
        log=np.where(gone, -1, grid.log).astype(np.int16),
    )
