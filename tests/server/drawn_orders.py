"""Orders drawn by hypothesis for tests: every field, any zone, in the form a document gives back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from hypothesis import strategies as st

from calza_server.domain.orders.garment_classes import STANDARDS, garment
from calza_server.domain.orders.prescription import (
    Ended,
    EndedWhy,
    Garment,
    Mode,
    Night,
    Pause,
    Phase,
    Prescription,
    Removal,
)

ZONES = [
    "UTC",
    "Europe/London",
    "Europe/Rome",
    "Africa/Cairo",
    "Pacific/Auckland",
    "America/St_Johns",
    "Asia/Kathmandu",
]
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
SECONDS = 3 * 366 * 86_400

words = st.text("abc ä-1", min_size=1, max_size=20).filter(str.strip)
moments = st.integers(0, SECONDS).map(lambda second: FIRST + timedelta(seconds=second))
clocks = st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60))
nights = st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Night(*pair))
garments = st.sampled_from(
    [garment(each.name, one.label) for each in STANDARDS for one in each.classes if one.least_mmhg is not None]
    + [Garment("somebody's own", "x", 12.5, 30.0), Garment("somebody's own", "y", 12.5, None)]
)


@st.composite
def phases(draw: st.DrawFn) -> Phase:
    days = draw(st.integers(1, 40))
    mode, removal = draw(st.sampled_from(Mode)), draw(st.sampled_from(Removal))
    may_come_off = removal is Removal.HYGIENE
    return Phase(
        days=days,
        mode=mode,
        hours=draw(st.floats(0.5, 24)),
        days_required=draw(st.integers(0, days)),
        ankle_floor_mmhg=draw(st.none() | st.floats(1, 12)),
        removal=removal,
        hygiene_minutes=draw(st.integers(0, 120)) if may_come_off else 0,
        night_optional=may_come_off and mode is Mode.CONTINUOUS and draw(st.booleans()),
        critical=draw(st.booleans()),
        tolerance_share=draw(st.none() | st.floats(0, 0.5)),
    )


@st.composite
def stretches(draw: st.DrawFn, start: int, end: int) -> tuple[Pause, ...]:
    """Up to two within the given minutes, the second after the first."""
    cuts = sorted(draw(st.sets(st.integers(start, end), max_size=4)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return tuple(Pause(moment(low), moment(high), draw(words)) for low, high in pairs)


@st.composite
def orders(draw: st.DrawFn, *, ended: bool | None = None) -> Prescription:
    """Any order that makes sense; `ended` True or False: only such, which takes at least one phase."""
    ordered = draw(st.lists(phases(), min_size=0 if ended is None else 1, max_size=4))
    start, zone = draw(moments), draw(st.sampled_from(ZONES))
    whole = Prescription(start, zone, tuple(ordered))
    low, high = whole.start_minute, whole.ordered_end_minute
    closes = bool(ordered) and high - low > 1 and (draw(st.booleans()) if ended is None else ended)
    return Prescription(
        start=start,
        timezone=zone,
        phases=tuple(ordered),
        pauses=draw(stretches(low + 1, high)) if ordered and high - low > 1 else (),
        unsensed=draw(stretches(low + 1, high)) if ordered and high - low > 1 else (),
        ended=(
            Ended(moment(draw(st.integers(low + 1, high - 1))), draw(st.sampled_from(EndedWhy)), draw(words))
            if closes
            else None
        ),
        max_days=draw(st.none() | st.integers(max(1, whole.ordered_days), 731)),
        garment=draw(st.none() | garments.filter(lambda each: each.ankle_max_mmhg is None or each.ankle_max_mmhg > 12)),
        night=draw(nights),
        grace_days=draw(st.integers(0, 90)),
        preset=draw(st.none() | words),
    )


def moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
