"""One machine for all scenes of a file; what its console said last is shown with a scene that fails."""

import os
import random
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.bluez.image import NoImageError
from tests.bluez.ward import FORTNIGHT, Ward, ward


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="ward")
async def _ward(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    given = os.environ.get("CALZA_TEST_SEED")
    days = getattr(request.module, "DAYS", FORTNIGHT)
    seed = int(given) if given else random.SystemRandom().randrange(10**6)
    sys.stdout.write(f"CALZA_TEST_SEED={seed}\n")  # shown with the first scene if that fails
    async with AsyncExitStack() as stack:
        try:
            here = await stack.enter_async_context(ward(tmp_path_factory.mktemp("ward"), days, seed))
        except NoImageError as error:
            pytest.skip(f"no machine with BlueZ: {error}")
        yield here


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    here = getattr(item, "funcargs", {}).get("ward")
    if report.failed and isinstance(here, Ward):
        report.sections.append(("the machine's console", here.machine.console()))
        report.sections.append(("the last commands in the machine", here.machine.last_words()))
    return report
