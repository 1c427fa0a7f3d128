"""A second maker of legs, written from the physical notes alone: it shares nothing with the simulator but the reader.

A detector tuned on one generator learns that generator. Here everything the notes leave open is a parameter: how noisy
the sensors are, how slowly warmth follows, how fast a stocking goes on, what it lies in meanwhile, what breaks.
Times are minutes of the record; a stocking is worn from being fully on until taking off begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from calza_server.domain.recording.grid import MinuteGrid
from tests.server.wear_days import DAY, START

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PARTS = 12  # looks at the slow course within each minute
SAMPLES = 600
SLEEP, SIT, STAND, WALK = range(4)
POSTURE_MMHG = np.array([(0.0, 0.0, 0.0), (0.3, 1.2, 2.0), (0.5, 4.2, 1.0), (0.5, 4.2, 1.0)])
WAKING = {"bouts": (0.55, 0.27, 0.18), "sedentary": (0.94, 0.03, 0.03), "even": (1.0, 0.0, 0.0)}
WARMTH_C = np.array([0.4, 0.0, -0.2, 1.0])


class Idle(StrEnum):
    """Where the stocking is while it is not on the leg."""

    FOLDED = "folded"
    LOAD = "load"
    ATTIC = "attic"
    CAR = "car"
    RADIATOR = "radiator"
    WASH = "wash"
    POCKET = "pocket"
    BED = "bed"


IDLE_C = {Idle.ATTIC: 33.0, Idle.CAR: 42.0, Idle.RADIATOR: 44.0, Idle.WASH: 38.0, Idle.POCKET: 31.0, Idle.BED: 30.5}


class Trouble(StrEnum):
    """What is wrong with the stocking while it is on the leg."""

    ROLLED_DOWN = "rolled down"
    ROLLED_BAND = "rolled band"
    WRINKLE = "wrinkle"
    KNEE = "knee flexed"
    STILL = "still"


@dataclass(frozen=True, slots=True)
class During:
    """Something from one minute of the record to another; levels and size in mmHg or degC, where the kind takes one."""

    kind: Idle | Trouble
    start: float
    end: float
    levels: tuple[float, float, float] = (14.0, 14.0, 14.0)
    site: int = 0
    size: float | None = None


@dataclass(frozen=True, slots=True)
class SecondLeg:
    """One leg and its stocking. `life`: bouts (sits, stands, walks, sleeps), sedentary, even (never but sits)."""

    worn: tuple[tuple[float, float], ...]
    days: float = 4
    seed: int = 0
    resting_mmhg: tuple[float, float, float] = (26.0, 18.7, 10.4)
    garment: float = 1.0
    donning_min: float = 2.0
    doffing_min: float = 0.7
    overshoot: float = 1.4
    ordered: bool = True  # ankle, then calf, then thigh; else all at once
    during: tuple[During, ...] = ()
    idle: Idle = Idle.FOLDED
    idle_mmhg: tuple[float, float, float] | None = None  # what it is pressed by when idle; None: drawn, 0 to 5
    skin_c: float = 31.5
    ambient_c: float = 21.0
    swing_c: float = 2.0
    tau_on: float = 5.0
    tau_off: float = 10.0
    skin_noise_c: float = 0.1
    life: str = "bouts"
    liveliness: float = 1.0
    gait_scatter_mmhg: float = 0.3  # how much the mean of a walking minute strays
    noise_mmhg: float = 0.12  # sd of one 10 Hz sample
    mean_noise_mmhg: float = 0.0  # sd of a minute's mean beyond that
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset_mmhg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    drift_per_day: float = 0.0
    still_ripple_zero: bool = False  # the ripple column holds movement alone
    resolution_mmhg: float = 0.1
    below_zero: bool = True
    absent: tuple[str, ...] = ()
    empty: float = 0.0  # share of cells that hold nothing
    gaps: tuple[tuple[int, int], ...] = ()
    dead: tuple[tuple[int, float], ...] = ()  # site, from minute: reads a constant near zero
    start: int = START

    @property
    def minutes(self) -> int:
        """How long the record is."""
        return int(self.days * DAY)

    def truth(self) -> Mask:
        """Worn for at least half of the minute."""
        edges = np.arange(self.minutes + 1, dtype=float)
        seconds = np.zeros(self.minutes + 1)
        for on, off in self.worn:
            seconds += np.clip(edges - on, 0.0, off - on)
        return np.diff(seconds) >= 0.5

    def grid(self) -> MinuteGrid:
        """What the stocking recorded."""
        chance = np.random.default_rng([self.seed, 17])
        n = self.minutes
        at = (np.arange(n * PARTS) + 0.5) / PARTS
        activity, restless = _activity(self, chance)
        place, handled, in_hand = _in_place(self, at)
        slow = np.repeat(_resting(self, activity, chance), PARTS, axis=0) * place
        idle = np.repeat(_idle_pressure(self, chance), PARTS, axis=0)
        slow = (slow + np.where(handled[:, None], 0.0, idle)).reshape(n, PARTS, 3)
        on_leg = handled.reshape(n, PARTS).mean(axis=1)
        moving = np.sqrt(on_leg) * _movement(self, activity, restless, chance)
        moving = np.sqrt(moving**2 + 4.0 * in_hand.reshape(n, PARTS).mean(axis=1) + _idle_movement(self, chance) ** 2)
        gain, drift = np.array(self.gain), _drift(self, chance)
        stray = self.gait_scatter_mmhg * chance.standard_normal((n, 3)) * (activity == WALK)[:, None] * on_leg[:, None]
        mean = gain * (slow.mean(axis=1) + stray) + np.array(self.offset_mmhg) + drift
        mean += chance.standard_normal((n, 3)) * np.hypot(self.mean_noise_mmhg, self.noise_mmhg / np.sqrt(SAMPLES))
        noise = 0.0 if self.still_ripple_zero else self.noise_mmhg
        white = np.sqrt(chance.chisquare(SAMPLES - 1, (n, 3)) / SAMPLES)
        deviation = gain * np.sqrt(slow.var(axis=1) + (moving[:, None] ** 2 + noise**2) * white**2)
        for site, since in self.dead:
            mean[int(since) :, site] = 0.0
            deviation[int(since) :, site] = 0.0
        ripple = np.median(deviation, axis=1)
        return _recorded(self, mean, ripple, _skin(self, activity, on_leg, chance), chance)


def _recorded(leg: SecondLeg, mean: Floats, ripple: Floats, skin: Floats, chance: np.random.Generator) -> MinuteGrid:
    n = leg.minutes
    grid = MinuteGrid.empty(leg.start, leg.start + n, logs=(b"second..",))
    if not leg.below_zero:
        mean = np.maximum(mean, 0.0)
    if leg.resolution_mmhg:
        mean = np.rint(mean / leg.resolution_mmhg) * leg.resolution_mmhg
        ripple = np.rint(ripple / leg.resolution_mmhg) * leg.resolution_mmhg
    for name, column in zip(("ankle", "calf", "thigh", "ripple", "skin"), (*mean.T, ripple, skin), strict=True):
        if name not in leg.absent:
            getattr(grid, name)[:] = np.where(chance.random(n) < leg.empty, np.nan, column)
    grid.present[:] = True
    for start, end in leg.gaps:
        grid.present[start:end] = False
        for name in ("ankle", "calf", "thigh", "ripple", "skin"):
            getattr(grid, name)[start:end] = np.nan
    grid.record[:] = np.where(grid.present, np.arange(n) // 60, -1)
    grid.log[:] = np.where(grid.present, 0, -1)
    return grid


def _activity(leg: SecondLeg, chance: np.random.Generator) -> tuple[npt.NDArray[np.int64], Floats]:
    """What the wearer does each minute, and how lively movement is in it."""
    n = leg.minutes
    out = np.full(n, SIT)
    at = 0
    while at < n:
        hour = (at + leg.start) % DAY / 60.0
        asleep = hour < 6.7 or hour >= 22.7
        kind = SLEEP if asleep else int(chance.choice([SIT, STAND, WALK], p=WAKING[leg.life]))
        length = max(1, int(chance.lognormal(np.log((30.0, 22.0, 8.0, 6.0)[kind]), 0.6)))
        out[at : at + length] = kind
        at += length
    if leg.life == "even":
        out[:] = SIT
    for one in leg.during:
        if one.kind is Trouble.STILL:
            out[int(one.start) : int(one.end)] = SLEEP
    return out, chance.lognormal(0.0, 0.25, n)


def _movement(leg: SecondLeg, activity: npt.NDArray[np.int64], restless: Floats, chance: np.random.Generator) -> Floats:
    """Root mean square of quick movement on the leg, mmHg: breath, pulse, fidgeting, gait."""
    fidget = leg.liveliness * np.array([0.22, 0.5, 0.7, 0.9])[activity] * restless
    gait = np.where(activity == WALK, 1.7 * leg.liveliness * chance.lognormal(0.0, 0.15, len(activity)), 0.0)
    moving = np.sqrt(0.2**2 + fidget**2 + gait**2)
    for one in leg.during:
        if one.kind is Trouble.STILL:
            moving[int(one.start) : int(one.end)] = 0.2 if one.size is None else one.size
    return np.asarray(moving)


def _resting(leg: SecondLeg, activity: npt.NDArray[np.int64], chance: np.random.Generator) -> Floats:
    """What each site is pressed by on the leg, minute by minute."""
    n = leg.minutes
    base = np.repeat(np.array(leg.resting_mmhg)[None] * leg.garment, n, axis=0)
    change = np.flatnonzero(np.diff(activity, prepend=-1))
    bout = np.searchsorted(change, np.arange(n), side="right") - 1
    base += POSTURE_MMHG[activity] + (chance.standard_normal((len(change), 3)) * 0.5)[bout]
    minute = np.arange(n)
    for one in leg.during:
        now = (minute >= one.start) & (minute < one.end)
        if one.kind is Trouble.ROLLED_DOWN:
            base[now, 2] = 1.5
            base[now, 1] *= 1.7
        elif one.kind is Trouble.ROLLED_BAND:
            base[now, 2] *= 1.7 if one.size is None else one.size
        elif one.kind is Trouble.WRINKLE:
            base[now, one.site] += 20.0 if one.size is None else one.size
        elif one.kind is Trouble.KNEE:
            base[now, 2] = np.maximum(base[now, 2], 29.0) if one.size is None else one.size
    return base


def _in_place(leg: SecondLeg, at: Floats) -> tuple[Floats, Mask, Mask]:
    """Share of its resting pressure each site has; whether leg or hands have the garment; whether hands have it."""
    place = np.zeros((len(at), 3))
    handled = np.zeros(len(at), np.bool_)
    in_hand = np.zeros(len(at), np.bool_)
    starts, rise = (np.array([0.0, 0.35, 0.7]), 0.3) if leg.ordered else (np.zeros(3), 1.0)
    for on, off in leg.worn:
        donning, doffing = max(leg.donning_min, 1e-6), max(leg.doffing_min, 1e-6)
        inside = (at >= on - donning) & (at < off + doffing)
        now = at[inside]
        risen = np.clip(((now - on) / donning + 1.0)[:, None] / rise - starts / rise, 0.0, 1.0)
        since = np.maximum(now[:, None] - (on - donning * (1.0 - starts - rise)), 0.0)
        bump = 1.0 + (leg.overshoot - 1.0) * np.exp(-since / 0.5) * (risen >= 1.0)
        fallen = np.clip(((now - off) / doffing)[:, None] / rise - starts[::-1] / rise, 0.0, 1.0)
        settled = 1.0 - 0.03 * -np.expm1(-np.maximum(now - on, 0.0) / 20.0)
        place[inside] = risen * bump * (1.0 - fallen) * settled[:, None]
        handled[inside] = True
        in_hand[inside] = (now < on) | (now >= off)
    return place, handled, in_hand


def _idle_pressure(leg: SecondLeg, chance: np.random.Generator) -> Floats:
    n = leg.minutes
    out = np.zeros((n, 3))
    ends = [0, *(int(off) for _, off in leg.worn), n]
    for start, end in pairwise(ends):
        out[start:end] = chance.uniform(0.0, 5.0) if leg.idle_mmhg is None else leg.idle_mmhg
    for one in leg.during:
        span = slice(int(one.start), int(one.end))
        if one.kind is Idle.LOAD:
            out[span] = one.levels
        elif one.kind in {Idle.ATTIC, Idle.CAR, Idle.RADIATOR, Idle.WASH}:
            out[span] = 0.2
        elif one.kind in {Idle.POCKET, Idle.BED}:
            most = (6.0 if one.kind is Idle.POCKET else 5.0) if one.size is None else one.size
            length = len(out[span])
            walk = np.cumsum(chance.normal(0.0, 0.8 if one.kind is Idle.POCKET else 0.2, (length, 3)), axis=0)
            out[span] = np.abs((walk + chance.uniform(0, most, 3) + most) % (2 * most) - most)
    return out


def _idle_movement(leg: SecondLeg, chance: np.random.Generator) -> Floats:
    """Movement that is not the leg's, mmHg."""
    out = np.zeros(leg.minutes)
    for one in leg.during:
        span = slice(int(one.start), int(one.end))
        if one.kind is Idle.POCKET:
            out[span] = chance.lognormal(np.log(0.35), 0.6, len(out[span]))
        elif one.kind is Idle.BED:
            out[span] = chance.lognormal(np.log(0.12), 0.5, len(out[span]))
        elif one.kind is Idle.WASH:
            out[span] = 1.0
    return out


