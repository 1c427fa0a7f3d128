"""What every way of pairing owes its caller, over real stacks on both sides, and the ways one by one.

`ways` is the contract: whoever adds a way to pair adds it there. On BlueZ the same is tried in `tests/bluez`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from calza_gateway.adapters.bleak_radio import BleakRadio
from calza_gateway.ports import OobData, RadioError, RadioReason
from calza_wire.uuids import LOG_STATUS
from tests.gateway.peripheral import PASSKEY, STATUS_OCTETS, Air, Peripheral, Person, Way

MakeGateway = Callable[..., BleakRadio]


async def protected(radio: BleakRadio, address: str) -> bytes:
    link = await radio.connect(address, 5)
    try:
        return await link.read(LOG_STATUS)
    finally:
        await link.disconnect()


# --- the contract -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A peripheral with somebody who can pair with it, and somebody who cannot."""

    peripheral: Peripheral
    person: Person
    stranger: Person
    questions: int
    refused_because: str


@pytest.fixture(params=["passkey", "numbers", "label"])
async def case(request: pytest.FixtureRequest, air: Air) -> Case:
    match request.param:
        case "passkey":
            peripheral = await air.add()
            return Case(peripheral, Person(), Person(PASSKEY + 1), 1, "six digits printed on the garment's label")
        case "numbers":
            peripheral = await air.add(way=Way.NUMBERS)
            return Case(peripheral, Person(), Person(agrees=False), 1, "numbers are not the same")
        case _:
            peripheral = await air.add()
            other_label = Person(oob=OobData(bytes(16), bytes(16)))
            return Case(peripheral, Person(oob=peripheral.print_label()), other_label, 0, "label of this stocking")


async def test_whoever_can_pair_is_bonded_and_asked_no_more_than_needed(case: Case, gateway: MakeGateway) -> None:
    radio, address = gateway(), case.peripheral.address
    for _ in range(2):
        await radio.pair(address, case.person)
    assert len(case.person.asked) == case.questions
    assert not case.peripheral.device.connections
    assert await protected(radio, address) == STATUS_OCTETS
    assert case.peripheral.pairings == 1


async def test_whoever_cannot_is_refused_told_why_and_leaves_nothing(case: Case, gateway: MakeGateway) -> None:
    radio, address = gateway(), case.peripheral.address
    with pytest.raises(RadioError, match=case.refused_because) as caught:
        await radio.pair(address, case.stranger)
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    assert not case.peripheral.device.connections
    await radio.pair(address, case.person)
    assert await protected(radio, address) == STATUS_OCTETS


async def test_it_is_believed_only_after_a_protected_read(case: Case, gateway: MakeGateway) -> None:
    radio, address = gateway(), case.peripheral.address
    case.peripheral.stubborn = True
    with pytest.raises(RadioError, match="only a paired gateway may read") as caught:
        await radio.pair(address, case.person)
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    case.peripheral.stubborn = False
    await radio.pair(address, case.person)
    assert case.peripheral.pairings == 2  # nothing was kept of the one that was not believed


async def test_the_bond_outlives_the_gateway(case: Case, gateway: MakeGateway) -> None:
    first = gateway("g1")
    await first.pair(case.peripheral.address, case.person)
    await first.close()
    assert await protected(gateway("g1"), case.peripheral.address) == STATUS_OCTETS
    assert case.peripheral.pairings == 1


async def test_a_bond_the_stocking_forgot_is_told_and_pairing_again_cures_it(case: Case, gateway: MakeGateway) -> None:
    radio, address = gateway(), case.peripheral.address
    await radio.pair(address, case.person)
    await case.peripheral.forget_bonds()
    with pytest.raises(RadioError, match=f"has forgotten this gateway.*calza gateway pair {address}") as caught:
        await radio.connect(address, 5)
    assert caught.value.reason is RadioReason.BOND_LOST
    await radio.pair(address, case.person)
    assert await protected(radio, address) == STATUS_OCTETS


async def test_a_key_this_gateway_lost_is_told_and_pairing_again_cures_it(case: Case, gateway: MakeGateway) -> None:
    radio, address = gateway(), case.peripheral.address
    await radio.pair(address, case.person)
    for _ in range(2):
        await radio.unpair(address)
    with pytest.raises(RadioError, match=f"this gateway has lost its key.*calza gateway pair {address}") as caught:
        await protected(radio, address)
    assert caught.value.reason is RadioReason.NOT_PAIRED
    await radio.pair(address, case.person)
    assert await protected(radio, address) == STATUS_OCTETS


async def test_two_gateways_keep_a_bond_each(case: Case, gateway: MakeGateway) -> None:
    radios = [gateway("g1"), gateway("g2")]
    for radio in radios:
        await radio.pair(case.peripheral.address, case.person)
    for radio in radios:
        assert await protected(radio, case.peripheral.address) == STATUS_OCTETS


# --- Just Works -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [Way.NOTHING, Way.OLD_NOTHING])
@pytest.mark.parametrize("lax", [False, True])
async def test_a_stocking_that_asks_nothing_is_not_believed(
    air: Air, gateway: MakeGateway, way: Way, lax: bool
) -> None:
    peripheral = await air.add(way=way)
    peripheral.lax = lax  # a stranger that lets anybody read proves nothing either
    radio, person = gateway(), Person()
    with pytest.raises(RadioError, match="did not ask for its passkey") as caught:
        await radio.pair(peripheral.address, person)
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    assert not person.asked
    assert not (radio._backend._host.keyring._bonds)  # type: ignore[attr-defined]  # nothing was kept


@pytest.mark.parametrize("way", [Way.NOTHING, Way.OLD_NOTHING])
async def test_nor_is_one_that_takes_no_scanned_data(air: Air, gateway: MakeGateway, way: Way) -> None:
    peripheral = await air.add(way=way)
    peripheral.lax = True
    with pytest.raises(RadioError) as caught:
        await gateway().pair(peripheral.address, Person(oob=OobData(bytes(16), bytes(16))))
    assert caught.value.reason is RadioReason.PAIRING_REFUSED


async def test_the_pairing_of_before_secure_connections_is_refused(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add(way=Way.OLD_PASSKEY)  # its passkey can be computed by whoever listens
    peripheral.lax = True
    with pytest.raises(RadioError) as caught:
        await gateway().pair(peripheral.address, Person())
    assert caught.value.reason is RadioReason.PAIRING_REFUSED


# --- one by one -------------------------------------------------------------------------------------------------------


async def test_the_person_is_shown_the_number_the_stocking_shows(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add(way=Way.NUMBERS)
    person = Person()
    await gateway().pair(peripheral.address, person)
    assert person.asked == peripheral.shown
    assert len(person.asked) == 1


async def test_a_scanned_label_is_one_way(air: Air, gateway: MakeGateway) -> None:
    peripheral = await air.add()
    data = peripheral.print_label()
    await gateway().pair(peripheral.address, Person(PASSKEY + 1, oob=data))  # the passkey is not needed
    with pytest.raises(RadioError, match="label of this stocking"):  # a copied r without its C
        await gateway("g2").pair(peripheral.address, Person(oob=OobData(data.random, bytes(16))))


async def test_what_the_agent_raises_comes_through_and_the_link_ends(air: Air, gateway: MakeGateway) -> None:
    class NoLabel(Person):
        async def passkey(self, address: str) -> int:
            raise LookupError("no label in sight")

    peripheral = await air.add()
    with pytest.raises(LookupError):
        await gateway().pair(peripheral.address, NoLabel())
    assert not peripheral.device.connections
