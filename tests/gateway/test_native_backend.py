"""bleak on a system that is not this one, as far as that can be seen from here: what is said where there is no call."""

from collections.abc import Callable

import bleak
import pytest
from bleak.backends import BleakBackend
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from calza_gateway.adapters import native_backend
from calza_gateway.adapters.bleak_backend import Backend
from calza_gateway.adapters.bleak_errors import PairingRefusedError, radio_errors
from calza_gateway.adapters.native_backend import NativeBackend
from calza_gateway.ports import RadioError, RadioReason
from calza_wire.uuids import GHS_SERVICE

UUID_OF_MACOS = "8E1B2A40-0D3C-4F0E-9C57-2B7A6E1F9A11"  # macOS names a peripheral so, and shows no Bluetooth address


class Stack:
    """A system's bleak backend with or without calls for pairing."""

    calls: list[str]

    def __init__(self, *, can_pair: bool) -> None:
        self.calls = []
        self._can_pair = can_pair

    def __call__(self, address: str, **_: object) -> "Stack":
        self.calls.append(f"client {address}")
        return self

    async def pair(self) -> None:
        self._called("pair")

    async def unpair(self) -> None:
        self._called("unpair")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if not self._can_pair:
            raise NotImplementedError("this system has no such call")


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[BleakBackend, bool], Stack]:
    def system(backend: BleakBackend, can_pair: bool) -> Stack:
        stack = Stack(can_pair=can_pair)
        monkeypatch.setattr(bleak, "get_platform_client_backend_type", lambda: (stack, backend))
        monkeypatch.setattr(native_backend, "get_default_backend", lambda: backend)
        return stack

    return system


On = Callable[[BleakBackend, bool], Stack]


async def test_macos_pairs_by_itself_and_forgets_in_its_settings(on: On) -> None:
    stack = on(BleakBackend.CORE_BLUETOOTH, False)
    client = NativeBackend().client(UUID_OF_MACOS, None, 5.0, None)
    await client.pair()
    with pytest.raises(RadioError, match="Bluetooth settings") as caught, radio_errors("x", RadioReason.GATT_ERROR):
        await client.unpair()
    assert caught.value.reason is RadioReason.GATT_ERROR
    assert stack.calls == [f"client {UUID_OF_MACOS}", "pair", "unpair"]


async def test_windows_is_not_asked_to_pair_without_a_passkey(on: On) -> None:
    stack = on(BleakBackend.WIN_RT, True)
    client = NativeBackend().client("F0:00:00:00:00:01", None, 5.0, None)
    with pytest.raises(PairingRefusedError, match="settings of Windows"):
        await client.pair()
    await client.unpair()
    assert stack.calls[1:] == ["unpair"]


async def test_where_the_system_can_it_does(on: On) -> None:
    stack = on(BleakBackend.ANDROID, True)
    client = NativeBackend().client("F0:00:00:00:00:01", None, 5.0, None)
    await client.pair()
    await client.unpair()
    assert stack.calls[1:] == ["pair", "unpair"]


@pytest.mark.parametrize("backend", [BleakBackend.P4ANDROID, BleakBackend.PYTHONISTA_CB])
async def test_nobody_is_asked_for_links_where_bleak_cannot_ask(backend: BleakBackend, on: On) -> None:
    on(backend, True)
    assert await NativeBackend().connected(GHS_SERVICE) == []


async def test_it_is_a_backend_with_little_to_say() -> None:
    backend: Backend = NativeBackend()
    device = BLEDevice(UUID_OF_MACOS, None, None)
    assert backend.has_key(device) is None

    class Nobody:
        """An agent who is never asked."""

    async with backend.asking(Nobody(), UUID_OF_MACOS):  # type: ignore[arg-type]  # whoever it is
        pass
    await backend.close()
    assert not issubclass(NotImplementedError, BleakError), "or `NativeClient` could be simpler"
