"""Alerts about the whole leg: too low for days, on for too long, worn past the order, silent. Judges no wear itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.alerting.alert_rules import AlertRules, source_of
from calza_server.domain.alerting.alert_values import Alert, AlertKind, Figure
from calza_server.domain.ledgers.dose import doubt_mmhg, surely_below
from calza_server.domain.orders.prescription import EndedWhy, Mode, Prescription, Removal
from calza_server.domain.states import State
from calza_server.domain.stretches import held_for, stretches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.orders.prescription import OrderedDay
    from calza_server.domain.stretches import Mask

HOUR_MIN: Final = 60


def too_low(
    worn_ankle: npt.NDArray[np.float32],
    ledger: Ledger,
    order: Prescription,
    days: Sequence[OrderedDay],
    rules: AlertRules,
) -> list[Alert]:
    """The median of a day's worn ankle pressure below the floor by more than its doubt, so many days running.

    The floor is the phase's, or else what the ordered garment should press at least.
    """
    streak: list[tuple[OrderedDay, float, float]] = []
    low: list[tuple[OrderedDay, float, float]] = []
    for day in days:
        inside = slice(max(0, day.start_minute - ledger.start_minute), max(0, day.end_minute - ledger.start_minute))
        known = worn_ankle[inside]
        known = known[np.isfinite(known)]
        floor = _floor(order, day)
        if floor is None or len(known) < rules.too_low_worn_minutes:
            streak = []
            continue
        median = float(np.median(known))
        streak = [*streak, (day, median, floor)] if surely_below(median, floor) else []
        if len(streak) == rules.too_low_days:
            low += streak
        elif len(streak) > rules.too_low_days:
            low.append(streak[-1])
    if not low:
        return []
    _, median, floor = low[-1]
    return [
        Alert(
            kind=AlertKind.TOO_LOW,
            serial="",
            sentence="The stocking presses less at the ankle than what was ordered, by more than the sensor may be "
            "off. Check its size, and whether it is worn out. It was worn all the same, and the answer on wear stands.",
            threshold="the day's median at the ankle while worn below the ordered floor by more than 15 % or 3 mmHg, "
            f"{rules.too_low_days:g} days running with {rules.too_low_worn_minutes:g} min worn or more",
            source=source_of(AlertKind.TOO_LOW),
            minutes=tuple((day.start_minute, min(day.end_minute, ledger.end_minute)) for day, _, _ in low),
            sites=("ankle",),
            figures=(
                Figure("ankle, median of the last such day", round(median, 1), "mmHg"),
                Figure("give or take", round(doubt_mmhg(median), 1), "mmHg"),
                Figure("floor", floor, "mmHg"),
            ),
        )
    ]


def _floor(order: Prescription, day: OrderedDay) -> float | None:
    ordered = order.phases[day.phase].ankle_floor_mmhg
    if ordered is None and order.garment is not None:
        return order.garment.ankle_min_mmhg
    return ordered


def continuous_wear(ledger: Ledger, order: Prescription, days: Sequence[OrderedDay], rules: AlertRules) -> list[Alert]:
    """Worn for more than a day on end where the order allows it off; a long unknown stretch may have been time off."""
    resting = held_for(ledger.state != State.WORN, int(rules.off_interval_minutes))
    resting[: max(0, order.start_minute - ledger.start_minute)] = True
    for day in days:
        if order.phases[day.phase].removal is Removal.NONE:
            resting[max(0, day.start_minute - ledger.start_minute) : max(0, day.end_minute - ledger.start_minute)] = (
                True
            )
    limit = (rules.continuous_wear_hours + rules.continuous_wear_leeway_hours) * HOUR_MIN
    where = held_for(~resting, int(limit) + 1)
    if not where.any():
        return []
    starts, ends = stretches(where)
    return [
        Alert(
            kind=AlertKind.CONTINUOUS_WEAR,
            serial="",
            sentence="The stocking stayed on for more than a day on end, though the order allows it off. Remind the "
            "patient to take it off once a day and to look at the skin.",
            threshold=f"worn more than {rules.continuous_wear_hours:g} h, and {rules.continuous_wear_leeway_hours:g} h "
            f"of leeway, without {rules.off_interval_minutes:g} min off, once past any phase in which it must stay on",
            source=source_of(AlertKind.CONTINUOUS_WEAR),
            minutes=_spans(where, ledger.start_minute),
            figures=(Figure("longest time on", round(float((ends - starts).max()) / HOUR_MIN, 1), "h"),),
        )
    ]


def worn_past_order(ledger: Ledger, order: Prescription, rules: AlertRules) -> list[Alert]:
    """Still worn after the order's last day. An order that another replaced ends without a word."""
    if not order.phases or (order.ended is not None and order.ended.why is EndedWhy.SUPERSEDED):
        return []
    allowed = order.end_minute + int(rules.past_order_grace_hours * HOUR_MIN)
    where = ledger.state == State.WORN
    where[: max(0, allowed - ledger.start_minute)] = False
    minutes = int(np.count_nonzero(where))
    if minutes < rules.past_order_minutes:
        return []
    ceiling = "" if order.max_days is None else f" Its source allows no more than {order.max_days} days."
    return [
        Alert(
            kind=AlertKind.WORN_PAST_ORDER,
            serial="",
            sentence=f"The stocking is still worn though the order has ended.{ceiling} Tell the patient whether to go "
            "on.",
            threshold=f"{rules.past_order_minutes:g} min worn or more, later than {rules.past_order_grace_hours:g} h "
            "after the end of the order",
            source=source_of(AlertKind.WORN_PAST_ORDER),
            minutes=_spans(where, ledger.start_minute),
            figures=(Figure("worn since", round(minutes / HOUR_MIN, 1), "h"),),
        )
    ]


def silent(
    present: Mask, start_minute: int, order: Prescription, days: Sequence[OrderedDay], as_of: int, rules: AlertRules
) -> list[Alert]:
    """No reading for so long before `as_of`, while the order runs or its verdict is not yet frozen."""
    if not days or as_of < order.start_minute:
        return []
    known = np.flatnonzero(present)
    heard = start_minute + int(known[-1]) + 1 if len(known) else None
    since = order.start_minute if heard is None else max(heard, order.start_minute)
    if since >= order.end_minute or as_of >= order.end_minute + order.grace_days * 24 * HOUR_MIN:
        return []
    today = next((day for day in days if as_of < day.end_minute), days[-1])
    by_day = order.phases[today.phase].mode is Mode.DAYTIME
    limit = rules.silent_daytime_hours if by_day else rules.silent_hours
    if as_of - since < limit * HOUR_MIN:
        return []
    hours = (as_of - since) // HOUR_MIN
    never = heard is None
    return [
        Alert(
            kind=AlertKind.SILENT,
            serial="",
            sentence=(
                f"No reading of this leg has arrived since the order began, {hours} h ago. Check that the stocking is "
                "paired and the gateway switched on."
                if never
                else f"No reading of this leg has arrived for {hours} h. Ask the patient to bring stocking and gateway "
                "together and to charge both; what the stocking recorded will follow."
            ),
            threshold=f"no data for {rules.silent_hours:g} h, or {rules.silent_daytime_hours:g} h in a daytime phase",
            source=source_of(AlertKind.SILENT),
            minutes=((since, as_of),),
            figures=(Figure("silent", float(hours), "h"),),
        )
    ]


def _spans(where: Mask, start_minute: int) -> tuple[tuple[int, int], ...]:
    starts, ends = (edges + start_minute for edges in stretches(where))
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))
