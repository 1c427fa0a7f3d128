"""What goes wrong with a garment on the leg: rolled down, rolled up, wrinkled, or a knee bent in it.

Each event comes on and goes away gradually. Whether the garment is on the leg at all is the caller's to know.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.physics import figures_events as fig
from calza_sim.wearer import Itinerary
from calza_sim.wearer_chance import stream
from calza_sim.wearer_events import EventKind, TimedEvent

Floats: TypeAlias = NDArray[np.float64]
ANKLE, CALF, THIGH = range(3)
_KINDS: Final = (EventKind.ROLLED_DOWN, EventKind.ROLLED_BAND, EventKind.WRINKLE, EventKind.KNEE_FLEXED)


class Misfits:
    """The on-leg events of one itinerary and what each does to the pressures."""

    def __init__(self, life: Itinerary, *, seed: int, name: str) -> None:
        points = stream(seed, "misfit", name).random(len(life.events)).tolist()  # every event has its own, used or not
        self._events = [pair for pair in zip(life.events, points, strict=True) if pair[0].kind in _KINDS]

    def apply(self, times_s: Floats, mmhg: Floats) -> None:
        """Change the pressures of a garment on the leg, [n, 3], where an event lasts."""
        if not len(times_s):
            return
        first_s, last_s = times_s.min(), times_s.max()
        for event, point in self._events:
            if event.start_s > last_s or event.end_s <= first_s:
                continue
            rows = np.flatnonzero((times_s >= event.start_s) & (times_s < event.end_s))
            mmhg[rows] = _changed(event, point, mmhg[rows], _amount(event, times_s[rows]))


def _amount(event: TimedEvent, times_s: Floats) -> Floats:
    """How far the event has come, 0 to 1."""
    bent = event.kind is EventKind.KNEE_FLEXED
    coming_s, going_s = (fig.BENDING_S,) * 2 if bent else (fig.SLIPPING_S, fig.PULLED_STRAIGHT_S)
    return np.asarray(
        np.clip(np.minimum((times_s - event.start_s) / coming_s, (event.end_s - times_s) / going_s), 0, 1)
    )


def _changed(event: TimedEvent, point: float, mmhg: Floats, amount: Floats) -> Floats:
    out = mmhg.copy()
    match event.kind:
        case EventKind.ROLLED_DOWN:
            bare = _between(fig.ROLLED_DOWN_THIGH_MMHG, point)
            out[:, THIGH] += amount * (np.minimum(bare, mmhg[:, THIGH]) - mmhg[:, THIGH])
            out[:, CALF] *= 1.0 + amount * (fig.DOUBLED_FACTOR - 1.0)
        case EventKind.ROLLED_BAND:
            out[:, THIGH] *= 1.0 + amount * (_between(fig.ROLLED_BAND_FACTOR, point) - 1.0)
        case EventKind.WRINKLE:
            site = ANKLE if event.site is None else event.site
            out[:, site] += amount * (_between(fig.WRINKLE_MMHG, point) if event.size is None else event.size)
        case EventKind.KNEE_FLEXED:
            peak = _between(fig.KNEE_PEAK_MMHG, point) if event.size is None else event.size
            for site in (CALF, THIGH) if event.site is None else (event.site,):
                out[:, site] += amount * np.maximum(peak - mmhg[:, site], 0.0)
    return out


def _between(bounds: tuple[float, float], point: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * point
