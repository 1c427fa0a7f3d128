"""Two stockings, a machine with real BlueZ between them and a server: what every scene on real BlueZ plays in.

The stockings, their bonds and the machine are shared by all scenes; server and gateway are new in each, so that each
fetches all that is in the flash.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from calza_demo.processes import Children
from calza_sim import faults
from calza_sim.faults import Fault
from tests.bluez.image import image_folder
from tests.bluez.machine import Command, Machine, Outcome
from tests.bluez.stage import Clinic, Garment, Radio, in_flash, start_clinic, start_radio, write_labels

FORTNIGHT: Final = 14  # days
STOCKINGS: Final = ("--stocking", "CALZA-0001:left:perfect", "--stocking", "CALZA-0002:right:falls-short")
PAIR_LIMIT_S: Final = 180.0  # 8 s on two idle cores; a limit costs nothing until something hangs
STORED_LIMIT_S: Final = 300.0  # 20 s on two idle cores, as long again after a fault
STOP_LIMIT_S: Final = 30.0


@dataclass(slots=True)
class Ward:
    """Everything that is there before a scene begins."""

    machine: Machine
    radio: Radio
    children: Children
    folder: Path
    days: int
    _numbers: "count[int]" = field(default_factory=count)

    @property
    def left(self) -> Garment:
        return self.radio.stockings[0]

    @property
    def right(self) -> Garment:
        return self.radio.stockings[1]

    # --- the radio ----------------------------------------------------------------------------------------------------

    async def fault(self, kind: str, serial: str | None = None, *, seconds: float = 0.0, rate: float = 0.0) -> None:
        """What `calza sim fault` does."""
        await asyncio.to_thread(faults.ask, self.radio.control, Fault(kind, serial, seconds=seconds, rate=rate))

    async def bonds_of(self, stocking: Garment) -> int:
        """How many gateways the stocking remembers."""
        (found,) = await asyncio.to_thread(faults.ask, self.radio.control, Fault("status", stocking.serial))
        return int(str(found["bonds"]))

    async def records(self) -> int:
        """How many records are in the stockings' flash."""
        found = await asyncio.to_thread(faults.ask, self.radio.control, Fault("status"))
        return sum(int(str(each["next_record"])) - int(str(each["first_record"])) for each in found)

    # --- the gateway --------------------------------------------------------------------------------------------------

    async def pair(self, stocking: Garment, label: str | None = None, called: str | None = None) -> Outcome:
        """`calza gateway pair` with the passkey in a file, by default the right one; by the serial or as `called`."""
        words = ("calza", "gateway", "pair", called or stocking.serial, "--radio", "bluez", "--seconds", "2")
        passkey = ("--passkey-file", label or f"/label/{stocking.serial}", "--json")
        return await self.machine.run(*words, *passkey, within_s=PAIR_LIMIT_S)

    async def wrong_label(self, stocking: Garment) -> str:
        """A file in the machine with a passkey that is one off."""
        wrong = (int(stocking.passkey) + 1) % 1_000_000
        await self.machine.sh(f"echo {wrong:06d} >/label/wrong")
        return "/label/wrong"

    async def paired(self) -> None:
        """Pair what is not paired yet; a scene before this one may have done it, and BlueZ remembers."""
        held = await self.machine.bonds()
        for stocking in self.radio.stockings:
            if stocking.address not in held or await self.bonds_of(stocking) == 0:
                outcome = await self.pair(stocking, called=stocking.address)  # spares a look round
                assert outcome.code == 0, outcome

    async def strangers(self, stocking: Garment) -> None:
        """Make BlueZ and the stocking forget each other."""
        await self.fault("forget-bonds", stocking.serial)
        if stocking.address in await self.machine.bonds():
            await self.machine.remove_bond(stocking.address)

    @asynccontextmanager
    async def clinic(self) -> AsyncIterator[Clinic]:
        """A new server that holds nothing, within reach of a gateway that remembers nothing but its pairings."""
        clinic = await start_clinic(self.children, self.folder / f"server-{next(self._numbers)}", self.radio)
        try:
            await self.machine.forward(clinic.mqtt_port)
            await self.machine.sh("cd .calza/gateway && find . -type f ! -name stockings.json -delete")
            yield clinic
        finally:
            await clinic.stop()

    async def gateway(self, clinic: Clinic, *words: str) -> Command:
        """Start `calza gateway run`."""
        return await self.machine.start("calza", "gateway", "run", "--json", *words, env=clinic.environment)

    async def once(self, clinic: Clinic) -> Outcome:
        """`calza gateway run --once` to its end."""
        return await (await self.gateway(clinic, "--once")).wait(STORED_LIMIT_S)

    async def until_stored(self, gateway: Command, clinic: Clinic) -> None:
        """Wait until the store holds as many records as the stockings do."""
        async for _ in gateway.news(STORED_LIMIT_S, "bring every record into the store"):
            assert gateway.code is None, f"the gateway ended with {gateway.code}: {gateway.err[-5:]}"
            if clinic.count() >= await self.records():
                return

    async def stop(self, gateway: Command) -> None:
        """End a gateway as systemd would; it must still be there and leave in order."""
        assert gateway.code is None, "the gateway ended by itself"
        gateway.signal(signal.SIGTERM)
        assert (await gateway.wait(STOP_LIMIT_S)).code == 0

    def assert_store_is_flash(self, clinic: Clinic) -> None:
        """Every record in flash is in the store once, octet for octet, and nothing else is."""
        flash, stored = in_flash(self.radio), clinic.in_store()
        assert len(flash) > len(self.radio.stockings) * self.days * 24, (
            "an hour of each leg is a record, so there are many"
        )
        assert len(stored) == len(dict(stored)), "a record is stored twice"
        assert dict(stored) == flash, "the store is not what is in flash"


@asynccontextmanager
async def ward(folder: Path, days: int, seed: int) -> AsyncIterator[Ward]:
    """Everything running, nothing paired; gone when the block ends. Raises `NoImageError`."""
    image = await image_folder()
    async with Children(folder / "logs") as children:
        words = ("--days", str(days), "--seed", str(seed), *STOCKINGS)
        radio = await start_radio(children, folder / "sim", *words)
        async with Machine.boot(image, radio.hci_port, folder / "machine.log") as machine:
            await write_labels(machine, radio)
            yield Ward(machine, radio, children, folder, days)
