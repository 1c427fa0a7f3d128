"""The page about prescriptions is true: its example is read, its fields are all there, its presets are the presets."""

from __future__ import annotations

import json
import re
from pathlib import Path

from calza_server.domain.orders.garment_classes import STANDARDS
from calza_server.domain.orders.prescription import Prescription
from calza_server.domain.orders.presets import PROPOSAL_WORDS, Preset
from calza_server.domain.orders.rx_document import read_prescription
from calza_server.registry.shipped_presets import presets

PAGE = (Path(__file__).parents[2] / "docs" / "prescriptions.md").read_text(encoding="utf-8")


def example() -> Prescription:
    (text,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return read_prescription(json.loads(text))


def rows(heading: str) -> list[str]:
    """The rows of the table under a heading, without its head."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def preset_row(preset: Preset) -> str:
    title = preset.title if preset.enabled else f"{preset.title}. **Disabled:** {preset.disabled_reason}"
    choices = "; ".join(f"{need.name}: {', '.join(option.value for option in need.options)}" for need in preset.needs)
    ours = "; ".join(PROPOSAL_WORDS[each] for each in preset.proposals)
    cells = [
        f"`{preset.id}`",
        title,
        f"{preset.source.text} {preset.source.reference} [{preset.source.mark}]",
        choices or "-",
        ours or "-",
    ]
    return f"| {' | '.join(cells)} |"


def class_row(standard: str, label: str, least: float | None, most: float | None, mark: str) -> str:
    ends = ["" if end is None else f"{end:g}" for end in (least, most)]
    return f"| {standard} | {label} | {ends[0]} | {ends[1]} | {mark} |"


def test_the_example_is_an_order() -> None:
    order = example()
    assert order.ordered_days == 14
    assert order.label == "order shortened"


def test_every_field_is_in_the_example_and_in_the_tables() -> None:
    document = example().document()
    (text,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    shown = json.loads(text)
    assert set(shown) == set(document)
    assert set().union(*shown["phases"]) == set(document["phases"][0])  # type: ignore[index]  # a list of objects
    for heading, fields in (("The order", document), ("A phase", document["phases"][0])):  # type: ignore[index]  # as above
        described = {name for row in rows(heading) for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
        assert described == set(fields)


def test_the_table_of_presets_is_the_presets() -> None:
    assert rows("Presets") == [preset_row(each) for each in presets()]


def test_the_table_of_classes_is_the_classes() -> None:
    assert rows("Classes") == [
        class_row(each.name, one.label, one.least_mmhg, one.most_mmhg, one.mark)
        for each in STANDARDS
        for one in each.classes
    ]
