"""The presets that come with the server, read once from `data/presets.json`. What they mean is the domain's affair."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from calza_server.domain.orders.presets import PresetError
from calza_server.domain.orders.presets_document import read_presets

if TYPE_CHECKING:
    from calza_server.domain.orders.presets import Preset

PRESETS_FILE: Final = "data/presets.json"


@cache
def presets() -> tuple[Preset, ...]:
    """Every preset, the disabled ones too, in the order to show them. Raises RuleError if the file was spoilt."""
    return read_presets(json.loads(files("calza_server").joinpath(PRESETS_FILE).read_text(encoding="utf-8")))


def preset(preset_id: str) -> Preset:
    """The preset of this id. Raises PresetError when there is none."""
    for each in presets():
        if each.id == preset_id:
            return each
    known = ", ".join(each.id for each in presets())
    raise PresetError("preset_unknown", f"there is no preset {preset_id}; there are {known}")
