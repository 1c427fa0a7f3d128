"""The JSON messages over MQTT, each with a version and read strictly. Records travel as octets, not as JSON.

Knows no broker and no clock; times are Unix milliseconds handed in. Field tables in `wire/README.md`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Self

from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.json_fields import Fields, checked, dump, plain_text, readable, whole_pair
from calza_wire.octets import Octets
from calza_wire.ranges import RecordRange
from calza_wire.records import RECORD_NUMBER_MAX
from calza_wire.topics import check_gateway, check_serial

VERSION: Final = 1
TEXT_MAX: Final = 200  # characters of any free text
TIME_MS_MAX: Final = 2**53 - 1  # beyond it JSON readers in browsers lose digits
_LOG_ID: Final = re.compile(r"[0-9a-f]{16}")
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")


class RefusalReason(StrEnum):
    """Why the server keeps a record in quarantine instead of the store, or does not take a sync report."""

    MALFORMED = "malformed"
    FORGED = "forged"
    UNKNOWN_STOCKING = "unknown_stocking"
    OUT_OF_RANGE = "out_of_range"
    CONFLICT = "conflict"  # the same stocking, log and number was stored before with other octets


class GatewayClock(StrEnum):
    """What the gateway knows of its own clock, told beside the time it read there."""

    SYNCHRONISED = "synchronised"  # the system keeps it right by a time server
    UNSYNCHRONISED = "unsynchronised"  # nobody does, and the system says so
    UNKNOWN = "unknown"  # the system does not tell

    @classmethod
    def of(cls, synchronised: bool | None) -> "GatewayClock":
        """In a word what `Clock.synchronised` of the gateway answers."""
        if synchronised is None:
            return cls.UNKNOWN
        return cls.SYNCHRONISED if synchronised else cls.UNSYNCHRONISED


@dataclass(frozen=True, slots=True)
class Hello:
    """A gateway says who it is, what it runs, and which stockings it knows."""

    gateway: str
    software: str
    sent_ms: int
    stockings: tuple[str, ...]

    def encode(self) -> bytes:
        """Its JSON; `ValueError` for what a reader would refuse, longer than 64 KiB included."""
        fields = {"gateway": self.gateway, "software": self.software, "sent_ms": self.sent_ms}
        return readable(dump(VERSION, {**fields, "stockings": list(self.stockings)}), self.decode)

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From its JSON; `WireError` otherwise."""
        fields = Fields.of(octets, VERSION)
        hello = cls(
            fields.text("gateway", check_gateway),
            fields.text("software", _short),
            fields.integer("sent_ms", 0, TIME_MS_MAX),
            fields.items("stockings", _serial),
        )
        fields.done()
        return hello


