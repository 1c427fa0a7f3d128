"""A stocking without sensors for tests of the GATT server: a list of records and a script of answers."""

from calza_sim.firmware import racp
from calza_sim.manufacture import OobSecret
from calza_sim.ports import RecordTransfer
from calza_wire.elapsed_time import CurrentElapsedTime, TimeSource, TimeStamp
from calza_wire.medfloat import MedFloat
from calza_wire.minute_block import Side
from calza_wire.stocking_service import (
    Calibration,
    ControlResult,
    Identity,
    Label,
    LogStatus,
    SamplingSettings,
    SiteCalibration,
)

PASSKEY = 471_108
OOB = OobSecret(bytes(range(1, 33)), bytes(range(16)))
RECORD_OCTETS = 873  # a full block of 60 minutes


class FakeFirmware:
    """Implements `StockingFirmware` with `records` records whose octets follow from their numbers."""

    def __init__(self, serial: str = "TEST-0001", records: int = 40) -> None:
        self.identity = Identity(serial, serial.encode()[-8:].rjust(8, b"-"))
        self.label = Label(Side.LEFT, "M", "RAL-GZ 387/1", "II", 23, 32)
        site = SiteCalibration(MedFloat(1, 0), MedFloat(0, 0))
        self.calibration = Calibration(1_700_000_000, site, site, site)
        self.sampling = SamplingSettings(10, 60, 32)
        self.passkey = PASSKEY
        self.oob = OOB
        self.firmware_revision = "0.0.1"
        self.first_record = 1
        self.next_record = 1 + records
        self.live: list[bytes] = []
        self.battery = 90
        self.blocks_closed = 0
        self.clock_writes: list[bytes] = []
        self.clock_refusal = 0
        self.lost_power: list[float] = []
        self.resets = 0

    @staticmethod
    def body(number: int) -> bytes:
        return number.to_bytes(4, "little") * (RECORD_OCTETS // 4) + b"\xa5" * (RECORD_OCTETS % 4)

    def advance(self, now_s: float) -> None:
        """Nothing happens by itself here."""

    def powered(self, now_s: float) -> bool:
        return self.battery > 0

    def battery_percent(self, now_s: float) -> int:
        return self.battery

    def elapsed_time(self, now_s: float) -> CurrentElapsedTime:
        return CurrentElapsedTime(TimeStamp.at(now_s, source=TimeSource.NTP), needs_set=False)

    def set_elapsed_time(self, octets: bytes, now_s: float) -> int:
        if not self.clock_refusal:
            self.clock_writes.append(octets)
        return self.clock_refusal

    def log_status(self, now_s: float) -> LogStatus:
        return LogStatus(b"LOG-ID-1", self.first_record, self.next_record, self.first_record, 0)

    def close_block(self, now_s: float) -> ControlResult:
        self.blocks_closed += 1
        return ControlResult.SUCCESS

    def racp(self, pdu: bytes, now_s: float) -> bytes | RecordTransfer:
        return racp.answer(pdu, first_record=self.first_record, next_record=self.next_record)

    def racp_abort(self) -> bytes:
        return racp.abort()

    def record(self, number: int) -> bytes | None:
        return self.body(number) if self.first_record <= number < self.next_record else None

    def live_minute(self, now_s: float) -> bytes | None:
        return self.live.pop(0) if self.live else None

    def power_loss(self, now_s: float, off_s: float) -> None:
        self.lost_power.append(off_s)

    def factory_reset(self, now_s: float) -> None:
        self.resets += 1
        self.first_record = self.next_record = 1
