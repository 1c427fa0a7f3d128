"""The unmodified gateway on the genuine Linux Bluetooth stack: finding, pairing, reading a fortnight."""

import pytest

from tests.bluez.ward import Ward

pytestmark = [pytest.mark.bluez, pytest.mark.asyncio(loop_scope="session")]


async def test_scan_hears_both_stockings(ward: Ward) -> None:
    outcome = await ward.machine.run("calza", "gateway", "scan", "--radio", "bluez", "--seconds", "3", "--json")
    assert outcome.code == 0, outcome
    heard = outcome.document["stockings"]
    assert isinstance(heard, list)
    assert {each["address"] for each in heard} == {stocking.address for stocking in ward.radio.stockings}
    assert {each["name"] for each in heard} == {"Calza 0001", "Calza 0002"}
    assert all(-100 < each["rssi_dbm"] < 0 for each in heard)


async def test_pair_by_passkey(ward: Ward) -> None:
    await ward.strangers(ward.left)
    outcome = await ward.pair(ward.left)
    assert outcome.code == 0, outcome
    assert outcome.document["serial"] == ward.left.serial
    assert outcome.document["side"] == "left", "which leg it is for can be read by a bonded gateway only"
    assert ward.left.address in await ward.machine.bonds()
    assert await ward.bonds_of(ward.left) == 1


async def test_wrong_passkey_and_then_the_right_one(ward: Ward) -> None:
    await ward.strangers(ward.right)
    refused = await ward.pair(ward.right, await ward.wrong_label(ward.right))
    assert refused.code == 1, refused
    assert "passkey" in refused.err
    assert "org.bluez" not in refused.err, "a sentence for a person, not a name from the bus"
    assert ward.right.address not in await ward.machine.bonds()
    assert await ward.bonds_of(ward.right) == 0

    accepted = await ward.pair(ward.right)
    assert accepted.code == 0, accepted
    assert await ward.bonds_of(ward.right) == 1


async def test_sync_of_a_fortnight_on_two_stockings(ward: Ward) -> None:
    await ward.paired()
    async with ward.clinic() as clinic:
        outcome = await ward.once(clinic)
        assert outcome.code == 0, outcome.err
    ward.assert_store_is_flash(clinic)


async def test_a_bond_outlives_bluetoothd_and_nobody_is_asked_again(ward: Ward) -> None:
    await ward.paired()
    await ward.machine.kill_bluetoothd()
    await ward.machine.powered()
    outcome = await ward.pair(ward.left, await ward.wrong_label(ward.left))
    assert outcome.code == 0, f"a passkey was asked for, and this one is wrong: {outcome}"
