"""The same as `test_kills` where everything is apart: InfluxDB, TLS, two workers and pages, each killed repeatedly."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from tests.e2e.grown import GrownTheatre, database
from tests.e2e.theatre import seed_of_this_run, theatre

DAYS = 28
ROUNDS = 2
PROGRESS_WITHIN_S = 10.0
PARTS = ("gateway", "broker", "worker-1", "worker-2", "api", "influxd", "radio")


async def stage_kills(here: GrownTheatre, chance: random.Random) -> list[int]:
    """Each round kills every part once, in an order and at moments drawn by chance; the records stored before each.

    Only once records travel again: killing what has just been started does no harm, however often.
    """
    stored = [0]
    for _ in range(ROUNDS):
        for part in chance.sample(PARTS, len(PARTS)):
            count = await progress(here, stored[-1])
            # The moments themselves are what is under test, so this is a real pause and no event is waited for.
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            await here.kill(part)
            stored.append(count)
    return stored[1:]


async def progress(here: GrownTheatre, before: int) -> int:
    """How many records are stored, once that is more than before; or whatever it is after a while."""
    limit = asyncio.get_running_loop().time() + PROGRESS_WITHIN_S
    while True:
        count = len(await asyncio.to_thread(here.in_store))
        if count > before or asyncio.get_running_loop().time() > limit:
            return count
        await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_the_store_equals_the_flash_after_every_part_apart_was_killed_repeatedly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = seed_of_this_run()
    with database() as GrownTheatre.database:
        async with theatre(tmp_path, GrownTheatre, days=DAYS, seed=seed) as here:
            await here.ready()
            await here.start("gateway")
            stored_before = await stage_kills(here, random.Random(seed))
            await here.settle()
            flash, stored = here.in_flash(), here.in_store()
            with capsys.disabled():
                sys.stdout.write(
                    f"\nCALZA_TEST_SEED={seed}: {len(flash)} records; stored before each kill {stored_before}\n"
                )
            assert sum(0 < count < len(flash) for count in stored_before) >= len(PARTS), "the kills met records"
            assert here.kills == dict.fromkeys(PARTS, ROUNDS)
            assert len(stored) == len(dict(stored)), f"a record is stored twice (seed {seed})"
            assert dict(stored) == flash, f"the store is not what was in flash (seed {seed})"
            assert here.refused() == 0, f"a good record was refused (seed {seed})"
            await here.until_pages_are_well()
