"""Bonds that one side has lost, on the genuine Linux Bluetooth stack: told apart, and repaired by the command told."""

from typing import Final

import pytest

from tests.bluez.ward import Ward

pytestmark = [pytest.mark.bluez, pytest.mark.asyncio(loop_scope="session")]
DAYS: Final = 1  # of records: they only show that reading works again


async def test_bonds_lost_on_either_side_are_told_and_made_again(ward: Ward) -> None:
    """One stocking is forgotten by the gateway, the other forgets it, and one run tells both apart."""
    await ward.paired()
    await ward.machine.remove_bond(ward.left.address)
    await ward.fault("forget-bonds", ward.right.serial)
    async with ward.clinic() as clinic:
        outcome = await ward.once(clinic)
        assert outcome.code == 1, outcome
        assert f"this gateway has lost its key for {ward.left.serial}" in outcome.out
        assert f"{ward.right.serial} has forgotten this gateway" in outcome.out
        assert clinic.count() == 0, "without a bond nothing is read"

        for stocking in ward.radio.stockings:
            repaired = await ward.pair(stocking)
            assert repaired.code == 0, repaired
        assert (await ward.once(clinic)).code == 0
    ward.assert_store_is_flash(clinic)
