"""One soak from beginning to end: a world, its weather, a gateway that is never restarted, a judge. Prints nothing."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.forecast import Fault, Kind, forecast
from tests.soak.judge import Judge, Records
from tests.soak.outages import Service
from tests.soak.terse_bumble import terse_bumble
from tests.soak.virtual_time import run_virtually
from tests.soak.vitals import Vitals, growth
from tests.soak.weather import Weather
from tests.soak.world import DAY_S, LEGS, MOST_DAYS, world

QUIET_S = 3600.0  # after the last fault, before anything is counted
ARRIVAL_LIMIT_S = 4 * 3600.0  # for a moment at which nothing is under way; found within two visits if all is well
PROGRESS_EVERY_S = 900.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: `kinds` are the faults, none for fair weather."""

    seed: int
    days: float
    interval_s: float
    kinds: Sequence[Kind] = tuple(Kind)

    def __post_init__(self) -> None:
        if not 0 < self.days <= MOST_DAYS or self.interval_s <= 0:
            raise ValueError(f"a soak takes more than 0 and at most {MOST_DAYS:g} days, and its interval is above 0")

    @property
    def faults(self) -> list[Fault]:
        """All of them, in order."""
        return list(forecast(self.seed, self.days * DAY_S, list(LEGS), self.kinds))


@dataclass(slots=True)
class Outcome:
    """What a soak came to. `finished` False: it was broken off, and only what it saw until then counts."""

    plan: Plan
    finished: bool = False
    simulated_days: float = 0.0
    wall_s: float = 0.0
    struck: dict[Kind, int] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    records: dict[str, Records] = field(default_factory=dict)
    left_in_outbox: int = 0
    came_twice: int = 0
    remedies: int = 0
    looks: list[Vitals] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing to complain of."""
        return self.finished and not self.complaints


def soak(plan: Plan, folder: Path, on_progress: Callable[[Judge], None] = lambda _judge: None) -> Outcome:
    """Run it in a folder of its own. A KeyboardInterrupt ends it early, with what was found so far."""
    outcome = Outcome(plan)
    began = time.monotonic()
    try:
        with terse_bumble():
            run_virtually(_soak(plan, folder, outcome, on_progress))
    except KeyboardInterrupt:
        outcome.complaints.append("broken off")
    outcome.wall_s = time.monotonic() - began
    return outcome


async def _soak(plan: Plan, folder: Path, outcome: Outcome, on_progress: Callable[[Judge], None]) -> None:
    async with world(folder, seed=plan.seed, days=plan.days) as here:
        judge = Judge(here, plan.interval_s)
        gateway = asyncio.create_task(here.gateway(judge.tell, plan.interval_s), name="gateway")
        watching = [
            asyncio.create_task(judge.watch(), name="judge"),
            asyncio.create_task(_report(judge, on_progress), name="progress"),
        ]
        weather = asyncio.create_task(_weather(plan, Weather(here, judge)), name="weather")
        try:
            await asyncio.wait({gateway, weather, *watching}, return_when=asyncio.FIRST_COMPLETED)
            if weather.done():
                weather.result()
                arrived = await judge.all_arrived(ARRIVAL_LIMIT_S)
                outcome.finished = True
                if not arrived:
                    outcome.complaints.append("there was no moment at which all that is sealed was stored")
            if gateway.done():
                outcome.complaints.append(f"the gateway ended by itself: {gateway.exception()!r}")
            for each in watching:
                if each.done():
                    each.result()
        finally:
            for each in (weather, *watching, gateway):
                each.cancel()
            await asyncio.gather(weather, *watching, gateway, return_exceptions=True)
            _write_down(judge, outcome)


async def _weather(plan: Plan, weather: Weather) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(weather.run(plan.faults))
        group.create_task(asyncio.sleep(plan.days * DAY_S))
    await asyncio.sleep(QUIET_S)


async def _report(judge: Judge, on_progress: Callable[[Judge], None]) -> None:
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        on_progress(judge)


def _write_down(judge: Judge, outcome: Outcome) -> None:
    outcome.simulated_days = judge.now_s / DAY_S
    outcome.struck = dict(judge.struck)
    outcome.services = judge.services
    outcome.records = judge.records()
    outcome.left_in_outbox = judge.world.outbox.waiting()
    outcome.came_twice = judge.world.server.ingest.health().duplicates
    outcome.remedies = judge.remedies
    outcome.looks = judge.looks
    outcome.told, outcome.problems = dict(judge.told), dict(judge.problems)
    outcome.complaints += judge.complaints
    outcome.complaints += growth(judge.looks)
    if outcome.finished:
        outcome.complaints += [
            f"{serial}: {found.missing} records missing, {found.altered} altered, {found.extra} too many"
            for serial, found in outcome.records.items()
            if found.missing or found.altered or found.extra
        ]
        if outcome.left_in_outbox:
            outcome.complaints.append(f"{outcome.left_in_outbox} records are left in the outbox")
