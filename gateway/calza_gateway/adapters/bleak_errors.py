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
    "org.bluez.Error.NotConnected": RadioReason.DISCONNECTED,
    "org.bluez.Error.NotReady": RadioReason.NO_ADAPTER,
    "org.bluez.Error.DoesNotExist": RadioReason.NOT_FOUND,
    "org.bluez.Error.NotPermitted": RadioReason.NOT_PAIRED,
    "org.bluez.Error.NotAuthorized": RadioReason.NOT_PAIRED,
}


class LinkLostError(BleakError):
    """The link, or the HCI transport under it, went away while it was being used."""


class PairingRefusedError(BleakError):
    """One of the two sides said no to the pairing; the link has been dropped, as BlueZ does."""


class BondLostError(BleakError):
    """The peer no longer has the key this side has kept."""


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
    except (OSError, EOFError) as error:  # the D-Bus socket or the transport broke under bleak
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
            return RadioError(RadioReason.BOND_LOST, f"{address} has forgotten this gateway: pair it again")
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
            reason = BLUEZ_REASONS.get(error.dbus_error, otherwise)
            return RadioError(reason, f"{address}: BlueZ says {error}")
        case _:
            return RadioError(otherwise, f"{address}: {error}")
