"""Figures of warmth: legs, what stockings and exercise do to them, homes, and how fast a sensor follows. No code.

Marks as in `physics.figures`: a named source was read; "our assumption" says that none gave it. All in degC.
"""

from typing import Final

# Lower leg, seated, bare, adults of 50 and more (read in nursingcenter.com; converted from degF)
SKIN_MEAN_C: Final = 31.2  # without chronic venous insufficiency
SKIN_SD_C: Final = 1.2
SKIN_INSUFFICIENT_MEAN_C: Final = 32.2  # with it
SKIN_INSUFFICIENT_SD_C: Final = 1.5
INSUFFICIENT_SHARE: Final = 0.5  # of those treated for varicose and spider veins: our assumption
# least: two sd below the mean of the cooler; greatest: two sd above the warmest spot of varicose legs standing in a
# room of 23-25, 34.8 +/- 1.0 (read in Uchida 2001)
SKIN_RANGE_C: Final = (SKIN_MEAN_C - 2.4, 34.8 + 2.0)

SKIN_ACTIVITY_C: Final = (0.6, 0.0, -0.2, 0.0, 0.0)  # by Activity, asleep .. showering: bed warms; our assumption
SKIN_FOLLOWS_AMBIENT: Final = 0.10  # our assumption: degC of skin under fabric per degC of room
# Warmer under more pressure, then drifting down over 4 h (read in Liu 2010, which gives the direction); the size is our
# assumption, and so is the time constant, three of which are those 4 h
COMPRESSION_WARMS_C: Final = 0.6  # at ANKLE_MEAN_MMHG, in proportion to the leg's own pressure
COMPRESSION_FADES_S: Final = 4_800.0
# Two bouts of 30 min warmed a limb in a socket by 3.9, and 5 min of rest hardly cooled it (read in Segal 2016)
EXERCISE_SOCKET_C: Final = 3.9
EXERCISE_STOCKING_SHARE: Final = 0.5  # a thin knit is no closed socket: our assumption
EXERCISE_TAU_S: Final = 1_800.0  # our assumption: 15 % is lost in those 5 min

# Homes
AMBIENT_MEAN_C: Final = 21.5  # our assumption
AMBIENT_SD_C: Final = 1.2  # homes differ; our assumption
AMBIENT_SWING_C: Final = 1.8  # amplitude of day and night; our assumption
AMBIENT_WARMEST_H: Final = 16.0  # our assumption
AMBIENT_SEASON_C: Final = 1.5  # amplitude over the year, north of the equator; our assumption
AMBIENT_WARMEST_DAY: Final = 205.0  # of the year: late July; our assumption

# A sensor mounted in a garment: each person's own
WARMING_TAU_S: Final = (180.0, 480.0)  # 3-8 min once on; our assumption
COOLING_TAU_S: Final = (300.0, 1_200.0)  # 5-20 min once off; our assumption