def _skin(leg: SecondLeg, activity: npt.NDArray[np.int64], on_leg: Floats, chance: np.random.Generator) -> Floats:
    n = leg.minutes
    hours = (np.arange(n) + leg.start) % DAY / 60.0
    room = leg.ambient_c + leg.swing_c * np.cos((hours - 16.0) * np.pi / 12.0)
    away = room.copy()
    for one in leg.during:
        if one.kind in IDLE_C:
            away[int(one.start) : int(one.end)] = IDLE_C[Idle(one.kind)] if one.size is None else one.size
    warm = leg.skin_c + WARMTH_C[activity] + 0.1 * (room - leg.ambient_c)
    out = np.empty(n)
    now = warm[0] if on_leg[0] > 0.5 else away[0]
    keep_on, keep_off = np.exp(-1.0 / leg.tau_on), np.exp(-1.0 / leg.tau_off)
    for i in range(n):
        target, keep = (warm[i], keep_on) if on_leg[i] > 0.5 else (away[i], keep_off)
        now = target + (now - target) * keep
        out[i] = now
    return out + chance.normal(0.0, leg.skin_noise_c, n)


def _drift(leg: SecondLeg, chance: np.random.Generator) -> Floats:
    """A random walk of each site's offset, reflected at 5 mmHg."""
    days = int(np.ceil(leg.days)) + 1
    walk = np.cumsum(chance.normal(0.0, leg.drift_per_day, (days + 1, 3)), axis=0)
    walk = np.abs((walk + 5.0) % 20.0 - 10.0) - 5.0 if leg.drift_per_day else walk * 0.0
    at = np.arange(leg.minutes) / DAY
    return np.stack([np.interp(at, np.arange(days + 1), walk[:, site]) for site in range(3)], axis=1)


