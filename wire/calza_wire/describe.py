"""Decoded values as plain JSON, for people and for golden vectors: terms named, numbers exact, nothing left out.

Knows every value class of this package and no octets. A FLOAT becomes a string with its trailing zeros, octets become
hex, and "is" tells the class of each object.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntFlag, StrEnum
from typing import Final, TypeAlias

from calza_wire.elapsed_time import ClockFlag, TimeStamp
from calza_wire.features import HealthSensorFeatures, ObservationSchedule, ValidRange
from calza_wire.medfloat import MedFloat
from calza_wire.nomenclature import UCUM, Unit, term_name, unit_name
from calza_wire.observation import (
    Component,
    Discrete,
    DiscreteEvents,
    Numeric,
    Observation,
    SampleArray,
    Tlv,
)

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

_YEAR_9999_UNIX_S: Final = 253_402_300_799  # the last second a calendar date can show


def describe(value: object) -> Json:
    """Any value of this package as JSON; `TypeError` for anything else."""
    match value:
        case None | bool():
            return value
        case StrEnum():
            return value.value
        case IntFlag():
            return int(value)
        case Enum():
            return value.name
        case int() | str():
            return value
        case MedFloat() | Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case tuple() | list():
            return [describe(item) for item in value]
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} is no value of the wire")
    members: dict[str, Json] = {"is": type(value).__name__}
    for field in fields(value):
        content: object = getattr(value, field.name)
        if isinstance(value, Observation) and content in (None, ()):
            continue  # not on the wire
        members[field.name] = _NAMED.get((type(value), field.name), describe)(content)
    if isinstance(value, TimeStamp):
        members["utc"] = _utc(value)
    if isinstance(value, SampleArray):
        members["samples"] = list(value.samples)
        if value.scale.special is None and value.offset.special is None:
            members["physical"] = [str(number) for number in value.physical]
    return members


def _utc(stamp: TimeStamp) -> str | None:
    if stamp.flags & ClockFlag.TICK_COUNTER or stamp.unix_s > _YEAR_9999_UNIX_S:
        return None
    return datetime.fromtimestamp(stamp.unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _term(code: object) -> Json:
    return {"code": code, "name": term_name(code)} if isinstance(code, int) else None


def _terms(codes: object) -> Json:
    return [_term(code) for code in codes] if isinstance(codes, tuple) else None


def _unit(term: object) -> Json:
    if not isinstance(term, int):
        return None
    name = unit_name(term)
    return {"code": term, "name": name, "ucum": None if name is None else UCUM[Unit(term)]}


_NAMED: Final[dict[tuple[type, str], Callable[[object], Json]]] = {
    (Observation, "type"): _term,
    (Observation, "supplemental"): _terms,
    (Component, "type"): _term,
    (Tlv, "type"): _term,
    (Discrete, "code"): _term,
    (DiscreteEvents, "codes"): _terms,
    (Numeric, "unit"): _unit,
    (SampleArray, "unit"): _unit,
    (HealthSensorFeatures, "types"): _terms,
    (ObservationSchedule, "type"): _term,
    (ValidRange, "type"): _term,
    (ValidRange, "unit"): _unit,
}
