"""Presets: templates of orders, each with the source it was taken from, and the order made of one. Knows no files.

The evidence supports no single regimen, so a preset is a beginning a clinician may change, and says where it is from.
What a source leaves open is a choice (`needs`) that must be made; what we filled in ourselves is named (`proposals`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from calza_server.domain.orders.prescription_calendar import spelled
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.domain.orders.rx_document_fields import RuleError, read_count, read_fields, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from calza_server.domain.orders.prescription import Prescription

UNSENSED_HOURS_AT_MOST: Final = 14 * 24  # the longest bandage of any source is five days


class PresetError(Exception):
    """A preset that cannot be ordered from as asked. `code` is stable, the text one sentence for the clinician."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Mark(StrEnum):
    """How well a source is known."""

    READ = "V"  # read in the named source
    SECONDARY = "S"  # read in a source that quotes it
    MEMORY = "M"  # unverified, so never enabled


class Proposal(StrEnum):
    """What of a preset is our own proposal, because its source does not say."""

    MODE = "mode"
    HOURS = "hours"
    HYGIENE_MINUTES = "hygiene_minutes"
    DAYS_REQUIRED = "days_required"
    ANKLE_FLOOR = "ankle_floor"
    CRITICAL = "critical"


PROPOSAL_WORDS: Final = {
    Proposal.MODE: "day and night or daytime",
    Proposal.HOURS: "hours a day",
    Proposal.HYGIENE_MINUTES: "minutes for hygiene",
    Proposal.DAYS_REQUIRED: "how many days must be reached",
    Proposal.ANKLE_FLOOR: "the lower end of the range as the least at the ankle",
    Proposal.CRITICAL: "how many days are the early ones, and that all of them count",
}


@dataclass(frozen=True, slots=True)
class PresetSource:
    """What the source says, where it is, and how well it is known."""

    text: str
    reference: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to a need: its value for `prescribe`, its label for people. `sets` is JSON text: pointer to value."""

    value: str
    label: str
    sets: str


@dataclass(frozen=True, slots=True)
class Need:
    """What the source leaves open and the clinician must choose."""

    name: str
    question: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Preset:
    """A template of an order with its source. `disabled_reason` is empty exactly when it is enabled.

    `template` is JSON text of `phases` (as in an order), `garment`, `max_days` and `unsensed` (hours from the start,
    reason); null where a need must fill it. `conflict` says which other presets contradict it, empty when none does.
    """

    id: str
    title: str
    source: PresetSource
    template: str
    enabled: bool
    disabled_reason: str
    needs: tuple[Need, ...]
    proposals: tuple[Proposal, ...]
    notes: tuple[str, ...]
    conflict: str

    def order(self, **choices: str | int) -> dict[str, object]:
        """The template with the choices filled in; what no choice fills stays null. Raises PresetError."""
        document: dict[str, object] = json.loads(self.template)
        for need in self.needs:
            if need.name in choices:
                for pointer, value in json.loads(_chosen(self, need, choices[need.name]).sets).items():
                    fill(document, pointer, value)
        return document


def prescribe(preset: Preset, start: datetime, timezone: str, **choices: str | int) -> Prescription:
    """The order a preset makes, from `start` on in the patient's zone; a choice for every need, by its name.

    Raises PresetError for a disabled preset and a choice that is missing or unknown, RuleError for start and zone.
    """
    if not preset.enabled:
        raise PresetError("preset_disabled", f"{preset.title} cannot be ordered: {preset.disabled_reason}")
    return filled(preset, start, timezone, choices)


def filled(preset: Preset, start: datetime, timezone: str, choices: Mapping[str, str | int]) -> Prescription:
    """The order of a preset whether or not it is enabled, to show or to check it. Raises as `prescribe` does."""
    names = [need.name for need in preset.needs]
    for name in choices:
        if name not in names:
            known = f"only {', '.join(names)}" if names else "nothing"
            raise PresetError("choice_unknown", f"{preset.title} leaves {known} to choose, not {name}")
    for need in preset.needs:
        if need.name not in choices:
            sentence = f"{preset.title}: choose {need.name} ({_values(need)}). {need.question}"
            raise PresetError("choice_missing", sentence)
    if start.tzinfo is None:
        raise RuleError("/start", "must come with its offset from UTC, or nobody knows when it is")
    document = preset.order(**choices) | {"start": spelled(start), "timezone": timezone, "preset": preset.id}
    document["unsensed"] = _unsensed(document["unsensed"], start)
    return read_prescription(document)


def _unsensed(value: object, start: datetime) -> list[dict[str, object]]:
    """The stretch from the start on in which no sensor sees, as an order writes it."""
    if value is None:
        return []
    fields = read_fields(value, "/unsensed", needed={"hours", "reason"}, allowed=set())
    end = start + timedelta(hours=read_count(fields["hours"], "/unsensed/hours", 1, UNSENSED_HOURS_AT_MOST))
    reason = read_text(fields["reason"], "/unsensed/reason")
    return [{"start": spelled(start), "end": spelled(end), "reason": reason}]


def _chosen(preset: Preset, need: Need, value: str | int) -> Option:
    for option in need.options:
        if option.value == str(value):
            return option
    raise PresetError("choice_unknown", f"{preset.title}: {need.name} must be one of {_values(need)}, not {value}")


def _values(need: Need) -> str:
    return ", ".join(option.value for option in need.options)


def fill(document: object, pointer: str, value: object) -> None:
    """Put a value at a JSON Pointer whose place exists. Raises KeyError when it does not."""
    *path, last = pointer.removeprefix("/").split("/")
    for step in path:
        if isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            raise KeyError(pointer)
    if not isinstance(document, dict) or last not in document:
        raise KeyError(pointer)
    document[last] = value
