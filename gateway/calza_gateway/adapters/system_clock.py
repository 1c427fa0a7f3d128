"""This machine's clocks: what time it is, what steady clock limits run on, and whether anybody keeps the time right.

On Linux the kernel is asked for the last. It knows without systemd and inside a container, whoever the time daemon is
(timesyncd, chrony with `rtcsync`, ntpd): they all clear its mark "unsynchronised", and it sets that again by itself
once its error bound reaches 16 s, which takes nine hours without a daemon (at 500 ppm, ntp_adjtime(3)).
"""

import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from calza_gateway.ports import Moment
from calza_wire.elapsed_time import QUARTER_S

STA_UNSYNC: Final = 0x0040  # <sys/timex.h>
TIME_ERROR: Final = 5  # the call's own answer for "not synchronised", other causes included
MAXERROR_LIMIT_US: Final = 16_000_000  # NTP_PHASE_LIMIT: what the kernel itself no longer calls synchronised


@dataclass(frozen=True, slots=True)
class KernelTime:
    """What `adjtimex` answers: the clock's state, its status bits, the most it can be wrong by in microseconds."""

    state: int
    status: int
    maxerror_us: int


def _steady_s() -> float:
    """Seconds that never jump and go on while the machine sleeps, so that what was due meanwhile is due at once.

    `time.monotonic` stands still in a sleep of Linux and macOS: beside a wall clock that does not, every sleep would
    look like a clock that was put forward. CLOCK_BOOTTIME is Linux's that goes on, CLOCK_MONOTONIC that of macOS; on
    Windows there is neither, and `time.monotonic` goes on.
    """
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        clock: int | None = getattr(time, name, None)
        if clock is not None:
            return time.clock_gettime(clock)
    return time.monotonic()


class _Timex(ctypes.Structure):
    """The head of `struct timex`, alike on every Linux; the rest differs by library and word length and is only room.

    Room for it all has to be there: the call fills the whole structure, 208 octets on 64 bits.
    """

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_ubyte * 512),
    )


def kernel_time() -> KernelTime | None:
    """Ask the kernel, changing nothing (modes 0, which needs no privilege); None if it cannot be asked."""
    if sys.platform != "linux" or hasattr(sys, "getandroidapilevel"):
        return None  # Android ends a process that makes this call (bionic, SECCOMP_BLOCKLIST_APP)
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):  # a libc without it
        return None
    timex = _Timex()
    state = int(adjtimex(ctypes.byref(timex)))
    if state < 0:  # a sandbox forbids even to look
        return None
    return KernelTime(state, int(timex.status), int(timex.maxerror))


@dataclass(frozen=True, slots=True)
class SystemClock:
    """See `calza_gateway.ports.Clock`. `ask_kernel` is for tests."""

    ask_kernel: Callable[[], KernelTime | None] = kernel_time

    def now(self) -> Moment:
        return Moment(time.time(), _steady_s())

    def offset_quarters(self) -> int:
        """By the zone of this process (`TZ`, else the system's); rounded down where a zone is not in quarter hours."""
        return time.localtime().tm_gmtoff // QUARTER_S

    def synchronised(self) -> bool | None:
        """By the kernel's own word; None where there is no such word (macOS, Windows, a sandbox)."""
        found = self.ask_kernel()
        if found is None:
            return None
        return found.state != TIME_ERROR and not found.status & STA_UNSYNC and found.maxerror_us < MAXERROR_LIMIT_US
