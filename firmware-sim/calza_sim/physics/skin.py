"""Temperature at the skin sensor: it follows the leg when on and its place when off, each with its own time constant.

Between two changes the sensor relaxes towards a target, which is a formula; only the changes are walked through.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.physics import figures_temperature as fig
from calza_sim.physics.away import Away
from calza_sim.physics.figures import ANKLE_MEAN_MMHG
from calza_sim.physics.figures_events import WATER_TAU_S
from calza_sim.wearer import Activity, Itinerary
from calza_sim.wearer_chance import stream

Floats: TypeAlias = NDArray[np.float64]
DAY_S = 86_400.0
YEAR_DAYS = 365.25
_ACTIVITY_C = np.array(fig.SKIN_ACTIVITY_C)


class Home:
    """The room a garment lies in when it is nowhere else: homes, seasons and the hours of the day differ."""

    def __init__(self, *, seed: int, midnight_s: float, conditions: Conditions) -> None:
        drawn_c = float(stream(seed, "home").normal(fig.AMBIENT_MEAN_C, fig.AMBIENT_SD_C))
        given_c = conditions.ambient_mean_c
        self._mean_c = drawn_c if given_c is None else given_c
        self._season_c = fig.AMBIENT_SEASON_C if given_c is None else 0.0
        self._midnight_s = midnight_s

    def at(self, times_s: Floats) -> Floats:
        """The room's temperature, degC."""
        days = times_s / DAY_S - fig.AMBIENT_WARMEST_DAY
        hours = (times_s - self._midnight_s) / 3_600.0 - fig.AMBIENT_WARMEST_H
        seasons = self._season_c * np.cos(days * (2.0 * np.pi / YEAR_DAYS))
        return np.asarray(self._mean_c + seasons + fig.AMBIENT_SWING_C * np.cos(hours * (2.0 * np.pi / 24.0)))


class SkinTemperature:
    """The skin sensor of one leg living one itinerary. Times are true Unix seconds, temperatures degC.

    `ankle_mmhg`: what the garment presses at rest; a tighter one warms more.
    """

    def __init__(
        self,
        life: Itinerary,
        away: Away,
        *,
        seed: int,
        name: str,
        ankle_mmhg: float,
        conditions: Conditions = ORDINARY,
    ) -> None:
        self._home = Home(seed=seed, midnight_s=life.midnight_s, conditions=conditions)
        leg = stream(seed, "skin", name)
        skin_c = _drawn_skin(seed, float(leg.standard_normal()), conditions)
        warming_s, cooling_s = leg.uniform(*fig.WARMING_TAU_S), leg.uniform(*fig.COOLING_TAU_S)
        self._pressed_c = fig.COMPRESSION_WARMS_C * ankle_mmhg / ANKLE_MEAN_MMHG

        # the sensor touches the leg from the middle of donning until the stocking is off
        touches = np.array([edge for each in life.wears for edge in ((each.donning_s + each.on_s) / 2, each.off_s)])
        moves = np.array([edge for each in away.places for edge in (each.start_s, each.end_s)])
        changes = np.unique(np.concatenate([life.bout_start_s, touches, moves]))
        touched = np.searchsorted(touches, changes, side="right")
        on_leg = touched % 2 == 1
        activity = life.activity(changes)
        self._changes_s: Floats = changes
        self._on_leg = on_leg
        self._touched_s = touches[touched - 1] if len(touches) else np.zeros(len(changes))
        self._exercise_c = np.where(
            activity == Activity.WALKING, fig.EXERCISE_SOCKET_C * fig.EXERCISE_STOCKING_SHARE, 0.0
        )
        place_c, self._from_room_c, in_water = _places_at(away, changes)
        self._in_room = ~on_leg & np.isnan(place_c)
        self._constant_c = np.where(on_leg, skin_c + _ACTIVITY_C[activity], np.nan_to_num(place_c))
        self._tau_s = np.where(on_leg, warming_s, np.where(in_water, WATER_TAU_S, cooling_s))
        self._exercised_c = self._exercised()
        self._distance_c = self._distances()

    def at(self, times_s: Floats) -> Floats:
        """The temperature at each time."""
        since = np.maximum(np.searchsorted(self._changes_s, times_s, side="right") - 1, 0)
        faded = np.exp(-np.maximum(times_s - self._changes_s[since], 0.0) / self._tau_s[since])
        return self._target(since, times_s) + self._distance_c[since] * faded

    def _target(self, since: NDArray[np.int64], times_s: Floats) -> Floats:
        room = self._home.at(times_s)
        pressed = self._pressed_c * np.exp(-np.maximum(times_s - self._touched_s[since], 0.0) / fig.COMPRESSION_FADES_S)
        leg = fig.SKIN_FOLLOWS_AMBIENT * (room - fig.AMBIENT_MEAN_C) + pressed + self._exercise(since, times_s)
        off = np.where(self._in_room[since], room + self._from_room_c[since], 0.0)
        return np.asarray(self._constant_c[since] + np.where(self._on_leg[since], leg, off))

    def _exercise(self, since: NDArray[np.int64], times_s: Floats) -> Floats:
        """What walking has warmed the leg by: it builds up and goes slowly, stocking or not."""
        fade = np.exp(-np.maximum(times_s - self._changes_s[since], 0.0) / fig.EXERCISE_TAU_S)
        return np.asarray(self._exercise_c[since] + (self._exercised_c[since] - self._exercise_c[since]) * fade)

    def _exercised(self) -> Floats:
        """The warmth of exercise at each change."""
        kept = np.exp(-np.diff(self._changes_s) / fig.EXERCISE_TAU_S).tolist()
        warmth = [0.0]
        for towards, fade in zip(self._exercise_c[:-1].tolist(), kept, strict=True):
            warmth.append(towards + (warmth[-1] - towards) * fade)
        return np.array(warmth)

    def _distances(self) -> Floats:
        """How far from its target the sensor is at each change: what was left, moved by the step of the target."""
        count = np.arange(len(self._changes_s))
        target_after = self._target(count, self._changes_s)
        target_before = self._target(np.maximum(count - 1, 0), self._changes_s)
        steps = (target_before - target_after).tolist()
        kept = np.exp(-np.diff(self._changes_s) / self._tau_s[:-1]).tolist()
        distances = [0.0]
        for step, fade in zip(steps[1:], kept, strict=True):
            distances.append(distances[-1] * fade + step)
        return np.array(distances)


def _drawn_skin(seed: int, point: float, conditions: Conditions) -> float:
    if conditions.skin_mean_c is not None:
        return conditions.skin_mean_c
    if stream(seed, "veins").random() < fig.INSUFFICIENT_SHARE:
        drawn_c = fig.SKIN_INSUFFICIENT_MEAN_C + fig.SKIN_INSUFFICIENT_SD_C * point
    else:
        drawn_c = fig.SKIN_MEAN_C + fig.SKIN_SD_C * point
    return float(np.clip(drawn_c, *fig.SKIN_RANGE_C))


def _places_at(away: Away, times_s: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """At each time the temperature of the place (NaN: the room), its distance from the room, and whether in water."""
    constant_c = np.full(len(times_s), np.nan)
    from_room_c = np.zeros(len(times_s))
    in_water = np.zeros(len(times_s), dtype=np.bool_)
    for place in away.places:
        rows = slice(*np.searchsorted(times_s, (place.start_s, place.end_s)).tolist())
        constant_c[rows] = np.nan if place.constant_c is None else place.constant_c
        from_room_c[rows] = place.from_room_c
        in_water[rows] = place.in_water
    return constant_c, from_room_c, in_water
