"""The minutes a server holds of a lived scenario, as CSV: what was recorded, can be placed in time and was sent.

The drawn minutes are taken straight from the sensors, without flash and radio. What power and clock do is worked out
here from the scenario; the open block a power loss costs is not, for it depends on when a phone last asked.
"""

import io
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calza_sim.firmware.codes import log_rows
from calza_sim.firmware.minutes import SAMPLES_PER_MINUTE, MinuteSource
from calza_sim.truth import MINUTE_S
from calza_wire.channels import ANKLE, SKIN, MinuteFlag

Span: TypeAlias = tuple[float, float]
Bools: TypeAlias = NDArray[np.bool_]

HEADER: Final = "time,ankle,calf,thigh,ripple,skin"
FAULTS: Final = (MinuteFlag.ANKLE_FAULT, MinuteFlag.CALF_FAULT, MinuteFlag.THIGH_FAULT)
MMHG_STEP: Final = float(ANKLE.scale)
CELSIUS_STEP: Final = float(SKIN.scale)
CELSIUS_ZERO: Final = float(SKIN.offset)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What decides whether a minute is held, true Unix seconds: power, clock and phone. `lost`: never sent, though."""

    start_s: float
    end_s: float
    outages: tuple[Span, ...]
    clock_resets: tuple[float, ...]
    contact: tuple[Span, ...]
    lost: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """The minutes from first to last, and for each whether it is held; else it is in exactly one of the others."""

    minute_s: NDArray[np.int64]
    held: Bools
    without_power: Bools
    without_time: Bools
    not_sent: Bools


def held_minutes(of: Circumstances) -> Held:
    """Every whole UTC minute from the fitting to the end, and what became of it."""
    first, last = math.ceil(of.start_s / MINUTE_S), int(of.end_s // MINUTE_S)
    minute_s = np.arange(first, max(first, last), dtype=np.int64) * MINUTE_S
    without_power = _within(minute_s, of.outages)
    without_time = _within(minute_s, _timeless(of)) & ~without_power
    last_contact_s = max((min(end, of.end_s) for start, end in of.contact if start < of.end_s), default=-math.inf)
    not_sent = (minute_s + MINUTE_S > last_contact_s) | _within(minute_s, of.lost)
    not_sent &= ~without_power & ~without_time
    return Held(minute_s, ~(without_power | without_time | not_sent), without_power, without_time, not_sent)


def _timeless(of: Circumstances) -> list[Span]:
    """Stretches on a clock that lost its time and met no phone before it lost it again: nobody can say when they were.

    A phone that comes compares both clocks first, and all since the loss falls into place.
    """
    losses = sorted([*(end for _, end in of.outages), *of.clock_resets])
    return [
        (begin, end)
        for begin, end in pairwise([*losses, of.end_s])
        if not any(max(begin, near) < min(end, gone) for near, gone in of.contact)
    ]


def _within(minute_s: NDArray[np.int64], spans: tuple[Span, ...] | list[Span]) -> Bools:
    """Minutes that lie in one of the spans with any part of them."""
    inside = np.zeros(len(minute_s), dtype=np.bool_)
    for start, end in spans:
        inside |= (minute_s + MINUTE_S > start) & (minute_s < end)
    return inside


def minutes_csv(source: MinuteSource, minute_s: NDArray[np.int64]) -> str:
    """One line per minute, as the wire has it: UTC, mmHg in 0.1 steps, degC in 0.01; a faulty site is left empty."""
    out = io.StringIO()
    out.write(HEADER + "\n")
    if len(minute_s):
        samples = np.full(len(minute_s), SAMPLES_PER_MINUTE, dtype=np.int64)
        rows = log_rows(source.minutes(minute_s.astype(np.float64), samples))
        times = np.datetime_as_string(minute_s.astype("datetime64[s]"), unit="m").tolist()
        for time, row in zip(times, rows.tolist(), strict=True):
            out.write(f"{time}Z,{','.join(_cells(row))}\n")
    return out.getvalue()


def _cells(row: list[int]) -> list[str]:
    *sites, ripple, skin, flags = row
    cells = ["" if flags & fault else f"{value * MMHG_STEP:.1f}" for value, fault in zip(sites, FAULTS, strict=True)]
    warm = "" if flags & MinuteFlag.SKIN_FAULT else f"{skin * CELSIUS_STEP + CELSIUS_ZERO:.2f}"
    return [*cells, f"{ripple * MMHG_STEP:.1f}", warm]
