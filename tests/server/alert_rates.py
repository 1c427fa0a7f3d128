"""How often each alert is raised on simulated legs: `python -m tests.server.alert_rates 2000 2100` prints the table.

Not a test: it takes minutes. `docs/alerts.md` shows what it said.
"""

from __future__ import annotations

import sys
from collections import Counter

from calza_server.domain.alerting.alert_values import ORDER
from tests.server.lived_legs import lived

DAYS = 14
SCENARIOS = (
    "perfect",
    "calf-over-ankle-lying",
    "knee-bent-for-hours",
    "sensors-drift",
    "put-on-many-times-a-day",
    "wrinkle-at-the-ankle",
    "perfect+loose",
    "cold-legs-in-winter",
    "stored-under-a-pile",
    "carried-in-a-pocket",
    "perfect+rolled-down",
    "perfect+rolled-band",
    "wrinkle-behind-the-knee",
    "perfect+dead-ankle",
    "perfect+dead-calf",
    "perfect+dead-thigh",
    "perfect+flagged-calf",
)
LEFT_OUT = ("silent", "worn_past_order", "continuous_wear")  # they hang on the scenario's calendar alone


def main(first_seed: int, past_seed: int) -> None:
    kinds = [kind.value for kind in ORDER if kind.value not in LEFT_OUT]
    print(f"| scenario | {' | '.join(f'`{kind}`' for kind in kinds)} |")  # noqa: T201 - its output is its purpose
    print(f"|---|{'---|' * len(kinds)}")  # noqa: T201 - its output is its purpose
    for scenario in SCENARIOS:
        counted = Counter[str]()
        for seed in range(first_seed, past_seed):
            counted.update(set(lived.__wrapped__(scenario, seed=seed, days=DAYS).kinds()))
        print(f"| {scenario} | {' | '.join(str(counted[kind] or '') for kind in kinds)} |", flush=True)  # noqa: T201 - its output is its purpose


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
