"""A preset as plain JSON values, the same from the command line and from the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from calza_server.domain.orders.presets import Preset


def preset_document(preset: Preset) -> dict[str, object]:
    """Its order as a template, what must be chosen, its source, and what of it is our own proposal."""
    return {
        "id": preset.id,
        "title": preset.title,
        "enabled": preset.enabled,
        "disabled_reason": preset.disabled_reason,
        "source": preset.source.text,
        "reference": preset.source.reference,
        "mark": preset.source.mark.value,
        "order": preset.order(),
        "needs": [
            {
                "name": need.name,
                "question": need.question,
                "options": [{"value": one.value, "label": one.label} for one in need.options],
            }
            for need in preset.needs
        ],
        "our_proposals": [each.value for each in preset.proposals],
        "notes": list(preset.notes),
        "conflict": preset.conflict,
    }
