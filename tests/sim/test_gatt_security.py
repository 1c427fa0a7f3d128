"""Who may have clinical data: the holder of an authenticated bond, on a link protected by exactly that bond."""

import secrets
from pathlib import Path

import pytest
from bumble import att, core, hci
from bumble.att import ATT_Error
from bumble.keys import PairingKeys

from calza_sim.gatt import BondStore, StockingServer
from calza_sim.gatt.pairing import FIRST_WAIT_S, FREE_ATTEMPTS, LONGEST_WAIT_S, Patience
from calza_sim.radio import Radio
from calza_wire import uuids
from tests.sim.central import Central
from tests.sim.conftest import StartStocking
from tests.sim.fake_firmware import PASSKEY

CLINICAL_READS = (
    uuids.HEALTH_SENSOR_FEATURES,
    uuids.CURRENT_ELAPSED_TIME,
    uuids.LOG_STATUS,
    uuids.STOCKING_LABEL,
    uuids.CALIBRATION,
    uuids.SAMPLING_SETTINGS,
)
CLINICAL_WRITES = {
    uuids.RACP: b"\x07\x01",
    uuids.GHS_CONTROL_POINT: b"\x01",
    uuids.STOCKING_CONTROL_POINT: b"\x01",
    uuids.CURRENT_ELAPSED_TIME: bytes(9),
}
CLINICAL_SUBSCRIPTIONS = (
    uuids.LIVE_OBSERVATIONS,
    uuids.STORED_OBSERVATIONS,
    uuids.RACP,
    uuids.GHS_CONTROL_POINT,
    uuids.CURRENT_ELAPSED_TIME,
    uuids.STOCKING_CONTROL_POINT,
)
OPEN_READS = (uuids.STOCKING_IDENTITY, uuids.SERIAL, uuids.SYSTEM_ID, uuids.FIRMWARE_REVISION, uuids.BATTERY_LEVEL)


async def _assert_closed(central: Central, code: int) -> None:
    """Nothing clinical can be read, written or subscribed to, and everything open can be read."""
    for uuid in CLINICAL_READS:
        with pytest.raises(ATT_Error) as refused:
            await central.read(uuid)
        assert refused.value.error_code == code, uuid
    for uuid, value in CLINICAL_WRITES.items():
        with pytest.raises(ATT_Error) as refused:
            await central.write(uuid, value)
        assert refused.value.error_code == code, uuid
    for uuid in CLINICAL_SUBSCRIPTIONS:
        with pytest.raises(ATT_Error) as refused:
            await central.subscribe(uuid)
        assert refused.value.error_code == code, uuid
    for uuid in OPEN_READS:
        assert await central.read(uuid)


