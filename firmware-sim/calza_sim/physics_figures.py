"""The figures of the physical model: one name, one unit, one value and where it comes from. No code.

Sites are in the order ankle, calf, thigh. "Our assumption" marks what no source gave.
"""

from typing import Final

# Resting pressure under a class II stocking
ANKLE_MEAN_MMHG: Final = 25.84  # resting pressure of moderate round-knit stockings in 50 patients: 25.84 (sd 5.7)
ANKLE_SD_MMHG: Final = 5.7  # same
ANKLE_RANGE_MMHG: Final = (11.0, 37.0)  # same: least and greatest seen
# calf/ankle: 19.6/27.3 in 64 people (PMID 26410869); thigh: middle of the 0.20-0.60 of YY/T 0853, none measured on legs
SITE_RATIO: Final = (1.0, 0.72, 0.40)
SITE_RATIO_SD: Final = (0.0, 0.06, 0.05)  # our assumption

# Posture, added to the lying pressure, by Activity: asleep, sitting, standing, walking, showering
POSTURE_MMHG: Final = (
    (0.0, 0.0, 0.0),
    (0.5, 1.0, 1.5),  # thigh and calf rise when the knee bends: our assumption
    # calf: standing minus supine 4.2 (PMID 23641266); ankle and top: no significant change (7 volunteers)
    (0.8, 4.2, 1.5),
    (0.8, 4.2, 1.5),
    (0.8, 4.2, 1.5),
)
POSITION_SD_MMHG: Final = (0.4, 0.7, 0.6)  # nobody sits the same way twice: drawn for each bout; our assumption

# Walking
# ankle B1 6.0-6.8, calf C 3.7-4.3 (doi 10.1177/02683555261424072); thigh: our assumption
GAIT_PEAK_TO_PEAK_MMHG: Final = (6.4, 4.0, 3.0)
GAIT_HZ: Final = 0.9  # steps per second of one leg 0.8-1.0; our assumption

# Signs of life at rest: no source gave them; our assumptions, chosen to stay well clear of the sensor's noise
BREATH_MMHG: Final = (0.25, 0.30, 0.35)  # amplitude
BREATH_HZ: Final = 0.25
PULSE_MMHG: Final = (0.20, 0.22, 0.18)  # amplitude
PULSE_HZ: Final = 1.1
MICRO_MMHG: Final = (0.24, 0.50, 0.80, 0.90, 0.0)  # sd of small movements by Activity (asleep .. showering)
MICRO_LOG_SD: Final = 0.25  # how much small movements differ from minute to minute
LIVELINESS_SD: Final = 0.12  # how much people differ, as a fraction

# Putting on and taking off: our assumptions (order of sites is physical reasoning)
DONNING_STARTS: Final = (0.0, 0.35, 0.70)  # fraction of the donning at which each site is reached
DONNING_RISE: Final = 0.30  # fraction of the donning in which a site's pressure builds up
OVERSHOOT: Final = (1.2, 1.8)  # the fabric is pulled past its place: peak over resting pressure
OVERSHOOT_TAU_S: Final = 25.0
DOFFING_STARTS: Final = (0.70, 0.35, 0.0)  # thigh first
HANDLING_MMHG: Final = 2.0  # sd while hands are on the garment

# Time
SETTLING_FRACTION: Final = 0.03  # our assumption: -3 % over 60 min, far under the -23.5 % of bandages (Verzwyvelt 2023)
SETTLING_TAU_S: Final = 1_200.0  # three time constants in those 60 min
AGEING_PER_DAY: Final = 0.058 / 30.0  # class II 29.3 -> 27.6 mmHg in a month (Veraart)
LEAST_AGED: Final = 0.80  # our assumption: a course ends before the garment is worse than this

# Off the leg
FOLDED_MMHG: Final = (0.0, 3.0)  # equal at all sites, drawn anew each time; our assumption

# Skin temperature
# lower leg, seated: 32.2 (sd 1.5) with chronic venous insufficiency, 31.2 (sd 1.2) without (nursingcenter.com)
SKIN_MEAN_C: Final = 32.2
SKIN_SD_C: Final = 1.2
# bed warms, walking warms (Segal 2016: up to +3.9 in a socket); our choice
SKIN_ACTIVITY_C: Final = (0.6, 0.0, -0.2, 0.8, 0.0)
SKIN_FOLLOWS_AMBIENT: Final = 0.10  # our assumption: degC of skin under fabric per degC of room
WARMING_TAU_S: Final = (180.0, 480.0)  # 3-8 min once on; our assumption
COOLING_TAU_S: Final = (300.0, 1_200.0)  # 5-20 min once off; our assumption
AMBIENT_MEAN_C: Final = 21.5  # our assumption
AMBIENT_SD_C: Final = 1.2  # homes differ; our assumption
AMBIENT_SWING_C: Final = 1.8  # amplitude of day and night; our assumption
AMBIENT_WARMEST_H: Final = 16.0

# Sensors, after factory calibration
# garment sensors within about 10 % of a reference (Xu 2018: NFC patch against PicoPress); our choice
GAIN_SD: Final = 0.07
OFFSET_SD_MMHG: Final = 1.5  # our assumption
DRIFT_MMHG_PER_SQRT_DAY: Final = 0.5  # random walk; our assumption
DRIFT_BOUND_MMHG: Final = 5.0  # our assumption
NOISE_MMHG: Final = 0.12  # sd of one 10 Hz sample; our assumption
SKIN_OFFSET_SD_C: Final = 0.3  # our assumption; a logger read -0.09, at most -0.4 (van Marken Lichtenbelt 2006)
SKIN_NOISE_C: Final = 0.1  # sd of one sample; our assumption
