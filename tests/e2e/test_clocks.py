"""Wrong clocks the whole way: what is known stays right, what nobody can know stays unknown, nothing is invented.

Two of three stockings lose their clock on the third day. The gateways that come first are wrong, each in its own way,
and say themselves that nobody keeps their clock right; a good one comes at last.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from calza_gateway.ports import Moment
from calza_server.adapters.mosquitto_broker import find_mosquitto
from calza_sim.scenarios import scenario
from calza_wire.elapsed_time import TimeSource
from tests.e2e.clockwork import Cast, Clockwork, WoundClock, clockwork

START_S: Final = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
FIRST_LOOK_S: Final = START_S + 1.5 * DAY_S
LOST_S: Final = START_S + 2.2 * DAY_S
KEPT, LOST, LOST_TOO = "CZ-KEPT", "CZ-LOST", "CZ-LOST-2"
EDGES: Final = 0.01  # of the judged minutes: putting on and taking off, seen a little early or late


@dataclass
class WrongClock:
    """A gateway's clock that is off by so many seconds, that nobody keeps, and that shows some zone."""

    true: WoundClock
    off_s: float
    quarters: int = 0
    kept: bool | None = False

    def now(self) -> Moment:
        return Moment(self.true.unix_s + self.off_s, time.monotonic())

    def offset_quarters(self) -> int:
        return self.quarters

    def synchronised(self) -> bool | None:
        return self.kept


@dataclass(frozen=True, eq=False)
class Found:
    """The API's ledger of one leg beside the truth, minute by minute."""

    judged: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]
    reasons: set[str]
    unplaced: int
    unsure: int

    @property
    def wrong_share(self) -> float:
        return float(np.count_nonzero(self.wrong)) / max(1, int(np.count_nonzero(self.judged)))


def found(here: Clockwork, serial: str) -> Found:
    one = here.fitted[serial]
    truth = one.stocking.truth(here.clock.unix_s)
    first = int(truth.minute_s[0]) // 60
    state = np.full(len(truth.worn), "", dtype="U12")
    reasons = set()
    for run in here.ask(f"legs/{one.cast.leg}/ledger")["runs"]:
        start, end = (round(datetime.fromisoformat(run[key]).timestamp()) // 60 - first for key in ("from", "to"))
        state[max(0, start) : max(0, end)] = run["state"]
        if run["state"] == "unknown" and start < len(state):
            reasons.add(str(run["reason"]))
    judged = (state == "worn") | (state == "not_worn")
    complete = here.verdict(one.cast.leg)["completeness"]
    return Found(
        judged,
        judged & ((state == "worn") != truth.worn),
        reasons,
        complete["minutes_unplaced"],
        complete["minutes_clock_unsure"],
    )


def source_of(here: Clockwork, serial: str) -> TimeSource:
    return here.fitted[serial].stocking.elapsed_time(here.clock.unix_s).stamp.source


@pytest.mark.slow
async def test_wrong_gateways_move_nothing_and_a_good_one_puts_all_right(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("Mosquitto is not installed: `make setup` as root installs it")
    worn = scenario("perfect")
    order = worn.order.document(START_S, "UTC")
    cast = [Cast(serial, f"leg-{n}", worn, order, seed=40 + n) for n, serial in enumerate((KEPT, LOST, LOST_TOO))]
    lost = {serial: {"clock_resets": (LOST_S,)} for serial in (LOST, LOST_TOO)}
    async with clockwork(tmp_path, cast, start_s=START_S, more=lost) as here:
        here.wind(FIRST_LOOK_S)
        await here.visit([KEPT, LOST, LOST_TOO])
        assert {source_of(here, serial) for serial in (KEPT, LOST, LOST_TOO)} == {TimeSource.NTP}

        # a gateway that booted in 1970, one five hours behind and one five hours ahead, far from home
        here.wind(START_S + 3.5 * DAY_S)
        booted = WrongClock(here.clock, off_s=HOUR_S - here.clock.unix_s)
        await here.visit([KEPT, LOST, LOST_TOO], booted)
        for off_h, quarters in ((-5, 4), (5, -20)):
            await here.visit([KEPT], WrongClock(here.clock, off_h * HOUR_S, quarters))
        await here.visit([KEPT], WrongClock(here.clock, -0.5 * HOUR_S, kept=None))  # one that cannot tell, in its turn
        assert source_of(here, KEPT) is TimeSource.NTP, "a good clock was set by a worse one"
        kept = found(here, KEPT)
        assert kept.wrong_share < EDGES
        assert (kept.unplaced, kept.reasons & {"clock_untrusted"}) == (0, set())
        for serial in (LOST, LOST_TOO):
            assert source_of(here, serial) is TimeSource.NOT_SYNCHRONISED
            since = found(here, serial)
            assert since.wrong_share < EDGES, "a minute was put where it does not belong"
            assert since.unplaced > DAY_S / 60
            assert "clock_untrusted" in since.reasons

        # one whose time is plausible and wrong: set by it, the lost clock's timeline would end, never to be placed
        here.wind(START_S + 4.2 * DAY_S)
        await here.visit([LOST_TOO], WrongClock(here.clock, 2 * HOUR_S))
        assert source_of(here, LOST_TOO) is TimeSource.NOT_SYNCHRONISED
        assert found(here, LOST_TOO).wrong_share < EDGES

        # the good one
        here.wind(START_S + 5.5 * DAY_S)
        await here.visit([KEPT, LOST, LOST_TOO])
        for serial in (KEPT, LOST, LOST_TOO):
            assert source_of(here, serial) is TimeSource.NTP
            at_last = found(here, serial)
            assert at_last.wrong_share < EDGES, serial
            assert np.count_nonzero(at_last.judged) > 0.9 * (5.5 - 0.1) * 1440, serial
            assert at_last.unplaced == 0, "a good gateway saw the clock before it set it"
            # between the last look and the loss of power there is the stocking's own word alone, and that is told
            assert at_last.unsure <= (0 if serial == KEPT else (LOST_S - FIRST_LOOK_S) / 60)
