"""Breaks within pressure: minutes at which a stocking may have been exchanged for a load, or changed its shape.

Whoever takes a stocking off and lays it under a pile at once leaves no slack minute, only the hands' trace. A break
denies nothing: beyond it wear must show itself anew, or go on by likeness. Knows no warmth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.stretches import Indices, Mask, stretches

if TYPE_CHECKING:
    from calza_server.domain.evidence import Evidence

# Every figure is our proposal.
CHANGED_SHARE: Final = 0.35  # posture moves a site by a quarter; a load, or rolling down, moves most of them by more
CHANGED_MMHG: Final = 4.0
BESIDE_MIN: Final = 2  # a change is looked for across so many minutes ...
LASTING_MIN: Final = 12  # ... and must last for so many
HANDS_SHARE: Final = 0.15  # hands make the pressure come or go within the minute: a ripple of so much of it ...
HANDS_OVER: Final = 1.7  # ... and so many times that of the minutes around, which walking is not
HANDS_BESIDE_MIN: Final = 3
OVERSHOOT_MIN: Final = 8  # so near the ends of pressure it is the stocking being put on or taken off


def breaks_of(seen: Evidence, pressed: Mask) -> Indices:
    """First minutes after a break, in order; `pressed` are the minutes of segments before they are broken up."""
    if len(pressed) <= 2 * LASTING_MIN:
        return np.zeros(0, np.intp)
    at = np.union1d(_changed(seen, pressed), _handled(seen, pressed))
    at = at[(at >= OVERSHOOT_MIN) & (at + OVERSHOOT_MIN < len(pressed))]
    broken: Indices = at[pressed[at[:, None] + np.arange(-OVERSHOOT_MIN, OVERSHOOT_MIN + 1)].all(axis=-1)]
    return broken


def _handled(seen: Evidence, pressed: Mask) -> Indices:
    """After each burst of ripple that no gait makes."""
    ripple, beside = seen.minutes.ripple, HANDS_BESIDE_MIN
    hands = np.flatnonzero(seen.life.hands & pressed)
    hands = hands[(hands >= beside) & (hands + beside < len(pressed))]
    around = np.fmax(ripple[hands - beside], ripple[hands + beside])
    level = np.nanmax(seen.minutes.mmhg[:, hands], axis=0, initial=0.0)
    burst = hands[(ripple[hands] >= np.float32(HANDS_SHARE) * level) & ~(ripple[hands] < HANDS_OVER * around)]
    last: Indices = burst[np.diff(burst, append=len(pressed)) > beside]
    return last + 1


def _changed(seen: Evidence, pressed: Mask) -> Indices:
    """Where two sites changed at once and for good."""
    mmhg, reach = seen.minutes.mmhg, 2 * BESIDE_MIN + 1
    stepped = _two(_differ(mmhg[:, :-reach], mmhg[:, reach:])) & pressed[:-reach] & pressed[reach:]
    firsts, lasts = stretches(stepped)
    at = (firsts + lasts - 1) // 2 + BESIDE_MIN + 1
    at = at[(at >= LASTING_MIN + 2) & (at + LASTING_MIN + 2 <= len(pressed))]
    halves = np.arange(LASTING_MIN).reshape(2, -1)  # either half before must differ from either after
    former = mmhg[:, at[:, None, None] - 2 - halves].mean(axis=-1)
    latter = mmhg[:, at[:, None, None] + 1 + halves].mean(axis=-1)
    lasting: Indices = at[_two(_differ(former[..., :, None], latter[..., None, :]).all(axis=(-1, -2)))]
    return lasting


def _differ(one: np.ndarray, other: np.ndarray) -> Mask:
    bar = np.maximum(np.float32(CHANGED_MMHG), np.float32(CHANGED_SHARE) * np.maximum(one, other))
    different: Mask = np.abs(one - other) > bar
    return different


def _two(sites: Mask) -> Mask:
    a, b, c = sites
    return (a & b) | (a & c) | (b & c)
