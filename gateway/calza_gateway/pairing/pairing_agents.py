"""Who answers when a stocking is paired: a person at the terminal, or the text of a label that was scanned.

Fulfils the port `PairingAgent`. Must not know a Bluetooth library.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from calza_gateway.pairing.pairing import PairingError, parse_passkey
from calza_gateway.ports import OobData
from calza_wire.errors import WireError
from calza_wire.label_code import LabelCode

YES = frozenset({"y", "yes"})

Ask = Callable[[str], Awaitable[str]]
"""Puts a question to a person and gives the answer, a line of text."""


@dataclass(frozen=True, slots=True)
class Person:
    """Answers from what was given beforehand, and asks a person for the rest; `ask` is None where there is nobody.

    `name` is how the stocking is called in questions. A passkey is asked for only when the stocking wants it: not at
    all when a bond still holds.
    """

    name: str
    ask: Ask | None = None
    given_passkey: int | None = field(default=None, repr=False)
    given_oob: OobData | None = None

    async def passkey(self, address: str) -> int:
        """The passkey that was given, or the person's answer. Raises PairingError."""
        del address
        if self.given_passkey is not None:
            return self.given_passkey
        return parse_passkey(await self._answer(f"Passkey of {self.name} (six digits on the label): "))

    async def confirm(self, address: str, number: int) -> bool:
        """What the person says; anything but yes is no. Raises PairingError."""
        del address
        answer = await self._answer(f"Does {self.name} show {number:06}? (yes or no): ")
        return answer.strip().casefold() in YES

    def oob(self, address: str) -> OobData | None:
        """What was on the scanned label."""
        del address
        return self.given_oob

    async def _answer(self, question: str) -> str:
        if self.ask is None:
            sentence = f"{self.name} wants an answer from a person: run this on a terminal"
            raise PairingError("nobody_to_ask", sentence)
        return await self.ask(question)


def read_label(text: str) -> LabelCode:
    """What a scanner read from a label. Raises PairingError ("bad_label")."""
    try:
        return LabelCode.decode(text)
    except WireError as error:
        sentence = f"{error}: scan the QR code again, or give the passkey printed beside it with --passkey"
        raise PairingError("bad_label", sentence) from error


def oob_data(label: LabelCode) -> OobData:
    """What the radio needs of a label."""
    return OobData(label.oob_random, label.oob_confirm)
