"""Simulated stockings on one radio with an HCI port: put together, started and stopped as a whole.

The one place that knows radio, GATT server, firmware and files together. The command line and the demo start it; time
and folder are handed in.
"""

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from zoneinfo import ZoneInfo

from calza_sim.export import export_truth
from calza_sim.firmware.flash import Flash, MemoryFlash
from calza_sim.firmware.flash_file import FileFlash
from calza_sim.gatt import BondStore, StockingServer
from calza_sim.manufacture import Manufacture, manufacture, write_fleet
from calza_sim.radio import PACED, HciPort, Pacing, Radio
from calza_sim.scenarios import scenario
from calza_sim.state_folder import FleetPlan, StateFolder, StockingPlan
from calza_sim.stocking import SimulatedStocking

LEGS = 2  # two stockings in a row are worn by the same person


@dataclass(frozen=True, slots=True)
class Member:
    """One running stocking."""

    plan: StockingPlan
    made: Manufacture
    stocking: SimulatedStocking
    flash: Flash
    server: StockingServer


class Fleet:
    """A running fleet; make it with `await Fleet.start(...)`, end it with `await fleet.stop()`."""

    def __init__(self, plan: FleetPlan, radio: Radio, port: HciPort, clock: Callable[[], float]) -> None:
        """An empty fleet on a radio; `start` fills it."""
        self.plan = plan
        self.radio = radio
        self.port = port
        self.members: dict[str, Member] = {}
        self._clock = clock
        self._folder: StateFolder | None = None

    @classmethod
    async def start(
        cls,
        plan: FleetPlan,
        *,
        clock: Callable[[], float],
        folder: StateFolder | None = None,
        port: int = 0,
        pacing: Pacing = PACED,
    ) -> Self:
        """Open the HCI port (0 = any), fill the logs up to now, switch every stocking on.

        `clock` gives true Unix seconds. A folder that holds flash is gone on with; without one nothing is kept.
        Raises OSError (port taken, folder not writable), FlashError, and ValueError for a broken bond file.
        """
        radio = Radio(seed=plan.seed, pacing=pacing)
        self = cls(plan, radio, await HciPort.open(radio, port), clock)
        self._folder = folder
        try:
            if folder is not None:
                folder.write_plan(plan)
            for number, each in enumerate(plan.stockings):
                self.members[each.serial] = await self._switch_on(each, plan.seed + number // LEGS)
            if folder is not None:
                write_fleet(folder.fleet_file, [member.made for member in self.members.values()])
            self.export_truth()
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Close the port, switch every stocking off, write the truth up to now."""
        await self.port.close()
        for member in self.members.values():
            await member.server.stop()
        self.export_truth()
        for member in self.members.values():
            member.flash.close()
        self.members.clear()

    def export_truth(self) -> None:
        """Write who wore what up to now beside the logs."""
        if self._folder is None:
            return
        for serial, member in self.members.items():
            known = member.stocking.truth(self._clock())
            for path in self._folder.truth_files(serial):
                export_truth(known, path)

    async def _switch_on(self, plan: StockingPlan, wearer: int) -> Member:
        made = manufacture(self.plan.seed, plan.serial, plan.side)
        folder = self._folder
        flash: Flash = MemoryFlash() if folder is None else FileFlash(folder.flash_file(plan.serial))
        now_s = self._clock()
        zone = ZoneInfo(self.plan.timezone)
        lives = scenario(plan.scenario)
        outages = lives.outage_spans(self.plan.start_s, zone)
        clock_resets = lives.clock_reset_times(self.plan.start_s, zone)
        if flash.head is None:
            stocking = SimulatedStocking.create(
                made,
                lives,
                seed=wearer,
                start_s=self.plan.start_s,
                flash=flash,
                zone=zone,
                live_s=now_s,
                outages=outages,
                clock_resets=clock_resets,
            )
        else:
            stocking = SimulatedStocking.resume(
                made,
                lives,
                seed=wearer,
                start_s=self.plan.start_s,
                now_s=now_s,
                flash=flash,
                zone=zone,
                live_s=now_s,
                outages=outages,
                clock_resets=clock_resets,
            )
        stocking.advance(now_s)
        server = await StockingServer.start(
            self.radio,
            stocking,
            clock=self._clock,
            bonds=BondStore(None if folder is None else folder.bonds_file(plan.serial), secrets.token_bytes),
            chance=random.Random(f"{self.plan.seed}/loss/{plan.serial}"),
        )
        return Member(plan, made, stocking, flash, server)
