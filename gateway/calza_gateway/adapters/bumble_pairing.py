"""This side's part in pairing on Bumble: what the person's agent says becomes what the security manager needs.

Knows Bumble's security manager only. Must not know GATT, nor where the agent has its answers from.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from bleak.exc import BleakError
from bumble.core import BaseBumbleError, ProtocolError
from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import ErrorCode, OobContext, OobLegacyContext, OobSharedData

from calza_gateway.adapters.bleak_errors import JUST_WORKS, NUMBERS_DIFFER, WRONG_PASSKEY, PairingRefusedError
from calza_gateway.adapters.bumble_host import BumbleHost
from calza_gateway.ports import OobData, PairingAgent

SMP_TIMEOUT_S = 30.0  # how long either side may take to answer (Core Specification, Vol 3, Part H, 3.4)
NO_KEYS_EXCHANGED = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
"""Identity keys are not exchanged: both addresses are static, and the bond is to be found under them."""

OTHER_LABEL = "it does not fit the scanned label: is it the label of this stocking?"
REFUSALS = {
    ErrorCode.PASSKEY_ENTRY_FAILED: "no passkey was given",
    ErrorCode.PAIRING_NOT_SUPPORTED: "it does not accept a pairing at the moment: wait some minutes, then try again",
    ErrorCode.AUTHENTICATION_REQUIREMENTS: "the two sides do not agree on how to pair",
    ErrorCode.REPEATED_ATTEMPTS: "there were too many attempts: wait a moment and try again",
}
MISMATCHES = frozenset({ErrorCode.CONFIRM_VALUE_FAILED, ErrorCode.DHKEY_CHECK_FAILED})
"""What a wrong secret looks like; which secret it was depends on how the two sides pair."""

T = TypeVar("T")


class Side(PairingDelegate):
    """This side of a pairing: `mismatch` is what a wrong secret means, `failure` what whoever was asked has raised."""

    def __init__(self, capability: PairingDelegate.IoCapability, mismatch: str) -> None:
        super().__init__(capability, NO_KEYS_EXCHANGED, NO_KEYS_EXCHANGED)
        self.mismatch = mismatch
        self.limit: asyncio.Timeout | None = None
        self.failure: Exception | None = None


class NoKeyboard(Side):
    """Nobody to ask: the other side can pair, but what it then allows is not much."""

    def __init__(self) -> None:
        super().__init__(self.NO_OUTPUT_NO_INPUT, JUST_WORKS)


class Asking(Side):
    """Answers for the agent.

    It has a keyboard and a display: against a label that makes passkey entry, against a display numeric comparison
    (Core Specification, Vol 3, Part H, table 2.8).
    """

    def __init__(self, agent: PairingAgent, address: str, oob: OobData | None) -> None:
        super().__init__(self.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT, JUST_WORKS if oob is None else OTHER_LABEL)
        self._agent = agent
        self._address = address

    async def confirm(self, auto: bool = False) -> bool:
        """Refuse Just Works: anybody could be at the other end."""
        del auto
        return False

    async def get_number(self) -> int | None:
        """The passkey, or None, which refuses the pairing."""
        self.mismatch = WRONG_PASSKEY
        # Bumble takes a passkey of 0 for none at all and then waits for ever.
        return await self._ask(self._agent.passkey(self._address)) or None

    async def compare_numbers(self, number: int, digits: int) -> bool:
        """Whether the person sees the same number on the stocking."""
        del digits
        self.mismatch = NUMBERS_DIFFER
        return await self._ask(self._agent.confirm(self._address, number)) or False

    async def _ask(self, question: Awaitable[T]) -> T | None:
        try:
            self._allow(None)  # a person may take as long as the stocking is patient
            answer = await question
            self._allow(SMP_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - Bumble would log it with a trace; `pair` raises it instead
            self.failure = error
            return None
        return answer

    def _allow(self, seconds: float | None) -> None:
        if self.limit is not None:
            self.limit.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)


async def pair(host: BumbleHost, connection: Connection, agent: PairingAgent | None) -> None:
    """Pair and bond over a link; the bond is in the keyring on return.

    Raises PairingRefusedError when either side said no, TimeoutError when the peer fell silent, what the agent raised,
    or BleakError. Without an agent this side has no keyboard, and the pairing is not authenticated (Just Works).
    """
    address = connection.peer_address.to_string(False)
    oob = None if agent is None else agent.oob(address)
    side = NoKeyboard() if agent is None else Asking(agent, address, oob)
    host.pairings[connection.handle] = PairingConfig(delegate=side, oob=_oob_config(oob))
    try:
        async with asyncio.timeout(SMP_TIMEOUT_S) as side.limit:
            await connection.pair()
    except ProtocolError as error:
        if side.failure is not None:
            raise side.failure from error
        raise PairingRefusedError(_why(error, side.mismatch)) from error
    except BaseBumbleError as error:
        raise BleakError(f"pairing did not work ({error})") from error
    finally:
        host.pairings.pop(connection.handle, None)
    keys = await host.keyring.get(address)
    if keys is None:
        # Bumble only logs it when a bond cannot be kept, on a full disk for example.
        raise BleakError("the bond could not be kept: is the disk full, or the state folder read-only?")
    if agent is not None and not (keys.ltk is not None and keys.ltk.authenticated):
        host.forget(address)  # an older way of pairing (LE legacy) does not ask `confirm` before Just Works
        raise PairingRefusedError(JUST_WORKS)


def _oob_config(oob: OobData | None) -> PairingConfig.OobConfig | None:
    """One way: this side knows the stocking's data and gives none of its own, since a garment cannot scan.

    The legacy context is a secret nobody else has: a peer that falls back to the pairing of before Secure Connections
    fails at once (without one, Bumble stumbles and lets both sides wait for 30 s).
    """
    if oob is None:
        return None
    return PairingConfig.OobConfig(OobContext(), OobSharedData(c=oob.confirm, r=oob.random), OobLegacyContext())


def _why(error: ProtocolError, mismatch: str) -> str:
    try:
        code = ErrorCode(error.error_code or 0)
        return mismatch if code in MISMATCHES else REFUSALS[code]
    except KeyError:
        return f"it was refused ({error.error_name.lower().replace('_', ' ')})"