def daytime(
    days: int, *, on: float = 7.5, off: float = 22.0, seed: int = 0, jitter: float = 0.3
) -> tuple[tuple[float, float], ...]:
    """Worn each day from one UTC hour to another, give or take; the record begins at START."""
    chance = np.random.default_rng([seed, 23])
    first = START % DAY / 60.0
    spans = []
    for day in range(days):
        a, b = (24 * day + hour + jitter * float(chance.uniform(-1, 1)) - first for hour in (on, off))
        if a * 60 > 10 and b * 60 < days * DAY - 10:
            spans.append((a * 60, b * 60))
    return tuple(spans)


def continuous(
    days: int, *, shower_min: float = 25.0, seed: int = 0, hour: float = 7.4
) -> tuple[tuple[float, float], ...]:
    """Worn from the first minute to the last, less a shower each day (none if it takes no time)."""
    if shower_min <= 0:
        return ((-60.0, days * DAY + 60.0),)
    chance = np.random.default_rng([seed, 29])
    spans, at = [], -60.0
    for day in range(days):
        start = (24 * day + hour + float(chance.uniform(-0.3, 0.3))) * 60 - START % DAY
        spans.append((at, start))
        at = start + shower_min * float(chance.uniform(0.85, 1.15))
    return (*spans, (at, days * DAY + 60.0))


