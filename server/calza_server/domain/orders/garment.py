"""The stocking that was ordered: a standard with its range in mmHg, never a bare class. Knows no readings.

"Class II" means 18-24, 23-32, 15-20 or 20-29 mmHg depending on the country, so a class alone orders nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Garment:
    """The pressure at the ankle (smallest girth) by a standard, in mmHg; `ankle_max_mmhg` None: open upwards."""

    standard: str
    label: str
    ankle_min_mmhg: float
    ankle_max_mmhg: float | None

    def document(self) -> dict[str, object]:
        """The garment as plain JSON values."""
        return {
            "standard": self.standard,
            "class": self.label,
            "ankle_min_mmhg": self.ankle_min_mmhg,
            "ankle_max_mmhg": self.ankle_max_mmhg,
        }
