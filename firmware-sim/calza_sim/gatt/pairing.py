"""How a stocking pairs: it has a label and no keyboard, so the passkey printed on it is typed at the gateway.

A label's passkey never changes, and each failed LE Secure Connections attempt tells a listener a little about it;
so after a few attempts the stocking refuses for a while, longer each time (Core 5.4, Vol 3 Part H 2.3.6).
"""

from collections.abc import Callable

from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate

FREE_ATTEMPTS = 3
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 300.0


class Patience:
    """Counts pairings begun and not brought to a good end, and says when the next may begin.

    Begun, not failed: an attempt dropped half way tells a listener just as much. Times are seconds of a steady clock.
    """

    def __init__(self) -> None:
        self._begun = 0
        self._blocked_until_s = 0.0

    def begin(self, now_s: float) -> bool:
        """Ask for a pairing at `now_s`; False when it is too early for another one."""
        if now_s < self._blocked_until_s:
            return False
        self._begun += 1
        beyond = self._begun - FREE_ATTEMPTS
        if beyond >= 0:
            self._blocked_until_s = now_s + min(FIRST_WAIT_S * 2.0**beyond, LONGEST_WAIT_S)
        return True

    def succeeded(self) -> None:
        """The right passkey was typed."""
        self._begun = 0
        self._blocked_until_s = 0.0


class Label(PairingDelegate):
    """The pairing side of a stocking: shows (on its label) a passkey and accepts whoever types it."""

    def __init__(self, passkey: int, may_pair: Callable[[], bool]) -> None:
        super().__init__(io_capability=PairingDelegate.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey
        self._may_pair = may_pair

    async def accept(self) -> bool:
        """Whether a pairing may begin now."""
        return self._may_pair()

    async def generate_passkey(self) -> int:
        """The passkey on the label; nothing is displayed because it is printed."""
        return self._passkey


def pairing_config(passkey: int, may_pair: Callable[[], bool]) -> Callable[[Connection], PairingConfig]:
    """A factory of pairing terms: LE Secure Connections, protection against a man in the middle, bonding."""
    delegate = Label(passkey, may_pair)
    return lambda _connection: PairingConfig(sc=True, mitm=True, bonding=True, delegate=delegate)
