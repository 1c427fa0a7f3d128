"""The retained status of a gateway, which is also its will: whether it is there and how it is, never about whom.

Counts, words and codes only: no serial, no time of any reading. Knows no broker and no clock. Fields in
`wire/README.md`.
"""

import re
from dataclasses import asdict, dataclass
from typing import Final, Literal, Self, TypeAlias, get_args

from calza_wire.json_fields import Fields, checked, dump, plain_text, readable
from calza_wire.messages import TEXT_MAX, TIME_MS_MAX, GatewayClock
from calza_wire.octets import Octets

VERSION: Final = 1
COUNT_MAX: Final = 2**32 - 1
CODES_MAX: Final = 32  # there are about thirty codes in all; a reader need not hold more
CODE_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")

GatewayHealth: TypeAlias = Literal["ok", "degraded", "stuck"]


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """How a gateway is at `sent_ms` (Unix milliseconds, its own clock, of which `clock` says what it is worth).

    `waiting` counts records without a receipt, `oldest_ms` is since when the oldest of them waits (None if none does),
    `refused` those in quarantine. `codes` are the problems of the moment, sorted, each once. Raises `ValueError` for
    figures that contradict each other.
    """

    sent_ms: int
    health: GatewayHealth
    stockings: int
    in_contact: int
    waiting: int
    oldest_ms: int | None
    refused: int
    clock: GatewayClock
    codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.in_contact > self.stockings:
            raise ValueError("has more stockings in contact than there are")
        if (self.waiting == 0) != (self.oldest_ms is None):
            raise ValueError("has an oldest record without a waiting one, or the other way round")
        if len(self.codes) > CODES_MAX or list(self.codes) != sorted(set(self.codes)):
            raise ValueError(f"has codes that are not sorted, given twice, or more than {CODES_MAX}")

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """From the object in the message; `WireError` otherwise."""
        report = checked(
            "report",
            cls,
            fields.integer("sent_ms", 0, TIME_MS_MAX),
            fields.text("health", _health),
            fields.integer("stockings", 0, COUNT_MAX),
            fields.integer("in_contact", 0, COUNT_MAX),
            fields.integer("waiting", 0, COUNT_MAX),
            fields.integer_or_none("oldest_ms", 0, TIME_MS_MAX),
            fields.integer("refused", 0, COUNT_MAX),
            GatewayClock(fields.text("clock", _clock)),
            fields.items("codes", _code),
        )
        fields.done()
        return report


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """Whether the gateway is there. The will, and the first word on a connection, come without a `report`."""

    state: Literal["online", "offline"]
    software: str
    report: GatewayReport | None = None

    def encode(self) -> bytes:
        """Its JSON; `ValueError` for what a reader would refuse, longer than 64 KiB included."""
        fields: dict[str, object] = {"state": self.state, "software": self.software}
        if self.report is not None:
            fields["report"] = asdict(self.report)
        return readable(dump(VERSION, fields), self.decode)

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From its JSON; `WireError` otherwise. Who is not there reports nothing."""
        fields = Fields.of(octets, VERSION)
        online = fields.text("state", _state) == "online"
        software = fields.text("software", _short)
        inner = fields.inner("report") if online and "report" in fields else None
        status = cls("online" if online else "offline", software, None if inner is None else GatewayReport.read(inner))
        fields.done()
        return status


def _state(text: str) -> str:
    return _one_of(text, ("online", "offline"))


def _health(text: str) -> str:
    return _one_of(text, get_args(GatewayHealth))


def _clock(text: str) -> str:
    return _one_of(text, tuple(GatewayClock))


def _one_of(text: str, words: tuple[str, ...]) -> str:
    if text not in words:
        raise ValueError(f"is none of {', '.join(words)}")
    return text


def _short(text: str) -> str:
    if len(text) > TEXT_MAX:
        raise ValueError(f"has more than {TEXT_MAX} characters")
    return text


def _code(value: object, where: str) -> str:
    return checked(where, _check_code, plain_text(value, where))


def _check_code(text: str) -> str:
    if not CODE_PATTERN.fullmatch(text):
        raise ValueError("is not a code of 1 to 40 of a-z, 0-9 and underscore")
    return text
