"""Which stockings and legs this server knows: the file `registry.json`, read strictly and read again when it changed.

The file holds the tag keys, so it is readable by its owner alone and no error quotes a value from it.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from calza_server.ports import Leg, RegisteredStocking
from calza_wire.minute_block import KEY_OCTETS, SYSTEM_ID_OCTETS
from calza_wire.topics import check_serial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

REGISTRY_NAME: Final = "registry.json"
LEG_ID_AT_MOST: Final = 64  # characters; it is part of addresses

_log = logging.getLogger(__name__)


class RegistryError(Exception):
    """A registry, or what one is made from, that does not say what it must. `code` is stable.

    `where` is the place in the document (`stockings[0].key`); the sentence never repeats a value.
    """

    def __init__(self, where: str, sentence: str, code: str = "bad_registry") -> None:
        super().__init__(f"{where}: {sentence}")
        self.where = where
        self.code = code


@dataclass(frozen=True, slots=True)
class RegistryContent:
    """One state of the registry, complete and consistent: every stocking's leg exists, and no name is used twice."""

    known_stockings: tuple[RegisteredStocking, ...] = ()
    known_legs: tuple[Leg, ...] = ()

    def encode(self) -> str:
        """The text of the file. Holds the keys: a secret."""
        document = {
            "stockings": [_stocking_document(each) for each in self.known_stockings],
            "legs": [_leg_document(each) for each in self.known_legs],
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def decode(cls, text: str) -> RegistryContent:
        """From the text of the file. Raises RegistryError."""
        fields = _object(_json(text, "the registry"), "the registry", {"stockings", "legs"})
        stockings = tuple(_stocking(each, f"stockings[{i}]") for i, each in enumerate(_list(fields, "stockings")))
        legs = tuple(_leg(each, f"legs[{i}]") for i, each in enumerate(_list(fields, "legs")))
        _once((each.serial for each in stockings), "stockings", "serial")
        _once((each.id for each in legs), "legs", "id")
        known = {leg.id for leg in legs}
        for i, stocking in enumerate(stockings):
            if stocking.leg not in known:
                raise RegistryError(f"stockings[{i}].leg", "names a leg that is not among the legs")
        return cls(stockings, legs)


class FileRegistry:
    """Keeps `calza_server.ports.Registry`. The file is looked at again on every question, and read if it changed.

    A file that became unreadable changes nothing: what was known stays known, and `problem` says what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._stockings: dict[str, RegisteredStocking] = {}
        self._legs: dict[str, Leg] = {}
        self.problem = ""
        self._look()
        if self.problem:
            raise RegistryError(path.name, self.problem)

    def stocking(self, serial: str) -> RegisteredStocking | None:
        """See the port. Looks at the file only for a serial it does not know, because it is asked for every record."""
        known = self._stockings.get(serial)
        if known is None:
            self._look()
            known = self._stockings.get(serial)
        return known

    def stockings(self, leg: str) -> tuple[RegisteredStocking, ...]:
        """See the port."""
        self._look()
        return tuple(each for each in self._stockings.values() if each.leg == leg)

    def leg(self, leg_id: str) -> Leg | None:
        """See the port."""
        self._look()
        return self._legs.get(leg_id)

    def legs(self) -> tuple[Leg, ...]:
        """See the port."""
        self._look()
        return tuple(self._legs.values())

    def _look(self) -> None:
        with self._lock:
            try:
                found = self._path.stat()
                version = (found.st_mtime_ns, found.st_size, found.st_ino)
                if version == self._version:
                    return
                content = RegistryContent.decode(self._path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                return  # nothing registered yet; or it is gone, and then nobody said that the stockings are
            except (OSError, UnicodeDecodeError, RegistryError) as error:
                if self.problem != str(error):
                    _log.error("the registry is not taken over: %s", error)
                self.problem = str(error)
                return
            self._version, self.problem = version, ""
            self._legs = {leg.id: leg for leg in content.known_legs}
            self._stockings = {stocking.serial: stocking for stocking in content.known_stockings}


def with_fleet(
    content: RegistryContent, fleet: str, legs: Mapping[str, str], prescription: Mapping[str, object] | None
) -> RegistryContent:
    """The registry with stockings of a fleet file added: `legs` says which serial is worn on which leg.

    A leg takes its side from its stocking; `prescription` is ordered for each of these legs, None leaves what there is.
    Raises RegistryError for a fleet that cannot be read, a serial that is not in it, or a leg of the other side.
    """
    rows = [_fleet_row(each, f"fleet[{i}]") for i, each in enumerate(_as_list(_json(fleet, "the fleet"), "the fleet"))]
    by_serial = {row.serial: row for row in rows}
    stockings = {each.serial: each for each in content.known_stockings}
    known = {leg.id: leg for leg in content.known_legs}
    for serial, leg_id in legs.items():
        row = by_serial.get(serial)
        if row is None:
            raise RegistryError("fleet", f"has no stocking {serial}", "unknown_stocking")
        before = known.get(leg_id)
        if before is not None and before.side != row.side:
            raise RegistryError("legs", f"{leg_id} is a {before.side} leg and {serial} a {row.side} stocking", "side")
        leg = before or Leg(_leg_id(leg_id, "leg"), row.side, leg_id, None)
        known[leg_id] = leg if prescription is None else replace(leg, prescription=prescription)
        stockings[serial] = RegisteredStocking(serial, row.system_id, row.key, leg_id)
    return RegistryContent(tuple(stockings.values()), tuple(known.values()))


@dataclass(frozen=True, slots=True)
class _FleetRow:
    serial: str
    system_id: bytes
    key: bytes
    side: Literal["left", "right"]

    def __repr__(self) -> str:
        return f"_FleetRow({self.serial})"


def _fleet_row(value: object, where: str) -> _FleetRow:
    """A stocking as its factory lists it; of the many things it lists we need four."""
    if not isinstance(value, dict):
        raise RegistryError(where, "is not an object")
    return _FleetRow(
        _serial(value.get("serial"), f"{where}.serial"),
        _octets(value.get("system_id"), f"{where}.system_id", SYSTEM_ID_OCTETS),
        _octets(value.get("key"), f"{where}.key", KEY_OCTETS),
        _side(value.get("side"), f"{where}.side"),
    )


def _stocking(value: object, where: str) -> RegisteredStocking:
    fields = _object(value, where, {"serial", "system_id", "key", "leg"}, optional={"retired_minute"})
    return RegisteredStocking(
        _serial(fields["serial"], f"{where}.serial"),
        _octets(fields["system_id"], f"{where}.system_id", SYSTEM_ID_OCTETS),
        _octets(fields["key"], f"{where}.key", KEY_OCTETS),
        _leg_id(fields["leg"], f"{where}.leg"),
        _minute(fields.get("retired_minute"), f"{where}.retired_minute"),
    )


def _stocking_document(stocking: RegisteredStocking) -> dict[str, object]:
    document: dict[str, object] = {
        "serial": stocking.serial,
        "system_id": stocking.system_id.hex(),
        "key": stocking.key.hex(),
        "leg": stocking.leg,
    }
    return document if stocking.retired_minute is None else document | {"retired_minute": stocking.retired_minute}


def _leg(value: object, where: str) -> Leg:
    fields = _object(value, where, {"id", "side", "name", "prescription"}, optional={"earlier", "course", "checklist"})
    earlier = _as_list(fields.get("earlier", []), f"{where}.earlier")
    return Leg(
        id=_leg_id(fields["id"], f"{where}.id"),
        side=_side(fields["side"], f"{where}.side"),
        name=_text(fields["name"], f"{where}.name"),
        prescription=_document(fields["prescription"], f"{where}.prescription"),
        earlier=tuple(each for i, one in enumerate(earlier) if (each := _document(one, f"{where}.earlier[{i}]"))),
        course=_document(fields.get("course"), f"{where}.course"),
        checklist=_document(fields.get("checklist"), f"{where}.checklist"),
    )


def _leg_document(leg: Leg) -> dict[str, object]:
    """A leg as the file has it; what nobody has begun is left out."""
    document: dict[str, object] = {
        "id": leg.id,
        "side": leg.side,
        "name": leg.name,
        "prescription": leg.prescription,
    }
    if leg.earlier:
        document["earlier"] = list(leg.earlier)
    if leg.course is not None:
        document["course"] = leg.course
    if leg.checklist is not None:
        document["checklist"] = leg.checklist
    return document


def _document(value: object, where: str) -> dict[str, object] | None:
    if value is not None and not isinstance(value, dict):
        raise RegistryError(where, "is neither an object nor null")
    return value


def _json(text: str, where: str) -> object:
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RegistryError(where, "is not JSON") from error
    return document


def _object(
    value: object, where: str, keys: set[str], optional: frozenset[str] | set[str] = frozenset()
) -> dict[str, object]:
    if not isinstance(value, dict):
        raise RegistryError(where, "is not an object")
    if not keys <= set(value) <= keys | optional:
        also = f", and may have {', '.join(sorted(optional))}" if optional else ""
        raise RegistryError(where, f"must have exactly {', '.join(sorted(keys))}{also}")
    return value


def _list(fields: dict[str, object], key: str) -> list[object]:
    return _as_list(fields[key], key)


def _as_list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise RegistryError(where, "is not a list")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RegistryError(where, "is not a string")
    return value


def _serial(value: object, where: str) -> str:
    try:
        return check_serial(_text(value, where))
    except ValueError as error:
        raise RegistryError(where, str(error)) from error


def _leg_id(value: object, where: str) -> str:
    text = _text(value, where)
    if not 0 < len(text) <= LEG_ID_AT_MOST or not all(
        each.isascii() and (each.isalnum() or each in "-_.") for each in text
    ):
        raise RegistryError(where, f"must be 1 to {LEG_ID_AT_MOST} of letters, digits, '-', '_' and '.'")
    return text


def _minute(value: object, where: str) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise RegistryError(where, "is neither a number of minutes since 1970 nor null")
    return value


def _side(value: object, where: str) -> Literal["left", "right"]:
    if value == "left":
        return "left"
    if value == "right":
        return "right"
    raise RegistryError(where, "is neither left nor right")


def _octets(value: object, where: str, count: int) -> bytes:
    try:
        octets = bytes.fromhex(_text(value, where))
    except ValueError as error:
        raise RegistryError(where, "is not hexadecimal") from error
    if len(octets) != count:
        raise RegistryError(where, f"must have {count} octets")
    return octets


def _once(names: Iterable[str], where: str, what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RegistryError(where, f"two have the same {what}")
        seen.add(name)
