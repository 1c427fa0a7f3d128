"""The simulated factory: what is drawn once for each stocking and printed on, or burned into, it.

Everything follows from a seed so that a fleet can be made again; whoever knows the seed knows the keys, so a seed is
for simulated stockings alone. This module does not know what the stocking does later.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from calza_sim.private_files import write_private
from calza_wire.medfloat import MedFloat
from calza_wire.minute_block import KEY_OCTETS, SYSTEM_ID_OCTETS, Side
from calza_wire.stocking_service import Calibration, Label, SiteCalibration
from calza_wire.topics import check_serial

SIZE = "M"
STANDARD = "RAL-GZ 387/1"
CLASS_LABEL = "II"
ANKLE_MIN_MMHG = 23  # RAL-GZ 387/1 class II, pressure at point B
ANKLE_MAX_MMHG = 32
CALIBRATED_UNIX_S = 1_762_156_800  # 2025-11-03, before anything is simulated
OOB_OCTETS = 16
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-5, curve P-256
PRIVATE_KEY_OCTETS = 32
PASSKEYS = 999_999  # six decimal digits, but never 000000: some stacks take it for "no passkey"


@dataclass(frozen=True, slots=True)
class OobSecret:
    """What a stocking needs to be paired by the QR code on its label (LE Secure Connections, out of band).

    The label carries r and C = f4(PKx, PKx, r, 0). C commits the stocking to one public key, and a printed label cannot
    change, so the private key (a P-256 scalar, big-endian) is burned in like the tag key. r (16 octets, least
    significant first) is the secret: who knows it has seen the label.
    """

    private_key: bytes = field(repr=False)
    random: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Manufacture:
    """One stocking as it leaves the factory. Its secrets stay out of `repr`, and so out of logs."""

    serial: str
    system_id: bytes
    key: bytes = field(repr=False)
    passkey: int = field(repr=False)
    oob: OobSecret
    side: Side
    label: Label
    calibration: Calibration


def manufacture(seed: int, serial: str, side: Side) -> Manufacture:
    """Draw one stocking: the same seed, serial and side give the same stocking on every machine.

    Raises ValueError for a serial that is not 4..32 of A-Z, 0-9 and hyphen.
    """

    def draw(purpose: str, octets: int) -> bytes:
        return hashlib.shake_256(f"calza stocking {seed} {serial} {purpose}".encode()).digest(octets)

    check_serial(serial)
    return Manufacture(
        serial=serial,
        system_id=draw("system id", SYSTEM_ID_OCTETS),
        key=draw("key", KEY_OCTETS),
        passkey=1 + int.from_bytes(draw("passkey", 8), "big") % PASSKEYS,
        oob=OobSecret(_scalar(draw("oob key", PRIVATE_KEY_OCTETS + 8)), draw("oob random", OOB_OCTETS)),
        side=side,
        label=Label(side, SIZE, STANDARD, CLASS_LABEL, ANKLE_MIN_MMHG, ANKLE_MAX_MMHG),
        calibration=_calibration(draw("calibration", 6)),
    )


def _scalar(drawn: bytes) -> bytes:
    """A private key from 64 bits more than it has, so that no scalar is noticeably likelier (FIPS 186-5, A.2.1)."""
    return (1 + int.from_bytes(drawn, "big") % (P256_ORDER - 1)).to_bytes(PRIVATE_KEY_OCTETS, "big")


def _calibration(draw: bytes) -> Calibration:
    """A bench calibration: gain within 5 % of 1, offset within 2 mmHg of 0, one octet of chance for each."""
    sites = [
        SiteCalibration(MedFloat(1_000 + draw[at] * 100 // 255 - 50, -3), MedFloat(draw[at + 1] * 40 // 255 - 20, -1))
        for at in (0, 2, 4)
    ]
    return Calibration(CALIBRATED_UNIX_S, *sites)


def fleet_json(stockings: Iterable[Manufacture]) -> str:
    """The fleet as a server's registry reads it: a JSON array with keys and passkeys in it, so a secret."""
    rows = [
        {
            "serial": each.serial,
            "system_id": each.system_id.hex(),
            "key": each.key.hex(),
            "passkey": each.passkey,
            "side": each.side.value,
            "size": each.label.size,
            "standard": each.label.standard,
            "class_label": each.label.class_label,
            "ankle_min_mmhg": each.label.ankle_min_mmhg,
            "ankle_max_mmhg": each.label.ankle_max_mmhg,
        }
        for each in stockings
    ]
    return json.dumps(rows, indent=2) + "\n"


def write_fleet(path: Path, stockings: Iterable[Manufacture]) -> None:
    """Write `fleet_json` so that the file appears whole, with mode 0600, or not at all. Raises OSError."""
    write_private(path, fleet_json(stockings))
