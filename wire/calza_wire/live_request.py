"""The server asks a gateway for live minutes of one stocking, for so many seconds from receipt. Knows no clock.

A lease, not an instant, because the two clocks differ; and never a stop: who no longer watches no longer renews, and
what was asked for ends by itself. Sent at QoS 0 and never retained: a request that comes late is worth nothing.
"""

from dataclasses import dataclass
from typing import Final, Self

from calza_wire.json_fields import Fields, dump, readable
from calza_wire.octets import Octets
from calza_wire.topics import check_serial

VERSION: Final = 1
LEASE_MAX_S: Final = 300  # what a server that dies, or a page that is forgotten, can cost a stocking's battery at most


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """Somebody watches this stocking: live minutes are wanted for `seconds` from now, 1..`LEASE_MAX_S`."""

    serial: str
    seconds: int

    def encode(self) -> bytes:
        """Its JSON; `ValueError` for what a reader would refuse."""
        return readable(dump(VERSION, {"serial": self.serial, "seconds": self.seconds}), self.decode)

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From its JSON; `WireError` otherwise."""
        fields = Fields.of(octets, VERSION)
        request = cls(fields.text("serial", check_serial), fields.integer("seconds", 1, LEASE_MAX_S))
        fields.done()
        return request
