"""Another world: legs made from the published figures a second time, sharing no line with the simulator or the server.

Where the simulator samples at 10 Hz and has closed formulas, this one steps second by second through a day and knows
other sensors: noisier ones, slower ones, ones that read nothing at all when still. A detector that is right here and
there has learned about legs, not about a generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DAYS: Final = 14
DAY_MIN: Final = 1440
START_MINUTE: Final = 29_539_830  # 2026-03-01T10:30Z
FIRST_MIDNIGHT: Final = START_MINUTE // DAY_MIN * DAY_MIN
MINUTES: Final = FIRST_MIDNIGHT + (DAYS + 1) * DAY_MIN - START_MINUTE

LYING, SITTING, STANDING, WALKING = range(4)
POSTURE_MMHG: Final = np.array([[0.0, 0.3, 0.5], [0.6, 1.5, 2.0], [1.0, 4.2, 2.0], [1.0, 4.2, 2.0]])
WALKING_SD_MMHG: Final = np.array([2.2, 1.4, 1.6])  # amplitude of 6.4, 4.0 and 4.6 peak to peak as a deviation
FIDGET_SD_MMHG: Final = (0.35, 0.6, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class OtherLeg:
    """One leg's minutes from `start_minute` on (NaN: nothing read), what was true of them, and an order for them."""

    name: str
    start_minute: int
    columns: dict[str, npt.NDArray[np.float32]]
    present: npt.NDArray[np.bool_]
    worn: npt.NDArray[np.bool_]
    order: dict[str, object]


