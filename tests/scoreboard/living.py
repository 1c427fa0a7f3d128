"""One simulated leg the whole way: worn, sampled, sealed by the firmware, fetched while a phone is near, placed.

Only the radio and the broker, which change no octet, are left out. What a scenario makes go wrong goes wrong here too:
flat batteries, lost clocks, phones that stay away or never bring what they held.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from calza_server.domain.ledgers.leg import Recorded
from calza_server.domain.recording.placement import ClockSighting
from calza_server.domain.recording.readings import Readings
from calza_server.domain.recording.readings_blocks import readings_of
from calza_sim.export_folder import SERIAL, USUAL_START
from calza_sim.firmware.flash import MemoryFlash
from calza_sim.manufacture import manufacture
from calza_sim.scenarios import Scenario
from calza_sim.stocking import SimulatedStocking
from calza_sim.truth import MINUTE_S, Truth
from calza_sim.wearer import local_seconds
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.minute_block import Side

DAYS_AT_LEAST = 14  # the longest of the orders that every leg is judged by


@dataclass(frozen=True, slots=True, eq=False)
class Lived:
    """What a server would hold in the end, the span it lies in (minutes since 1970-01-01T00:00Z), and the truth."""

    recorded: Recorded
    start_minute: int
    end_minute: int
    start_s: float
    known: Truth


def lived(scenario: Scenario, seed: int) -> Lived:
    """Live a scenario until its orders are over and everything that ever arrives has arrived.

    Fitted when and named as `calza sim export` has it, so that the same seed gives the same leg there. A phone near
    fetches at every midnight.
    """
    zone = ZoneInfo(scenario.timezone)
    start_s = datetime.fromisoformat(scenario.starts or USUAL_START).replace(tzinfo=zone).timestamp()
    first_day = datetime.fromtimestamp(start_s, zone).date()
    midnights = [
        local_seconds(first_day + timedelta(days=day), 0.0, zone)
        for day in range(1, max(scenario.length_days, DAYS_AT_LEAST) + 1)
    ]
    flash = MemoryFlash()
    made = manufacture(seed, SERIAL, Side.LEFT)
    outages = scenario.outage_spans(start_s, zone)
    stocking = SimulatedStocking.create(
        made,
        scenario,
        seed=seed,
        start_s=start_s,
        flash=flash,
        zone=zone,
        outages=outages,
        clock_resets=scenario.clock_reset_times(start_s, zone),
    )
    known = stocking.truth(midnights[-1] + MINUTE_S)
    sightings: list[ClockSighting] = []
    for at_s in midnights:
        near = any(begin <= at_s < end for begin, end in known.contact)
        if near and not any(begin <= at_s < end for begin, end in outages):
            sightings.append(_visit(stocking, at_s))
    held = sightings[-1].next_record if sightings else 0
    bodies = {number: body for number in range(held) if (body := flash.body(number)) is not None}
    numbers = np.array(list(bodies), np.int64)
    log_id = stocking.log_status(midnights[-1]).log_id
    readings = readings_of(list(bodies.values()), numbers, np.zeros(len(numbers), np.int16), (log_id,))
    if scenario.never_uploaded:
        readings = _without(readings, scenario, start_s, zone)
    return Lived(
        Recorded(SERIAL, readings, tuple(sightings)),
        math.ceil(start_s / MINUTE_S),
        round(midnights[-1]) // MINUTE_S,
        start_s,
        known,
    )


def _visit(stocking: SimulatedStocking, at_s: float) -> ClockSighting:
    """What a gateway does: fetch what is there, compare clocks, set the stocking's if it asks for that."""
    stocking.close_block(at_s)
    log, clock = stocking.log_status(at_s), stocking.elapsed_time(at_s)
    seen = ClockSighting(
        log_id=log.log_id,
        timeline_first_record=log.timeline_first_record,
        next_record=log.next_record,
        device_s=clock.stamp.unix_s,
        true_s=round(at_s),
        received_s=round(at_s),
        battery_percent=stocking.battery_percent(at_s),
    )
    if clock.needs_set:
        stocking.set_elapsed_time(TimeStamp.at(at_s, source=TimeSource.CELLULAR).encode(), at_s)
    return seen


def _without(readings: Readings, scenario: Scenario, start_s: float, zone: ZoneInfo) -> Readings:
    """Less what a phone took with it when it was lost."""
    first_day = datetime.fromtimestamp(start_s, zone).date()
    kept = np.ones(len(readings), np.bool_)
    for first, last in scenario.phone_away:
        begin_s, end_s = (local_seconds(first_day + timedelta(days=day), 0.0, zone) for day in (first, last + 1))
        kept &= (readings.device_s < begin_s) | (readings.device_s >= end_s)
    return readings.pick(kept)
