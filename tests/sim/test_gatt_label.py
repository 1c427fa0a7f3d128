"""Pairing by the QR code on a stocking's label: whoever has scanned it gets in, whoever has not stays out."""

import inspect

import pytest
from bumble import att, core
from bumble.att import ATT_Error
from bumble.crypto.cryptography import EccKey
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import (
    OobContext,
    OobSharedData,
    Session,
    SMP_Pairing_Public_Key_Command,
    SMP_Pairing_Random_Command,
)

from calza_sim.gatt import StockingServer
from calza_sim.gatt.pairing import label_code
from calza_sim.manufacture import manufacture
from calza_wire import uuids
from calza_wire.label_code import LabelCode
from calza_wire.minute_block import Side
from tests.sim.central import Central
from tests.sim.fake_firmware import PASSKEY


class Eavesdropper(Session):
    """Has not seen the label, says it has, and takes the stocking's nonce for the secret: Bumble's own gave it away."""

    def send_pairing_request_command(self) -> None:
        self.oob_data_flag = 1
        super().send_pairing_request_command()

    def on_smp_pairing_random_command(self, command: SMP_Pairing_Random_Command) -> None:
        self.peer_oob_data = OobSharedData(c=bytes(16), r=command.random_value)
        super().on_smp_pairing_random_command(command)


def terms(data: OobSharedData | None) -> PairingConfig:
    return PairingConfig(
        delegate=PairingDelegate(),
        identity_address_type=PairingConfig.AddressType.RANDOM,
        oob=PairingConfig.OobConfig(OobContext(), data, None),
    )


def scanned(stocking: StockingServer) -> OobSharedData:
    code = LabelCode.decode(stocking.label)
    return OobSharedData(c=code.oob_confirm, r=code.oob_random)


async def test_whoever_has_scanned_the_label_gets_in_without_a_passkey(
    stocking: StockingServer, central: Central
) -> None:
    await central.connect(stocking.address)
    central.device.pairing_config_factory = lambda _: terms(scanned(stocking))
    await central.device.pair(central.link)
    assert await central.read(uuids.LOG_STATUS)
    assert stocking.bonds.count == 1


@pytest.mark.parametrize("wrong", ["r", "c"])
async def test_another_label_is_refused(stocking: StockingServer, central: Central, wrong: str) -> None:
    await central.connect(stocking.address)
    data = scanned(stocking)
    setattr(data, wrong, bytes(16))
    central.device.pairing_config_factory = lambda _: terms(data)
    with pytest.raises(core.ProtocolError):
        await central.device.pair(central.link)
    assert stocking.bonds.count == 0


async def test_an_eavesdropper_who_never_saw_the_label_stays_out(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    central.device.smp_manager.session_proxy = Eavesdropper
    central.device.pairing_config_factory = lambda _: terms(None)
    with pytest.raises(core.ProtocolError, match="DHKEY_CHECK_FAILED"):
        await central.device.pair(central.link)
    assert stocking.bonds.count == 0
    with pytest.raises(ATT_Error) as refused:
        await central.read(uuids.LOG_STATUS)
    assert refused.value.error_code == att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR


async def test_the_passkey_still_pairs_and_uses_another_key_than_the_label(
    stocking: StockingServer, central: Central
) -> None:
    keys: list[bytes] = []

    class Watching(Session):
        def on_smp_pairing_public_key_command(self, command: SMP_Pairing_Public_Key_Command) -> None:
            keys.append(command.public_key_x[::-1])
            super().on_smp_pairing_public_key_command(command)

    await central.connect(stocking.address)
    central.device.smp_manager.session_proxy = Watching
    await central.pair(PASSKEY)
    assert await central.read(uuids.LOG_STATUS)
    assert len(keys) == 1
    assert EccKey.from_private_key_bytes(stocking.firmware.oob.private_key).x not in keys


def test_bumble_still_gives_the_secret_of_the_label_away() -> None:
    """When this fails, look whether `StockingSession.nx` and its `send_pairing_random_command` can go."""
    assert "self.r = pairing_config.oob.our_context.r" in inspect.getsource(Session.__init__)
    assert "!= PairingMethod.OOB:\n            self.r = crypto.r()" in inspect.getsource(
        Session.send_pairing_confirm_command
    )
    assert "random_value=self.r" in inspect.getsource(Session.send_pairing_random_command)


def test_a_label_follows_from_the_seed_and_shows_no_private_key() -> None:
    made = manufacture(7, "CALZA-0003", Side.LEFT)
    code = label_code(made.serial, made.passkey, made.oob)
    assert code == label_code(made.serial, made.passkey, manufacture(7, "CALZA-0003", Side.LEFT).oob)
    assert code.oob_random == made.oob.random
    assert made.oob.private_key not in code.encode().encode()


def test_the_secrets_of_a_label_stay_out_of_repr() -> None:
    made = manufacture(7, "CALZA-0003", Side.LEFT)
    assert repr(made.oob) == "OobSecret()"
