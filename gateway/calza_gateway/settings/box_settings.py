"""How the settings of a box that runs for months are written: where the metrics are read, how far the outbox may grow.

Texts in, values out; knows no command line, no socket and no disk.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

LOOPBACK: Final = "127.0.0.1"
MEGABYTE: Final = 1_000_000
# 60 days of two stockings: a visit closes at most 96 blocks a day (one every 15 min), the stocking itself one an hour.
OUTBOX_LIMIT_DEFAULT: Final = "15000"
OUTBOX_LIMIT_RANGE: Final = (100, 10_000_000)
# Room for what keeps the box itself alive: a second installation beside the first while it updates (124 MB), the
# journal's own reserve, and SQLite's log while receipts empty a full outbox.
FREE_DISK_DEFAULT: Final = "200"
FREE_DISK_RANGE_MB: Final = (1, 1_000_000)


class MetricsError(Exception):
    """The metrics cannot be offered where they were asked for; `code` is stable."""

    code = "metrics_unusable"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. The metrics name no stocking, but they are not for the ward's network either."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether nobody but this machine can connect."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_listen(text: str) -> Listen:
    """`HOST:PORT`, `[HOST]:PORT` or `PORT` alone, which is on loopback. Raises `ValueError` with a sentence."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise ValueError(f"metrics is HOST:PORT, such as {LOOPBACK}:9464, not {text!r}")
    return Listen(host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port))


def parse_records(text: str) -> int:
    """How many records the outbox may hold. Raises `ValueError` with a sentence."""
    return _whole("outbox_limit", text, OUTBOX_LIMIT_RANGE, "records")


def parse_free_disk(text: str) -> int:
    """Megabytes that are to stay free, in octets. Raises `ValueError` with a sentence."""
    return _whole("free_disk", text, FREE_DISK_RANGE_MB, "megabytes") * MEGABYTE


def _whole(name: str, text: str, limits: tuple[int, int], unit: str) -> int:
    low, high = limits
    if not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
        raise ValueError(f"{name} is a whole number of {low} to {high} {unit}, not {text!r}")
    return int(text)
