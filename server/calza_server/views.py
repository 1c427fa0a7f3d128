"""What is known of one leg, composed from store and registry: the one source of both API and page. Knows no HTTP.

Reads only, and everything derived is derived anew, so a late record shows in the next answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.alerting.alerts import alerts_of_leg
from calza_server.domain.ledgers.dose import dose_report
from calza_server.domain.ledgers.leg import LegLedger, ledger_of_leg
from calza_server.domain.orders.prescription import EndedWhy, Prescription
from calza_server.domain.orders.prescription_calendar import spelled
from calza_server.domain.orders.rx_document import RuleError, read_prescription
from calza_server.domain.recording.completeness import NOTHING_EXPECTED, Completeness, completeness_of
from calza_server.domain.recording.placement_clock import ClockConfidence
from calza_server.domain.states import Reason
from calza_server.domain.verdicts.finality import grace_end_minute, standing
from calza_server.domain.verdicts.finality_document import read_versions, versions_document
from calza_server.domain.verdicts.verdict import VerdictReport, judge
from calza_server.recorded import recorded_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calza_server.domain.alerting.alert_values import Alert
    from calza_server.domain.ledgers.dose import DoseReport
    from calza_server.domain.ledgers.ledger import Ledger
    from calza_server.domain.verdicts.finality import Standing, VerdictVersion
    from calza_server.ports import Leg, Registry, SeriesStore, VerdictBook, Visit

MINUTE_MS: Final = 60_000
DAY_MINUTES: Final = 1440
LEAD_IN_MINUTES: Final = DAY_MINUTES  # shows the detector how the stocking looks before the first ordered minute
WITHOUT_ORDER_MINUTES: Final = 14 * DAY_MINUTES  # what is shown of a leg nothing was ordered for

UNKNOWN_REASONS: Final = frozenset(reason for reason in Reason if reason < Reason.ON_LEG)
NO_ORDER: Final = Prescription(start=datetime(1970, 1, 1, tzinfo=UTC), timezone="UTC", phases=())


class UnknownLegError(Exception):
    """No leg has that id. `code` is stable."""

    code: Final = "unknown_leg"


class UnknownOrderError(Exception):
    """The leg has no order of that number. `code` is stable."""

    code: Final = "unknown_order"

    def __init__(self, number: int, there_are: int) -> None:
        super().__init__(f"There is no order {number} for this leg; there are {there_are}, counted from 1")


class UnreadableOrderError(Exception):
    """The registry holds an order for this leg that does not say what it must. `code` is stable."""

    code: Final = "unreadable_order"

    def __init__(self, fault: RuleError) -> None:
        super().__init__(f"the order of this leg cannot be read: {fault}")
        self.fault = fault


@dataclass(frozen=True, slots=True, eq=False)
class LegReport:
    """All there is to say about one order of a leg at `as_of_ms` (Unix milliseconds).

    `number` counts the leg's orders from 1, the newest is `orders`; both are 0 where nothing was ever ordered. `found`
    covers the order (or the last days, if nothing was ordered) with a day of lead-in and the days of grace.
    `last_spoke_ms` is when a gateway last heard one of its stockings sync, None if never.
    """

    leg: Leg
    serials: tuple[str, ...]
    number: int
    orders: int
    order: Prescription
    verdict: VerdictReport
    found: LegLedger
    completeness: Completeness
    last_spoke_ms: int | None
    as_of_ms: int

    @property
    def ledger(self) -> Ledger:
        """Every minute of the order so far, with a day of lead-in; without an order, all that was found."""
        whole = self.found.ledger
        return whole.window(whole.start_minute, min(whole.end_minute, self.order.end_minute)) if self.number else whole

    @property
    def as_of_minute(self) -> int:
        """The minute the answer was given in."""
        return self.as_of_ms // MINUTE_MS

    def unknown_minutes(self) -> dict[Reason, int]:
        """Minutes of the order so far that are unknown, by reason; reasons that do not occur are left out."""
        seen = self.found.ledger.window(self.order.start_minute, min(self.as_of_minute, self.order.end_minute))
        return {reason: count for reason, count in seen.minutes_by_reason().items() if reason in UNKNOWN_REASONS}

    def clock_unsure_minutes(self) -> int:
        """Minutes of the order so far that lie where a clock of low confidence puts them."""
        start = self.found.ledger.start_minute
        first, end = self.order.start_minute, min(self.as_of_minute, self.order.end_minute)
        clock = self.found.clock[max(0, first - start) : max(0, end - start)]
        return int(np.count_nonzero(clock == ClockConfidence.LOW))

    def alerts(self) -> tuple[Alert, ...]:
        """What somebody should look at, most pressing first; none for an order that another has closed."""
        if self.number != self.orders:
            return ()
        return alerts_of_leg(self.found, self.order, self.as_of_minute)

    def dose(self) -> DoseReport:
        """How hard the garment pressed while it was worn."""
        return dose_report(self.found.ledger, self.found.worn_ankle, self.order.days(), self.as_of_minute)


def leg_report(
    store: SeriesStore, registry: Registry, leg_id: str, now_ms: int, number: int | None = None
) -> LegReport:
    """Everything about one order of a leg, by default the newest.

    Raises UnknownLegError, UnknownOrderError, UnreadableOrderError, StoreError.
    """
    leg = registry.leg(leg_id)
    if leg is None:
        raise UnknownLegError(leg_id)
    orders = len(leg.orders)
    number = orders if number is None else number
    if number != orders and not 1 <= number <= orders:
        raise UnknownOrderError(number, orders)
    order = order_of(leg, number)
    now_minute = now_ms // MINUTE_MS
    stockings = registry.stockings(leg_id)
    visits = {each.serial: store.visits(each.serial) for each in stockings}
    recorded = [recorded_of(store, each.serial, visits[each.serial], each.retired_minute) for each in stockings]
    found = ledger_of_leg(recorded, order, *_span(order, now_minute))
    return LegReport(
        leg=leg,
        serials=tuple(each.serial for each in stockings),
        number=number,
        orders=orders,
        order=order,
        verdict=judge(order, found.ledger, now_minute),
        found=found,
        completeness=_completeness(store, visits),
        last_spoke_ms=_last_spoke_ms([visit for each in visits.values() for visit in each]),
        as_of_ms=now_ms,
    )


def _last_spoke_ms(visits: Sequence[Visit]) -> int | None:
    """By the gateway's clock, which may be wrong; but nobody has spoken after it was heard."""
    return max((min(visit.report.gateway_ms, visit.received_ms) for visit in visits), default=None)


