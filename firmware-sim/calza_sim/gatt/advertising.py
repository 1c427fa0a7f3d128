"""What a stocking says to everybody: that it is a health sensor, and the last four characters of its serial.

Pure octets. Sources: Generic Health Sensor Service 1.0 (service data), Core Specification Supplement, part A.
"""

AD_FLAGS = 0x01
AD_SERVICES_16_COMPLETE = 0x03
AD_NAME_COMPLETE = 0x09
AD_SERVICE_DATA_16 = 0x16

LE_GENERAL_DISCOVERABLE_NO_BREDR = 0x06
GHS_UUID_16 = 0x1840
NAME_SERIAL_CHARACTERS = 4


def stocking_name(serial: str) -> str:
    """The name shown in scans; the whole serial is read after connecting."""
    return f"Calza {serial[-NAME_SERIAL_CHARACTERS:]}"


def advertising_data(specialization_term: int) -> bytes:
    """Flags, the GHS service and its service data with one specialization (a partition 8 term, 16 bits)."""
    uuid = GHS_UUID_16.to_bytes(2, "little")
    return (
        _structure(AD_FLAGS, bytes((LE_GENERAL_DISCOVERABLE_NO_BREDR,)))
        + _structure(AD_SERVICES_16_COMPLETE, uuid)
        + _structure(AD_SERVICE_DATA_16, uuid + b"\x01" + specialization_term.to_bytes(2, "little"))
    )


def scan_response(name: str) -> bytes:
    """The complete name, at most 29 octets."""
    return _structure(AD_NAME_COMPLETE, name.encode())


def _structure(kind: int, data: bytes) -> bytes:
    return bytes((len(data) + 1, kind)) + data
