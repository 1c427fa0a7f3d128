"""Ledgers and short orders drawn by hypothesis for verdicts: every optional field, and days when clocks change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from calza_server.domain.ledgers.ledger import Ledger, Source
from calza_server.domain.orders.prescription import Ended, EndedWhy, Mode, Night, Pause, Phase, Prescription, Removal
from calza_server.domain.states import Dose, Reason, State

REASONS = {
    State.UNKNOWN: [reason for reason in Reason if reason < 10],
    State.WORN: [Reason.ON_LEG, Reason.SAME_AS_BEFORE_GAP],
    State.NOT_WORN: [Reason.NO_PRESSURE, Reason.NOT_A_LEG, Reason.CHARGING],
    State.EXCUSED: [Reason.PAUSED],
}
SOURCES = (Source("CZ-0001", b"log-one."), Source("CZ-0002", b"log-two."))
STARTS = [
    datetime(2026, 3, 27, 10, 30, tzinfo=UTC),  # the clocks go forward on the 29th in London
    datetime(2026, 10, 23, 0, 0, tzinfo=UTC),  # and back on the 25th
    datetime(2026, 4, 22, 22, 30, tzinfo=UTC),  # Cairo skips midnight on the 24th
    datetime(2026, 6, 1, 23, 59, tzinfo=UTC),
]
ZONES = ["UTC", "Europe/London", "Africa/Cairo", "Pacific/Auckland", "America/St_Johns"]
LEAD = 300  # minutes a ledger may begin before its order, or end after it


@st.composite
def short_phases(draw: st.DrawFn) -> Phase:
    days = draw(st.integers(1, 4))
    mode, removal = draw(st.sampled_from(Mode)), draw(st.sampled_from(Removal))
    hygiene = removal is Removal.HYGIENE
    return Phase(
        days=days,
        mode=mode,
        hours=draw(st.sampled_from([1.0, 9.5, 10.0, 16.0, 22.75, 23.0, 23.5, 24.0])),
        days_required=draw(st.integers(0, days)),
        ankle_floor_mmhg=draw(st.sampled_from([None, 18.0, 23.0])),
        removal=removal,
        hygiene_minutes=draw(st.sampled_from([0, 30, 60, 120])) if hygiene else 0,
        night_optional=hygiene and mode is Mode.CONTINUOUS and draw(st.booleans()),
        critical=draw(st.booleans()),
        tolerance_share=draw(st.sampled_from([None, 0.0, 0.02, 0.25])),
    )


@st.composite
def spans(draw: st.DrawFn, low: int, high: int) -> tuple[Pause, ...]:
    cuts = sorted(draw(st.sets(st.integers(low, high), max_size=4)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return tuple(Pause(moment(a), moment(b), draw(st.sampled_from(["blister", "review"]))) for a, b in pairs)


@st.composite
def short_orders(draw: st.DrawFn, *, unsensed: bool = True) -> Prescription:
    """An order of up to nine days that makes sense, any of its optional fields set."""
    phases = tuple(draw(st.lists(short_phases(), min_size=1, max_size=3)))
    order = Prescription(draw(st.sampled_from(STARTS)), draw(st.sampled_from(ZONES)), phases)
    low, high = order.start_minute + 1, order.ordered_end_minute - 1
    ended = None
    if low < high and draw(st.booleans()):
        ended = Ended(moment(draw(st.integers(low, high))), draw(st.sampled_from(EndedWhy)), "a note")
    hours = st.integers(0, 47).map(lambda half: time(half // 2, 30 * (half % 2)))
    night = draw(st.tuples(hours, hours).filter(lambda pair: pair[0] != pair[1]))
    return replace(
        order,
        pauses=draw(spans(low, high)) if low < high else (),
        unsensed=draw(spans(low, high)) if unsensed and low < high else (),
        ended=ended,
        night=Night(*night),
        grace_days=draw(st.integers(0, 10)),
        preset=draw(st.sampled_from([None, "std-micro-14d"])),
    )


RUNS = st.lists(
    st.tuples(st.sampled_from(State), st.integers(1, 900), st.integers(0, 7), st.sampled_from(Dose)),
    min_size=1,
    max_size=30,
)
BITES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=8)
"""Stretches of an order as shares of its length."""


@st.composite
def ledgers(draw: st.DrawFn, order: Prescription) -> Ledger:
    """A ledger that covers the order, or begins later or ends earlier; the runs repeat until it is full."""
    start = order.start_minute + draw(st.integers(-LEAD, LEAD))
    end = max(start, order.end_minute + draw(st.integers(-LEAD, LEAD)))
    runs = draw(RUNS)
    book = Ledger.unknown(start, end)
    at, number = 0, 0
    while at < len(book):
        state, minutes, why, dose = runs[number % len(runs)]
        piece = slice(at, at + minutes)
        book.state[piece] = state
        book.reason[piece] = REASONS[state][why % len(REASONS[state])]
        book.dose[piece] = dose if state is State.WORN else Dose.NOT_ASKED
        if state is not State.UNKNOWN or why > 3:
            book.source[piece], book.record[piece] = number % 2, number
        at, number = at + minutes, number + 1
    return replace(book, sources=SOURCES)


def bitten(order: Prescription, book: Ledger, bites: list[tuple[float, float]], to: State) -> Ledger:
    """The ledger with some stretches of the order turned into a state; where it is silent it is made to speak."""
    whole = book.window(min(book.start_minute, order.start_minute), max(book.end_minute, order.end_minute))
    length = order.end_minute - order.start_minute
    for one, other in bites:
        low, high = sorted((one, other))
        first = order.start_minute - whole.start_minute + round(low * length)
        piece = slice(first, first + round((high - low) * length))
        whole.state[piece], whole.reason[piece], whole.dose[piece] = to, REASONS[to][0], Dose.NOT_ASKED
    return whole


def filled(order: Prescription, book: Ledger, to: State) -> Ledger:
    """The ledger with every unknown minute of the order turned into a state."""
    whole = book.window(order.start_minute, order.end_minute)
    unknown: npt.NDArray[np.bool_] = whole.state == State.UNKNOWN
    whole.state[unknown], whole.reason[unknown] = to, REASONS[to][0]
    return whole


def moment(minute: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
