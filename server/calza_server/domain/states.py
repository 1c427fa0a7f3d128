"""The words a minute can be given: its state, the reason, and whether the pressure reached the order. Knows no rule."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """What a minute was. Missing data is UNKNOWN, never NOT_WORN."""

    UNKNOWN = 0
    WORN = 1
    NOT_WORN = 2
    EXCUSED = 3

    @property
    def word(self) -> str:
        """The stable lower-case word for files and the API."""
        return self.name.lower()


class Reason(IntEnum):
    """Why a minute has its state; each value belongs to one state only."""

    NO_DATA = 0  # unknown: nothing held for this minute
    AMBIGUOUS = 1  # unknown: the signs contradict each other or are too few
    SENSOR_FAULT = 2  # unknown: too few sites can be trusted
    CLOCK_UNTRUSTED = 3  # unknown: held, but the stocking's clock cannot say which minute it was
    BATTERY_FLAT = 4  # unknown: nothing was recorded because the battery had run out
    UNSENSED_BY_DESIGN = 5  # unknown: the clinic put on something no sensor sees, a bandage or a pad
    NOT_PAIRED = 6  # unknown: no stocking of this leg has ever been heard
    DATA_REJECTED = 7  # unknown: recorded, but the record could not be accepted
    ON_LEG = 10  # worn: pressure, warmth and life were seen together in this stretch
    SAME_AS_BEFORE_GAP = 11  # worn: after a gap, the same pressures and warmth as just before it
    NO_PRESSURE = 20  # not worn: every site slack for a while
    NOT_A_LEG = 21  # not worn: neither the warmth of a leg nor a sign of life for a while
    CHARGING = 22  # not worn: on the charger
    PAUSED = 30  # excused: the clinician ordered a pause

    @property
    def word(self) -> str:
        """The stable lower-case word for files and the API."""
        return self.name.lower()


class Dose(IntEnum):
    """Whether the ankle pressure of a worn minute reached the ordered floor, given how well the sensor knows it."""

    NOT_ASKED = 0  # not worn, no floor ordered, or no ankle reading
    REACHED = 1
    UNCERTAIN = 2  # the floor lies within the sensor's uncertainty
    BELOW = 3

    @property
    def word(self) -> str:
        """The stable lower-case word for files and the API."""
        return _DOSE_WORDS[self]


_DOSE_WORDS = {Dose.NOT_ASKED: "", Dose.REACHED: "yes", Dose.UNCERTAIN: "uncertain", Dose.BELOW: "no"}
