"""What others do with such minutes: four published ways to tell wear, written down again from their descriptions.

Each answers worn or not worn for every minute held and never says that it does not know. None saw this product's code,
and no figure in them was chosen by us unless it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.states import State

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.recording.grid import MinuteGrid

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    States = npt.NDArray[np.uint8]

COOL_C: Final = 25.0  # clinical.md 5 [V R50]: read 8.86 h for 8.10 h a day
WARM_C: Final = 29.0  # same: 4.91 h
ANKLE_MMHG: Final = 8.0  # clinical.md 5 [P]: the bar of its recommended detector; [V R63] names the method, not the bar
SLOPE_OVER_MIN: Final = 3  # the description gives no window: of 3 to 15 min the best on the fitting seeds, ...
SLOPE_C_PER_MIN: Final = 0.2  # ... and of bars from 0.05 to 0.5, so that the method has its chance


def fixed_25_c(grid: MinuteGrid) -> States:
    """Worn while the skin sensor reads 25 degC or more."""
    return _said(grid, _at_least(grid.skin, COOL_C))


def fixed_29_c(grid: MinuteGrid) -> States:
    """Worn while the skin sensor reads 29 degC or more."""
    return _said(grid, _at_least(grid.skin, WARM_C))


def ankle_8_mmhg(grid: MinuteGrid) -> States:
    """Worn while the ankle presses at 8 mmHg or more."""
    return _said(grid, _at_least(grid.ankle, ANKLE_MMHG))


def slope_edges(grid: MinuteGrid) -> States:
    """Put on at a peak of the temperature's slope, taken off at a trough; what the level is does not matter.

    The slope is that of means over a few minutes before and after; a peak is the steepest minute of a stretch beyond
    the bar. Before the first edge the opposite of it is taken to hold.
    """
    slope = _slope(grid.skin)
    worn = np.zeros(len(grid), np.bool_)
    edges = sorted([(at, True) for at in _peaks(slope)] + [(at, False) for at in _peaks(-slope)])
    if edges and not edges[0][1]:
        worn[: edges[0][0]] = True
    for (at, on), until in zip(edges, [*(at for at, _ in edges[1:]), len(grid)], strict=False):
        worn[at:until] = on
    return _said(grid, worn)


PEERS: Final[Mapping[str, Callable[[MinuteGrid], States]]] = {
    "fixed 25 C": fixed_25_c,
    "fixed 29 C": fixed_29_c,
    "ankle 8 mmHg": ankle_8_mmhg,
    "temperature slope": slope_edges,
}


def _at_least(column: npt.NDArray[np.float32], bar: float) -> Mask:
    with np.errstate(invalid="ignore"):  # a missing reading is no reading above the bar
        return np.asarray(column >= bar)


def _said(grid: MinuteGrid, worn: Mask) -> States:
    said = np.where(worn, State.WORN, State.NOT_WORN).astype(np.uint8)
    said[~grid.present] = State.UNKNOWN
    return said


def _slope(skin: npt.NDArray[np.float32]) -> Floats:
    """degC a minute at the start of each minute, NaN near a missing reading: an edge there cannot be seen."""
    n = SLOPE_OVER_MIN
    total = np.concatenate(([0.0], np.cumsum(np.where(np.isfinite(skin), skin, 0.0), dtype=np.float64)))
    held = np.concatenate(([0], np.cumsum(np.isfinite(skin))))
    slope = np.full(len(skin), np.nan)
    at = np.arange(n, len(skin) - n + 1)
    whole = held[at + n] - held[at - n] == 2 * n
    rise = (total[at + n] - 2.0 * total[at] + total[at - n]) / n
    slope[at[whole]] = rise[whole] / n
    return slope


def _peaks(slope: Floats) -> list[int]:
    """The steepest minute of each stretch in which the slope is beyond the bar."""
    with np.errstate(invalid="ignore"):  # no slope, no peak
        steep = slope >= SLOPE_C_PER_MIN
    edges = np.flatnonzero(np.diff(steep, prepend=False, append=False))
    return [int(a + np.argmax(slope[a:b])) for a, b in edges.reshape(-1, 2)]
