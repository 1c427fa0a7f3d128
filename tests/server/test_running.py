"""Ending a process: a signal at any moment is noticed, a failed part is told, everything is taken apart in order."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from calza_server.running.running import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT_S = 20
ROUNDS = 20_000  # with the main thread asleep in an event, a third of the runs of so many lost a signal

# Sends one signal for each octet it reads, at each moment of the 0.2 ms in which the other process falls asleep.
SIGNALLER = """
import itertools, os, sys, time
number, process = int(sys.argv[1]), os.getppid()
for step in itertools.cycle(range(1_000)):
    if not sys.stdin.buffer.raw.read(1):
        break
    until = time.perf_counter() + step * 0.2e-6
    while time.perf_counter() < until:
        pass
    os.kill(process, number)
"""


@contextmanager
def signaller(number: int) -> Iterator[Callable[[], object]]:
    command = [sys.executable, "-c", SIGNALLER, str(int(number))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        to_child = child.stdin
        yield lambda: to_child.write(b".")


@pytest.fixture
def impatient() -> Iterator[Callable[[], int]]:
    """Call it again and again: whoever is not back within the limit is thrown out of what it waits for."""

    def give_up(_number: int, _frame: object) -> None:
        raise AssertionError(f"a signal went unnoticed for {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    yield lambda: signal.alarm(LIMIT_S)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_is_noticed_at_whatever_moment_it_comes(impatient: Callable[[], int]) -> None:
    with signaller(signal.SIGTERM) as send:
        for _ in range(ROUNDS):
            with running() as it:
                impatient()
                send()
                it.wait()
                assert it.stop.is_set()


def test_a_signal_before_anybody_waits_is_not_lost(impatient: Callable[[], int]) -> None:
    with running() as it:
        assert not it.ending
        signal.raise_signal(signal.SIGINT)
        assert it.ending
        impatient()
        it.wait()
        assert it.ending


def test_signals_are_the_callers_own_again() -> None:
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    with running():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_part_that_fails_ends_everything_and_is_told() -> None:
    ended: list[str] = []
    told = threading.Event()

    def fail() -> None:
        raise OSError("no more")

    def end_steady() -> None:
        ended.append("told to end")
        told.set()

    def run() -> None:
        with running() as it:
            it.at_end(lambda: ended.append("first made"))
            it.beside("steady", told.wait, end_steady)
            it.beside("failing", fail)
            it.wait()

    with pytest.raises(OSError, match="no more"):
        run()
    assert ended == ["told to end", "first made"]


def test_a_part_that_ends_by_itself_ends_everything() -> None:
    with running() as it:
        it.beside("short", lambda: None)
        it.wait()
        assert it.stop.is_set()