async def test_every_characteristic_is_on_one_side_of_the_fence(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    known = {*CLINICAL_READS, *CLINICAL_WRITES, *CLINICAL_SUBSCRIPTIONS, *OPEN_READS}
    known |= {uuids.MANUFACTURER, uuids.MODEL, uuids.HARDWARE_REVISION}
    generic = {uuid for uuid in central.characteristics if uuid.startswith(("00002a0", "00002b2", "00002b3a"))}
    assert set(central.characteristics) - generic == known


async def test_without_pairing_nothing_clinical_is_given(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    await _assert_closed(central, att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR)


async def test_just_works_encrypts_but_opens_nothing(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    await central.pair(None)
    assert central.link.is_encrypted
    await _assert_closed(central, att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR)
    stocking.tick()
    assert central.values == {}
    assert stocking.bonds.count == 0


async def test_the_passkey_of_the_label_opens_everything(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    await central.pair(PASSKEY)
    assert central.keyboard.asked == 1
    assert central.link.sc
    for uuid in CLINICAL_READS:
        assert await central.read(uuid)
    await central.subscribe(*CLINICAL_SUBSCRIPTIONS)


async def test_a_wrong_passkey_opens_nothing_and_the_right_one_still_works(
    stocking: StockingServer, central: Central
) -> None:
    await central.connect(stocking.address)
    with pytest.raises(core.ProtocolError):
        await central.pair(PASSKEY + 1)
    await _assert_closed(central, att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR)
    await central.pair(PASSKEY)
    assert await central.read(uuids.LOG_STATUS)


async def test_guessing_the_passkey_is_slowed_down(stocking: StockingServer, central: Central) -> None:
    await central.connect(stocking.address)
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(core.ProtocolError):
            await central.pair(PASSKEY + 1)
    with pytest.raises(core.ProtocolError):
        await central.pair(PASSKEY)


def test_patience_wears_thin_and_is_restored() -> None:
    patience = Patience()
    waits = []
    now_s = 0.0
    for _ in range(FREE_ATTEMPTS + 10):
        wait_s = 0.0
        while not patience.begin(now_s + wait_s):
            wait_s += 1.0
        waits.append(wait_s)
        now_s += wait_s
    assert waits[:FREE_ATTEMPTS] == [0.0] * FREE_ATTEMPTS
    assert waits[FREE_ATTEMPTS : FREE_ATTEMPTS + 2] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
    patience.succeeded()
    assert patience.begin(now_s)
    assert patience.begin(now_s)


async def test_a_bonded_gateway_comes_back_without_a_prompt(stocking: StockingServer, bonded: Central) -> None:
    await bonded.link.disconnect()
    await bonded.connect(stocking.address)
    with pytest.raises(ATT_Error) as refused:
        await bonded.read(uuids.LOG_STATUS)
    assert refused.value.error_code == att.ATT_INSUFFICIENT_ENCRYPTION_ERROR
    asked = bonded.keyboard.asked
    await bonded.link.encrypt()
    assert await bonded.read(uuids.LOG_STATUS)
    assert bonded.keyboard.asked == asked


async def test_a_bond_lost_on_the_stocking_is_told_and_pairing_again_works(
    stocking: StockingServer, bonded: Central
) -> None:
    await bonded.link.disconnect()
    await stocking.bonds.delete_all()
    await bonded.connect(stocking.address)
    with pytest.raises(hci.HCI_Error) as refused:
        await bonded.link.encrypt()
    assert refused.value.error_code == hci.HCI_ErrorCode.PIN_OR_KEY_MISSING_ERROR
    await bonded.pair(PASSKEY)
    assert await bonded.read(uuids.LOG_STATUS)


async def test_a_copied_address_with_just_works_gets_nothing_and_spoils_nothing(
    radio: Radio, stocking: StockingServer, bonded: Central
) -> None:
    """The stranger has the address of a bonded gateway, so a check of the address alone would let it in."""
    address = bonded.device.static_address.to_string(False)
    await bonded.link.disconnect()
    stranger = await Central(radio, "stranger", address).start()
    bonded.controller.remove()  # two radios with one address cannot share the air
    await stranger.connect(stocking.address)
    await stranger.pair(None)
    assert stranger.link.is_encrypted
    await _assert_closed(stranger, att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR)
    await stranger.link.disconnect()
    await stranger.stop()
    returned = await Central(radio, "returned", address, bonded.keys).start()
    await returned.connect(stocking.address)
    await returned.link.encrypt()
    assert await returned.read(uuids.LOG_STATUS)
    await returned.stop()


async def test_pairing_again_without_passkey_closes_an_open_link(stocking: StockingServer, bonded: Central) -> None:
    """Also for what was subscribed to while it was open: a notification must not go out any more."""
    await bonded.subscribe(uuids.GHS_CONTROL_POINT, uuids.LIVE_OBSERVATIONS, uuids.STORED_OBSERVATIONS)
    await bonded.write(uuids.GHS_CONTROL_POINT, b"\x01")
    assert await bonded.take(uuids.GHS_CONTROL_POINT) == b"\x80"
    await bonded.pair(None)
    stocking.firmware.live.append(b"minute")  # type: ignore[attr-defined]  # the fake firmware's script
    stocking.tick()
    with pytest.raises(ATT_Error) as refused:
        await bonded.read(uuids.LOG_STATUS)
    assert refused.value.error_code == att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR
    assert bonded.values[uuids.LIVE_OBSERVATIONS] == []


async def test_bonds_outlive_the_process(
    tmp_path: Path, radio: Radio, start_stocking: StartStocking, central: Central
) -> None:
    file = tmp_path / "bonds.json"
    first = await start_stocking("TEST-0007", bonds=BondStore(file, secrets.token_bytes))
    await central.connect(first.address)
    await central.pair(PASSKEY)
    await first.stop()
    await central.lost()
    assert file.stat().st_mode & 0o777 == 0o600
    second = await start_stocking("TEST-0007", bonds=BondStore(file, secrets.token_bytes))
    await central.connect(second.address)
    await central.link.encrypt()
    assert await central.read(uuids.LOG_STATUS)


async def test_bond_file_keeps_identity_key_and_refuses_unauthenticated_keys(tmp_path: Path) -> None:
    file = tmp_path / "bonds.json"
    store = BondStore(file, lambda count: bytes(range(1, count + 1)))
    weak = PairingKeys(ltk=PairingKeys.Key(bytes(16), authenticated=False))
    strong = PairingKeys(ltk=PairingKeys.Key(bytes(range(16)), authenticated=True))
    await store.update("peer", strong)
    await store.update("peer", weak)
    again = BondStore(file, secrets.token_bytes)
    kept = again.bond("peer")
    assert again.irk == store.irk != bytes(16)
    assert kept is not None
    assert kept.ltk == strong.ltk


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"irk": 5, "bonds": {}}', '{"irk": "00", "bonds": []}'])
def test_a_broken_bond_file_is_refused_in_plain_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bonds.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="not a bond file"):
        BondStore(file, secrets.token_bytes)
