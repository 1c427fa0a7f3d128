"""What the gateway's radio tests share: an air with an HCI port, and gateways on it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from calza_gateway.adapters.bleak_radio import BleakRadio
from calza_gateway.adapters.radios import open_radio
from calza_gateway.settings.radio_spec import parse_radio
from tests.gateway.peripheral import Air


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    """A virtual radio, unpaced, with its HCI port open on loopback."""
    air = await Air.open()
    yield air
    await air.close()


@pytest.fixture
async def gateway(air: Air, tmp_path: Path) -> AsyncIterator[Callable[..., BleakRadio]]:
    """Makes the radio of a gateway by name; the same name later is the same gateway after a restart."""
    made: list[BleakRadio] = []

    def make(name: str = "g1") -> BleakRadio:
        radio = open_radio(parse_radio(air.spec), tmp_path / name)
        assert isinstance(radio, BleakRadio)
        made.append(radio)
        return radio

    yield make
    for radio in made:
        await radio.close()
