"""Pairing as a person meets it: right and wrong passkeys, bonds that are lost on either side, other gateways."""

from collections.abc import Callable

import pytest

from calza_gateway.adapters.bleak_radio import BleakRadio
from calza_gateway.ports import RadioError, RadioReason
from calza_wire.uuids import LOG_STATUS
from tests.gateway.peripheral import PASSKEY, STATUS_OCTETS, Air, passkey_prompt

MakeGateway = Callable[..., BleakRadio]


async def protected(radio: BleakRadio, address: str) -> bytes:
    link = await radio.connect(address, 5)
    try:
        return await link.read(LOG_STATUS)
    finally:
        await link.disconnect()


async def test_the_right_passkey_pairs(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    asked: list[int] = []
    radio = gateway()
    await radio.pair(peripheral.address, passkey_prompt(PASSKEY, asked))
    assert len(asked) == 1
    assert not peripheral.device.connections
    assert await protected(radio, peripheral.address) == STATUS_OCTETS


async def test_a_wrong_passkey_is_refused_says_what_to_do_and_leaves_nothing(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    with pytest.raises(RadioError, match="six digits printed on the garment's label") as caught:
        await radio.pair(peripheral.address, passkey_prompt(PASSKEY + 1))
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    assert not peripheral.device.connections
    await radio.pair(peripheral.address, passkey_prompt(PASSKEY))
    assert await protected(radio, peripheral.address) == STATUS_OCTETS


async def test_a_stocking_that_asks_for_no_passkey_is_not_believed(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add(passkey=None)
    radio = gateway()
    asked: list[int] = []
    with pytest.raises(RadioError) as caught:
        await radio.pair(peripheral.address, passkey_prompt(PASSKEY, asked))
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    assert not asked
    with pytest.raises(RadioError) as caught:
        await protected(radio, peripheral.address)
    assert caught.value.reason is RadioReason.NOT_PAIRED


async def test_a_stranger_that_lets_anybody_read_is_not_believed_either(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add(passkey=None)
    peripheral.lax = True
    with pytest.raises(RadioError, match="did not ask for its passkey") as caught:
        await gateway().pair(peripheral.address, passkey_prompt(PASSKEY))
    assert caught.value.reason is RadioReason.PAIRING_REFUSED


async def test_a_pairing_is_believed_only_after_a_protected_read(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    peripheral.stubborn = True
    radio = gateway()
    with pytest.raises(RadioError, match="only a paired gateway may read") as caught:
        await radio.pair(peripheral.address, passkey_prompt(PASSKEY))
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    peripheral.stubborn = False
    asked: list[int] = []
    await radio.pair(peripheral.address, passkey_prompt(PASSKEY, asked))
    assert len(asked) == 1  # nothing was kept of the pairing that was not believed


async def test_pairing_twice_asks_once(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    asked: list[int] = []
    for _ in range(2):
        await radio.pair(peripheral.address, passkey_prompt(PASSKEY, asked))
    assert len(asked) == 1


async def test_the_bond_outlives_the_gateway(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    first = gateway("g1")
    await first.pair(peripheral.address, passkey_prompt(PASSKEY))
    await first.close()
    assert await protected(gateway("g1"), peripheral.address) == STATUS_OCTETS
    assert peripheral.pairings == 1


async def test_a_bond_lost_on_the_stocking_is_told_and_pairing_again_cures_it(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    await radio.pair(peripheral.address, passkey_prompt(PASSKEY))
    await peripheral.forget_bonds()
    with pytest.raises(RadioError, match="pair it again") as caught:
        await radio.connect(peripheral.address, 5)
    assert caught.value.reason is RadioReason.BOND_LOST
    await radio.pair(peripheral.address, passkey_prompt(PASSKEY))
    assert await protected(radio, peripheral.address) == STATUS_OCTETS


async def test_a_bond_lost_on_the_gateway_is_told_and_pairing_again_cures_it(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radio = gateway()
    await radio.pair(peripheral.address, passkey_prompt(PASSKEY))
    await radio.unpair(peripheral.address)
    await radio.unpair(peripheral.address)
    with pytest.raises(RadioError) as caught:
        await protected(radio, peripheral.address)
    assert caught.value.reason is RadioReason.NOT_PAIRED
    await radio.pair(peripheral.address, passkey_prompt(PASSKEY))
    assert await protected(radio, peripheral.address) == STATUS_OCTETS


async def test_two_gateways_keep_a_bond_each(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    radios = [gateway("g1"), gateway("g2")]
    for radio in radios:
        await radio.pair(peripheral.address, passkey_prompt(PASSKEY))
    for radio in radios:
        assert await protected(radio, peripheral.address) == STATUS_OCTETS


async def test_what_the_prompt_raises_comes_through_and_the_link_ends(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()

    async def no_label() -> int:
        raise LookupError("no label in sight")

    with pytest.raises(LookupError):
        await gateway().pair(peripheral.address, no_label)
    assert not peripheral.device.connections
