"""The radio port against the simulator as people run it: real stockings, in a process of their own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calza_gateway.adapters.radios import open_radio
from calza_gateway.pairing.pairing import enrol, find
from calza_gateway.ports import Radio, RadioError, RadioReason
from calza_gateway.settings.radio_spec import parse_radio
from calza_wire.elapsed_time import CurrentElapsedTime
from calza_wire.racp import CombinedReport, CombinedReportResponse, Selection, decode_response, encode_request
from calza_wire.segments import Reassembler
from calza_wire.stocking_service import LogStatus
from calza_wire.uuids import CURRENT_ELAPSED_TIME, LOG_STATUS, RACP, STORED_OBSERVATIONS
from tests.gateway.peripheral import Person


@dataclass
class Simulator:
    """`calza sim run` in a process that can be killed, and started again on the same port with the same stockings."""

    state: Path
    pace: tuple[str, ...] = ()
    spec: str = ""
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        port = self.spec.rpartition(":")[2] or "0"
        arguments = ["--json", "--days", "1", "--state", str(self.state), "--port", port, *self.pace]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "calza", "sim", "run", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.spec = ready["hci"]

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate(timeout=10)
            self.process = None

    @property
    def fleet(self) -> list[dict[str, object]]:
        fleet = json.loads((self.state / "fleet.json").read_text())
        assert isinstance(fleet, list)
        return fleet


@pytest.fixture
def simulator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path / "sim", request.param)
    simulator.start()
    yield simulator
    simulator.kill()


async def pair(radio: Radio, entry: dict[str, object]) -> str:
    """Pair with one stocking of the fleet, found by serial; returns its address."""
    found = await find(radio, str(entry["serial"]), await radio.scan(1))
    paired = await enrol(radio, found, Person(int(str(entry["passkey"]))))
    assert (paired.serial, paired.side.value) == (entry["serial"], entry["side"])
    return paired.address


@pytest.mark.parametrize("simulator", [()], ids=["paced"], indirect=True)
async def test_pair_fetch_die_and_fetch_again(simulator: Simulator, tmp_path: Path) -> None:
    radio = open_radio(parse_radio(simulator.spec), tmp_path / "g1")
    address = await pair(radio, simulator.fleet[0])
    link = await radio.connect(address, 20)
    assert link.mtu == 247
    assert CurrentElapsedTime.decode(await link.read(CURRENT_ELAPSED_TIME)).stamp.synchronised
    status = LogStatus.decode(await link.read(LOG_STATUS))
    events: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    await link.subscribe(STORED_OBSERVATIONS, lambda value: events.put_nowait(("stored", value)))
    await link.subscribe(RACP, lambda value: events.put_nowait(("racp", value)))
    await link.write(RACP, encode_request(CombinedReport(Selection.everything())))
    reassembler, payloads = Reassembler(), 0
    async with asyncio.timeout(60):
        while True:
            kind, value = await events.get()
            if kind == "racp":
                break
            payloads += reassembler.feed(value) is not None
    response = decode_response(value)
    assert isinstance(response, CombinedReportResponse)
    assert payloads == response.count == status.next_record - status.first_record
    assert reassembler.gaps == 0
    assert payloads >= 23  # a day of hours

    simulator.kill()
    async with asyncio.timeout(5):
        await link.closed.wait()
    with pytest.raises(RadioError) as caught:
        await radio.connect(address, 1)
    assert caught.value.reason is RadioReason.NO_ADAPTER
    await asyncio.to_thread(simulator.start)
    link = await radio.connect(address, 20)  # the same radio, the same bond, nobody asked
    assert LogStatus.decode(await link.read(LOG_STATUS)).log_id == status.log_id
    await link.disconnect()
    await radio.close()


@pytest.mark.parametrize("simulator", [("--unpaced",)], ids=["unpaced"], indirect=True)
async def test_wrong_passkey_and_two_gateways_on_real_stockings(simulator: Simulator, tmp_path: Path) -> None:
    radios = [open_radio(parse_radio(simulator.spec), tmp_path / name) for name in ("g1", "g2")]
    entry = simulator.fleet[0]
    wrong = {**entry, "passkey": (int(str(entry["passkey"])) + 1) % 1_000_000}
    with pytest.raises(RadioError, match="passkey is wrong") as caught:
        await pair(radios[0], wrong)
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    (address,) = {await pair(radio, entry) for radio in radios}
    for radio in radios:
        link = await radio.connect(address, 20)
        LogStatus.decode(await link.read(LOG_STATUS))
        await link.disconnect()
        await radio.close()
