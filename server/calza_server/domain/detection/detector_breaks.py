"""Breaks within pressure: minutes at which a stocking may have been exchanged for a load, or changed its shape.

Whoever takes a stocking off and lays it under a pile at once leaves no slack minute, only the hands' trace. A break
denies nothing: beyond it wear must show itself anew, or go on by likeness. Knows no warmth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.stretches import Indices, Mask, stretches

if TYPE_CHECKING:
    from calza_server.domain.detection.evidence import Evidence
    from calza_server.domain.detection.evidence_minutes import Column

# Every figure is our proposal.
CHANGED_SHARE: Final = 0.35  # posture moves a site by a quarter; a load, or rolling down, moves most of them by more
CHANGED_MMHG: Final = 4.0
ONE_SITE_SHARE: Final = 0.4  # equal loads differ most from the site that is pressed least
ONE_SITE_MMHG: Final = 5.0
BESIDE_MIN: Final = 3  # a change is looked for across so many minutes to either side ...
LASTING_MIN: Final = 12  # ... and must last for so many
HANDS_SHARE: Final = 0.15  # hands make the pressure come or go within the minute: a ripple of so much of it ...
HANDS_OVER: Final = 1.7  # ... and so many times that of before or after
EXCHANGED_SHARE: Final = 0.12  # ... if two sites are left at another level ...
EXCHANGED_MMHG: Final = 1.5
HANDS_SAMPLE_MIN: Final = 5
DIP_SHARE: Final = 0.25  # ... or were let go within the minute ...
GRIP_SHARE: Final = 0.28  # ... or the ripple is so much of the pressure that it must have been away
HANDS_BESIDE_MIN: Final = 3
HANDLING_AT_MOST_MIN: Final = 10
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
    """Before and after each burst of ripple in which the pressure itself came or went; a strong gait does neither."""
    ripple, beside = seen.minutes.ripple, HANDS_BESIDE_MIN
    hands = np.flatnonzero(seen.life.hands & pressed)
    hands = hands[(hands >= beside) & (hands + beside < len(pressed))]
    quieter = np.fmin(ripple[hands - beside], ripple[hands + beside])
    mmhg = seen.minutes.mmhg
    level = np.nanmax(mmhg[:, hands], axis=0, initial=0.0)
    hands = hands[(ripple[hands] >= np.float32(HANDS_SHARE) * level) & ~(ripple[hands] < HANDS_OVER * quieter)]
    level = np.nanmax(mmhg[:, hands], axis=0, initial=0.0)
    sample = np.arange(2, 2 + HANDS_SAMPLE_MIN)
    former = mmhg[:, np.maximum(hands[:, None] - sample, 0)].mean(axis=-1)
    latter = mmhg[:, np.minimum(hands[:, None] + sample, len(pressed) - 1)].mean(axis=-1)
    exchanged = _two(_differ(former, latter, EXCHANGED_SHARE, EXCHANGED_MMHG))
    dipped = _two(mmhg[:, hands] < np.float32(1.0 - DIP_SHARE) * np.minimum(former, latter))
    burst = hands[exchanged | dipped | (ripple[hands] >= np.float32(GRIP_SHARE) * level)]
    first = burst[np.diff(burst, prepend=-1 - beside) > beside]
    last = burst[np.diff(burst, append=len(pressed) + beside) > beside]
    brief = last - first < HANDLING_AT_MOST_MIN
    return np.concatenate([first[brief], last[brief] + 1])


def _changed(seen: Evidence, pressed: Mask) -> Indices:
    """Where two sites, or one by more, or all by less, changed at once and for good."""
    steady, mmhg, reach = seen.levels.steady, seen.minutes.mmhg, 2 * BESIDE_MIN
    stepped = _differ(steady[:, :-reach], steady[:, reach:], CHANGED_SHARE, CHANGED_MMHG).any(axis=0)
    firsts, lasts = stretches(stepped & pressed[:-reach] & pressed[reach:])
    at = (firsts + lasts) // 2 + BESIDE_MIN
    at = at[(at >= LASTING_MIN + 2) & (at + LASTING_MIN + 2 <= len(pressed))]
    halves = np.arange(LASTING_MIN).reshape(2, -1)  # either half before must differ from either after
    former = mmhg[:, at[:, None, None] - 2 - halves].mean(axis=-1)[..., :, None]
    latter = mmhg[:, at[:, None, None] + 1 + halves].mean(axis=-1)[..., None, :]
    by_some: Mask = np.asarray(_differ(former, latter, CHANGED_SHARE, CHANGED_MMHG).all(axis=(-1, -2)))
    every = _differ(former, latter, EXCHANGED_SHARE, EXCHANGED_MMHG).all(axis=(0, -1, -2))
    one = _differ(former, latter, ONE_SITE_SHARE, ONE_SITE_MMHG).all(axis=(-1, -2)).any(axis=0)
    lasting: Indices = at[_two(by_some) | one | every]
    return lasting


def _two(sites: Mask) -> Mask:
    a, b, c = sites
    both: Mask = (a & b) | (a & c) | (b & c)
    return both


def _differ(one: Column, other: Column, share: float, mmhg: float) -> Mask:
    bar = np.maximum(np.float32(mmhg), np.float32(share) * np.maximum(one, other))
    different: Mask = np.abs(one - other) > bar
    return different