@dataclass(frozen=True, slots=True)
class WantedLog:
    """What the server holds of one log: everything up to `through` except `missing`; both None/empty if nothing.

    `log_id` is 16 hex digits, None for a known stocking of which nothing is held yet.
    """

    serial: str
    log_id: str | None
    through: int | None
    missing: tuple[RecordRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The server's answer to a hello: one entry for each log it holds, and the serials it does not know."""

    logs: tuple[WantedLog, ...]
    unknown: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Its JSON; `ValueError` for what a reader would refuse, longer than 64 KiB included."""
        logs = [
            {"serial": log.serial, "log_id": log.log_id, "through": log.through, "missing": _pairs(log.missing)}
            for log in self.logs
        ]
        return readable(dump(VERSION, {"logs": logs, "unknown": list(self.unknown)}), self.decode)

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From its JSON; `WireError` otherwise."""
        fields = Fields.of(octets, VERSION)
        wanted = cls(fields.items("logs", _wanted_log), fields.items("unknown", _serial))
        fields.done()
        return wanted


@dataclass(frozen=True, slots=True)
class SyncReport:
    """A sync began or ended: the stocking's clock beside the gateway's, and what its log held at that moment.

    `device_time` is the clock as read, before it was set ("began") or after ("ended"); `gateway_ms` is the gateway's
    time of that reading and `gateway_clock` what that is worth. `rssi` in dBm, `mtu` in octets, `fetched` counts
    records received in this sync.
    """

    serial: str
    phase: Literal["began", "ended"]
    log_id: str
    first_record: int
    next_record: int
    timeline_first_record: int
    device_time: TimeStamp
    needs_set: bool
    gateway_ms: int
    battery_percent: int | None
    firmware: str
    rssi: int | None
    mtu: int
    fetched: int
    gateway_clock: GatewayClock = GatewayClock.UNKNOWN

    def encode(self) -> bytes:
        """Its JSON; `ValueError` for what a reader would refuse, longer than 64 KiB included."""
        stamp = self.device_time
        octets = dump(
            VERSION,
            {
                "serial": self.serial,
                "phase": self.phase,
                "log_id": self.log_id,
                "first_record": self.first_record,
                "next_record": self.next_record,
                "timeline_first_record": self.timeline_first_record,
                "device_time": {
                    "flags": stamp.flags,
                    "value": stamp.value,
                    "source": int(stamp.source),
                    "offset_quarters": stamp.offset_quarters,
                    "needs_set": self.needs_set,
                },
                "gateway_ms": self.gateway_ms,
                "gateway_clock": self.gateway_clock.value,
                "battery_percent": self.battery_percent,
                "firmware": self.firmware,
                "rssi": self.rssi,
                "mtu": self.mtu,
                "fetched": self.fetched,
            },
        )
        return readable(octets, self.decode)

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From its JSON; `WireError` otherwise."""
        fields = Fields.of(octets, VERSION)
        clock = fields.inner("device_time")
        stamp = checked(
            "device_time",
            TimeStamp,
            clock.integer("flags", 0, 255),
            clock.integer("value", 0, 2**48 - 1),
            TimeSource(clock.integer("source", min(TimeSource), max(TimeSource))),
            clock.integer("offset_quarters", -128, 127),
        )
        needs_set = clock.flag("needs_set")
        clock.done()
        report = cls(
            serial=fields.text("serial", check_serial),
            phase="ended" if fields.text("phase", _phase) == "ended" else "began",
            log_id=fields.text("log_id", _log_id),
            first_record=fields.integer("first_record", 0, RECORD_NUMBER_MAX),
            next_record=fields.integer("next_record", 0, RECORD_NUMBER_MAX),
            timeline_first_record=fields.integer("timeline_first_record", 0, RECORD_NUMBER_MAX),
            device_time=stamp,
            needs_set=needs_set,
            gateway_ms=fields.integer("gateway_ms", 0, TIME_MS_MAX),
            battery_percent=fields.integer_or_none("battery_percent", 0, 100),
            firmware=fields.text("firmware", _short),
            rssi=fields.integer_or_none("rssi", -127, 20),
            mtu=fields.integer("mtu", 0, 65_535),
            fetched=fields.integer("fetched", 0, RECORD_NUMBER_MAX),
            # The one field that may be missing: reports without it lie in stores and outboxes, and gateways are
            # updated one by one. Nothing was said of the clock, so nothing is known of it.
            gateway_clock=GatewayClock(
                fields.text("gateway_clock", _clock) if "gateway_clock" in fields else "unknown"
            ),
        )
        fields.done()
        return report


@dataclass(frozen=True, slots=True)
class StoredRanges:
    """Record numbers of one log that are durable on the server."""

    log_id: str
    ranges: tuple[RecordRange, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record, or sync report, that is not stored. `digest` names its octets; a report has no number."""

    digest: str
    record: int | None
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of records and sync reports of one stocking: the only thing that empties an outbox.

    `reports` are the digests of sync reports that are durable on the server. A refused one is among `refused`.
    """

    serial: str
    stored: tuple[StoredRanges, ...] = ()
    refused: tuple[Refusal, ...] = ()
    reports: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Its JSON; `ValueError` for what a reader would refuse, longer than 64 KiB included."""
        stored = [{"log_id": log.log_id, "ranges": _pairs(log.ranges)} for log in self.stored]
        refused = [
            {"digest": one.digest, "record": one.record, "reason": one.reason.value, "detail": one.detail}
            for one in self.refused
        ]
        # Left out when empty: a gateway from before reports were receipted still reads what is said of its records.
        reports = {"reports": list(self.reports)} if self.reports else {}
        fields = {"serial": self.serial, "stored": stored, "refused": refused}
        return readable(dump(VERSION, {**fields, **reports}), self.decode)

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From its JSON; `WireError` otherwise."""
        fields = Fields.of(octets, VERSION)
        receipt = cls(
            fields.text("serial", check_serial),
            fields.items("stored", _stored),
            fields.items("refused", _refusal),
            fields.items("reports", _report) if "reports" in fields else (),
        )
        fields.done()
        return receipt


def _one_of(*words: str) -> "_Check":
    return _Check(words)


class _Check:
    """Lets one of a few words pass."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    def __call__(self, text: str) -> str:
        if text not in self._words:
            raise ValueError(f"is none of {', '.join(self._words)}")
        return text


_phase: Final = _one_of("began", "ended")
_reason: Final = _one_of(*RefusalReason)
_clock: Final = _one_of(*GatewayClock)


def _short(text: str) -> str:
    if len(text) > TEXT_MAX:
        raise ValueError(f"has more than {TEXT_MAX} characters")
    return text


def _log_id(text: str) -> str:
    if not _LOG_ID.fullmatch(text):
        raise ValueError("is not a log id of 16 hex digits")
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError("is not a digest of 32 hex digits")
    return text


def _report(value: object, where: str) -> str:
    return checked(where, _digest, plain_text(value, where))


def _serial(value: object, where: str) -> str:
    return checked(where, check_serial, plain_text(value, where))


def _range(value: object, where: str) -> RecordRange:
    return checked(where, RecordRange, *whole_pair(value, where))


def _pairs(ranges: Iterable[RecordRange]) -> list[list[int]]:
    return [[item.first, item.last] for item in ranges]


def _wanted_log(value: object, where: str) -> WantedLog:
    fields = Fields(value, where)
    log = WantedLog(
        fields.text("serial", check_serial),
        fields.text_or_none("log_id", _log_id),
        fields.integer_or_none("through", 0, RECORD_NUMBER_MAX),
        fields.items("missing", _range),
    )
    fields.done()
    return log


def _stored(value: object, where: str) -> StoredRanges:
    fields = Fields(value, where)
    stored = StoredRanges(fields.text("log_id", _log_id), fields.items("ranges", _range))
    fields.done()
    return stored


def _refusal(value: object, where: str) -> Refusal:
    fields = Fields(value, where)
    refusal = Refusal(
        fields.text("digest", _digest),
        fields.integer_or_none("record", 0, RECORD_NUMBER_MAX),
        RefusalReason(fields.text("reason", _reason)),
        fields.text("detail", _short),
    )
    fields.done()
    return refusal
