"""What the stocking says it measures: observation types, how often, and within which limits.

Constants for Health Sensor Features and its descriptors; the octets are made by `calza_wire.features`.
"""

from typing import Final

from calza_wire.features import HealthSensorFeatures, ObservationSchedule, Specialization, ValidRange
from calza_wire.medfloat import MedFloat
from calza_wire.nomenclature import Mdc, Unit

SPECIALIZATION_TERM: Final = Mdc.MDC_DEV_SPEC_PROFILE_HYDRA & 0xFFFF
SPECIALIZATION_VERSION: Final = 1
MINUTE_S: Final = MedFloat(60, 0)

TYPES: Final = (
    Mdc.MDCX_STOCKING_MINUTE,
    Mdc.MDCX_STOCKING_MINUTE_BLOCK,
    Mdc.MDCX_PRESS_INTERFACE_ANKLE,
    Mdc.MDCX_PRESS_INTERFACE_CALF,
    Mdc.MDCX_PRESS_INTERFACE_THIGH,
    Mdc.MDCX_PRESS_INTERFACE_RIPPLE,
    Mdc.MDC_TEMP_SKIN,
)
PRESSURES: Final = TYPES[2:6]

OBSERVATION_FEATURES: Final = HealthSensorFeatures(
    TYPES, (Specialization(SPECIALIZATION_TERM, SPECIALIZATION_VERSION),)
).encode()
# A measurement is the mean of one minute, and there is a new one every minute. Read-only in this version.
SCHEDULES: Final = tuple(ObservationSchedule(each, MINUTE_S, MINUTE_S).encode() for each in TYPES[2:])
# Pressure 0..160.0 mmHg is twice the strongest class; skin 0..50.00 degC is what lives. Accuracy: 1.0 mmHg, 0.10 degC.
RANGES: Final = (
    *(
        ValidRange(each, Unit.MDC_DIM_MMHG, MedFloat(0, -1), MedFloat(1600, -1), MedFloat(10, -1)).encode()
        for each in PRESSURES
    ),
    ValidRange(Mdc.MDC_TEMP_SKIN, Unit.MDC_DIM_DEGC, MedFloat(0, -2), MedFloat(5000, -2), MedFloat(10, -2)).encode(),
)
