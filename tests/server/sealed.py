"""Stockings and sealed records for tests of store and ingest: everything follows from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from calza_server.ports import Leg, RegisteredStocking, StoredBlock
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.messages import SyncReport
from calza_wire.minute_block import MinuteBlock, Side, seal
from calza_wire.observation import LENGTH_CONVENTION, LengthConvention
from calza_wire.records import encode_record

START_S = 1_790_000_040  # September 2026
START_MS = START_S * 1000
LOG_ID = bytes.fromhex("00112233445566ff")
OTHER_LOG_ID = bytes.fromhex("ff66554433221100")


@dataclass(frozen=True, slots=True)
class Garment:
    """A stocking as its factory knows it."""

    serial: str
    system_id: bytes
    key: bytes = field(repr=False)

    def registered(self, leg: str = "leg") -> RegisteredStocking:
        return RegisteredStocking(self.serial, self.system_id, self.key, leg)


def garment(serial: str = "CALZA-0001") -> Garment:
    rng = random.Random(serial)
    return Garment(serial, rng.randbytes(8), rng.randbytes(32))


def block(
    number: int,
    *,
    minutes: int = 60,
    start_s: int | None = None,
    source: TimeSource = TimeSource.CELLULAR,
    seed: int = 0,
) -> MinuteBlock:
    """Plausible minutes; without `start_s` record n begins n hours after START_S."""
    rng = random.Random(f"{number} {minutes} {seed}")

    def channel(low: int, high: int) -> tuple[int, ...]:
        return tuple(rng.randint(low, high) for _ in range(minutes))

    return MinuteBlock(
        TimeStamp.at(START_S + 3600 * number if start_s is None else start_s, source=source),
        Side.LEFT,
        channel(180, 320),
        channel(140, 240),
        channel(80, 160),
        channel(0, 40),
        channel(6_800, 7_500),
        channel(0, 7),
    )


def body(
    number: int,
    *,
    of: Garment | None = None,
    log_id: bytes = LOG_ID,
    minutes: MinuteBlock | None = None,
    convention: LengthConvention = LENGTH_CONVENTION,
) -> bytes:
    """A record's body, sealed by its stocking."""
    who = of or garment()
    return seal(
        minutes or block(number),
        key=who.key,
        system_id=who.system_id,
        log_id=log_id,
        record_number=number,
        convention=convention,
    )


def payload(number: int, **how: object) -> bytes:
    """The same as it travels."""
    return encode_record(number, body(number, **how))  # type: ignore[arg-type]  # handed through as it is


def stored(number: int, *, of: Garment | None = None, gateway: str = "bedside", **how: object) -> StoredBlock:
    """The same as the store is given it."""
    who = of or garment()
    log_id = how.get("log_id", LOG_ID)
    assert isinstance(log_id, bytes)
    octets = body(number, of=who, **how)  # type: ignore[arg-type]  # handed through as it is
    return StoredBlock(who.serial, log_id, number, octets, gateway, START_MS + number)


def sync(number: int) -> SyncReport:
    """A sync that found `number` as the next record; different numbers make different reports."""
    return SyncReport(
        serial="CALZA-0001",
        phase="began",
        log_id=LOG_ID.hex(),
        first_record=1,
        next_record=number,
        timeline_first_record=1,
        device_time=TimeStamp.at(START_S, source=TimeSource.CELLULAR),
        needs_set=False,
        gateway_ms=START_S * 1000 + number,
        battery_percent=None,
        firmware="1.0",
        rssi=-60,
        mtu=247,
        fetched=0,
    )


@dataclass
class Known:
    """A registry of garments, all on one leg; more may be added while it is in use."""

    garments: dict[str, Garment]

    @classmethod
    def of(cls, *garments: Garment) -> Known:
        return cls({each.serial: each for each in garments})

    def stocking(self, serial: str) -> RegisteredStocking | None:
        found = self.garments.get(serial)
        return found.registered() if found else None

    def stockings(self, leg: str) -> tuple[RegisteredStocking, ...]:
        return tuple(each.registered() for each in self.garments.values()) if leg == "leg" else ()

    def leg(self, leg_id: str) -> Leg | None:
        return next((leg for leg in self.legs() if leg.id == leg_id), None)

    def legs(self) -> tuple[Leg, ...]:
        return (Leg("leg", "left", "A leg", None),)


@dataclass
class StoppedClock:
    """Shows what it was set to."""

    ms: int = START_MS + 30 * 86_400_000

    def now_ms(self) -> int:
        return self.ms
