"""The clock that jumps: order, jobs in threads, cancellation, time limits."""

import asyncio
import threading
import time

import pytest

from tests.soak.virtual_time import VirtualTimeLoop, run_virtually

DAY_S = 86_400.0
EXACT_S = 1e-4  # some turns of the loop
SOON_S = 5.0  # of real time, for what takes days on the clock


def test_days_pass_at_once_and_exactly() -> None:
    async def thirty_days() -> float:
        for _ in range(30):
            await asyncio.sleep(DAY_S)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run_virtually(thirty_days(), start_s=5.0) == pytest.approx(30 * DAY_S + 5.0, abs=EXACT_S)
    assert time.monotonic() - began < SOON_S


def test_timers_fire_in_order_each_at_its_time() -> None:
    async def run() -> list[tuple[str, float]]:
        loop, seen = asyncio.get_running_loop(), list[tuple[str, float]]()

        def note(name: str) -> None:
            seen.append((name, loop.time()))

        for name, at_s in (("late", 300.0), ("first", 1.0), ("same, second", 2.0), ("soon", 0.5)):
            loop.call_at(at_s, note, name)
        loop.call_soon(note, "now")
        await asyncio.sleep(400)
        return seen

    expected = [("now", 0.0), ("soon", 0.5), ("first", 1.0), ("same, second", 2.0), ("late", 300.0)]
    seen = run_virtually(run())
    assert [name for name, _ in seen] == [name for name, _ in expected]
    assert [at_s for _, at_s in seen] == pytest.approx([at_s for _, at_s in expected], abs=EXACT_S)


def test_the_clock_stands_still_while_a_job_runs() -> None:
    async def run() -> tuple[float, bool]:
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        alarm = loop.call_later(0.01, rung.set)
        await asyncio.to_thread(time.sleep, 0.05)
        alarm.cancel()
        return loop.time(), rung.is_set()

    at_s, has_rung = run_virtually(run())
    assert at_s < EXACT_S
    assert not has_rung


def test_jobs_end_in_the_order_they_were_given() -> None:
    async def run() -> tuple[list[int], float]:
        seen: list[int] = []

        async def job(number: int) -> None:
            await asyncio.to_thread(time.sleep, 0.02 / (number + 1))
            seen.append(number)

        await asyncio.gather(*(job(number) for number in range(4)))
        return seen, asyncio.get_running_loop().time()

    order, at_s = run_virtually(run())
    assert order == [0, 1, 2, 3]
    assert at_s < EXACT_S


def test_a_job_whose_caller_was_cancelled_still_holds_the_clock() -> None:
    ended = threading.Event()

    def job() -> None:
        time.sleep(0.05)
        ended.set()

    async def run() -> bool:
        task = asyncio.create_task(asyncio.to_thread(job))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(1)
        return ended.is_set()

    assert run_virtually(run())


def test_a_job_that_was_cancelled_before_it_began_holds_nothing() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(None, time.sleep, 0.02) for _ in range(3)]
        jobs[-1].cancel()
        await asyncio.sleep(1)
        return loop.time()

    assert run_virtually(run()) == pytest.approx(1.0, abs=EXACT_S)


def test_what_a_job_raises_comes_back() -> None:
    async def run() -> None:
        await asyncio.to_thread(int, "no number")

    with pytest.raises(ValueError, match="no number"):
        run_virtually(run())


def test_a_time_limit_strikes_when_its_time_has_come() -> None:
    async def run() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtually(run()) == pytest.approx(3600.0, abs=EXACT_S)


def test_what_is_done_in_time_is_not_struck() -> None:
    async def run() -> float:
        async with asyncio.timeout(3600):
            await asyncio.sleep(3599.5)
        return asyncio.get_running_loop().time()

    assert run_virtually(run()) == pytest.approx(3599.5, abs=EXACT_S)


def test_cancelling_a_sleeper_moves_no_clock() -> None:
    async def run() -> float:
        sleeper = asyncio.create_task(asyncio.sleep(DAY_S))
        await asyncio.sleep(1)
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        return asyncio.get_running_loop().time()

    assert run_virtually(run()) == pytest.approx(1.0, abs=EXACT_S)


def test_a_word_from_another_thread_is_heard_without_a_timer() -> None:
    async def run() -> float:
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        speaker = threading.Timer(0.02, loop.call_soon_threadsafe, [heard.set])
        speaker.start()
        await heard.wait()
        await asyncio.to_thread(speaker.join)
        return loop.time()

    assert run_virtually(run()) == pytest.approx(0.0, abs=EXACT_S)


def test_waiting_for_later_than_now_comes_to_an_end() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while loop.time() <= began_s:  # noqa: ASYNC110 - what is tried is just such a loop
            await asyncio.sleep(0)
        return loop.time()

    assert 0.0 < run_virtually(run()) < EXACT_S


def test_a_new_loop_begins_where_it_is_told_to() -> None:
    loop = VirtualTimeLoop(7.0)
    assert loop.time() == 7.0
    loop.close()
