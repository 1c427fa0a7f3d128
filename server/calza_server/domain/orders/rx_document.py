"""Reads an order from JSON values, strictly, and refuses what contradicts itself, with the place and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calza_server.domain.orders.garment import Garment
from calza_server.domain.orders.garment_classes import class_fault
from calza_server.domain.orders.prescription import (
    GRACE_DAYS,
    Ended,
    EndedWhy,
    Mode,
    Night,
    Pause,
    Phase,
    Prescription,
    Removal,
    minute_of,
)
from calza_server.domain.orders.rx_document_fields import (
    RuleError,
    read_clock,
    read_count,
    read_fields,
    read_flag,
    read_items,
    read_moment,
    read_number,
    read_share,
    read_text,
    read_word,
    read_zone,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RuleError", "read_garment", "read_phase", "read_prescription"]

DAYS_AT_MOST: Final = 731  # two years: more is a slip of the keyboard, and every page draws every day
GRACE_DAYS_AT_MOST: Final = 90  # the stocking keeps 30 days; a verdict that stays open for a season is no verdict
MMHG_AT_MOST: Final = 100
DAY_MINUTES: Final = 1440


def read_prescription(document: object) -> Prescription:
    """The order in a document; only `start`, `timezone` and `phases` must be there. Raises RuleError.

    Read and written again it is the same order. Pauses and unsensed stretches come back in order of time.
    """
    fields = read_fields(
        document,
        "",
        needed={"start", "timezone", "phases"},
        allowed={"pauses", "unsensed", "ended", "max_days", "garment", "night", "grace_days", "preset"},
    )
    phases = read_items(fields["phases"], "/phases", read_phase)
    if sum(phase.days for phase in phases) > DAYS_AT_MOST:
        raise RuleError("/phases", f"all phases together may last at most {DAYS_AT_MOST} days")
    max_days, ended, preset = (fields.get(name) for name in ("max_days", "ended", "preset"))
    ceiling = None if max_days is None else read_count(max_days, "/max_days", 1, DAYS_AT_MOST)
    days = sum(phase.days for phase in phases)
    if ceiling is not None and days > ceiling:
        raise RuleError("/max_days", f"the phases last {days} days together; shorten them, or raise the ceiling")
    garment = fields.get("garment")
    order = Prescription(
        start=read_moment(fields["start"], "/start"),
        timezone=read_zone(fields["timezone"], "/timezone"),
        phases=phases,
        pauses=_stretches(fields.get("pauses", []), "/pauses"),
        unsensed=_stretches(fields.get("unsensed", []), "/unsensed"),
        ended=None if ended is None else _ended(ended, "/ended"),
        max_days=ceiling,
        garment=None if garment is None else read_garment(garment, "/garment"),
        night=_night(fields.get("night", Night().document()), "/night"),
        grace_days=read_count(fields.get("grace_days", GRACE_DAYS), "/grace_days", 0, GRACE_DAYS_AT_MOST),
        preset=None if preset is None else read_text(preset, "/preset", most=64),
    )
    _check(order)
    return order


def read_phase(item: object, at: str) -> Phase:
    """One phase of an order, with its place `at` in the document. Raises RuleError."""
    fields = read_fields(
        item,
        at,
        needed={"days", "mode", "hours", "days_required"},
        allowed={"ankle_floor_mmhg", "removal", "hygiene_minutes", "night_optional", "critical", "tolerance"},
    )
    days = read_count(fields["days"], f"{at}/days", 1, DAYS_AT_MOST)
    floor, tolerance = fields.get("ankle_floor_mmhg"), fields.get("tolerance")
    phase = Phase(
        days=days,
        mode=read_word(Mode, fields["mode"], f"{at}/mode"),
        hours=read_number(fields["hours"], f"{at}/hours", 24),
        days_required=read_count(fields["days_required"], f"{at}/days_required", 0, days),
        ankle_floor_mmhg=None if floor is None else read_number(floor, f"{at}/ankle_floor_mmhg", MMHG_AT_MOST),
        removal=read_word(Removal, fields.get("removal", Removal.HYGIENE.value), f"{at}/removal"),
        hygiene_minutes=read_count(fields.get("hygiene_minutes", 0), f"{at}/hygiene_minutes", 0, DAY_MINUTES),
        night_optional=read_flag(fields.get("night_optional", False), f"{at}/night_optional"),
        critical=read_flag(fields.get("critical", False), f"{at}/critical"),
        tolerance_share=None if tolerance is None else read_share(tolerance, f"{at}/tolerance"),
    )
    if phase.hygiene_minutes and phase.removal is Removal.NONE:
        raise RuleError(f"{at}/hygiene_minutes", 'must be 0 where removal is "none": it may not come off at all')
    if phase.night_optional and phase.mode is Mode.DAYTIME:
        raise RuleError(f"{at}/night_optional", "must be false in a daytime phase: the night is not asked for")
    if phase.night_optional and phase.removal is Removal.NONE:
        raise RuleError(f"{at}/night_optional", 'must be false where removal is "none": it may not come off at all')
    return phase


def read_garment(item: object, at: str) -> Garment:
    """A garment: standard, class and range in mmHg; the range of a class we know must be its own. Raises RuleError."""
    fields = read_fields(item, at, needed={"standard", "class", "ankle_min_mmhg", "ankle_max_mmhg"}, allowed=set())
    least, most = fields["ankle_min_mmhg"], fields["ankle_max_mmhg"]
    garment = Garment(
        standard=read_text(fields["standard"], f"{at}/standard"),
        label=read_text(fields["class"], f"{at}/class"),
        ankle_min_mmhg=read_number(least, f"{at}/ankle_min_mmhg", MMHG_AT_MOST),
        ankle_max_mmhg=None if most is None else read_number(most, f"{at}/ankle_max_mmhg", MMHG_AT_MOST),
    )
    if garment.ankle_max_mmhg is not None and garment.ankle_min_mmhg > garment.ankle_max_mmhg:
        raise RuleError(f"{at}/ankle_min_mmhg", f"must not be above the {garment.ankle_max_mmhg:g} mmHg at most")
    fault = class_fault(garment)
    if fault is not None:
        field, sentence = fault
        raise RuleError(f"{at}/{field}", sentence)
    return garment


def _ended(item: object, at: str) -> Ended:
    fields = read_fields(item, at, needed={"at", "why"}, allowed={"note"})
    return Ended(
        at=read_moment(fields["at"], f"{at}/at"),
        why=read_word(EndedWhy, fields["why"], f"{at}/why"),
        note=read_text(fields.get("note", ""), f"{at}/note", empty=True),
    )


def _night(item: object, at: str) -> Night:
    fields = read_fields(item, at, needed={"start", "end"}, allowed=set())
    night = Night(read_clock(fields["start"], f"{at}/start"), read_clock(fields["end"], f"{at}/end"))
    if night.start == night.end:
        raise RuleError(f"{at}/end", "must differ from the start, or the night has no length that can be told")
    return night


def _stretches(value: object, at: str) -> tuple[Pause, ...]:
    return tuple(sorted(read_items(value, at, _stretch), key=lambda each: (each.start, each.end)))


def _stretch(item: object, at: str) -> Pause:
    fields = read_fields(item, at, needed={"start", "end", "reason"}, allowed=set())
    start, end = read_moment(fields["start"], f"{at}/start"), read_moment(fields["end"], f"{at}/end")
    if end <= start:
        raise RuleError(f"{at}/end", "must be after the start")
    return Pause(start, end, read_text(fields["reason"], f"{at}/reason"))


def _check(order: Prescription) -> None:
    """Contradictions between the parts of an order."""
    _check_stretches(order, order.pauses, "/pauses")
    _check_stretches(order, order.unsensed, "/unsensed")
    if order.ended is not None:
        if minute_of(order.ended.at) <= order.start_minute:
            raise RuleError("/ended/at", "must be at least a minute after the start of the order")
        if minute_of(order.ended.at) >= order.ordered_end_minute:
            raise RuleError("/ended/at", "must be before the end of the last day: after it there is nothing to end")
    if order.garment is None or order.garment.ankle_max_mmhg is None:
        return
    for i, phase in enumerate(order.phases):
        if phase.ankle_floor_mmhg is not None and phase.ankle_floor_mmhg > order.garment.ankle_max_mmhg:
            most = f"{order.garment.ankle_max_mmhg:g} mmHg"
            raise RuleError(f"/phases/{i}/ankle_floor_mmhg", f"is more than the ordered garment gives, {most} at most")


def _check_stretches(order: Prescription, stretches: Sequence[Pause], at: str) -> None:
    reached = None
    for stretch in stretches:
        low, high = stretch.minutes
        if high <= order.start_minute or low >= order.ordered_end_minute:
            raise RuleError(at, f"the one from {stretch.start.isoformat()} lies outside the order")
        if reached is not None and stretch.start < reached:
            raise RuleError(at, f"the one from {stretch.start.isoformat()} overlaps the one before it; join them")
        reached = stretch.end
