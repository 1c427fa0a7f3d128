"""What the QR code on a stocking's label carries: who it is, and everything a gateway needs to pair with it.

One line of text, all of it in the character set that QR codes store most densely (digits, capitals, colon):
`CALZA1:serial:passkey:r:C`. Whoever has read it can pair, so it is a secret like the passkey itself.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final, Self

from calza_wire.errors import WireError
from calza_wire.topics import check_serial

FORMAT: Final = "CALZA1"
FORMAT_STEM: Final = "CALZA"
FIELDS: Final = 5
PASSKEY_DIGITS: Final = 6  # Core Specification, Vol 3, Part H, 2.3.5.3
OOB_OCTETS: Final = 16
BASE32_BLOCK: Final = 8


@dataclass(frozen=True, slots=True)
class LabelCode:
    """The text of one label. The secrets stay out of `repr`, and so out of logs.

    `oob_random` is r and `oob_confirm` is C = f4(PKx, PKx, r, 0) of LE Secure Connections out-of-band pairing (Core
    Specification, Vol 3, Part H, 2.3.5.6.4), 16 octets each, least significant first as everywhere in that protocol.
    """

    serial: str
    passkey: int = field(repr=False)
    oob_random: bytes = field(repr=False)
    oob_confirm: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_serial(self.serial)
        if not 0 <= self.passkey < 10**PASSKEY_DIGITS:
            raise ValueError("a passkey has six digits")
        if len(self.oob_random) != OOB_OCTETS or len(self.oob_confirm) != OOB_OCTETS:
            raise ValueError(f"r and C have {OOB_OCTETS} octets each")

    def encode(self) -> str:
        """The text for the QR code."""
        passkey = f"{self.passkey:0{PASSKEY_DIGITS}}"
        return ":".join((FORMAT, self.serial, passkey, _base32(self.oob_random), _base32(self.oob_confirm)))

    @classmethod
    def decode(cls, text: str) -> Self:
        """From what a scanner gives; blanks around it and small letters do no harm. Raises WireError, quoting nothing.

        Exactly one text stands for each label: what `encode` writes.
        """
        parts = text.strip().upper().split(":")
        if parts[0] != FORMAT and parts[0].startswith(FORMAT_STEM):
            raise WireError("unsupported_version", "a label of a version this program does not know")
        if parts[0] != FORMAT or len(parts) != FIELDS:
            raise WireError("bad_value", "not the text of a stocking's label")
        _, serial, digits, random, confirm = parts
        if len(digits) != PASSKEY_DIGITS or not (digits.isascii() and digits.isdigit()):
            raise WireError("bad_value", "the passkey on the label is not six digits")
        try:
            return cls(serial, int(digits), _octets(random), _octets(confirm))
        except ValueError as error:
            raise WireError("bad_value", f"the text of the label is damaged: {error}") from error


def _base32(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=")


def _octets(text: str) -> bytes:
    """Raises ValueError unless it is what `_base32` writes: padding and stray bits at the end would give it twins."""
    try:
        octets = base64.b32decode(text + "=" * (-len(text) % BASE32_BLOCK))
    except binascii.Error as error:
        raise ValueError("it is not base32") from error
    if _base32(octets) != text:
        raise ValueError("it is not base32")
    return octets
