"""The live hub: who is asked, how often, and that nobody is asked when nobody looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from calza_server.live.live_feed import RENEW_S, TooManyWatchersError
from calza_server.live.live_hub import ASK_AGAIN_S, LEASE_S, WATCHERS_MAX, LiveHub
from calza_server.ports import LiveSeen
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.live_minute import LiveMinute
from calza_wire.live_request import LEASE_MAX_S, LiveRequest
from calza_wire.topics import Kind, parse

LEFT, RIGHT = "CALZA-0001", "CALZA-0002"


def minute_of(serial: str) -> LiveSeen:
    stamp = TimeStamp.at(1_790_000_000, source=TimeSource.NTP)
    minute = LiveMinute(stamp, Decimal(26), Decimal(19), Decimal(10), Decimal(1), Decimal(31), 0)
    return LiveSeen(serial, "bedside", minute, 1_790_000_000_000)


@dataclass
class Bench:
    """A hub with its time and what it asked: (gateway, serial)."""

    tick_s: float = 100.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    seconds: set[int] = field(default_factory=set)
    told: list[LiveSeen | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hub = LiveHub(self._ask, lambda: self.tick_s)

    def _ask(self, topic: str, payload: bytes) -> None:
        where, request = parse(topic), LiveRequest.decode(payload)
        assert (where.direction, where.kind) == ("down", Kind.LIVE)
        self.asked.append((where.gateway, request.serial))
        self.seconds.add(request.seconds)


def test_nobody_is_asked_before_somebody_looks() -> None:
    bench = Bench()
    bench.hub.gateway_heard("bedside", online=True, stockings=[LEFT])
    bench.hub.stocking_synced("bedside", LEFT)
    bench.hub.live_minute(minute_of(LEFT))
    bench.hub.watch([LEFT], bench.told.append)
    assert bench.asked == []


def test_every_gateway_that_is_online_and_knows_it_is_asked() -> None:
    bench = Bench()
    hub = bench.hub
    hub.gateway_heard("bedside", online=True, stockings=[LEFT, RIGHT])
    hub.gateway_heard("kitchen", online=True, stockings=[LEFT])
    hub.gateway_heard("away", online=True, stockings=[LEFT])
    hub.gateway_heard("away", online=False)
    hub.gateway_heard("stranger", online=True, stockings=["CALZA-0099"])
    watch = hub.watch([LEFT], bench.told.append)
    assert watch.renew() == 2
    assert sorted(bench.asked) == [("bedside", LEFT), ("kitchen", LEFT)]
    assert bench.seconds == {LEASE_S}
    assert 3 * RENEW_S <= LEASE_S <= LEASE_MAX_S


def test_a_sync_shows_a_gateway_whose_hello_was_before_our_time() -> None:
    bench = Bench()
    bench.hub.gateway_heard("bedside", online=True)
    watch = bench.hub.watch([LEFT], bench.told.append)
    assert watch.renew() == 0
    bench.hub.stocking_synced("bedside", LEFT)
    assert bench.told == [None], "who looks is told to look again"
    assert watch.renew() == 1
    assert bench.asked == [("bedside", LEFT)]


def test_it_is_asked_again_while_somebody_looks_however_many_look() -> None:
    bench = Bench()
    bench.hub.gateway_heard("bedside", online=True, stockings=[LEFT])
    watches = [bench.hub.watch([LEFT], bench.told.append) for _ in range(5)]
    for _ in range(4):
        for watch in watches:
            watch.renew()
            bench.tick_s += 0.1
        bench.tick_s += RENEW_S
    assert bench.asked == [("bedside", LEFT)] * 4
    assert ASK_AGAIN_S < RENEW_S


def test_nobody_is_asked_after_the_last_has_left() -> None:
    bench = Bench()
    bench.hub.gateway_heard("bedside", online=True, stockings=[LEFT])
    watch = bench.hub.watch([LEFT], bench.told.append)
    watch.renew()
    watch.leave()
    watch.leave()
    bench.tick_s += RENEW_S
    assert watch.renew() is None
    bench.hub.gateway_heard("bedside", online=True, stockings=[LEFT])
    bench.hub.live_minute(minute_of(LEFT))
    assert len(bench.asked) == 1
    assert bench.told == []


def test_a_gateway_that_was_started_anew_is_asked_at_once() -> None:
    bench = Bench()
    bench.hub.gateway_heard("bedside", online=True, stockings=[LEFT])
    watch = bench.hub.watch([LEFT], bench.told.append)
    watch.renew()
    bench.hub.gateway_heard("bedside", online=False)
    assert (bench.told, watch.renew()) == ([None], 0)
    bench.hub.gateway_heard("bedside", online=True, stockings=[LEFT])
    assert (bench.told, watch.renew()) == ([None, None], 1)
    assert bench.asked == [("bedside", LEFT)] * 2


def test_a_minute_goes_to_those_who_look_at_that_stocking() -> None:
    bench = Bench()
    left: list[LiveSeen | None] = []
    bench.hub.watch([LEFT], left.append)
    bench.hub.watch([RIGHT], bench.told.append)
    bench.hub.live_minute(minute_of(LEFT))
    assert left == [minute_of(LEFT)]
    assert bench.told == []


def test_who_does_not_renew_is_forgotten_and_makes_room() -> None:
    bench = Bench()
    watches = [bench.hub.watch([LEFT], bench.told.append) for _ in range(WATCHERS_MAX)]
    with pytest.raises(TooManyWatchersError):
        bench.hub.watch([LEFT], bench.told.append)
    bench.tick_s += LEASE_S - 1
    watches[0].renew()
    bench.tick_s += 1
    bench.hub.watch([LEFT], bench.told.append)
    assert bench.hub.watching() == 2
    assert watches[0].renew() == 0
    assert watches[1].renew() is None


def test_at_the_end_everybody_is_told_and_nobody_let_in() -> None:
    bench = Bench()
    watch = bench.hub.watch([LEFT], bench.told.append)
    bench.hub.close()
    assert bench.told == [None]
    assert watch.renew() is None
    with pytest.raises(TooManyWatchersError):
        bench.hub.watch([LEFT], bench.told.append)