@dataclass(frozen=True, slots=True)
class Away:
    """How the garment lies while it is off the leg."""

    mmhg: tuple[float, float] = (0.0, 3.0)
    equal: bool = True
    stir_mmhg: float = 0.0  # how much it is moved about
    target_c: float | None = None  # None: the room's


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of leg: who wears it, when, and through which sensors."""

    name: str
    wears: Callable[[np.random.Generator, int], list[tuple[float, float]]]
    away: Away = Away()
    ankle_mmhg: float | None = None
    ratio: tuple[float, float, float] = (1.0, 0.72, 0.42)
    skin_c: float | None = None
    room_c: float = 21.0
    noise_mmhg: float = 0.15
    wander_mmhg: float = 0.3
    quantum_mmhg: float = 0.1
    drift_mmhg_per_day: float = 0.0
    lag_min: tuple[float, float] = (5.0, 12.0)
    quiet_nights: bool = False
    dead: tuple[int, ...] = ()
    absent: tuple[str, ...] = ()
    holes: tuple[tuple[int, int], ...] = ()  # minutes from the start
    order: dict[str, object] = field(default_factory=dict)


def _standard(start_minute: int) -> dict[str, object]:
    return {
        "start": datetime.fromtimestamp(start_minute * 60, UTC).isoformat(),
        "timezone": "UTC",
        "phases": [
            {"days": 4, "mode": "continuous", "hours": 23, "ankle_floor_mmhg": 18, "days_required": 4},
            {"days": 10, "mode": "daytime", "hours": 10, "ankle_floor_mmhg": 18, "days_required": 8},
        ],
    }


# --- when it is worn, in hours of the day ---------------------------------------------------------------------------


def as_ordered(chance: np.random.Generator, day: int) -> list[tuple[float, float]]:
    """Four days and nights with a shower, then by day."""
    at = 7.2 + chance.normal(0.0, 0.3)
    if day < 4:
        return [(0.0, at), (at + chance.uniform(0.2, 0.6), 24.0)]
    if day == 4:
        return [(0.0, at), (at + 0.4, 22.0 + chance.normal(0.0, 0.3))]
    return [(at, 22.0 + chance.normal(0.0, 0.4))]


def short_days(chance: np.random.Generator, day: int) -> list[tuple[float, float]]:
    """Five hours a day."""
    at = 9.0 + chance.normal(0.0, 0.5)
    return [(at, at + 5.0 + chance.normal(0.0, 0.2))]


def often_off(chance: np.random.Generator, day: int) -> list[tuple[float, float]]:
    """Taken off and put on again several times a day."""
    edges = np.sort(chance.uniform(6.0, 23.0, 8))
    return [(float(a), float(b)) for a, b in edges.reshape(4, 2) if b - a > 0.7]


def never(chance: np.random.Generator, day: int) -> list[tuple[float, float]]:
    """Not once."""
    return []


def always(chance: np.random.Generator, day: int) -> list[tuple[float, float]]:
    """Day and night, not off for a minute."""
    return [(0.0, 24.0)]


def one_hour(chance: np.random.Generator, day: int) -> list[tuple[float, float]]:
    """Put on for the doctor."""
    at = chance.uniform(9.0, 18.0)
    return [(at, at + 1.0)]


UNDER_LOAD: Final = Away(mmhg=(9.0, 25.0))
KINDS: Final = (
    Kind("plain", as_ordered),
    Kind("noisy", as_ordered, noise_mmhg=1.0, wander_mmhg=0.5),
    Kind("noisy, wandering", as_ordered, noise_mmhg=1.0, wander_mmhg=1.0),
    Kind("without noise", as_ordered, noise_mmhg=0.0, wander_mmhg=0.0),
    Kind("whole mmHg", as_ordered, quantum_mmhg=1.0),
    Kind("winter", as_ordered, skin_c=24.5, room_c=17.0),
    Kind("winter, noisy", as_ordered, skin_c=24.5, room_c=18.5, noise_mmhg=1.0),
    Kind("heat wave", as_ordered, skin_c=34.0, room_c=32.5),
    Kind("slow warmth", as_ordered, lag_min=(15.0, 25.0)),
    Kind("quick warmth", as_ordered, lag_min=(0.7, 1.5)),
    Kind("short days", short_days),
    Kind("short days, noisy", short_days, noise_mmhg=1.0, wander_mmhg=0.8),
    Kind("one hour a day", one_hour),
    Kind("often off", often_off),
    Kind("often off, noisy", often_off, noise_mmhg=1.0),
    Kind("never off", always),
    Kind("never off, noisy", always, noise_mmhg=1.0),
    Kind("still sleeper", as_ordered, quiet_nights=True),
    Kind("weak garment", as_ordered, ankle_mmhg=14.0),
    Kind("calf above ankle", as_ordered, ratio=(1.0, 1.15, 0.5)),
    Kind("reversed", as_ordered, ankle_mmhg=17.8, ratio=(1.0, 1.39, 0.8)),
    Kind("rolled down", as_ordered, ratio=(1.0, 1.3, 0.05)),
    Kind("drifting", as_ordered, drift_mmhg_per_day=0.57),
    Kind("dead thigh", as_ordered, dead=(2,)),
    Kind("dead calf", short_days, dead=(1,)),
    Kind("folded", never),
    Kind("under load", never, UNDER_LOAD),
    Kind("under load, noisy", never, UNDER_LOAD, noise_mmhg=1.0),
    Kind("under load, warm room", never, UNDER_LOAD, room_c=26.5),
    Kind("under uneven load", never, replace(UNDER_LOAD, equal=False)),
    Kind("hot attic", never, room_c=33.0),
    Kind("worn, else under load", short_days, UNDER_LOAD),
    Kind("worn, else under load, noisy", short_days, UNDER_LOAD, noise_mmhg=1.0),
    Kind("worn, else in a pocket", short_days, Away((0.0, 6.0), equal=False, stir_mmhg=0.6, target_c=30.5)),
    Kind("worn, else in bed", short_days, Away((0.0, 5.0), stir_mmhg=0.25, target_c=30.5)),
    Kind("worn, else on a radiator", short_days, Away((0.0, 1.0), target_c=42.0)),
    Kind("worn, else in a car", short_days, Away((0.0, 2.0), stir_mmhg=0.4, target_c=37.0)),
    Kind("no ripple column", as_ordered, absent=("ripple",)),
    Kind("no calf column", as_ordered, absent=("calf",)),
    Kind("no skin column", as_ordered, absent=("skin",)),
    Kind("holes", as_ordered, holes=((2_000, 2_300), (5_000, 8_000), (12_001, 12_004), (15_000, 15_031))),
)


def legs(seed: int) -> Iterator[OtherLeg]:
    """One leg of every kind, each a person of its own."""
    for number, kind in enumerate(KINDS):
        yield leg(kind, np.random.default_rng([seed, number]))


def leg(kind: Kind, chance: np.random.Generator) -> OtherLeg:
    """Live the days second by second and reduce them to minutes."""
    seconds = MINUTES * 60
    hands = _hands(kind, chance)
    pose = np.repeat(_poses(chance, hands), 60)
    place, worn_s, touched = _in_place(hands, seconds, chance)
    handled = (place.max(axis=1) > 0) & ~worn_s
    resting = _resting(kind, chance)
    mmhg = np.empty((MINUTES, 3), np.float64)
    spread = np.empty((MINUTES, 3), np.float64)
    away = _away(kind, hands, seconds, chance)
    fidget = np.array(FIDGET_SD_MMHG)[pose] * _restless(chance, seconds)
    if kind.quiet_nights:
        fidget = np.where(pose == LYING, 0.0, fidget)
    wander = _slow(chance, MINUTES, kind.wander_mmhg)
    gain, offset = chance.normal(1.0, 0.07, 3), np.clip(chance.normal(0.0, 1.5, 3), -3.0, 3.0)
    for site in range(3):
        alive = fidget + WALKING_SD_MMHG[site] * (pose == WALKING) + 3.0 * handled
        on = place[:, site] * (resting[site] + POSTURE_MMHG[pose, site] + alive * chance.standard_normal(seconds))
        off = away[:, site] + kind.away.stir_mmhg * chance.standard_normal(seconds) * (away[:, site] > 0)
        value = np.where(place[:, site] > 0, on, off)
        value = gain[site] * value + offset[site] + kind.noise_mmhg * chance.standard_normal(seconds)
        by_minute = value.reshape(MINUTES, 60)
        drift = kind.drift_mmhg_per_day * np.arange(MINUTES) / DAY_MIN
        mmhg[:, site] = by_minute.mean(axis=1) + drift + wander * chance.choice((-1.0, 1.0))
        spread[:, site] = by_minute.std(axis=1)
        if site in kind.dead:
            mmhg[:, site], spread[:, site] = 0.1, 0.0
    skin = _skin(kind, touched, pose.reshape(MINUTES, 60)[:, 0], chance)
    columns = {
        "ankle": _stepped(mmhg[:, 0], kind.quantum_mmhg),
        "calf": _stepped(mmhg[:, 1], kind.quantum_mmhg),
        "thigh": _stepped(mmhg[:, 2], kind.quantum_mmhg),
        "ripple": _stepped(np.median(spread, axis=1), 0.1),
        "skin": _stepped(skin, 0.05),
    }
    present = np.ones(MINUTES, np.bool_)
    for first, after in kind.holes:
        present[first:after] = False
    for name, column in columns.items():
        column[~present] = np.nan
        if name in kind.absent:
            column[:] = np.nan
    worn = worn_s.reshape(MINUTES, 60).sum(axis=1) >= 30
    return OtherLeg(kind.name, START_MINUTE, columns, present, worn, _standard(START_MINUTE) | kind.order)


def _hands(kind: Kind, chance: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Seconds from the start: hands begin, it sits, hands begin again, it is off; worn lies between the inner two."""
    spans: list[list[float]] = []
    for day in range(DAYS + 1):
        midnight = (FIRST_MIDNIGHT - START_MINUTE + day * DAY_MIN) * 60.0
        for on, off in kind.wears(chance, day):
            if spans and on == 0.0 and spans[-1][1] == midnight:
                spans[-1][1] = midnight + off * 3600.0
            else:
                spans.append([midnight + on * 3600.0, midnight + off * 3600.0])
    found: list[tuple[int, int, int, int]] = []
    free = 120.0  # what came before the first reading cannot be known
    for on, off in spans:
        begin = max(on, free)
        sits = begin + math.exp(chance.uniform(math.log(20.0), math.log(280.0)))
        gone = off + chance.uniform(8.0, 70.0)
        if off - sits > 60.0:
            found.append((round(begin), round(sits), round(off), round(gone)))
            free = gone + 60.0
    return found


