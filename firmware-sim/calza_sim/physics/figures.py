"""Figures of the leg under its garment: one name, one unit, one value and where it comes from. No code.

The other figures are in `physics.figures_events`, `_temperature` and `_sensors`. Sites are in the order ankle, calf,
thigh. Where a source is named the figure was read there; "derived" is arithmetic on such figures; "from memory,
unchecked" and "our assumption" say what no source gave. A range a person is drawn from is uniform unless it says so.
"""

from typing import Final

# Resting pressure under a class II stocking (23 to 32 mmHg)
ANKLE_MEAN_MMHG: Final = 25.84  # read in "Resting pressure of moderate round-knit stockings": 50 patients, sd 5.7
ANKLE_SD_MMHG: Final = 5.7  # same
ANKLE_RANGE_MMHG: Final = (11.0, 37.0)  # same: least and greatest seen
# same: a continuous fall of pressure up the leg in only so many legs; the figure that SITE_RATIO_SD was chosen by
CONTINUOUS_FALL_SHARE: Final = 0.66

# calf/ankle derived: 19.6/27.3 at C and B1 in 64 people (read in PMID 26410869)
# thigh: middle of the 0.20-0.60 of YY/T 0853 (read in a review); none was measured on legs
SITE_RATIO: Final = (1.0, 0.72, 0.40)
# thigh: its range taken as two sd either way. calf: our assumption; a continuous fall then remains in 86 % of legs when
# lying and in 73 % when standing, nearest to CONTINUOUS_FALL_SHARE without giving many legs a strange calf
SITE_RATIO_SD: Final = (0.0, 0.20, 0.10)
SITE_RATIO_RANGE: Final = ((1.0, 1.0), (0.40, 1.10), (0.20, 0.60))  # calf: our assumption; thigh: YY/T 0853
# a healthy leg whose mid-calf exceeds the ankle when lying (read in 7 volunteers, class II below the knee; no size
# given): from just above, our assumption, to what a stocking knitted to press most on the calf gives, 24.7/17.8
# (derived, PMID 26410869)
CALF_OVER_ANKLE_RATIO: Final = (1.05, 1.39)
SEAT_SPREAD: Final = 0.028  # sd of each donning's pressure, as a fraction: repeats on a leg differ by 2.8 % (PicoPress)

# Posture, added to the lying pressure, by Activity: asleep, sitting, standing, walking, showering. Ankle and top of the
# calf changed not significantly between lying, sitting and standing (read in 7 volunteers); these are our assumptions
# and too small for seven to show. The calf's standing rise is each person's own, see below
POSTURE_MMHG: Final = (
    (0.0, 0.0, 0.0),
    (0.5, 1.0, 1.5),  # thigh and calf rise when the knee bends
    (0.8, 0.0, 1.5),
    (0.8, 0.0, 1.5),
    (0.8, 0.0, 1.5),
)
# calf, standing minus supine: derived 31.5 - 27.3, one class I stocking (PMID 23641266); the doubled one gave 5.7
STANDING_CALF_MMHG: Final = 4.2
STANDING_CALF_SD_MMHG: Final = 1.2  # our assumption: people differ
STANDING_CALF_RANGE_MMHG: Final = (1.0, 10.0)  # from memory, unchecked: 10 and more is no elastic material
POSITION_SD_MMHG: Final = (0.4, 0.7, 0.6)  # nobody sits the same way twice: drawn for each bout; our assumption

# Walking: peak to peak, each person's own
# ankle B1 6.0-6.8, calf C 3.7-4.3 (read in doi 10.1177/02683555261424072; D, below the knee, 4.2-6.3);
# thigh: our assumption, below D because the garment is weaker there
GAIT_PEAK_TO_PEAK_MMHG: Final = ((6.0, 6.8), (3.7, 4.3), (2.0, 4.0))
GAIT_HZ: Final = 0.9  # steps per second of one leg 0.8-1.0; from memory, unchecked

# Signs of life at rest: no source gave them; our assumptions, chosen to stay well clear of the sensor's noise
BREATH_MMHG: Final = (0.25, 0.30, 0.35)  # amplitude
BREATH_HZ: Final = 0.25
PULSE_MMHG: Final = (0.20, 0.22, 0.18)  # amplitude
PULSE_HZ: Final = 1.1
MICRO_MMHG: Final = (0.24, 0.50, 0.80, 0.90, 0.0)  # sd of small movements by Activity (asleep .. showering)
MICRO_LOG_SD: Final = 0.25  # how much small movements differ from minute to minute
LIVELINESS_SD: Final = 0.12  # how much people differ, as a fraction
# slow change under a worn garment: fluid shifts, fabric creeps, breath deepens. Of the 1.0 mmHg of sd proposed for
# all noise, this is the part that is the leg's: see NOISE_MMHG
LEG_WANDER_MMHG: Final = 0.6  # sd; our assumption
WANDER_KNOT_S: Final = 600.0  # values this far apart know nothing of each other: our assumption

# Putting on and taking off: our assumptions (order of sites is physical reasoning)
DONNING_STARTS: Final = (0.0, 0.35, 0.70)  # fraction of the donning at which each site is reached
DONNING_RISE: Final = 0.30  # fraction of the donning in which a site's pressure builds up
OVERSHOOT: Final = (1.5, 2.0)  # the fabric is pulled past its place: peak over resting pressure
OVERSHOOT_TAU_S: Final = 25.0
DOFFING_STARTS: Final = (0.70, 0.35, 0.0)  # thigh first
HANDLING_MMHG: Final = 2.0  # sd while hands are on the garment

# Within a day
SETTLING_FRACTION: Final = 0.03  # our assumption: -3 % over 60 min; no change in 8 h was significant (15 volunteers)
SETTLING_TAU_S: Final = 1_200.0  # three time constants in those 60 min; bandages are steady by 90 min (Verzwyvelt 2023)
SETTLING_BANDAGE_FRACTION: Final = 0.235  # read in Verzwyvelt 2023: bandages after 4 h, the most any fabric may settle

# Over the life of the garment. Class II, flat knit: 29.3 -> 27.6 -> 26.5 mmHg after 1 and 3 months, mean below 25 after
# 4-5 (read in Veraart); the fractions are derived; the last is our assumption
AGEING_DAYS: Final = (0.0, 30.0, 91.0, 137.0, 183.0)
AGEING_KEPT: Final = (1.0, 27.6 / 29.3, 26.5 / 29.3, 25.0 / 29.3, 0.80)
AGEING_SPREAD: Final = (0.5, 1.5)  # garments differ by so much of that loss: our assumption (class 1: -1.4, sd 4.3)
# a wash restores stretch (read in makers' advice: wash daily); how much and for how long is our assumption
WASH_RESTORES: Final = 0.3  # of what ageing has taken
WASH_FADES_S: Final = 2.0 * 86_400.0

# Off the leg, laid down: the same at all sites, drawn anew each time
LAID_DOWN_MMHG: Final = (0.0, 3.0)  # our assumption of "about 0"
