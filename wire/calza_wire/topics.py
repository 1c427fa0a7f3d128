"""MQTT topics: who may say what, in one place. Knows no broker.

`calza/v1/up/{gateway}/...` is written by that gateway alone, `calza/v1/down/{gateway}/...` is read by it alone.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from calza_wire.errors import WireError

ROOT: Final = "calza/v1"
GATEWAY_PATTERN: Final = re.compile(r"[a-z0-9-]{1,32}")
SERIAL_PATTERN: Final = re.compile(r"[A-Z0-9-]{4,32}")


class Direction(StrEnum):
    """Up is from a gateway to the server, down the way back."""

    UP = "up"
    DOWN = "down"


class Kind(StrEnum):
    """What a message is about; the last level but one, or the last."""

    HELLO = "hello"
    WANTED = "wanted"
    SYNC = "sync"
    RECORD = "record"
    LIVE = "live"
    RECEIPT = "receipt"
    STATUS = "status"


OF_A_STOCKING: Final = frozenset({Kind.SYNC, Kind.RECORD, Kind.LIVE})  # on the way up; nothing is on the way down
UPWARDS: Final = OF_A_STOCKING | {Kind.HELLO, Kind.STATUS}
DOWNWARDS: Final = frozenset({Kind.WANTED, Kind.RECEIPT, Kind.LIVE})


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart; `serial` is None for what concerns the gateway as a whole."""

    direction: Direction
    gateway: str
    kind: Kind
    serial: str | None = None


def up(gateway: str, kind: Kind | str, serial: str | None = None) -> str:
    """The topic a gateway writes to; `ValueError` for a bad name or a kind that does not go up."""
    return _build(Topic(Direction.UP, gateway, Kind(kind), serial))


def down(gateway: str, kind: Kind | str) -> str:
    """The topic a gateway reads from; `ValueError` for a bad name or a kind that does not go down."""
    return _build(Topic(Direction.DOWN, gateway, Kind(kind)))


def parse(topic: str) -> Topic:
    """A topic taken apart; `WireError` "bad_topic" for anything this version does not know."""
    levels = topic.split("/")
    if "/".join(levels[:2]) != ROOT or len(levels) not in (5, 6):
        raise WireError("bad_topic", f"not a topic of {ROOT}")
    try:
        found = Topic(Direction(levels[2]), levels[3], Kind(levels[4]), levels[5] if len(levels) == 6 else None)
        _build(found)
    except ValueError as error:
        raise WireError("bad_topic", f"not a topic of {ROOT}") from error  # what it was is the peer's choice
    return found


def check_gateway(gateway: str) -> str:
    """The gateway id itself; `ValueError` unless it is 1..32 of a-z, 0-9 and hyphen."""
    if not GATEWAY_PATTERN.fullmatch(gateway):
        raise ValueError("a gateway id has 1 to 32 of a-z, 0-9 and hyphen")
    return gateway


def check_serial(serial: str) -> str:
    """The serial itself; `ValueError` unless it is 4..32 of A-Z, 0-9 and hyphen."""
    if not SERIAL_PATTERN.fullmatch(serial):
        raise ValueError("a serial has 4 to 32 of A-Z, 0-9 and hyphen")
    return serial


def _build(topic: Topic) -> str:
    if topic.kind not in (UPWARDS if topic.direction is Direction.UP else DOWNWARDS):
        raise ValueError(f"{topic.kind} does not travel {topic.direction}")
    of_a_stocking = topic.direction is Direction.UP and topic.kind in OF_A_STOCKING
    if (topic.serial is not None) != of_a_stocking:
        raise ValueError(f"a topic of {topic.kind} going {topic.direction} has {'a' if of_a_stocking else 'no'} serial")
    levels = [ROOT, topic.direction, check_gateway(topic.gateway), topic.kind]
    if topic.serial is not None:
        levels.append(check_serial(topic.serial))
    return "/".join(levels)