def order_of(leg: Leg, number: int) -> Prescription:
    """An order of a leg by its number from 1; none given is one for no compression. Raises UnreadableOrderError."""
    if not leg.orders:
        return NO_ORDER
    try:
        return read_prescription(leg.orders[number - 1])
    except RuleError as fault:
        raise UnreadableOrderError(fault) from fault


def versions_of(book: VerdictBook, report: LegReport) -> tuple[VerdictVersion, ...]:
    """The frozen versions of an answer, oldest first. Raises VerdictBookError, DocumentError."""
    history = book.versions(report.leg.id, order_key(report.order))
    return read_versions({**versions_document(()), "versions": list(history)})


def standing_of(book: VerdictBook, report: LegReport) -> Standing | None:
    """How final an answer is; None where nothing was ordered. Raises VerdictBookError, DocumentError."""
    if not report.order.phases:
        return None
    return standing(versions_of(book, report), report.order, report.verdict, report.as_of_minute)


def order_key(order: Prescription) -> str:
    """What an order is called in the book of frozen verdicts: its start, which no edit moves."""
    return spelled(order.start)


def _span(order: Prescription, now_minute: int) -> tuple[int, int]:
    """What the ledger covers. After an order its stocking may go on, which belongs to nobody's verdict but is seen."""
    if not order.phases:
        return now_minute - WITHOUT_ORDER_MINUTES, now_minute
    start = order.start_minute - LEAD_IN_MINUTES
    replaced = order.ended is not None and order.ended.why is EndedWhy.SUPERSEDED
    end = order.end_minute if replaced else grace_end_minute(order)
    return start, max(start, min(now_minute, end))


def _completeness(store: SeriesStore, visits: dict[str, list[Visit]]) -> Completeness:
    total = NOTHING_EXPECTED
    for serial, each in visits.items():
        held = {log.log_id: log.held for log in store.held(serial)}
        reports = [visit.report for visit in each]
        announced = [(bytes.fromhex(one.log_id), one.first_record, one.next_record) for one in reports]
        total += completeness_of(held, announced)
    return total
