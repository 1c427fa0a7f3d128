"""Which faults come when: drawn from a seed before anything runs, so the same seed is the same month. Values only."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

MINUTE_S = 60.0
HOUR_S = 3600.0

MEAN_GAP_S = 5 * MINUTE_S  # some 290 faults a day: a home has perhaps as many in a year
FIRST_FAULT_S = 10 * MINUTE_S  # the first visits fetch what the ring holds
WITHIN_VISIT_S = 4.0  # a visit at the paced radio takes two to four seconds


class Kind(StrEnum):
    """What can go wrong."""

    STALL = "stall"
    CUT = "cut"
    AWAY = "away"
    REBOOT = "reboot"
    LOSSY = "lossy"
    ADAPTER_OUT = "adapter out"
    ADAPTER_DEAD = "adapter dead for an hour"
    ADAPTER_HANGS = "adapter hangs"
    ADAPTER_DEAF = "adapter goes deaf"
    BROKER_GONE = "broker gone"
    BROKER_KICKS = "broker kicks"
    BROKER_FORGETS = "broker forgets"
    SERVER_STOPS = "server stops"
    SERVER_DIES = "server dies before it answers"
    RECEIPTS_LOST = "receipts lost"
    DISK_FULL = "disk full"
    CLOCK_JUMPS = "clock jumps"
    ZONE_CHANGES = "zone changes"


@dataclass(frozen=True, slots=True)
class Habit:
    """How a kind of fault behaves: how often beside the others, how long, and what it is aimed at.

    `shortest_s` = `longest_s` = 0 is over as soon as it has struck. `aimed` is the share that waits for a visit to
    strike in: between two visits most faults of a link disturb nothing.
    """

    weight: float
    shortest_s: float = 0.0
    longest_s: float = 0.0
    of_a_stocking: bool = False
    aimed: float = 0.0


HABITS: dict[Kind, Habit] = {
    # Somebody walks between, a microwave runs: below the supervision timeout (0.72 s) a pause, above it a lost link.
    Kind.STALL: Habit(18, 0.1, 5.0, of_a_stocking=True, aimed=0.8),
    Kind.CUT: Habit(18, of_a_stocking=True, aimed=0.9),
    # From the bathroom to an afternoon out.
    Kind.AWAY: Habit(3, MINUTE_S, 4 * HOUR_S, of_a_stocking=True, aimed=0.3),
    # A loose battery contact or a watchdog reset: what was open in RAM is gone, flash and bonds stay.
    Kind.REBOOT: Habit(8, 1.0, 2 * MINUTE_S, of_a_stocking=True, aimed=0.5),
    # Seen with BlueZ: 4.5 to 40 % of notifications lost above HCI (docs on the radio); indications on some hosts too.
    Kind.LOSSY: Habit(8, 5 * MINUTE_S, HOUR_S, of_a_stocking=True),
    # A USB adapter that resets itself, or is pulled out to plug in something else.
    Kind.ADAPTER_OUT: Habit(8, 2.0, 10 * MINUTE_S, aimed=0.5),
    Kind.ADAPTER_DEAD: Habit(0.7, HOUR_S, HOUR_S),
    # Its firmware has crashed: it takes commands and answers none until it is opened anew. Has no end of its own.
    Kind.ADAPTER_HANGS: Habit(3, aimed=0.5),
    # It scans, says so and hears nobody: what people cure by a reboot of the machine. No end of its own either.
    Kind.ADAPTER_DEAF: Habit(2, aimed=0.3),
    # A router restarted, a provider's outage.
    Kind.BROKER_GONE: Habit(3, MINUTE_S, 3 * HOUR_S),
    Kind.BROKER_KICKS: Habit(8, aimed=0.5),
    # The broker crashed before it had saved what it took; Mosquitto saves every few seconds in our configuration.
    Kind.BROKER_FORGETS: Habit(4, 1.0, 30.0, aimed=0.8),
    Kind.SERVER_STOPS: Habit(1.5, HOUR_S, HOUR_S),
    # Committed, and gone before the receipt: everything comes twice.
    Kind.SERVER_DIES: Habit(4, 30.0, 5 * MINUTE_S),
    Kind.RECEIPTS_LOST: Habit(3, 10 * MINUTE_S, HOUR_S),
    Kind.DISK_FULL: Habit(3, 5 * MINUTE_S, HOUR_S),
    # No time server and a bad battery, or somebody who sets the clock by hand.
    Kind.CLOCK_JUMPS: Habit(4, 10 * MINUTE_S, 3 * HOUR_S),
    Kind.ZONE_CHANGES: Habit(2),
}
LOSS_RATES = (0.02, 0.4)
RECEIPT_LOSS_RATES = (0.3, 1.0)
JUMPS_S = (MINUTE_S, 6 * HOUR_S)
ZONES = (0, 4, 8, -20, 22, 56)  # quarters of an hour: London, Rome in winter and summer, New York, Delhi, Kiritimati


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: from `at_s` (seconds of the soak) or the first visit after it, for `seconds`, to one stocking or to
    what all share (None). `aim_s`: this long after a link came up, None to strike at once. `figure` is the kind's own:
    a rate, a jump in seconds, quarters of an hour. `worse` makes the nastier variety of those kinds that have two.
    """

    number: int
    at_s: float
    kind: Kind
    serial: str | None
    seconds: float
    aim_s: float | None
    figure: float
    worse: bool


def forecast(seed: int, until_s: float, serials: Sequence[str], kinds: Sequence[Kind] = tuple(Kind)) -> Iterator[Fault]:
    """Every fault of those kinds that begins before `until_s`, in order."""
    chance = random.Random(f"{seed}/weather")
    weights = [HABITS[kind].weight for kind in kinds]
    at_s, number = FIRST_FAULT_S, 0
    while True:
        at_s += chance.expovariate(1 / MEAN_GAP_S)
        if at_s >= until_s or not kinds:
            return
        number += 1
        kind = chance.choices(kinds, weights)[0]
        habit = HABITS[kind]
        serial = chance.choice(serials)
        aimed = chance.random() < habit.aimed
        yield Fault(
            number,
            at_s,
            kind,
            serial if habit.of_a_stocking else None,
            _between(chance, habit.shortest_s, habit.longest_s),
            chance.uniform(0.0, WITHIN_VISIT_S) if aimed else None,
            _figure(chance, kind),
            chance.random() < 0.5,
        )


def _between(chance: random.Random, least: float, most: float) -> float:
    """Short times often, long times seldom: evenly on a logarithmic scale."""
    drawn = chance.random()
    return most if least == most else math.exp(math.log(least) + drawn * (math.log(most) - math.log(least)))


def _figure(chance: random.Random, kind: Kind) -> float:
    drawn, sign = chance.random(), chance.choice((-1, 1))
    match kind:
        case Kind.LOSSY:
            return LOSS_RATES[0] + drawn * (LOSS_RATES[1] - LOSS_RATES[0])
        case Kind.RECEIPTS_LOST:
            return RECEIPT_LOSS_RATES[0] + drawn * (RECEIPT_LOSS_RATES[1] - RECEIPT_LOSS_RATES[0])
        case Kind.CLOCK_JUMPS:
            return sign * math.exp(math.log(JUMPS_S[0]) + drawn * (math.log(JUMPS_S[1]) - math.log(JUMPS_S[0])))
        case Kind.ZONE_CHANGES:
            return ZONES[int(drawn * len(ZONES))]
        case _:
            return 0.0
