"""Figures of what happens to a garment: where it lies when off the leg, what is wrong with it when on. No code.

Hardly anybody measured any of it: unless a source is named, a figure is our assumption. The temperatures of places are
here, those of legs and homes in `physics.figures_temperature`. A range is drawn from anew for each event.
"""

from typing import Final

# On the leg
DOUBLED_FACTOR: Final = 46.4 / 27.3  # derived: two layers against one, x1.7 or +20 mmHg (read in PMID 23641266)
ROLLED_DOWN_THIGH_MMHG: Final = (0.0, 3.0)  # the site is bare; the calf below it is DOUBLED_FACTOR
ROLLED_BAND_FACTOR: Final = (DOUBLED_FACTOR, 2.2)  # at the thigh: "x1.7 or more"; the upper end is our assumption
WRINKLE_MMHG: Final = (10.0, 20.0)  # added at one site
# thigh-length stockings, knee bent: above 28 mmHg at the back of the knee (read in 17 volunteers, anti-embolism
# stockings); the upper end is our assumption. That the calf and thigh sensors feel it is our assumption too
KNEE_PEAK_MMHG: Final = (28.0, 36.0)
SLIPPING_S: Final = 180.0  # a garment that rolls or wrinkles does so little by little
PULLED_STRAIGHT_S: Final = 20.0
BENDING_S: Final = 15.0

# Off the leg: pressure
FOLDED_MMHG: Final = (0.0, 5.0)  # equal at all sites
UNDER_LOAD_MMHG: Final = (5.0, 40.0)  # any constant value
UNDER_LOAD_EQUAL_SHARE: Final = 0.7  # so often equal at all sites
UNDER_LOAD_OTHER_SITES: Final = (0.4, 1.0)  # otherwise each site but the most loaded has about this part of it
BED_MMHG: Final = (0.0, 5.0)  # under the duvet beside a sleeper
BED_WANDER_MMHG: Final = 0.8  # sd of its slow change, kept within the range
BED_MICRO_MMHG: Final = 0.15  # sd of quick movement: low
POCKET_MMHG: Final = (0.5, 6.0)  # each site its own
POCKET_WANDER_MMHG: Final = 2.0  # sd: irregular
POCKET_MICRO_MMHG: Final = (0.15, 0.3, 0.4, 1.0, 0.1)  # sd of quick movement by Activity (asleep .. showering)
WASHING_MICRO_MMHG: Final = 1.0  # water and hands

# Off the leg: temperature
ATTIC_C: Final = (33.0, 33.0)  # the attic the scenarios ask for
CAR_C: Final = (30.0, 45.0)
BED_C: Final = (28.0, 33.0)  # bed climate 28-32 was used in a mattress study (read in Lee 2022)
POCKET_C: Final = (28.0, 33.0)
RADIATOR_C: Final = (35.0, 50.0)
WATER_C: Final = (25.0, 40.0)  # care labels allow at most 40 (read in makers' advice)
WATER_MIN: Final = (10.0, 40.0)  # at most half of the event
DRYING_H: Final = (3.0, 8.0)  # from the water on, however short the event; a warmer place ends it
WATER_TAU_S: Final = 60.0  # a bare logger follows water in 19 s (read in van Marken Lichtenbelt 2006), fabric slows it
EVAPORATION_C: Final = (0.5, 2.0)  # so far below the room while it dries
