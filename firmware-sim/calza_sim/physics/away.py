"""Where the garment is while it is off the leg: what presses on it, what shakes it and how warm its place is.

Whether it is off the leg is the caller's to know. Of two places at once the later begun one counts, for pressure and
for temperature apart: under a load in a hot attic is both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.physics import figures_events as fig
from calza_sim.physics.figures import LAID_DOWN_MMHG
from calza_sim.physics.wander import Wander
from calza_sim.wearer import Itinerary
from calza_sim.wearer_chance import stream
from calza_sim.wearer_events import OFF_LEG, EventKind, TimedEvent

Floats: TypeAlias = NDArray[np.float64]
DRAWS: Final = 6  # of each event, anew for each spell off the leg; the last three are one for each site
_POCKET_MICRO = np.array(fig.POCKET_MICRO_MMHG)
_PLACE_C: Final = {
    EventKind.HOT_ATTIC: fig.ATTIC_C,
    EventKind.HOT_CAR: fig.CAR_C,
    EventKind.BED_NOT_WORN: fig.BED_C,
    EventKind.POCKET: fig.POCKET_C,
    EventKind.RADIATOR: fig.RADIATOR_C,
    EventKind.WASH: fig.WATER_C,
}
_PRESSING: Final = (EventKind.STORED_UNDER_LOAD, EventKind.STORED_FOLDED, EventKind.BED_NOT_WORN, EventKind.POCKET)


@dataclass(frozen=True, slots=True)
class Place:
    """A time in one place: its temperature, or how far it is from the room's; `in_water` decides how fast it acts."""

    start_s: float
    end_s: float
    constant_c: float | None
    from_room_c: float = 0.0
    in_water: bool = False


class Away:
    """The off-leg events of one itinerary. Times are true Unix seconds."""

    def __init__(self, life: Itinerary, *, seed: int, name: str) -> None:
        self._life = life
        spells = len(life.wears) + 1  # it is laid down anew after each wear
        self._laid = stream(seed, "garment", name).uniform(*LAID_DOWN_MMHG, spells)
        self._off_s = np.array([each.off_s for each in life.wears])
        self._wander = Wander(seed, "away", name)
        self._events = sorted(
            (
                (event, stream(seed, "away", name, number).random((spells if event.kind in _PRESSING else 1, DRAWS)))
                for number, event in enumerate(life.events)
                if event.kind in OFF_LEG
            ),
            key=lambda pair: pair[0].start_s,
        )
        self.places = sorted(
            (place for event, points in self._events for place in _places(event, points[0].tolist())),
            key=lambda place: place.start_s,
        )

    @property
    def washed_s(self) -> Floats:
        """When each wash was out of the water, rising; a wash of a worn garment is none."""
        wet = [each for each in self.places if each.in_water]
        return np.array([each.end_s for each in wet if not self._worn((each.start_s + each.end_s) / 2.0)])

    def pressure(self, times_s: Floats) -> Floats:
        """What presses on each site, mmHg, [n, 3]."""
        spell = np.searchsorted(self._off_s, times_s, side="right")
        mmhg = np.repeat(self._laid[spell][:, None], 3, axis=1)
        for event, points, rows in self._lasting(times_s, _PRESSING):
            mmhg[rows] = self._pressing(event, points[spell[rows]], times_s[rows])
        return mmhg

    def micro(self, times_s: Floats) -> Floats:
        """sd of the quick irregular change, mmHg, [n]."""
        mmhg = np.zeros(len(times_s))
        for event, _, rows in self._lasting(times_s, (EventKind.BED_NOT_WORN, EventKind.POCKET)):
            in_bed = event.kind is EventKind.BED_NOT_WORN
            mmhg[rows] = fig.BED_MICRO_MMHG if in_bed else _POCKET_MICRO[self._life.activity(times_s[rows])]
        if not len(times_s):
            return mmhg
        first_s, last_s = times_s.min(), times_s.max()
        for place in self.places:
            if place.in_water and place.start_s <= last_s and place.end_s > first_s:
                mmhg[(times_s >= place.start_s) & (times_s < place.end_s)] = fig.WASHING_MICRO_MMHG
        return mmhg

    def _worn(self, at_s: float) -> bool:
        return any(each.donning_s <= at_s < each.off_s for each in self._life.wears)

    def _lasting(
        self, times_s: Floats, kinds: tuple[EventKind, ...]
    ) -> Iterator[tuple[TimedEvent, Floats, NDArray[np.int64]]]:
        if not self._events or not len(times_s):
            return
        first_s, last_s = times_s.min(), times_s.max()
        for event, point in self._events:
            if event.kind in kinds and event.start_s <= last_s and event.end_s > first_s:
                yield event, point, np.flatnonzero((times_s >= event.start_s) & (times_s < event.end_s))

    def _pressing(self, event: TimedEvent, points: Floats, times_s: Floats) -> Floats:
        """What presses, [n, 3]; `points` are the draws of the spell off the leg that each time falls in, [n, DRAWS]."""
        match event.kind:
            case EventKind.STORED_UNDER_LOAD:
                load = _between(fig.UNDER_LOAD_MMHG, points[:, :1]) if event.size is None else event.size
                equal = points[:, 1:2] < fig.UNDER_LOAD_EQUAL_SHARE
                parts = np.where(equal, 1.0, _between(fig.UNDER_LOAD_OTHER_SITES, points[:, 3:]))
                return np.asarray(load * parts / parts.max(axis=1, keepdims=True))
            case EventKind.BED_NOT_WORN:
                moved = _between(fig.BED_MMHG, points[:, 3:]) + fig.BED_WANDER_MMHG * self._wander.at(times_s)
                return np.clip(moved, *fig.BED_MMHG)
            case EventKind.POCKET:
                moved = _between(fig.POCKET_MMHG, points[:, 3:]) + fig.POCKET_WANDER_MMHG * self._wander.at(times_s)
                return np.maximum(moved, 0.0)
            case _:
                return np.repeat(_between(fig.FOLDED_MMHG, points[:, :1]), 3, axis=1)


def _places(event: TimedEvent, points: list[float]) -> Iterator[Place]:
    if event.kind not in _PLACE_C:
        return
    warmth = _drawn(_PLACE_C[event.kind], points[0]) if event.size is None else event.size
    if event.kind is not EventKind.WASH:
        yield Place(event.start_s, event.end_s, warmth)
        return
    water_s = min(60.0 * _drawn(fig.WATER_MIN, points[1]), (event.end_s - event.start_s) / 2.0)
    out_s = event.start_s + water_s
    yield Place(event.start_s, out_s, warmth, in_water=True)
    dry_s = max(event.end_s, out_s + 3_600.0 * _drawn(fig.DRYING_H, points[2]))
    yield Place(out_s, dry_s, None, from_room_c=-_drawn(fig.EVAPORATION_C, points[3]))


def _between(bounds: tuple[float, float], points: Floats) -> Floats:
    return np.asarray(bounds[0] + (bounds[1] - bounds[0]) * points)


def _drawn(bounds: tuple[float, float], point: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * point
