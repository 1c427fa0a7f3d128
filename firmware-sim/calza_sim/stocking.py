"""A whole simulated stocking, put together from a seed: a wearer's life, a leg's physics, sensors and firmware."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from calza_sim.firmware.device import Firmware
from calza_sim.firmware.flash import Flash
from calza_sim.firmware.minutes import MinuteSource, MinuteTable
from calza_sim.manufacture import Manufacture
from calza_sim.physics import LegPhysics
from calza_sim.scenarios import Scenario
from calza_sim.sensor_errors import SensorErrors
from calza_sim.sensors import DrawnMinutes, LiveFrom, Sensors
from calza_sim.truth import Truth, truth
from calza_sim.wearer import Itinerary, live
from calza_sim.wearer_chance import stream
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.minute_block import LOG_ID_OCTETS

DAY_S: Final = 86_400.0
FIRST_DAYS: Final = 45  # lived in advance; doubled whenever time runs past them
CRYSTAL_PPM: Final = 20.0  # what an ordinary 32 kHz watch crystal may be off


class World:
    """Life, leg and sensors of one stocking on one wearer, made for as many days as are asked for.

    The `MinuteSource` of its firmware. Minutes from `live_s` (true Unix seconds) on are sampled at 10 Hz.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int,
        name: str,
        start_s: float,
        zone: tzinfo = UTC,
        live_s: float | None = None,
    ) -> None:
        self.scenario = scenario
        self.zone = zone
        self._seed = seed
        self._name = name
        self._start_s = start_s
        self._live_s = live_s
        self._errors = SensorErrors.drawn(seed, name, scenario.conditions)
        self._days = FIRST_DAYS
        self._make()

    def life(self, until_s: float) -> Itinerary:
        """An itinerary that reaches at least a day beyond `until_s`."""
        while self._life.end_s < until_s + DAY_S:
            self._days *= 2
            self._make()
        return self._life

    def minutes(self, starts_s: NDArray[np.float64], samples: NDArray[np.int64]) -> MinuteTable:
        """See `MinuteSource`."""
        self.life(float(starts_s[-1]))
        return self._source.minutes(starts_s, samples)

    def _make(self) -> None:
        self._life = live(self.scenario.plans(self._days), seed=self._seed, start_s=self._start_s, zone=self.zone)
        physics = LegPhysics(self._life, seed=self._seed, name=self._name, conditions=self.scenario.conditions)
        sensors = Sensors(physics, self._errors, seed=self._seed, name=self._name, born_s=self._start_s)
        self._source: MinuteSource = DrawnMinutes(sensors) if self._live_s is None else LiveFrom(sensors, self._live_s)


class SimulatedStocking(Firmware):
    """Firmware on a simulated leg, with the truth beside it. Implements `StockingFirmware`."""

    def __init__(
        self,
        made: Manufacture,
        world: World,
        flash: Flash,
        *,
        boot_s: float,
        draw_log_id: Callable[[float], bytes],
        drift_ppm: float,
        outages: Sequence[tuple[float, float]] = (),
        clock_resets: Sequence[float] = (),
    ) -> None:
        super().__init__(
            made,
            world,
            flash,
            boot_s=boot_s,
            draw_log_id=draw_log_id,
            drift_ppm=drift_ppm,
            outages=outages,
            clock_resets=clock_resets,
        )
        self._world = world

    @classmethod
    def create(
        cls,
        made: Manufacture,
        scenario: Scenario,
        *,
        seed: int,
        start_s: float,
        flash: Flash,
        zone: tzinfo = UTC,
        live_s: float | None = None,
        clock_set: bool = True,
        outages: Sequence[tuple[float, float]] = (),
        clock_resets: Sequence[float] = (),
    ) -> Self:
        """A stocking fitted at `start_s` (true Unix seconds) on blank flash to the wearer `seed`, who lives in `zone`.

        `live_s`: minutes from then on are sampled at 10 Hz (default: none are). `clock_set`: the clinic sets the clock
        at fitting. `outages`, `clock_resets`: see `Firmware`, in true Unix seconds. Raises ValueError when the flash
        already holds a log (`resume` goes on with it), or an outage makes no sense.
        """
        if flash.head is not None:
            raise ValueError(
                "this flash already holds a log: resume the stocking it belongs to instead of creating one"
            )
        power = (outages, clock_resets)
        made_one = cls._assembled(made, scenario, seed, start_s, flash, zone, live_s, power, boot_s=start_s)
        if clock_set:
            made_one.set_elapsed_time(TimeStamp.at(start_s, source=TimeSource.NTP).encode(), start_s)
        return made_one

    @classmethod
    def resume(
        cls,
        made: Manufacture,
        scenario: Scenario,
        *,
        seed: int,
        start_s: float,
        now_s: float,
        flash: Flash,
        zone: tzinfo = UTC,
        live_s: float | None = None,
        outages: Sequence[tuple[float, float]] = (),
        clock_resets: Sequence[float] = (),
    ) -> Self:
        """The same stocking after its process ended: power comes back at `now_s`; what was in RAM is lost.

        Log id, records and counters are the flash's; the clock counts from zero and wants to be set.
        """
        power = (outages, clock_resets)
        return cls._assembled(made, scenario, seed, start_s, flash, zone, live_s, power, boot_s=now_s)

    @classmethod
    def _assembled(
        cls,
        made: Manufacture,
        scenario: Scenario,
        seed: int,
        start_s: float,
        flash: Flash,
        zone: tzinfo,
        live_s: float | None,
        power: tuple[Sequence[tuple[float, float]], Sequence[float]],
        *,
        boot_s: float,
    ) -> Self:
        def draw_log_id(at_s: float) -> bytes:
            return hashlib.sha256(f"calza log {seed} {made.serial} {at_s!r}".encode()).digest()[:LOG_ID_OCTETS]

        world = World(scenario, seed=seed, name=made.serial, start_s=start_s, zone=zone, live_s=live_s)
        drift_ppm = float(stream(seed, "crystal", made.serial).uniform(-CRYSTAL_PPM, CRYSTAL_PPM))
        outages, clock_resets = power
        return cls(
            made,
            world,
            flash,
            boot_s=boot_s,
            draw_log_id=draw_log_id,
            drift_ppm=drift_ppm,
            outages=outages,
            clock_resets=clock_resets,
        )

    def truth(self, until_s: float) -> Truth:
        """Who wore it when, for every whole UTC minute from fitting to `until_s` (true Unix seconds)."""
        return truth(self._world.life(until_s), self._world.scenario, until_s=until_s, zone=self._world.zone)
