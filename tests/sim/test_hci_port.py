"""The HCI port with hosts in other processes: the topology of every gateway that is not a test."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from calza_sim.gatt import StockingServer
from calza_sim.radio import PACED, HciPort, Radio
from tests.sim.central import Central
from tests.sim.conftest import StartStocking
from tests.sim.fake_firmware import PASSKEY, FakeFirmware

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0


class HostProcess:
    """A running `hci_host_process` and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def said(self, word: str) -> str:
        """Wait for a line that begins with `word` and give the rest of it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            while line := (await self.process.stdout.readline()).decode().strip():
                head, _, rest = line.partition(" ")
                if head == word:
                    return rest
        raise AssertionError(f"the host process ended before it said {word!r}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)


class StartHost(Protocol):
    async def __call__(self, own: str, stocking: StockingServer) -> HostProcess: ...


@pytest.fixture
async def radio() -> Radio:
    return Radio(seed=1, pacing=PACED)


@pytest.fixture
async def port(radio: Radio) -> AsyncIterator[HciPort]:
    opened = await HciPort.open(radio)
    yield opened
    await opened.close()


@pytest.fixture
async def start_host(port: HciPort) -> AsyncIterator[StartHost]:
    started: list[HostProcess] = []
    paths = [str(ROOT), *(str(ROOT / part) for part in ("wire", "firmware-sim"))]

    async def start(own: str, stocking: StockingServer) -> HostProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.sim.hci_host_process", str(port.port), own, stocking.address, str(PASSKEY),
            cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        started.append(HostProcess(process))
        return started[-1]

    yield start
    for host in started:
        if host.process.returncode is None:
            host.kill()
        await host.process.communicate()


async def test_a_host_in_another_process_pairs_and_fetches(
    start_stocking: StartStocking, start_host: StartHost
) -> None:
    stocking = await start_stocking(firmware=FakeFirmware(records=100))
    host = await start_host("F0:00:00:00:00:01", stocking)
    assert await host.said("mtu") == "247"
    await host.said("paired")
    assert await host.said("answer") == "080064000000"
    assert stocking.bonds.count == 1


async def test_killed_hosts_are_noticed_and_the_stocking_is_free_again(
    start_stocking: StartStocking, start_host: StartHost, port: HciPort, radio: Radio
) -> None:
    stocking = await start_stocking(firmware=FakeFirmware(records=3000))
    for _ in range(3):
        host = await start_host("F0:00:00:00:00:01", stocking)
        await host.said("segment")
        assert stocking.connected
        host.kill()
        async with asyncio.timeout(WAIT_S):
            await stocking.idle.wait()
        assert radio.links == ()
    survivor = await Central(radio, "survivor", "F0:00:00:00:00:02").start()
    await survivor.connect(stocking.address)


async def test_hosts_get_radios_of_their_own_and_addresses_are_used_again(
    start_stocking: StartStocking, start_host: StartHost, port: HciPort
) -> None:
    stockings = [await start_stocking(f"TEST-000{n}", firmware=FakeFirmware(f"TEST-000{n}", 100)) for n in (1, 2)]
    hosts = [await start_host(f"F0:00:00:00:00:0{n}", stocking) for n, stocking in enumerate(stockings, 1)]
    addresses = {await host.said("public") for host in hosts}
    assert addresses == {"CA:12:A0:00:00:01", "CA:12:A0:00:00:02"}
    assert [await host.said("answer") for host in hosts] == ["080064000000"] * 2
    assert len(port.hosts) == 2
    hosts[0].kill()
    async with asyncio.timeout(WAIT_S):
        await stockings[0].idle.wait()
    again = await start_host("F0:00:00:00:00:03", stockings[0])
    assert await again.said("public") in addresses
    await again.said("connected")


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xff", bytes(100)])
async def test_octets_that_are_not_hci_harm_nobody(
    port: HciPort, start_stocking: StartStocking, radio: Radio, octets: bytes
) -> None:
    stocking = await start_stocking()
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    writer.write(octets)
    async with asyncio.timeout(WAIT_S):
        with contextlib.suppress(ConnectionError):  # an abort shows as a reset
            assert await reader.read() == b""
    writer.close()
    central = await Central(radio, "gateway").start()
    await central.connect(stocking.address)
    assert port.hosts == ()


async def test_a_taken_port_is_an_oserror(port: HciPort, radio: Radio) -> None:
    with pytest.raises(OSError, match="in use"):
        await HciPort.open(radio, port.port)


async def test_closing_the_port_drops_the_hosts(
    port: HciPort, start_stocking: StartStocking, start_host: StartHost, radio: Radio
) -> None:
    host = await start_host("F0:00:00:00:00:01", await start_stocking())
    await host.said("connected")
    await port.close()
    assert port.hosts == ()
