"""Finding a stocking by what a person calls it, and making it one of this gateway's.

Written against the radio port alone. Must not know a Bluetooth library, a terminal, or where the passkey comes from.
Which side forgot a bond is said here by the stocking's serial, with the one command that repairs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from calza_gateway.ports import PairingAgent, Radio, RadioError, RadioReason, Sighting
from calza_gateway.state.bonds import PairedStocking
from calza_wire.errors import WireError
from calza_wire.stocking_service import Identity, Label
from calza_wire.uuids import STOCKING_IDENTITY, STOCKING_LABEL

CONNECT_TIMEOUT_S = 20.0  # a stocking advertises at least every second, unless another gateway is reading it
TRIES = 3
PASSKEY_DIGITS = 6  # Core Specification, Vol 3, Part H, 2.3.5.3


class PairingError(Exception):
    """A stocking cannot be found or taken on; `code` is stable, the sentence says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Found:
    """A stocking in range whose (open) identity has been read."""

    sighting: Sighting
    identity: Identity


def parse_passkey(text: str) -> int:
    """The passkey printed on a label: six decimal digits, spaces allowed. Raises PairingError ("bad_passkey")."""
    digits = "".join(text.split())
    if len(digits) != PASSKEY_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise PairingError("bad_passkey", "a passkey is the six digits printed on the garment's label, such as 042017")
    return int(digits)


async def identify(radio: Radio, sighting: Sighting) -> Found:
    """Read who a stocking in range is; needs no pairing. Raises RadioError, or PairingError ("not_a_stocking")."""
    link = await radio.connect(sighting.address, CONNECT_TIMEOUT_S)
    try:
        return Found(sighting, Identity.decode(await link.read(STOCKING_IDENTITY)))
    except WireError as error:
        sentence = f"{sighting.address} does not identify itself as a stocking ({error.code})"
        raise PairingError("not_a_stocking", sentence) from error
    finally:
        await link.disconnect()


async def find(radio: Radio, wanted: str, sightings: Sequence[Sighting]) -> Found:
    """The one stocking that is meant by an address, an advertised name or a serial.

    Only for a serial are stockings asked for their identity one by one, first those whose name ends as the serial
    does; one that fails to answer is passed over. A bond that a stocking has forgotten is dropped on this side too:
    whoever looks for a stocking is about to pair.
    Raises PairingError: "not_found", "ambiguous"; RadioError when the one meant does not answer.
    """
    called = wanted.strip().casefold()
    by_address = [s for s in sightings if s.address.casefold() == called]
    by_name = [s for s in sightings if s.name is not None and s.name.casefold() == called]
    matching = by_address or by_name
    if len(matching) > 1:
        addresses = ", ".join(sighting.address for sighting in matching)
        raise PairingError(
            "ambiguous", f"several stockings are called {wanted!r}: give one of the addresses {addresses}"
        )
    if matching:
        return await _meet(radio, matching[0])
    unread = 0
    for sighting in sorted(sightings, key=lambda s: not _may_be(s, called)):
        try:
            found = await _meet(radio, sighting)
        except RadioError as error:
            if error.reason is RadioReason.NO_ADAPTER:
                raise
            unread += 1
            continue
        except PairingError:
            unread += 1
            continue
        if found.identity.serial.casefold() == called:
            return found
    raise PairingError("not_found", _not_found(wanted, len(sightings), unread))


def advice(code: str, sentence: str, serial: str) -> str:
    """What to tell a person when a visit to a paired stocking failed: who has forgotten whom, and the one command."""
    repair = f"run `calza gateway pair {serial}` to pair it again"
    match code:
        case RadioReason.BOND_LOST:
            return f"{serial} has forgotten this gateway: {repair}"
        case RadioReason.NOT_PAIRED:
            return f"this gateway has lost its key for {serial}: {repair}"
        case _:
            return sentence


async def enrol(radio: Radio, found: Found, agent: PairingAgent, adapter: str | None = None) -> PairedStocking:
    """Pair, then connect anew and read what only a bonded gateway may read: only then it is this gateway's.

    A bond that either side has forgotten is made again. `adapter` is the radio that keeps the bond, if there are
    several. Raises RadioError, or PairingError ("not_a_stocking").
    """
    address = found.sighting.address
    await radio.pair(address, agent)
    link = await radio.connect(address, CONNECT_TIMEOUT_S)
    try:
        identity = Identity.decode(await link.read(STOCKING_IDENTITY))
        label = Label.decode(await link.read(STOCKING_LABEL))
    except WireError as error:
        sentence = f"{address} does not describe itself as a stocking does ({error.code})"
        raise PairingError("not_a_stocking", sentence) from error
    finally:
        await link.disconnect()
    if identity.serial != found.identity.serial:
        sentence = f"{address} was {found.identity.serial} before pairing and is {identity.serial} now"
        raise PairingError("not_a_stocking", sentence)
    return PairedStocking(identity.serial, address, label.side, adapter)


async def _meet(radio: Radio, sighting: Sighting) -> Found:
    """Identify, if need be without the bond; a radio may need several tries to be sure that it was forgotten."""
    for _ in range(TRIES):
        try:
            return await identify(radio, sighting)
        except RadioError as error:
            if error.reason is RadioReason.BOND_LOST:
                await radio.unpair(sighting.address)
            elif error.reason is not RadioReason.CONNECT_FAILED:
                raise
    return await identify(radio, sighting)


def _may_be(sighting: Sighting, called: str) -> bool:
    """Whether the advertised name ends with the last characters of the serial, as a stocking's does."""
    return sighting.name is not None and called.endswith(sighting.name.casefold().rpartition(" ")[2])


def _not_found(wanted: str, seen: int, unread: int) -> str:
    if not seen:
        return "no stocking was heard: is it charged, and within a few metres?"
    sentence = f"none of the {seen} stockings in range is {wanted}"
    return f"{sentence}; {unread} of them did not answer" if unread else sentence
