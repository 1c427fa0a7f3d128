"""What the store holds of one stocking, as the domain wants it: minutes, looks at its clock, refused numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calza_server.domain.ledgers.leg import Recorded
from calza_server.domain.recording.gaps import RefusedRecord
from calza_server.domain.recording.placement_clock import ClockSighting
from calza_server.domain.recording.readings_blocks import facts_of
from calza_wire.elapsed_time import ClockFlag
from calza_wire.errors import WireError
from calza_wire.messages import GatewayClock
from calza_wire.records import decode_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from calza_server.ports import QuarantinedRecord, SeriesStore, Visit

ALL_TIME_S: Final = 2**40  # a stocking whose clock was lost may have written any time at all
MS_PER_S: Final = 1000


def recorded_of(
    store: SeriesStore, serial: str, visits: Sequence[Visit], retired_minute: int | None = None
) -> Recorded:
    """What one stocking recorded; `visits` are the store's, `retired_minute` the registry's. Raises StoreError."""
    return Recorded(
        serial=serial,
        readings=store.read(serial, 0, ALL_TIME_S),
        sightings=tuple(sightings_of(visits)),
        refused=tuple(refused_of(store.quarantined(serial))),
        retired_minute=retired_minute,
    )


def sightings_of(visits: Iterable[Visit]) -> Iterable[ClockSighting]:
    """The looks gateways had at the stocking's clock."""
    for visit in visits:
        report = visit.report
        if report.device_time.flags & ClockFlag.TICK_COUNTER:
            continue  # not a clock of ours: it counts from nowhere and places nothing
        yield ClockSighting(
            log_id=bytes.fromhex(report.log_id),
            timeline_first_record=report.timeline_first_record,
            next_record=report.next_record,
            device_s=report.device_time.unix_s,
            true_s=round(report.gateway_ms / MS_PER_S),
            received_s=visit.received_ms // MS_PER_S,
            battery_percent=report.battery_percent,
            unsure=report.gateway_clock is GatewayClock.UNSYNCHRONISED,
        )


def refused_of(quarantined: Sequence[QuarantinedRecord]) -> Iterable[RefusedRecord]:
    """The record numbers that were refused, as far as the octets tell them."""
    for item in quarantined:
        try:
            record = decode_record(item.payload)
        except WireError:
            continue
        (facts,) = facts_of([record.body])
        yield RefusedRecord(None if isinstance(facts, WireError) else facts.log_id, record.number)
