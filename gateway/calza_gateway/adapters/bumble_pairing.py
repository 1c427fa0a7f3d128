"""This side's part in pairing on Bumble: a keyboard for the six digits on the stocking's label.

Knows Bumble's security manager only. Must not know GATT, nor who is asked for the digits.
"""

import asyncio

from bleak.exc import BleakError
from bumble.core import BaseBumbleError, ProtocolError
from bumble.device import Connection
from bumble.pairing import PairingDelegate
from bumble.smp import ErrorCode

from calza_gateway.adapters.bleak_errors import PairingRefusedError
from calza_gateway.adapters.bumble_host import BumbleHost
from calza_gateway.ports import PasskeyPrompt

SMP_TIMEOUT_S = 30.0  # how long either side may take to answer (Core Specification, Vol 3, Part H, 3.4)
NO_KEYS_EXCHANGED = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
"""Identity keys are not exchanged: both addresses are static, and the bond is to be found under them."""

REFUSALS = {
    ErrorCode.CONFIRM_VALUE_FAILED: "the passkey is wrong: type the six digits printed on the garment's label",
    ErrorCode.PASSKEY_ENTRY_FAILED: "no passkey was given",
    ErrorCode.PAIRING_NOT_SUPPORTED: "it does not accept a pairing at the moment: wait some minutes, then try again",
    ErrorCode.AUTHENTICATION_REQUIREMENTS: "the two sides do not agree on how to pair",
    ErrorCode.REPEATED_ATTEMPTS: "there were too many attempts: wait a moment and try again",
}


class Keyboard(PairingDelegate):
    """Types the passkey that the prompt gives; what the prompt raises is kept for the caller of `pair`."""

    def __init__(self, prompt: PasskeyPrompt) -> None:
        super().__init__(self.KEYBOARD_INPUT_ONLY, NO_KEYS_EXCHANGED, NO_KEYS_EXCHANGED)
        self._prompt = prompt
        self.limit: asyncio.Timeout | None = None
        self.failure: Exception | None = None

    async def get_number(self) -> int | None:
        """The passkey, or None, which refuses the pairing."""
        try:
            self._allow(None)  # a person may take as long as the stocking is patient
            passkey = await self._prompt()
            self._allow(SMP_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - Bumble would log it with a trace; `pair` raises it instead
            self.failure = error
            return None
        # Bumble takes a passkey of 0 for none at all and then waits for ever.
        return passkey or None

    def _allow(self, seconds: float | None) -> None:
        if self.limit is not None:
            self.limit.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)


class NoKeyboard(PairingDelegate):
    """Nobody to ask: the other side can pair, but what it then allows is not much."""

    def __init__(self) -> None:
        super().__init__(self.NO_OUTPUT_NO_INPUT, NO_KEYS_EXCHANGED, NO_KEYS_EXCHANGED)


async def pair(host: BumbleHost, connection: Connection, prompt: PasskeyPrompt | None) -> None:
    """Pair and bond over a link; the bond is in the keyring on return.

    Raises PairingRefusedError when either side said no, TimeoutError when the peer fell silent, what the prompt raised,
    or BleakError. Without a prompt this
    side has no keyboard, and the pairing is not authenticated (Just Works).
    """
    delegate = NoKeyboard() if prompt is None else Keyboard(prompt)
    host.delegates[connection.handle] = delegate
    try:
        async with asyncio.timeout(SMP_TIMEOUT_S) as limit:
            if isinstance(delegate, Keyboard):
                delegate.limit = limit
            await connection.pair()
    except ProtocolError as error:
        if isinstance(delegate, Keyboard) and delegate.failure is not None:
            raise delegate.failure from error
        raise PairingRefusedError(_why(error)) from error
    except BaseBumbleError as error:
        raise BleakError(f"pairing did not work ({error})") from error
    finally:
        host.delegates.pop(connection.handle, None)
    if not host.keyring.has(str(connection.peer_address)):
        # Bumble only logs it when a bond cannot be kept, on a full disk for example.
        raise BleakError("the bond could not be kept: is the disk full, or the state folder read-only?")


def _why(error: ProtocolError) -> str:
    try:
        return REFUSALS[ErrorCode(error.error_code or 0)]
    except KeyError:
        return f"it was refused ({error.error_name.lower().replace('_', ' ')})"
