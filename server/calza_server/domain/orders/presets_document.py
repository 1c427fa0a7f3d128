"""Reads the document of presets, strictly: every preset must make a good order with every choice it offers.

Raises RuleError with the place. A preset from memory must be disabled, and a disabled one must say why.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Final

from calza_server.domain.orders.presets import Mark, Need, Option, Preset, PresetSource, Proposal, fill, filled
from calza_server.domain.orders.rx_document_fields import (
    RuleError,
    read_fields,
    read_flag,
    read_items,
    read_text,
    read_word,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT: Final = "calza-presets-1"
SENTENCE_AT_MOST: Final = 400
ANY_START: Final = datetime(2026, 6, 1, 10, tzinfo=UTC)  # a day like any other, to try the templates on


def read_presets(document: object) -> tuple[Preset, ...]:
    """Every preset of a document, in its order. Raises RuleError."""
    fields = read_fields(document, "", needed={"format", "presets", "conflicts"}, allowed=set())
    if fields["format"] != FORMAT:
        raise RuleError("/format", f"must be {FORMAT}")
    found = read_items(fields["presets"], "/presets", _preset)
    _once([preset.id for preset in found], "/presets", "id")
    conflicts = read_items(fields["conflicts"], "/conflicts", _conflict)
    known = {preset.id for preset in found}
    for i, (ids, _) in enumerate(conflicts):
        for name in ids:
            if name not in known:
                raise RuleError(f"/conflicts/{i}/presets", f"names {name}, which is no preset of this document")
    return tuple(
        replace(preset, conflict=" ".join(note for ids, note in conflicts if preset.id in ids)) for preset in found
    )


def _conflict(item: object, at: str) -> tuple[tuple[str, ...], str]:
    fields = read_fields(item, at, needed={"presets", "note"}, allowed=set())
    return read_items(fields["presets"], f"{at}/presets", read_text), _sentence(fields["note"], f"{at}/note")


def _preset(item: object, at: str) -> Preset:
    fields = read_fields(
        item,
        at,
        needed={"id", "title", "enabled", "disabled_reason", "source", "order", "needs", "proposals", "notes"},
        allowed=set(),
    )
    enabled, reason = read_flag(fields["enabled"], f"{at}/enabled"), fields["disabled_reason"]
    if enabled is not (reason is None):
        raise RuleError(f"{at}/disabled_reason", "must say why when the preset is disabled, and be null otherwise")
    order = read_fields(
        fields["order"], f"{at}/order", needed={"phases", "garment", "max_days", "unsensed"}, allowed=set()
    )
    preset = Preset(
        id=read_text(fields["id"], f"{at}/id", most=64),
        title=read_text(fields["title"], f"{at}/title"),
        source=_source(fields["source"], f"{at}/source"),
        template=json.dumps(order),
        enabled=enabled,
        disabled_reason="" if reason is None else _sentence(reason, f"{at}/disabled_reason"),
        needs=read_items(fields["needs"], f"{at}/needs", _need),
        proposals=read_items(fields["proposals"], f"{at}/proposals", _proposal),
        notes=read_items(fields["notes"], f"{at}/notes", _sentence),
        conflict="",
    )
    if enabled and preset.source.mark is Mark.MEMORY:
        raise RuleError(f"{at}/enabled", "must be false: a source from memory was never checked")
    _once([need.name for need in preset.needs], f"{at}/needs", "name")
    _try(preset, at)
    return preset


def _source(item: object, at: str) -> PresetSource:
    fields = read_fields(item, at, needed={"text", "reference", "mark"}, allowed=set())
    text, reference = (_sentence(fields[name], f"{at}/{name}") for name in ("text", "reference"))
    return PresetSource(text, reference, read_word(Mark, fields["mark"], f"{at}/mark"))


def _need(item: object, at: str) -> Need:
    fields = read_fields(item, at, needed={"name", "question", "options"}, allowed=set())
    options = read_items(fields["options"], f"{at}/options", _option)
    if len(options) < 2:
        raise RuleError(f"{at}/options", "must offer at least two, or there is nothing to choose")
    _once([option.value for option in options], f"{at}/options", "value")
    return Need(read_text(fields["name"], f"{at}/name"), _sentence(fields["question"], f"{at}/question"), options)


def _option(item: object, at: str) -> Option:
    fields = read_fields(item, at, needed={"value", "label", "sets"}, allowed=set())
    sets = fields["sets"]
    if not isinstance(sets, dict) or not sets:
        raise RuleError(f"{at}/sets", "must be an object of JSON Pointers into the order, with what to put there")
    value, label = (read_text(fields[name], f"{at}/{name}") for name in ("value", "label"))
    return Option(value, label, json.dumps(sets))


def _proposal(item: object, at: str) -> Proposal:
    return read_word(Proposal, item, at)


def _sentence(item: object, at: str) -> str:
    return read_text(item, at, most=SENTENCE_AT_MOST)


def _once(values: Sequence[str], at: str, what: str) -> None:
    for i, value in enumerate(values):
        if value in values[:i]:
            raise RuleError(f"{at}/{i}/{what}", f"{value} is already the {what} of another one")


def _try(preset: Preset, at: str) -> None:
    """Make the order of every combination of choices, so that no clinician meets a template that makes none."""
    for i, need in enumerate(preset.needs):
        for j, option in enumerate(need.options):
            for pointer in json.loads(option.sets):
                try:
                    fill(json.loads(preset.template), pointer, None)
                except KeyError as why:
                    raise RuleError(f"{at}/needs/{i}/options/{j}/sets", f"{pointer} is no place in the order") from why
    for combination in product(*(need.options for need in preset.needs)):
        choices = {need.name: option.value for need, option in zip(preset.needs, combination, strict=True)}
        try:
            filled(preset, ANY_START, "UTC", choices)
        except RuleError as why:
            words = ", ".join(choices.values()) or "no choice"
            raise RuleError(f"{at}/order{why.pointer}", f"{why.sentence} (with {words})") from why
