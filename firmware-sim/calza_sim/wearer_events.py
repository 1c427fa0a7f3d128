"""What happens to the stocking and its wearer beside wear and posture: the vocabulary alone. No figure, no sensor.

What an event does to pressure and temperature is `physics_events`; that it changes nothing about who wore what is the
point of it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """The kinds of event. The first group has effect only off the leg, the second only on it."""

    # off the leg: where the garment is meanwhile
    STORED_UNDER_LOAD = "stored-under-load"
    HOT_ATTIC = "hot-attic"
    HOT_CAR = "hot-car"
    BED_NOT_WORN = "bed-not-worn"
    POCKET = "pocket"
    RADIATOR = "radiator"
    WASH = "wash"
    STORED_FOLDED = "stored-folded"
    # on the leg: what is wrong with it
    ROLLED_DOWN = "rolled-down"
    ROLLED_BAND = "rolled-band"
    WRINKLE = "wrinkle"
    KNEE_FLEXED = "knee-flexed"
    # about the person
    STILL = "still"  # lies without moving for its length (still sleeper)


OFF_LEG: Final = frozenset(
    {
        EventKind.STORED_UNDER_LOAD,
        EventKind.HOT_ATTIC,
        EventKind.HOT_CAR,
        EventKind.BED_NOT_WORN,
        EventKind.POCKET,
        EventKind.RADIATOR,
        EventKind.WASH,
        EventKind.STORED_FOLDED,
    }
)
TAKES_SITE: Final = frozenset({EventKind.WRINKLE, EventKind.KNEE_FLEXED})
TAKES_SIZE: Final = frozenset({*OFF_LEG - {EventKind.STORED_FOLDED}, EventKind.WRINKLE, EventKind.KNEE_FLEXED})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at local `hour` (0..24) of its day for `minutes` (above 0; it may reach into later days).

    `site`: 0 ankle, 1 calf, 2 thigh, of a wrinkle (none: ankle) or a bent knee (none: calf and thigh). `size`: mmHg of
    a load, a wrinkle or a bent knee, degC of a place; none: drawn. Raises ValueError for what there is not.
    """

    kind: EventKind
    hour: float
    minutes: float
    site: int | None = None
    size: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.hour <= 24.0:
            raise ValueError(f"the event {self.kind} begins at an hour 0..24, not {self.hour}")
        if not self.minutes > 0.0:
            raise ValueError(f"the event {self.kind} lasts more than 0 minutes, not {self.minutes}")
        if self.site not in {None, 0, 1, 2}:
            raise ValueError(f"the event {self.kind} is at site 0 ankle, 1 calf or 2 thigh, not {self.site}")
        if self.site is not None and self.kind not in TAKES_SITE:
            raise ValueError(f"the event {self.kind} has its own sites: leave site out")
        if self.size is not None and self.kind not in TAKES_SIZE:
            raise ValueError(f"the event {self.kind} has its own size: leave size out")


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event on the clock: true Unix seconds from..to."""

    kind: EventKind
    start_s: float
    end_s: float
    site: int | None = None
    size: float | None = None
