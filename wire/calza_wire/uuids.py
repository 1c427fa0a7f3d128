"""UUIDs of every service and characteristic, in full lowercase form, as GATT libraries compare them.

16-bit ones: Bluetooth SIG Assigned Numbers. No characteristic appears in two services, so a UUID addresses it.
"""

from typing import Final


def _sig(number: int) -> str:
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


def _vendor(number: int) -> str:
    return f"4f1c{number:04x}-5a0e-4d3b-9c61-c0a12a5e1d7b"


GENERIC_ACCESS_SERVICE: Final = _sig(0x1800)
DEVICE_NAME: Final = _sig(0x2A00)

GHS_SERVICE: Final = _sig(0x1840)
HEALTH_SENSOR_FEATURES: Final = _sig(0x2BF3)
LIVE_OBSERVATIONS: Final = _sig(0x2B8B)
STORED_OBSERVATIONS: Final = _sig(0x2BDD)
RACP: Final = _sig(0x2A52)
GHS_CONTROL_POINT: Final = _sig(0x2BF4)
OBSERVATION_SCHEDULE_CHANGED: Final = _sig(0x2BF1)
OBSERVATION_SCHEDULE_DESCRIPTOR: Final = _sig(0x2910)
VALID_RANGE_DESCRIPTOR: Final = _sig(0x2911)

ELAPSED_TIME_SERVICE: Final = _sig(0x183F)
CURRENT_ELAPSED_TIME: Final = _sig(0x2BF2)

DEVICE_INFORMATION_SERVICE: Final = _sig(0x180A)
SYSTEM_ID: Final = _sig(0x2A23)
MODEL: Final = _sig(0x2A24)
SERIAL: Final = _sig(0x2A25)
FIRMWARE_REVISION: Final = _sig(0x2A26)
HARDWARE_REVISION: Final = _sig(0x2A27)
MANUFACTURER: Final = _sig(0x2A29)

BATTERY_SERVICE: Final = _sig(0x180F)
BATTERY_LEVEL: Final = _sig(0x2A19)

STOCKING_SERVICE: Final = _vendor(0x0001)
STOCKING_IDENTITY: Final = _vendor(0x0002)
STOCKING_LABEL: Final = _vendor(0x0003)
LOG_STATUS: Final = _vendor(0x0004)
CALIBRATION: Final = _vendor(0x0005)
SAMPLING_SETTINGS: Final = _vendor(0x0006)
STOCKING_CONTROL_POINT: Final = _vendor(0x0007)
