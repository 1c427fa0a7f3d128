"""What shall go wrong with power and clock at times fixed beforehand. Data and its checks; the firmware lives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LAST_DAY_S: Final = 86_400.0  # a cell gives up with about a day's worth left in it: our assumption


@dataclass(frozen=True, slots=True)
class Interruption:
    """At `at_s` the battery is flat, until someone brings it back charged at `until_s`; None: the clock alone is lost.

    Times are true Unix seconds.
    """

    at_s: float
    until_s: float | None = None


@dataclass(slots=True)
class Flat:
    """The battery is empty: power is back at `back_s`, or by the charger, not seen before `looked_s`."""

    looked_s: float
    back_s: float | None


def interruptions(
    outages: Sequence[tuple[float, float]], clock_resets: Sequence[float], *, boot_s: float
) -> list[Interruption]:
    """Those not over at `boot_s`, in order.

    Raises ValueError for an outage that ends before it begins, or two at once.
    """
    out: list[Interruption] = []
    ended_s = float("-inf")
    for start_s, end_s in sorted(outages):
        if not start_s < end_s:
            raise ValueError(f"an outage ends after it begins, not {start_s} to {end_s} (true Unix seconds)")
        if start_s < ended_s:
            raise ValueError(f"the outage from {start_s} begins before the one that lasts until {ended_s} has ended")
        ended_s = end_s
        if end_s > boot_s:
            out.append(Interruption(start_s, end_s))
    out += [Interruption(at_s) for at_s in clock_resets if at_s > boot_s]
    return sorted(out, key=lambda each: each.at_s)
