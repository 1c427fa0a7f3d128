"""A simulated stocking's own firmware through flat batteries and lost clocks: what became of its minutes is named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from calza_server.domain.ledgers.leg import LegLedger, Recorded, ledger_of_leg
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.recording.placement import ClockSighting
from calza_server.domain.recording.readings_blocks import readings_of
from calza_server.domain.states import Reason, State
from calza_sim.firmware.flash import MemoryFlash
from calza_sim.manufacture import manufacture
from calza_sim.scenarios import scenario
from calza_sim.stocking import SimulatedStocking
from calza_sim.truth import Truth
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.minute_block import Side

START_S = datetime(2026, 3, 2, 18, tzinfo=UTC).timestamp()
DAY_S = 86_400.0
SERIAL = "CALZA-0001"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the server made of it, the truth, and when the power was gone (minutes since 1970-01-01T00:00Z)."""

    leg: LegLedger
    known: Truth
    flat: tuple[tuple[int, int], ...]


def lived(name: str, *, days: int, told: bool = True) -> Run:
    """A gateway looks in every evening; `told`: whether it passes on what the battery says."""
    chosen = scenario(name)
    flash = MemoryFlash()
    outages = chosen.outage_spans(START_S, UTC)
    stocking = SimulatedStocking.create(
        manufacture(1, SERIAL, Side.LEFT),
        chosen,
        seed=1,
        start_s=START_S,
        flash=flash,
        outages=outages,
        clock_resets=chosen.clock_reset_times(START_S, UTC),
    )
    sightings = []
    for day in range(1, days + 1):
        at_s = START_S + day * DAY_S
        if not stocking.powered(at_s):
            continue
        clock, battery = stocking.elapsed_time(at_s), stocking.battery_percent(at_s)
        for _ in range(2):  # before the clock is set, and after
            log = stocking.log_status(at_s)
            sightings.append(
                ClockSighting(
                    log.log_id,
                    log.timeline_first_record,
                    log.next_record,
                    clock.stamp.unix_s,
                    round(at_s),
                    round(at_s) + 1,
                    battery if told else None,
                )
            )
            if clock.needs_set:
                stocking.set_elapsed_time(TimeStamp.at(at_s, source=TimeSource.CELLULAR).encode(), at_s)
            stocking.close_block(at_s)
            clock = stocking.elapsed_time(at_s)
    bodies = {number: body for number in range(sightings[-1].next_record) if (body := flash.body(number)) is not None}
    log_id = sightings[-1].log_id
    readings = readings_of(
        list(bodies.values()), np.array(list(bodies), np.int64), np.zeros(len(bodies), np.int16), (log_id,)
    )
    order = read_prescription(chosen.order.document(START_S, chosen.timezone))
    start, end = round(START_S) // 60, round(START_S + days * DAY_S) // 60
    leg = ledger_of_leg([Recorded(SERIAL, readings, tuple(sightings))], order, start, end)
    flat = tuple((round(from_s) // 60, round(to_s) // 60) for from_s, to_s in outages)
    return Run(leg, stocking.truth(START_S + days * DAY_S), flat)


def test_a_flat_battery_is_named_as_long_as_it_was_flat_and_not_much_longer() -> None:
    run = lived("battery-flat-on-days-9-and-10", days=14)
    ((start, end),) = run.flat
    ledger = run.leg.ledger
    reason = ledger.reason[start - ledger.start_minute : end - ledger.start_minute]
    assert (reason == Reason.BATTERY_FLAT).all()
    named = run.leg.minutes_by_reason[Reason.BATTERY_FLAT]
    assert end - start <= named <= end - start + 60  # and the open minutes that went with the power
    assert Reason.CLOCK_UNTRUSTED not in run.leg.minutes_by_reason
    assert run.leg.unplaced_minutes == 0


def test_unless_somebody_heard_that_it_was_low() -> None:
    found = lived("battery-flat-on-days-9-and-10", days=14, told=False).leg.minutes_by_reason
    assert Reason.BATTERY_FLAT not in found
    assert found[Reason.NO_DATA] >= 48 * 60


@pytest.mark.parametrize("name", ["clock-resets-to-1970", "battery-flat-on-days-9-and-10", "perfect"])
def test_no_minute_is_put_where_it_does_not_belong(name: str) -> None:
    """Worn or not is right in nearly every minute, which it could not be if records had moved by an hour."""
    run = lived(name, days=14)
    ledger = run.leg.ledger
    first = ledger.start_minute - int(run.known.minute_s[0]) // 60
    worn = run.known.worn[first : first + len(ledger)]
    judged = (ledger.state == State.WORN) | (ledger.state == State.NOT_WORN)
    wrong = judged & ((ledger.state == State.WORN) != worn)
    assert np.count_nonzero(wrong) < 0.01 * np.count_nonzero(judged)
    assert np.count_nonzero(judged) > (0.75 if run.flat else 0.98) * len(ledger)
