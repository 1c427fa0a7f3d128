"""How a stocking pairs: it has a label and no keyboard, so the passkey on it is typed, or its QR code scanned.

A label's passkey never changes, and each failed LE Secure Connections attempt tells a listener a little about it;
so after a few attempts the stocking refuses for a while, longer each time (Core 5.4, Vol 3 Part H 2.3.6).
"""

from collections.abc import Callable

from bumble import crypto
from bumble.crypto.cryptography import EccKey
from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import (
    Manager,
    OobContext,
    PairingMethod,
    Session,
    SMP_Pairing_Random_Command,
    SMP_Pairing_Request_Command,
)

from calza_sim.manufacture import OobSecret
from calza_wire.label_code import LabelCode

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


class StockingSession(Session):
    """Bumble's side of a pairing, with what it (0.0.236) gets wrong in pairing out of band put right.

    There it sends r, the secret of the label, as its nonce, in clear and before the other side has shown that it knows
    it: anybody could pair. The nonce is to be drawn anew (Core Specification, Vol 3, Part H, 2.3.5.6.4).
    """

    def __init__(self, manager: Manager, connection: Connection, config: PairingConfig, is_initiator: bool) -> None:
        super().__init__(manager, connection, config, is_initiator)
        self._nonce = crypto.r()

    @property
    def nx(self) -> tuple[bytes, bytes]:
        """Our nonce and the peer's."""
        ours, peers = super().nx
        return (self._nonce if self.pairing_method is PairingMethod.OOB else ours, peers)

    def send_pairing_random_command(self) -> None:
        """Show our nonce."""
        nonce = self._nonce if self.pairing_method is PairingMethod.OOB else self.r
        self.send_command(SMP_Pairing_Random_Command(random_value=nonce))

    async def on_smp_pairing_request_command_async(self, command: SMP_Pairing_Request_Command) -> None:
        """Use the key behind the label for a gateway that has scanned it; any other gets the one of this power-on."""
        if not command.oob_data_flag:
            self.ecc_key = self.manager.ecc_key
        await super().on_smp_pairing_request_command_async(command)


def label_code(serial: str, passkey: int, oob: OobSecret) -> LabelCode:
    """What the QR code on a stocking's label says."""
    data = _context(oob).share()
    return LabelCode(serial, passkey, data.r, data.c)


def pairing_config(passkey: int, oob: OobSecret, may_pair: Callable[[], bool]) -> Callable[[Connection], PairingConfig]:
    """A factory of pairing terms: LE Secure Connections, protection against a man in the middle, bonding.

    One way out of band: the gateway may know the stocking's data, the stocking never the gateway's.
    """
    delegate = Label(passkey, may_pair)
    terms = PairingConfig.OobConfig(_context(oob), None, None)
    return lambda _connection: PairingConfig(sc=True, mitm=True, bonding=True, delegate=delegate, oob=terms)


def _context(oob: OobSecret) -> OobContext:
    return OobContext(EccKey.from_private_key_bytes(oob.private_key), oob.random)