def anyone(seed: int, days: int = 6) -> SecondLeg:
    """Somebody: every parameter drawn anew from what the notes allow."""
    chance = np.random.default_rng([seed, 31])
    pattern = int(chance.integers(0, 6))
    worn = (
        daytime(days, seed=seed),
        continuous(days, seed=seed, shower_min=float(chance.choice([10.0, 15.0, 25.0, 45.0]))),
        continuous(days, shower_min=0.0),
        daytime(days, seed=seed, on=float(chance.uniform(8, 14)), off=float(chance.uniform(15, 20))),
        daytime(days, seed=seed, on=12.0, off=13.0, jitter=0.05),
        (),
    )[pattern]
    ankle = float(np.clip(chance.normal(25.84, 5.7), 11, 37))
    ratio = (1.0, float(chance.uniform(0.55, 1.2)), float(chance.uniform(0.25, 0.6)))
    skin = float(chance.choice([chance.normal(31.7, 1.3), chance.uniform(22.5, 27)], p=[0.8, 0.2]))
    ambient = min(float(chance.choice([chance.normal(21, 2), chance.uniform(5, 34)], p=[0.6, 0.4])), skin - 1.0)
    leg = SecondLeg(
        worn=worn,
        days=days,
        seed=seed,
        resting_mmhg=(ankle, ankle * ratio[1], ankle * ratio[2]),
        garment=float(chance.choice([1.0, chance.uniform(0.6, 0.85)], p=[0.8, 0.2])),
        donning_min=float(chance.choice([0.0, 0.5, 2.0, 5.0])),
        doffing_min=float(chance.choice([0.0, 0.3, 1.0, 3.0])),
        overshoot=float(chance.choice([1.0, 1.2, 1.6, 2.0])),
        ordered=bool(chance.random() < 0.7),
        skin_c=skin,
        ambient_c=ambient,
        swing_c=float(chance.uniform(0.0, 3.0)),
        tau_on=float(chance.choice([1.0, 3.0, 8.0, 20.0])),
        tau_off=float(chance.choice([1.0, 5.0, 12.0, 20.0])),
        life=str(chance.choice(["bouts", "even"], p=[0.85, 0.15])),
        liveliness=float(chance.uniform(0.7, 1.3)),
        gait_scatter_mmhg=float(chance.choice([0.3, 2.5])),
        noise_mmhg=float(chance.choice([0.1, 0.12, 0.3, 1.0])),
        mean_noise_mmhg=float(chance.choice([0.0, 0.0, 0.3, 1.0])),
        gain=tuple(chance.normal(1.0, 0.07, 3).tolist()),
        offset_mmhg=tuple(chance.normal(0.0, 1.5, 3).tolist()),
        drift_per_day=0.5,
        still_ripple_zero=bool(chance.random() < 0.15),
        resolution_mmhg=float(chance.choice([0.1, 0.0])),
        below_zero=bool(chance.random() < 0.5),
        empty=float(chance.choice([0.0, 0.0, 0.02, 0.1])),
    )
    return replace(leg, during=_anything(leg, chance))


