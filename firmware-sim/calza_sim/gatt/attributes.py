"""Characteristics described as data, and the one place where access to their values is decided.

A `Value` says what may be done with a characteristic; `characteristic` turns it into Bumble's, with every read, write
and subscription of a clinical value refused unless the link is protected by an authenticated bond.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bumble import att
from bumble.att import Attribute, AttributeValue
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Characteristic, Descriptor

# ATT application errors of the GHS and Elapsed Time services; 0xFD and 0xFE are common to all profiles.
ERROR_CCCD_OFF = 0xFD
ERROR_PROCEDURE_RUNNING = 0xFE
ERROR_COMMAND_NOT_SUPPORTED = 0x81
ERROR_INVALID_LENGTH = 0x0D
ERROR_VALUE_NOT_ALLOWED = 0x13

CCCD_OCTETS = 2
CCCD_NOTIFY = 0x0001
CCCD_INDICATE = 0x0002

Bytes = Characteristic[bytes]
Properties = Characteristic.Properties
Permissions = Attribute.Permissions


class Peer(Protocol):
    """The connected gateway, as the attribute table needs it."""

    def require_bond(self) -> None:
        """Raise `att.ATT_Error` unless the link is protected by an authenticated bond."""

    def set_cccd(self, characteristic: Bytes, value: bytes) -> None:
        """Turn notifications or indications of a characteristic on or off."""

    def cccd(self, characteristic: Bytes) -> bytes:
        """The two octets of the configuration descriptor."""


P = TypeVar("P", bound=Peer)


@dataclass(frozen=True, slots=True)
class FixedDescriptor:
    """A read-only descriptor with a constant value."""

    uuid: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Generic[P]):
    """One characteristic: its UUID and what happens when it is read, written or subscribed to.

    `clinical` values need an authenticated bond. Handlers run to the end without awaiting, so an answer can never
    belong to an earlier connection; they refuse by raising `att.ATT_Error`.
    """

    uuid: str
    clinical: bool = True
    read: Callable[[P], bytes] | None = None
    write: Callable[[P, bytes], None] | None = None
    notify: bool = False
    indicate: bool = False
    on_subscribed: Callable[[P], None] | None = None
    descriptors: Sequence[FixedDescriptor] = ()


def att_error(code: int) -> att.ATT_Error:
    """The exception that refuses a request with an ATT error code."""
    return att.ATT_Error(error_code=code)


def characteristic(value: Value[P], peer_of: Callable[[Connection], P]) -> Bytes:
    """Bumble's characteristic for a `Value`; `peer_of` finds the peer or raises `att.ATT_Error`."""

    def admitted(connection: Connection) -> P:
        peer = peer_of(connection)
        if value.clinical:
            peer.require_bond()
        return peer

    def read(connection: Connection) -> bytes:
        if value.read is None:
            raise att_error(att.ATT_READ_NOT_PERMITTED_ERROR)
        return value.read(admitted(connection))

    def write(connection: Connection, octets: bytes) -> None:
        if value.write is None:
            raise att_error(att.ATT_WRITE_NOT_PERMITTED_ERROR)
        value.write(admitted(connection), octets)

    def write_cccd(connection: Connection, octets: bytes) -> None:
        peer = admitted(connection)
        if len(octets) != CCCD_OCTETS:
            raise att_error(ERROR_INVALID_LENGTH)
        wanted = int.from_bytes(octets, "little")
        if wanted & ~((CCCD_NOTIFY if value.notify else 0) | (CCCD_INDICATE if value.indicate else 0)):
            raise att_error(ERROR_VALUE_NOT_ALLOWED)
        peer.set_cccd(made, octets)
        if wanted and value.on_subscribed is not None:
            value.on_subscribed(peer)

    descriptors = [
        Descriptor(each.uuid, Permissions.READABLE, AttributeValue(read=_constant(admitted, each.value)))
        for each in value.descriptors
    ]
    if value.notify or value.indicate:
        descriptors.append(
            Descriptor(
                GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
                Permissions.READABLE | Permissions.WRITEABLE,
                AttributeValue(read=lambda connection: peer_of(connection).cccd(made), write=write_cccd),
            )
        )
    properties = Properties(0)
    properties |= Properties.READ if value.read else Properties(0)
    properties |= Properties.WRITE if value.write else Properties(0)
    properties |= Properties.NOTIFY if value.notify else Properties(0)
    properties |= Properties.INDICATE if value.indicate else Properties(0)
    made: Bytes = Characteristic(
        value.uuid,
        properties,
        (Permissions.READABLE if value.read else Permissions(0))
        | (Permissions.WRITEABLE if value.write else Permissions(0)),
        AttributeValue(read=read, write=write),
        descriptors,
    )
    return made


def _constant(admitted: Callable[[Connection], P], octets: bytes) -> Callable[[Connection], bytes]:
    def read(connection: Connection) -> bytes:
        admitted(connection)
        return octets

    return read
