"""What can go wrong between bleak and a stocking, and how it reads at the radio port.

The exceptions here are bleak errors that our own backend raises where bleak has no word for the case; BlueZ says the
same things with D-Bus error names. Must not know a backend.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)

from calza_gateway.ports import RadioError, RadioReason

SECURITY_CODES = frozenset(
    {
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
    }
)
"""ATT errors that say the link is not protected well enough (Core Specification, Vol 3, Part F, 3.4.1.1)."""

BLUEZ_REASONS = {
    "org.bluez.Error.AuthenticationFailed": RadioReason.PAIRING_REFUSED,
    "org.bluez.Error.AuthenticationCanceled": RadioReason.PAIRING_REFUSED,
    "org.bluez.Error.AuthenticationRejected": RadioReason.PAIRING_REFUSED,
    "org.bluez.Error.AuthenticationTimeout": RadioReason.PAIRING_REFUSED,
    "org.bluez.Error.ConnectionAttemptFailed": RadioReason.CONNECT_FAILED,  # `Pair` on a link that has gone
    "org.bluez.Error.NotConnected": RadioReason.DISCONNECTED,
    "org.bluez.Error.NotReady": RadioReason.NO_ADAPTER,  # switched off; habluetooth resets the adapter for it
    "org.bluez.Error.DoesNotExist": RadioReason.NOT_FOUND,
    # BlueZ drops what it has not heard for a while; bleak-retry-connector takes it for a device that is missing.
    "org.freedesktop.DBus.Error.UnknownObject": RadioReason.NOT_FOUND,
    "org.bluez.Error.NotPermitted": RadioReason.NOT_PAIRED,
    "org.bluez.Error.NotAuthorized": RadioReason.NOT_PAIRED,
    # An earlier call that never ended is in the way; habluetooth resets the adapter when scanning begins so.
    "org.bluez.Error.InProgress": RadioReason.STACK_STUCK,
    # bluetoothd hangs (no reply), or has ended (no owner, not to be started): restarting it cures both. The adapter
    # itself may be in best health, so this is not `no_adapter`.
    "org.freedesktop.DBus.Error.NoReply": RadioReason.STACK_STUCK,
    "org.freedesktop.DBus.Error.TimedOut": RadioReason.STACK_STUCK,
    "org.freedesktop.DBus.Error.ServiceUnknown": RadioReason.STACK_STUCK,
    "org.freedesktop.DBus.Error.NameHasNoOwner": RadioReason.STACK_STUCK,
    "org.freedesktop.DBus.Error.Disconnected": RadioReason.STACK_STUCK,
}
TRANSIENT_CONNECT_ERRORS = ("le-connection-", "br-connection-")
"""How the text of `org.bluez.Error.Failed` begins when a connect fell through (src/error.h of BlueZ): interference, or
a stocking that was just taken by another gateway. bleak-retry-connector tries "le-connection-abort-by-local" and
"br-connection-canceled" again up to nine times before it believes that something is broken."""

JUST_WORKS = "it did not ask for its passkey, as a stocking does"
WRONG_PASSKEY = "the passkey is wrong: type the six digits printed on the garment's label"
NUMBERS_DIFFER = "the two numbers are not the same, or nobody said that they are"
BLUEZ_REFUSALS = {
    "org.bluez.Error.AuthenticationFailed": WRONG_PASSKEY,
    "org.bluez.Error.AuthenticationCanceled": "the connection ended before the pairing did: go nearer and try again",
    "org.bluez.Error.AuthenticationRejected": "no passkey was given",
    "org.bluez.Error.AuthenticationTimeout": "it waits 30 s for its passkey: have the label at hand and try again",
}


class LinkLostError(BleakError):
    """The link, or the HCI transport under it, went away while it was being used."""


class PairingRefusedError(BleakError):
    """One of the two sides said no to the pairing; the link has been dropped, as BlueZ does."""


class BondLostError(BleakError):
    """The peer no longer has the key this side has kept."""


class DroppedError(BleakError):
    """The link came up and was lost many times in one connect."""


def ended_before_use(error: RadioError) -> bool:
    """Whether BlueZ dropped a link that had come up before its services were known.

    That is all BlueZ 5.66 shows of a peer that no longer has the key of the bond (measured; the kernel ends the link
    and keeps the reason, PIN or Key Missing, to itself). A link that falters at the edge of range looks the same.
    """
    cause = error.__cause__
    if isinstance(cause, DroppedError):
        return True
    return isinstance(cause, BleakDBusError) and cause.dbus_error_details == "br-connection-canceled"


def bond_lost(address: str) -> RadioError:
    """The stocking has forgotten this gateway, which still has its key."""
    sentence = f"{address} has forgotten this gateway: run `calza gateway pair {address}` to pair it again"
    return RadioError(RadioReason.BOND_LOST, sentence)


def key_lost(address: str, att_code: int | None = None) -> RadioError:
    """The stocking asks for a pairing, and this gateway has no key for it."""
    sentence = f"this gateway has lost its key for {address}, or never had one: run `calza gateway pair {address}`"
    return RadioError(RadioReason.NOT_PAIRED, sentence, att_code)


@contextmanager
def radio_errors(address: str, otherwise: RadioReason) -> Iterator[None]:
    """Everything bleak and its backends raise leaves this block as a RadioError about that address.

    `otherwise` is the reason for a bleak error that does not say more. A cancellation passes unchanged.
    """
    try:
        yield
    except BleakError as error:
        raise _radio_error(error, address, otherwise) from error
    except TimeoutError as error:
        raise RadioError(RadioReason.TIMEOUT, f"{address} did not answer in time") from error
    except (EOFError, ConnectionError) as error:
        # The D-Bus socket broke under bleak: the stack was there a moment ago, and a restart brings it back.
        sentence = f"the Bluetooth service went away ({type(error).__name__}): is it running?"
        raise RadioError(RadioReason.STACK_STUCK, sentence) from error
    except OSError as error:  # no socket at all: a machine without D-Bus, or one that may not be used
        sentence = f"the Bluetooth stack cannot be reached ({error}): is the bluetooth service running?"
        raise RadioError(RadioReason.NO_ADAPTER, sentence) from error
    except AssertionError as error:  # bleak's own checks on BlueZ, when the device object has gone under it
        raise RadioError(otherwise, f"{address}: the Bluetooth stack lost the stocking in between") from error


def _radio_error(error: BleakError, address: str, otherwise: RadioReason) -> RadioError:
    match error:
        case LinkLostError():
            return RadioError(RadioReason.DISCONNECTED, f"the connection to {address} was lost")
        case PairingRefusedError():
            return RadioError(RadioReason.PAIRING_REFUSED, f"{address} was not paired: {error}")
        case BondLostError():
            return bond_lost(address)
        case DroppedError():
            return RadioError(RadioReason.CONNECT_FAILED, f"{address}: {error}")
        case BleakBluetoothNotAvailableError():
            return RadioError(RadioReason.NO_ADAPTER, str(error.args[0]))
        case BleakDeviceNotFoundError():
            return RadioError(RadioReason.NOT_FOUND, f"{address} is not in range")
        case BleakCharacteristicNotFoundError():
            return RadioError(RadioReason.GATT_ERROR, f"{address} has no characteristic {error.char_specifier}")
        case BleakGATTProtocolError() if error.code in SECURITY_CODES:
            sentence = f"{address} wants a paired and encrypted link: pair it first"
            return RadioError(RadioReason.NOT_PAIRED, sentence, int(error.code))
        case BleakGATTProtocolError():
            sentence = f"{address} refused with ATT error 0x{int(error.code):02X}"
            return RadioError(RadioReason.GATT_ERROR, sentence, int(error.code))
        case BleakDBusError():
            return _bluez_error(error, address, otherwise)
        case _:
            return RadioError(otherwise, f"{address}: {error}")


def _bluez_error(error: BleakDBusError, address: str, otherwise: RadioReason) -> RadioError:
    reason = BLUEZ_REASONS.get(error.dbus_error, otherwise)
    details = str(error.dbus_error_details or "")
    if error.dbus_error == "org.bluez.Error.Failed" and details.startswith(TRANSIENT_CONNECT_ERRORS):
        reason = RadioReason.CONNECT_FAILED
    if error.dbus_error in BLUEZ_REFUSALS:
        return RadioError(reason, f"{address} was not paired: {BLUEZ_REFUSALS[error.dbus_error]}")
    return RadioError(reason, f"{address}: BlueZ says {error}")
