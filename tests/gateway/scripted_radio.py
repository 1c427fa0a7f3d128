"""The `Radio` port over scripted stockings: values arrive in the event loop, with the faults of the script."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field

from calza_gateway.adapters.system_clock import SystemClock
from calza_gateway.ports import AdapterCare, Link, PairingAgent, RadioError, RadioReason, Sighting
from calza_gateway.sync.steps import OpDone, OpRefused, Read, ReadResult, Received, Subscribe, Write
from calza_wire.uuids import GHS_CONTROL_POINT, LIVE_OBSERVATIONS
from tests.gateway.scripted_stocking import MTU, ScriptedStocking


class ScriptedLink:
    """One connection; refuses, as real stacks do, to subscribe twice."""

    def __init__(self, address: str, stocking: ScriptedStocking) -> None:
        self.address = address
        self.mtu = MTU
        self.rssi: int | None = -50
        self.closed = asyncio.Event()
        self.live_started = asyncio.Event()
        self.live_writes: list[bytes] = []
        self.transmitted = asyncio.Event()
        self.on_disconnect: Callable[[], Coroutine[object, object, None]] | None = None
        self._stocking = stocking
        self._listeners: dict[str, Callable[[bytes], None]] = {}
        self._busy = False
        stocking.connect()

    async def read(self, uuid: str) -> bytes:
        answer = await self._do(Read(uuid))
        assert isinstance(answer, ReadResult)
        return answer.value

    async def write(self, uuid: str, value: bytes) -> None:
        if uuid == GHS_CONTROL_POINT:
            self.live_writes.append(value)
            self.live_started.set()
            return
        assert isinstance(await self._do(Write(uuid, value)), OpDone)
        await self._transmit()

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        assert uuid not in self._listeners, "subscribed twice on one connection"
        self._listeners[uuid] = on_value
        if uuid not in {GHS_CONTROL_POINT, LIVE_OBSERVATIONS}:
            await self._do(Subscribe(uuid))

    async def disconnect(self) -> None:
        if self.on_disconnect is not None:
            await self.on_disconnect()
        self.closed.set()

    def notify(self, uuid: str, value: bytes) -> None:
        self._listeners[uuid](value)

    async def _do(self, action: Read | Write | Subscribe) -> ReadResult | OpDone:
        assert not self._busy, "two operations at once on one link"
        self._busy = True
        try:
            await asyncio.sleep(0)
            if self.closed.is_set() or self._stocking.random.random() < self._stocking.faults.disconnect:
                self.closed.set()
                raise RadioError(RadioReason.DISCONNECTED, "the link is gone")
            answer = self._stocking.answer(action, SystemClock().now())
            if isinstance(answer, OpRefused):
                raise RadioError(answer.reason, answer.sentence, answer.att_code)
            assert isinstance(answer, ReadResult | OpDone)
            return answer
        finally:
            self._busy = False

    async def _transmit(self) -> None:
        while self._stocking.outgoing and not self.closed.is_set():
            for event in self._stocking.transmit():
                assert isinstance(event, Received)
                self._listeners[event.uuid](event.value)
            if self._stocking.random.random() < self._stocking.faults.disconnect:
                self.closed.set()
            await asyncio.sleep(0)
        self.transmitted.set()


@dataclass
class ScriptedCare:
    """Writes down what was done for the adapter; `refuses` is raised each time, `cures` is called when it went well."""

    name: str = "scripted"
    done: list[str] = field(default_factory=list)
    refuses: RadioError | None = None
    cures: Callable[[str], None] = lambda _remedy: None

    async def present(self) -> bool:
        return True

    async def reset(self) -> None:
        await self._do("reset")

    async def restart_stack(self) -> None:
        await self._do("restart_stack")

    async def _do(self, remedy: str) -> None:
        self.done.append(remedy)
        await asyncio.sleep(0)
        if self.refuses is not None:
            raise self.refuses
        self.cures(remedy)


@dataclass
class ScriptedRadio:
    """Stockings by address; `failures` are raised, one for each connect, before it works."""

    stockings: dict[str, ScriptedStocking]
    failures: list[RadioError] = field(default_factory=list)
    links: list[ScriptedLink] = field(default_factory=list)
    connecting: int = 0
    cared: "ScriptedCare" = field(default_factory=lambda: ScriptedCare())

    async def connect(self, address: str, timeout_s: float) -> Link:
        assert self.connecting == 0, "two connects at once"
        self.connecting += 1
        try:
            await asyncio.sleep(0)
            if self.failures:
                raise self.failures.pop(0)
            self.links.append(ScriptedLink(address, self.stockings[address]))
            return self.links[-1]
        finally:
            self.connecting -= 1

    @property
    def care(self) -> AdapterCare:
        return self.cared

    async def listen(self, addresses: Collection[str], seconds: float) -> Sighting | None:
        await asyncio.sleep(0)
        return next((Sighting(address, None, -50) for address in addresses if address in self.stockings), None)

    async def scan(self, seconds: float) -> list[Sighting]:
        return []

    async def pair(self, address: str, agent: PairingAgent) -> None:
        raise NotImplementedError

    async def unpair(self, address: str) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        for link in self.links:
            await link.disconnect()
