"""Limits that hold even against calls which do not end when they are cancelled."""

import asyncio
import logging
from contextlib import suppress

import pytest

from calza_gateway.ports import RadioError, RadioReason
from calza_gateway.visits.limits import LimitedLink, Limits, any_set

GRACE_S = 0.01


async def value(result: str) -> str:
    return result


async def for_ever() -> str:
    await asyncio.Event().wait()
    raise AssertionError


class Stubborn:
    """A call that swallows every cancellation and ends when it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.let_go = asyncio.Event()
        self.error = error

    async def __call__(self) -> str:
        while not self.let_go.is_set():
            with suppress(asyncio.CancelledError):
                await self.let_go.wait()
        if self.error is not None:
            raise self.error
        return "late"


async def left_behind_ends(limits: Limits) -> None:
    async with asyncio.timeout(5):
        while limits.left_behind:  # noqa: ASYNC110 - there is no event for it, and nobody else needs one
            await asyncio.sleep(0)


async def test_what_ends_in_time_is_returned_or_raised_as_it_is() -> None:
    limits = Limits(GRACE_S)
    assert await limits.run(value("x"), 1, "asking") == "x"

    async def refuse() -> None:
        raise RadioError(RadioReason.NOT_FOUND, "not here")

    with pytest.raises(RadioError, match="not here"):
        await limits.run(refuse(), 1, "asking")
    assert limits.left_behind == 0


async def test_what_does_not_end_is_cancelled_and_said_to_be_stuck() -> None:
    limits = Limits(5)
    with pytest.raises(RadioError, match=r"asking did not come to an end within 0.01 s") as caught:
        await limits.run(for_ever(), 0.01, "asking")
    assert caught.value.reason is RadioReason.STACK_STUCK
    assert limits.left_behind == 0, "it did as it was told"


async def test_what_does_not_even_end_when_cancelled_is_left_behind() -> None:
    limits, stubborn, undone = Limits(GRACE_S), Stubborn(), asyncio.Event()

    async def undo(result: str) -> None:
        assert result == "late"
        undone.set()

    with pytest.raises(RadioError):
        await limits.run(stubborn(), 0.01, "asking", undo)
    assert limits.left_behind == 1
    stubborn.let_go.set()
    async with asyncio.timeout(5):
        await undone.wait()
    await left_behind_ends(limits)


async def test_how_a_call_left_behind_fails_is_at_least_logged(caplog: pytest.LogCaptureFixture) -> None:
    limits, stubborn = Limits(GRACE_S), Stubborn(ConnectionResetError("secret"))
    with caplog.at_level(logging.INFO, "calza.gateway"):
        with pytest.raises(RadioError):
            await limits.run(stubborn(), 0.01, "asking")
        stubborn.let_go.set()
        await left_behind_ends(limits)

        async def undo(_result: str) -> None:
            raise ConnectionResetError("secret")

        again = Stubborn()
        with pytest.raises(RadioError):
            await limits.run(again(), 0.01, "connecting", undo)
        again.let_go.set()
        await left_behind_ends(limits)
    assert [record.getMessage() for record in caplog.records] == [
        "asking, which was given up, ended with ConnectionResetError",
        "taking back connecting failed with ConnectionResetError",
    ]


async def test_a_cancelled_caller_waits_no_longer_than_the_grace() -> None:
    stubborn = Stubborn()
    for call in (for_ever(), stubborn()):
        limits = Limits(GRACE_S)
        task = asyncio.create_task(limits.run(call, 60, "asking"))
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(5):
            (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError)
    stubborn.let_go.set()
    await left_behind_ends(limits)


async def test_no_step_of_a_limited_link_takes_for_ever() -> None:
    class Hanging:
        address, mtu, rssi = "AA:A", 23, None
        closed = asyncio.Event()

        async def read(self, uuid: str) -> bytes:
            del uuid
            return (await for_ever()).encode()

        async def write(self, uuid: str, value: bytes) -> None:
            del uuid, value
            await for_ever()

        async def subscribe(self, uuid: str, on_value: object) -> None:
            del uuid, on_value
            await for_ever()

        async def disconnect(self) -> None:
            await for_ever()

    link = LimitedLink(Hanging(), Limits(GRACE_S), 0.01, 0.01)
    assert (link.address, link.mtu, link.rssi, link.closed) == ("AA:A", 23, None, Hanging.closed)
    for step in (link.read("x"), link.write("x", b""), link.subscribe("x", print), link.disconnect()):
        with pytest.raises(RadioError) as caught:
            await step
        assert caught.value.reason is RadioReason.STACK_STUCK


async def test_any_set_ends_with_the_first_event_or_the_time() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, second.set)
    async with asyncio.timeout(5):
        await any_set([first, second], None)
        await any_set([first], 0.01)
    assert not first.is_set()
