"""Nothing is lost and nothing is counted twice, whichever part is killed, however often."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from tests.e2e.theatre import Theatre, seed_of_this_run, theatre

DAYS = 28  # about eight seconds a leg over the paced radio: long enough to be hit many times while records travel
TIMES_EACH = 4
PARTS = ("gateway", "broker", "server", "radio")


async def stage_kills(here: Theatre, chance: random.Random) -> list[int]:
    """Kill every part `TIMES_EACH` times in an order and at moments drawn by chance; the records stored before each."""
    schedule = [part for part in PARTS for _ in range(TIMES_EACH)]
    chance.shuffle(schedule)
    stored = []
    for part in schedule:
        # The moments themselves are what is under test, so this is a real pause and no event is waited for.
        await asyncio.sleep(chance.uniform(0.3, 1.6))
        stored.append(len(here.in_store()))
        await here.kill(part)
    return stored


@pytest.mark.slow
async def test_the_store_equals_the_flash_after_every_part_was_killed_repeatedly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = seed_of_this_run()
    async with theatre(tmp_path, Theatre, days=DAYS, seed=seed) as here:
        await here.start("gateway")
        stored_before = await stage_kills(here, random.Random(seed))
        await here.settle()
        flash, stored = here.in_flash(), here.in_store()
        with capsys.disabled():
            sys.stdout.write(
                f"\nCALZA_TEST_SEED={seed}: {len(flash)} records; stored before each kill {stored_before}\n"
            )
        assert sum(count < len(flash) for count in stored_before) >= len(PARTS), (
            "the kills came while records travelled"
        )
        assert here.kills == dict.fromkeys(PARTS, TIMES_EACH)
        assert len(flash) > DAYS * 24, "an hour of each leg is a record, so there are many"
        assert len(stored) == len(dict(stored)), f"a record is stored twice (seed {seed})"
        assert dict(stored) == flash, f"the store is not what was in flash (seed {seed})"
        assert here.refused() == 0, f"a good record was refused (seed {seed})"