def _anything(leg: SecondLeg, chance: np.random.Generator) -> tuple[During, ...]:
    """Some of what may happen on the leg and off it."""
    happened: list[During] = []
    worn = [(a, b) for a, b in leg.worn if b - a > 120]
    off_edges = [-1e9, *(edge for span in leg.worn for edge in span), 1e9]
    idle = [
        (max(a + 5, 0.0), min(b - 8, float(leg.minutes)))
        for a, b in zip(off_edges[0::2], off_edges[1::2], strict=True)
        if min(b, leg.minutes) - max(a, 0.0) > 60
    ]
    for _ in range(int(chance.integers(0, 4))):
        if idle:
            start, end = idle[int(chance.integers(len(idle)))]
            a = float(chance.uniform(start, max(start, end - 45)))
            b = min(end, a + float(chance.uniform(40, 600)))
            load = float(chance.uniform(6, 40))
            levels = (load, load, load) if chance.random() < 0.6 else tuple(chance.uniform(4, 40, 3).tolist())
            kind = list(Idle)[int(chance.integers(len(Idle)))]
            happened.append(During(kind, a, b, levels=levels))
    for _ in range(int(chance.integers(0, 4))):
        if worn:
            start, end = worn[int(chance.integers(len(worn)))]
            a = float(chance.uniform(max(start, 0) + 30, max(start, 0) + 0.8 * (min(end, leg.minutes) - max(start, 0))))
            b = min(end - 15, a + float(chance.uniform(30, 500)))
            kinds = [Trouble.ROLLED_DOWN, Trouble.ROLLED_BAND, Trouble.WRINKLE, Trouble.KNEE]
            happened.append(During(kinds[int(chance.integers(4))], a, b, site=int(chance.integers(3))))
    return tuple(happened)
