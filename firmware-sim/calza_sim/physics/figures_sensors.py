"""Figures of the sensors, after factory calibration: what they add to the truth. No code.

Marks as in `physics.figures`: a named source was read; "our assumption" says that none gave it.
"""

from typing import Final

# Gain: a force sensor with near-field radio was within 10 % of PicoPress over 0-60 mmHg (read in Xu 2018), a capacitive
# ankle wearable within 15 % (read in a poster). The figure itself is our assumption
GAIN_SD: Final = 0.07
GAIN_RANGE: Final = (0.75, 1.25)  # a factory throws out worse: our assumption (bare force-sensing resistors: 5-25 %)
OFFSET_SD_MMHG: Final = 1.5  # our assumption
OFFSET_RANGE_MMHG: Final = (-4.0, 4.0)  # a factory throws out worse: our assumption
DRIFT_MMHG_PER_SQRT_DAY: Final = 0.5  # random walk; our assumption
DRIFT_BOUND_MMHG: Final = 5.0  # our assumption

# White noise: sd of one sample of 10 a second. The 1.0 mmHg proposed beside gain and offset cannot be of this kind: at
# 600 samples it would leave 0.04 on a minute, which nobody would see, while hiding breath and pulse entirely. Figures
# of about 1 are those of a reading repeated on a leg (Kikuhime 1.3 by one tester; PicoPress 2.8 % of 26 = 0.7), so it
# is split into what repeats differ by: SEAT_SPREAD 0.7 at each donning and LEG_WANDER 0.6, together 0.9.
# A pressure cell itself is quieter: resolution 0.1 mbar = 0.08 mmHg over -400..1000 mbar (read in the data sheet of
# MS5536), 0.012 mbar rms = 0.01 mmHg (data sheet of MS5611, second hand); a step of 10 bits over 120 mmHg is 0.12.
# The default is our assumption, on the noisy side of those
NOISE_MMHG: Final = 0.12
SENSOR_WANDER_MMHG: Final = 0.15  # sd of slow change of the sensor itself, load or no load; our assumption

DEAD_MMHG: Final = (0.0, 0.4)  # what a site reads whose sensor is gone while its amplifier still hisses; our assumption

SKIN_OFFSET_SD_C: Final = 0.3  # our assumption; a logger read -0.09, at most -0.4 (van Marken Lichtenbelt 2006)
SKIN_NOISE_C: Final = 0.1  # sd of one sample; our assumption
