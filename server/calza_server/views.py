"""What is known of one leg, composed from store and registry: the one source of both API and page. Knows no HTTP.

Reads only, and everything derived is derived anew, so a late record shows in the next answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from calza_server.domain.completeness import NOTHING_EXPECTED, Completeness, completeness_of
from calza_server.domain.leg import LegLedger, Recorded, ledger_of_leg
from calza_server.domain.placement import ClockSighting
from calza_server.domain.prescription import Prescription
from calza_server.domain.rx_document import RuleError, read_prescription
from calza_server.domain.verdict import VerdictReport, judge
from calza_wire.elapsed_time import ClockFlag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from calza_server.domain.ledger import Ledger
    from calza_server.ports import Leg, Registry, SeriesStore
    from calza_wire.messages import SyncReport

MINUTE_MS: Final = 60_000
DAY_MINUTES: Final = 1440
LEAD_IN_MINUTES: Final = DAY_MINUTES  # shows the detector how the stocking looks before the first ordered minute
WITHOUT_ORDER_MINUTES: Final = 14 * DAY_MINUTES  # what is shown of a leg nothing was ordered for
ALL_TIME_S: Final = 2**40  # a stocking whose clock was lost may have written any time at all

NO_ORDER: Final = Prescription(start=datetime(1970, 1, 1, tzinfo=UTC), timezone="UTC", phases=())


class UnknownLegError(Exception):
    """No leg has that id. `code` is stable."""

    code: Final = "unknown_leg"


class UnreadableOrderError(Exception):
    """The registry holds an order for this leg that does not say what it must. `code` is stable."""

    code: Final = "unreadable_order"

    def __init__(self, fault: RuleError) -> None:
        super().__init__(f"the order of this leg cannot be read: {fault}")
        self.fault = fault


@dataclass(frozen=True, slots=True, eq=False)
class LegReport:
    """All there is to say about a leg at `as_of_ms` (Unix milliseconds).

    `ledger` covers the order (or the last days, if nothing was ordered) with a day of lead-in. `last_spoke_ms` is
    when a gateway last heard one of its stockings sync, None if never.
    """

    leg: Leg
    serials: tuple[str, ...]
    order: Prescription
    verdict: VerdictReport
    ledger: Ledger
    completeness: Completeness
    unplaced_minutes: int
    last_spoke_ms: int | None
    as_of_ms: int


def leg_report(store: SeriesStore, registry: Registry, leg_id: str, now_ms: int) -> LegReport:
    """Everything about one leg. Raises UnknownLegError, UnreadableOrderError, StoreError."""
    leg = registry.leg(leg_id)
    if leg is None:
        raise UnknownLegError(leg_id)
    order = order_of(leg)
    now_minute = now_ms // MINUTE_MS
    serials = tuple(stocking.serial for stocking in registry.stockings(leg_id))
    syncs = {serial: store.syncs(serial) for serial in serials}
    start_minute, end_minute = _span(order, now_minute)
    found = _ledger(store, syncs, order, start_minute, end_minute)
    return LegReport(
        leg=leg,
        serials=serials,
        order=order,
        verdict=judge(order, found.ledger, now_minute),
        ledger=found.ledger,
        completeness=_completeness(store, syncs),
        unplaced_minutes=found.unplaced_minutes,
        last_spoke_ms=max((report.gateway_ms for reports in syncs.values() for report in reports), default=None),
        as_of_ms=now_ms,
    )


def order_of(leg: Leg) -> Prescription:
    """The order of a leg; none given is an order for no compression. Raises UnreadableOrderError."""
    if leg.prescription is None:
        return NO_ORDER
    try:
        return read_prescription(leg.prescription)
    except RuleError as fault:
        raise UnreadableOrderError(fault) from fault


def _span(order: Prescription, now_minute: int) -> tuple[int, int]:
    if not order.phases:
        return now_minute - WITHOUT_ORDER_MINUTES, now_minute
    start = order.start_minute - LEAD_IN_MINUTES
    return start, max(start, min(now_minute, order.end_minute))


def _ledger(
    store: SeriesStore, syncs: dict[str, list[SyncReport]], order: Prescription, start_minute: int, end_minute: int
) -> LegLedger:
    recorded = [
        Recorded(serial, store.read(serial, 0, ALL_TIME_S), tuple(_sightings(reports)))
        for serial, reports in syncs.items()
    ]
    return ledger_of_leg(recorded, order, start_minute, end_minute)


def _sightings(reports: Sequence[SyncReport]) -> Iterable[ClockSighting]:
    for report in reports:
        if report.device_time.flags & ClockFlag.TICK_COUNTER:
            continue  # not a clock of ours: it counts from nowhere and places nothing
        yield ClockSighting(
            log_id=bytes.fromhex(report.log_id),
            timeline_first_record=report.timeline_first_record,
            next_record=report.next_record,
            device_s=report.device_time.unix_s,
            true_s=round(report.gateway_ms / 1000),
        )


def _completeness(store: SeriesStore, syncs: dict[str, list[SyncReport]]) -> Completeness:
    total = NOTHING_EXPECTED
    for serial, reports in syncs.items():
        held = {log.log_id: log.held for log in store.held(serial)}
        announced = [(bytes.fromhex(one.log_id), one.first_record, one.next_record) for one in reports]
        total += completeness_of(held, announced)
    return total
