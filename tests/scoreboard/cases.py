"""Which legs are judged, and each of them as the detector, the verdict and their judges want it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.detection.detector import detect
from calza_server.domain.ledgers.ledger import Ledger, ledger_of
from calza_server.domain.ledgers.leg import Recorded, ledger_of_leg
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.recording.grid import MinuteGrid
from calza_server.domain.recording.placement import place
from calza_sim.cohort import persons
from calza_sim.export_folder import SERIAL
from calza_sim.scenarios import SCENARIOS, Scenario, scenario
from calza_sim.truth import MINUTE_S, Truth
from tests.scoreboard import other_world
from tests.scoreboard.living import lived
from tests.scoreboard.orders import orders

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.orders.prescription import Prescription

FITTING: Final = "fitting seeds"
HELD_OUT: Final = "held-out seeds"
NOISY: Final = "held-out seeds, noisy sensors"
COHORT: Final = "a cohort"
OTHER: Final = "another world"
SOURCES: Final = (FITTING, HELD_OUT, NOISY, COHORT, OTHER)

FITTING_SEEDS: Final = 100  # 0..99: the detector's figures may be chosen by them
FIRST_HELD_OUT_SEED: Final = 1_000
SEEDS_APART: Final = 9_000  # over which the scenarios' people are spread, so that each scenario has its own
COHORT_AT_ONCE: Final = 20
NOISE: Final = "noisy"  # the modifier with the white noise of clinical.md 4.6 [P]: sd 1.0 mmHg of one sample


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: a scenario lived by one seed; or `legs` of a cohort or another world's seed from `first` on.

    Of another world `legs` may be None: all of them. What is no scenario has no name.
    """

    source: str
    scenario: str
    seed: int
    first: int = 0
    legs: int | None = None

    @property
    def lived(self) -> str:
        """The scenario as the simulator is asked for it: noise is joined to it."""
        return f"{self.scenario}+{NOISE}" if self.source == NOISY else self.scenario


@dataclass(frozen=True, slots=True)
class Run:
    """How much is judged: `persons` legs of each scenario and source, a cohort, `worlds` seeds of the other world.

    `world_legs`: of each such seed only so many legs; None: all of them. `scenarios`: by default every one.
    """

    persons: int
    first_held_out: int
    cohort: int
    worlds: int
    world_legs: int | None = None
    scenarios: tuple[str, ...] = tuple(SCENARIOS)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One leg: its placed minutes for anyone to judge, what was true, and its orders by name.

    `scenario` is the pattern of wear for a person of a cohort, `seed` the person's number. `recorded` is None for a leg
    that no stocking recorded.
    """

    source: str
    scenario: str
    seed: int
    grid: MinuteGrid
    known: Truth
    timezone: str
    orders: Mapping[str, Mapping[str, object]]
    recorded: Recorded | None

    def ledger(self, order: Prescription) -> Ledger:
        """The product's ledger of this leg."""
        if self.recorded is not None:
            return ledger_of_leg([self.recorded], order, self.grid.start_minute, self.grid.end_minute).ledger
        return ledger_of(self.grid, detect(self.grid), SERIAL)

    @property
    def prescriptions(self) -> dict[str, Prescription]:
        """The orders as the product reads them."""
        return {name: read_prescription(document) for name, document in self.orders.items()}


def jobs(run: Run) -> list[Job]:
    """Everything to be judged, in the order of the document."""
    found: dict[str, list[Job]] = {source: [] for source in SOURCES}
    for name in run.scenarios:
        shift = zlib.crc32(name.encode())  # a scenario's own people, whichever other scenarios there are
        for number in range(run.persons):
            found[FITTING].append(Job(FITTING, name, (shift + number) % FITTING_SEEDS))
            seed = run.first_held_out + shift % SEEDS_APART + number
            found[HELD_OUT].append(Job(HELD_OUT, name, seed))
            found[NOISY].append(Job(NOISY, name, seed))
    for first in range(0, run.cohort, COHORT_AT_ONCE):
        found[COHORT].append(Job(COHORT, "", run.first_held_out, first, min(COHORT_AT_ONCE, run.cohort - first)))
    seeds = range(run.first_held_out, run.first_held_out + run.worlds)
    found[OTHER] = [Job(OTHER, "", seed, legs=run.world_legs) for seed in seeds]
    return [job for source in SOURCES for job in found[source]]


def cases(job: Job) -> Iterator[Case]:
    """The legs of a job."""
    if job.source == OTHER:
        for leg in islice(other_world.legs(job.seed), job.legs):
            yield _of_another_world(job, leg)
    elif job.source == COHORT:
        for person in persons(job.first + (job.legs or 0), job.seed)[job.first :]:
            yield _simulated(person.scenario, person.seed, job.source, person.pattern, person.number)
    else:
        yield _simulated(scenario(job.lived), job.seed, job.source, job.scenario, job.seed)


def _simulated(lives: Scenario, seed: int, source: str, name: str, number: int) -> Case:
    life = lived(lives, seed)
    own = lives.order.document(life.start_s, lives.timezone)
    return Case(
        source=source,
        scenario=name,
        seed=number,
        grid=place(life.recorded.readings, life.recorded.sightings, life.start_minute, life.end_minute),
        known=life.known,
        timezone=lives.timezone,
        orders=orders(own, life.start_minute, lives.timezone),
        recorded=life.recorded,
    )


def _of_another_world(job: Job, leg: other_world.OtherLeg) -> Case:
    n = len(leg.present)
    grid = MinuteGrid.empty(leg.start_minute, leg.start_minute + n, logs=(b"otherwld",))
    for name, column in leg.columns.items():
        getattr(grid, name)[:] = column
    grid.present[:] = leg.present
    grid.log[leg.present] = 0
    grid.record[:] = np.where(leg.present, np.arange(n) // 60, -1)
    minute_s: npt.NDArray[np.int64] = (leg.start_minute + np.arange(n, dtype=np.int64)) * MINUTE_S
    return Case(
        source=job.source,
        scenario=leg.name,
        seed=job.seed,
        grid=grid,
        known=Truth(minute_s, leg.worn, (), (), ()),
        timezone="UTC",
        orders=orders(leg.order, leg.start_minute, "UTC"),
        recorded=None,
    )
