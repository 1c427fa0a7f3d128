"""Reading and writing octets: the one place that knows the byte order, which is little-endian everywhere.

Knows nothing of any format. A `Reader` never reads past its end and never allocates more than it was given.
"""

from typing import Final, Literal, TypeAlias

from calza_wire.errors import WireError

BYTE_ORDER: Final[Literal["little"]] = "little"
STRUCT_ORDER: Final = "<"  # the same, for bulk conversions with `struct`

Octets: TypeAlias = bytes | bytearray | memoryview


class Reader:
    """Takes values off the front of some octets; raises `WireError` "truncated" instead of reading past the end."""

    __slots__ = ("_octets", "offset")

    def __init__(self, octets: Octets) -> None:
        self._octets = bytes(octets)
        self.offset = 0

    @property
    def remaining(self) -> int:
        """Octets not read yet."""
        return len(self._octets) - self.offset

    def take(self, count: int) -> bytes:
        """The next `count` octets; the count is checked before anything is allocated."""
        start = self.offset
        if count > len(self._octets) - start:
            raise WireError("truncated", f"{count} octets expected, {len(self._octets) - start} left", start)
        self.offset = start + count
        return self._octets[start : self.offset]

    def unsigned(self, size: int) -> int:
        """An unsigned integer of `size` octets."""
        return int.from_bytes(self.take(size), BYTE_ORDER)

    def signed(self, size: int) -> int:
        """A two's complement integer of `size` octets."""
        return int.from_bytes(self.take(size), BYTE_ORDER, signed=True)

    def u8(self) -> int:
        """0..255."""
        return self.unsigned(1)

    def u16(self) -> int:
        """0..65,535."""
        return self.unsigned(2)

    def u32(self) -> int:
        """0..2^32 - 1."""
        return self.unsigned(4)

    def u48(self) -> int:
        """0..2^48 - 1."""
        return self.unsigned(6)

    def s8(self) -> int:
        """-128..127."""
        return self.signed(1)

    def text(self, count: int) -> str:
        """`count` octets of UTF-8."""
        start = self.offset
        try:
            return self.take(count).decode("utf-8")
        except UnicodeDecodeError as error:
            raise WireError("bad_value", "the text is not UTF-8", start + error.start) from error

    def finish(self) -> None:
        """Raise `WireError` "trailing" unless everything has been read."""
        if self.remaining:
            raise WireError("trailing", f"{self.remaining} octets left over", self.offset)


class Writer:
    """Collects values; raises `ValueError` for a number that does not fit its field."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets = bytearray()

    def raw(self, octets: bytes) -> None:
        """Octets as they are."""
        self._octets += octets

    def unsigned(self, value: int, size: int) -> None:
        """An unsigned integer of `size` octets."""
        self._integer(value, size, signed=False)

    def signed(self, value: int, size: int) -> None:
        """A two's complement integer of `size` octets."""
        self._integer(value, size, signed=True)

    def u8(self, value: int) -> None:
        """0..255."""
        self._integer(value, 1, signed=False)

    def u16(self, value: int) -> None:
        """0..65,535."""
        self._integer(value, 2, signed=False)

    def u32(self, value: int) -> None:
        """0..2^32 - 1."""
        self._integer(value, 4, signed=False)

    def u48(self, value: int) -> None:
        """0..2^48 - 1."""
        self._integer(value, 6, signed=False)

    def s8(self, value: int) -> None:
        """-128..127."""
        self._integer(value, 1, signed=True)

    def getvalue(self) -> bytes:
        """Everything written so far."""
        return bytes(self._octets)

    def __len__(self) -> int:
        return len(self._octets)

    def _integer(self, value: int, size: int, *, signed: bool) -> None:
        try:
            self._octets += value.to_bytes(size, BYTE_ORDER, signed=signed)
        except OverflowError as error:
            kind = "signed" if signed else "unsigned"
            raise ValueError(f"{value} does not fit {size} {kind} octets") from error
