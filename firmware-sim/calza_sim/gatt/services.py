"""The attribute table of a stocking: which services and characteristics there are, and what stands behind each.

Reads straight from the firmware port. Access rules are in `attributes.py`, procedures in `session.py`.
"""

from calza_sim.gatt.attributes import FixedDescriptor, Value
from calza_sim.gatt.features import OBSERVATION_FEATURES, RANGES, SCHEDULES
from calza_sim.gatt.session import Session
from calza_sim.ports import StockingFirmware
from calza_wire import uuids

MANUFACTURER_NAME = b"Calza"
MODEL_NUMBER = b"Calza One"
HARDWARE_REVISION = b"sim"

SessionValue = Value[Session]


def _health_sensor() -> tuple[SessionValue, ...]:
    descriptors = [FixedDescriptor(uuids.OBSERVATION_SCHEDULE_DESCRIPTOR, each) for each in SCHEDULES]
    descriptors += [FixedDescriptor(uuids.VALID_RANGE_DESCRIPTOR, each) for each in RANGES]
    return (
        Value(uuid=uuids.HEALTH_SENSOR_FEATURES, read=lambda _: OBSERVATION_FEATURES, descriptors=descriptors),
        Value(uuid=uuids.LIVE_OBSERVATIONS, notify=True),
        Value(uuid=uuids.STORED_OBSERVATIONS, notify=True),
        Value(uuid=uuids.RACP, write=Session.write_racp, indicate=True),
        Value(uuid=uuids.GHS_CONTROL_POINT, write=Session.write_ghs_control_point, indicate=True),
    )


def _elapsed_time() -> tuple[SessionValue, ...]:
    return (
        Value(
            uuid=uuids.CURRENT_ELAPSED_TIME,
            read=lambda session: session.firmware.elapsed_time(session.now_s).encode(),
            write=Session.write_clock,
            indicate=True,
            on_subscribed=Session.clock_subscribed,
        ),
    )


def _device_information(firmware: StockingFirmware) -> tuple[SessionValue, ...]:
    identity = firmware.identity
    constants = {
        uuids.MANUFACTURER: MANUFACTURER_NAME,
        uuids.MODEL: MODEL_NUMBER,
        uuids.SERIAL: identity.serial.encode(),
        uuids.FIRMWARE_REVISION: firmware.firmware_revision.encode(),
        uuids.HARDWARE_REVISION: HARDWARE_REVISION,
        uuids.SYSTEM_ID: identity.system_id,
    }
    return tuple(_constant(uuid, octets) for uuid, octets in constants.items())


def _constant(uuid: str, octets: bytes) -> SessionValue:
    return Value(uuid=uuid, clinical=False, read=lambda _: octets)


def _battery() -> tuple[SessionValue, ...]:
    return (
        Value(
            uuid=uuids.BATTERY_LEVEL,
            clinical=False,
            read=lambda session: bytes((session.firmware.battery_percent(session.now_s),)),
            notify=True,
        ),
    )


def _stocking() -> tuple[SessionValue, ...]:
    return (
        Value(
            uuid=uuids.STOCKING_IDENTITY,
            clinical=False,
            read=lambda session: session.firmware.identity.encode(),
        ),
        Value(uuid=uuids.STOCKING_LABEL, read=lambda session: session.firmware.label.encode()),
        Value(uuid=uuids.LOG_STATUS, read=lambda session: session.firmware.log_status(session.now_s).encode()),
        Value(uuid=uuids.CALIBRATION, read=lambda session: session.firmware.calibration.encode()),
        Value(uuid=uuids.SAMPLING_SETTINGS, read=lambda session: session.firmware.sampling.encode()),
        Value(uuid=uuids.STOCKING_CONTROL_POINT, write=Session.write_control_point, indicate=True),
    )


def services(firmware: StockingFirmware) -> dict[str, tuple[SessionValue, ...]]:
    """Service UUID to its characteristics, in the order they appear on the air."""
    return {
        uuids.GHS_SERVICE: _health_sensor(),
        uuids.ELAPSED_TIME_SERVICE: _elapsed_time(),
        uuids.DEVICE_INFORMATION_SERVICE: _device_information(firmware),
        uuids.BATTERY_SERVICE: _battery(),
        uuids.STOCKING_SERVICE: _stocking(),
    }