def _poses(chance: np.random.Generator, hands: list[tuple[int, int, int, int]]) -> npt.NDArray[np.int64]:
    """Posture by minute: bed from about eleven to seven, else by turns; nobody handles a stocking asleep."""
    pose = np.empty(MINUTES, np.int64)
    minute = 0
    while minute < MINUTES:
        hour = ((START_MINUTE + minute) % DAY_MIN) / 60.0
        if hour < 6.7 or hour > 23.0:
            here, length = LYING, 30
        else:
            here = int(chance.choice((SITTING, STANDING, WALKING), p=(0.55, 0.25, 0.20)))
            length = 1 + int(chance.gamma(2.0, (12.0, 4.0, 3.0)[here - 1]))
        pose[minute : minute + length] = here
        minute += length
    for begin, sits, off, gone in hands:
        for at in (begin, sits, off, gone):
            pose[max(0, at // 60 - 1) : at // 60 + 3] = STANDING
    return pose


def _in_place(
    hands: list[tuple[int, int, int, int]], seconds: int, chance: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.bool_], Floats]:
    """How far each site is in place (1: resting, more: pulled past), worn, and how much of each minute touches skin."""
    place = np.zeros((seconds, 3))
    worn = np.zeros(seconds, np.bool_)
    touched = np.zeros(seconds)
    for begin, sits, off, gone in hands:
        first, last = max(0, begin), min(seconds, gone)
        if first >= last:
            continue
        t = np.arange(first, last, dtype=np.float64)
        for site in range(3):
            reached = begin + (sits - begin) * (site + 0.4) / 3.0
            left = off + (gone - off) * (2 - site + 0.6) / 3.0
            bump = 1.0 + chance.uniform(0.1, 0.7) * np.exp(-np.maximum(t - reached, 0.0) / 20.0)
            place[first:last, site] = np.where((t >= reached) & (t < left), bump, 0.0)
        worn[max(0, sits) : min(seconds, off)] = True
        touched[max(0, (begin + sits) // 2) : last] = 1.0
    return place, worn, touched.reshape(-1, 60).mean(axis=1)


def _resting(kind: Kind, chance: np.random.Generator) -> Floats:
    ankle = kind.ankle_mmhg or float(np.clip(chance.normal(25.8, 5.7), 15.0, 37.0))
    return ankle * np.array(kind.ratio) * np.clip(chance.normal(1.0, 0.06, 3), 0.85, 1.15)


def _away(kind: Kind, hands: list[tuple[int, int, int, int]], seconds: int, chance: np.random.Generator) -> Floats:
    """What presses while it lies about: drawn anew each time it was put down."""
    lies = np.empty((seconds, 3))
    last = 0
    for until in [*(begin for begin, *_ in hands), seconds]:
        drawn = chance.uniform(*kind.away.mmhg, 3)
        lies[last : max(last, until)] = drawn[:1] if kind.away.equal else drawn
        last = max(last, until)
    return lies


def _restless(chance: np.random.Generator, seconds: int) -> Floats:
    return np.repeat(np.exp(0.3 * chance.standard_normal(seconds // 60)), 60)


def _slow(chance: np.random.Generator, minutes: int, sd: float) -> Floats:
    """Noise that remembers about twenty minutes."""
    keep = math.exp(-1.0 / 20.0)
    steps = chance.standard_normal(minutes) * sd * math.sqrt(1.0 - keep * keep)
    out = np.empty(minutes)
    value = 0.0
    for i, step in enumerate(steps.tolist()):
        value = keep * value + step
        out[i] = value
    return out


def _skin(kind: Kind, touched: Floats, pose: npt.NDArray[np.int64], chance: np.random.Generator) -> Floats:
    leg_c = kind.skin_c if kind.skin_c is not None else float(np.clip(chance.normal(31.8, 1.2), 29.0, 35.0))
    on_lag, off_lag = kind.lag_min
    swing = 1.5 * np.cos((np.arange(MINUTES) + START_MINUTE % DAY_MIN - 960) * (2.0 * math.pi / DAY_MIN))
    room = kind.room_c + swing
    lies = room if kind.away.target_c is None else np.full(MINUTES, kind.away.target_c)
    warm = leg_c + 0.1 * swing + 0.7 * (pose == WALKING) + 0.4 * (pose == LYING)
    out = np.empty(MINUTES)
    value = float(lies[0])
    for i, share in enumerate(touched.tolist()):
        target = share * warm[i] + (1.0 - share) * lies[i]
        lag = on_lag if share >= 0.5 else off_lag
        value += (target - value) * (1.0 - math.exp(-1.0 / lag))
        out[i] = value
    return out + chance.normal(0.0, 0.3) + chance.normal(0.0, 0.1, MINUTES)


def _stepped(values: Floats, step: float) -> npt.NDArray[np.float32]:
    return (np.round(values / step) * step).astype(np.float32)
