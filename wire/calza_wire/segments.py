"""Cutting an observation into notifications and putting it together again.

Knows nothing of what it carries. Every segment is one header octet (bit 0 first, bit 1 last, bits 2..7 a counter that
runs over all segments of the characteristic and wraps 63 -> 0) and a fragment. Source: Bluetooth SIG Generic Health
Sensor Service 1.0, Live and Stored Health Observations.
"""

from typing import Final

from calza_wire.errors import WireError
from calza_wire.octets import Octets

MAX_PAYLOAD_OCTETS: Final = 65_536  # no peer may make us hold more
ATT_MTU_MIN: Final = 23  # Bluetooth Core, Vol 3 Part G 5.2.1
COUNTER_MODULUS: Final = 64
_OVERHEAD: Final = 4  # ATT op code and handle, and the segment header
_FIRST: Final = 0x01
_LAST: Final = 0x02


def split(payload: bytes, att_mtu: int, counter: int) -> tuple[list[bytes], int]:
    """The segments of one payload for a link of this ATT MTU, and the counter of the segment after them."""
    if not 0 < len(payload) <= MAX_PAYLOAD_OCTETS:
        raise ValueError(f"a payload has 1..{MAX_PAYLOAD_OCTETS} octets, not {len(payload)}")
    if att_mtu < ATT_MTU_MIN:
        raise ValueError(f"an ATT MTU is at least {ATT_MTU_MIN}, not {att_mtu}")
    if not 0 <= counter < COUNTER_MODULUS:
        raise ValueError(f"a segment counter is 0..63, not {counter}")
    capacity = att_mtu - _OVERHEAD
    segments = []
    for start in range(0, len(payload), capacity):
        end = start + capacity
        header = counter << 2 | (_FIRST if start == 0 else 0) | (_LAST if end >= len(payload) else 0)
        segments.append(bytes((header,)) + payload[start:end])
        counter = (counter + 1) % COUNTER_MODULUS
    return segments, counter


class Reassembler:
    """Puts the segments of one characteristic together; a jump of the counter drops what was begun and is counted.

    The counter of the first segment may be anything. `gaps` counts breaks, one for each run of segments lost. The same
    segment twice in a row is one: hosts have been seen to hand each notification over twice (BlueZ 5.66, when a client
    of an earlier connection is left behind), and no stocking sends a counter twice running.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self._partial: bytearray | None = None
        self._expected: int | None = None
        self._newest = b""
        self._skipping = False

    def reset(self) -> None:
        """Forget everything received (after a disconnect); `gaps` is kept."""
        self._partial = None
        self._expected = None
        self._newest = b""
        self._skipping = False

    def feed(self, pdu: Octets) -> bytes | None:
        """Take one segment; return the payload if this was its last, else None.

        Raises `WireError` "truncated" for an empty segment and "too_long" beyond 64 KiB (what was begun is dropped).
        """
        if len(pdu) == 0:
            raise WireError("truncated", "a segment has at least its header", 0)
        if pdu == self._newest:
            return None
        self._newest = bytes(pdu)
        header, fragment = pdu[0], pdu[1:]
        counter = header >> 2
        broken = self._expected is not None and counter != self._expected
        self._expected = (counter + 1) % COUNTER_MODULUS
        if header & _FIRST:
            if broken or self._partial is not None:
                self._count_gap()
            self._skipping = False
            self._partial = bytearray(fragment)
        elif self._partial is None or broken:
            self._count_gap()
            return None
        else:
            self._partial += fragment
        if len(self._partial) > MAX_PAYLOAD_OCTETS:
            self._partial = None
            self._skipping = True
            raise WireError("too_long", f"a payload exceeds {MAX_PAYLOAD_OCTETS} octets", MAX_PAYLOAD_OCTETS)
        if not header & _LAST:
            return None
        payload = bytes(self._partial)
        self._partial = None
        return payload

    def _count_gap(self) -> None:
        self._partial = None
        if not self._skipping:
            self.gaps += 1
        self._skipping = True
