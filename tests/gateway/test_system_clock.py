"""This machine's clocks: what the kernel says of them, the hours of change, and zones that are no whole hours."""

import ctypes
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from calza_gateway.adapters.system_clock import (
    MAXERROR_LIMIT_US,
    STA_UNSYNC,
    TIME_ERROR,
    KernelTime,
    SystemClock,
    kernel_time,
)
from calza_gateway.ports import Clock

TIME_OK, STA_PLL, STA_NANO = 0, 0x0001, 0x2000
DISCIPLINED = STA_PLL | STA_NANO

if not hasattr(time, "tzset"):
    pytest.skip("the zone of a process cannot be changed here", allow_module_level=True)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (KernelTime(TIME_OK, DISCIPLINED, 35_000), True),
        (KernelTime(1, DISCIPLINED, 35_000), True),  # a leap second is announced
        (KernelTime(TIME_ERROR, STA_UNSYNC, MAXERROR_LIMIT_US), False),
        (KernelTime(TIME_ERROR, DISCIPLINED, 35_000), False),
        (KernelTime(TIME_OK, DISCIPLINED | STA_UNSYNC, 35_000), False),
        (KernelTime(TIME_OK, DISCIPLINED, MAXERROR_LIMIT_US), False),
        (None, None),
    ],
)
def test_the_kernel_s_word_is_taken(kernel: KernelTime | None, expected: bool | None) -> None:
    clock: Clock = SystemClock(lambda: kernel)
    assert clock.synchronised() is expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_this_kernel_answers() -> None:
    found = kernel_time()
    assert found is not None, "a sandbox that forbids adjtimex; `unknown` would be the answer"
    assert 0 <= found.state <= TIME_ERROR
    assert found.maxerror_us >= 0
    assert SystemClock().synchronised() in (True, False)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_a_system_that_does_not_tell_is_not_asked(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert SystemClock().synchronised() is None


def test_android_is_not_asked_because_asking_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getandroidapilevel", lambda: 34, raising=False)
    assert kernel_time() is None


def test_a_libc_without_the_call_and_one_that_may_not_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    assert kernel_time() is None

    class Forbidden:
        @staticmethod
        def adjtimex(_: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Forbidden)
    assert kernel_time() is None


def test_the_steady_clock_goes_on_in_sleep_where_the_system_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def clock_gettime(clock: int) -> float:
        asked.append(clock)
        return 5.0

    monkeypatch.setattr(time, "clock_gettime", clock_gettime)
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    assert SystemClock().now().tick_s == 5.0
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    SystemClock().now()
    assert asked == [7, time.CLOCK_MONOTONIC]
    monkeypatch.delattr(time, "CLOCK_MONOTONIC")
    monkeypatch.setattr(time, "monotonic", lambda: 9.0)
    assert SystemClock().now().tick_s == 9.0


# --- zones ------------------------------------------------------------------------------------------------------------

InZone = Callable[[str, float], int]


@pytest.fixture
def quarters(monkeypatch: pytest.MonkeyPatch) -> Iterator[InZone]:
    """The offset a process in that zone shows at that Unix time."""
    real = time.localtime

    def found(zone: str, unix_s: float) -> int:
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        monkeypatch.setattr(time, "localtime", lambda: real(unix_s))
        return SystemClock().offset_quarters()

    yield found
    monkeypatch.undo()
    time.tzset()


SPRING_S = 1_774_746_000  # 2026-03-29T01:00Z: Rome goes from +1 to +2
AUTUMN_S = 1_792_890_000  # 2026-10-25T01:00Z: and back


@pytest.mark.parametrize(
    ("unix_s", "expected"), [(SPRING_S - 1, 4), (SPRING_S, 8), (AUTUMN_S - 1, 8), (AUTUMN_S, 4), (AUTUMN_S + 3600, 4)]
)
def test_the_offset_follows_the_very_second_of_the_change(quarters: InZone, unix_s: int, expected: int) -> None:
    assert quarters("Europe/Rome", unix_s) == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", 0),
        ("Asia/Kolkata", 22),  # +5:30
        ("Asia/Kathmandu", 23),  # +5:45
        ("America/St_Johns", -14),  # -3:30
        ("Pacific/Chatham", 55),  # +13:45 in the southern summer
        ("Pacific/Kiritimati", 56),  # +14, the most there is
        ("Etc/GMT+12", -48),  # -12, the least
        ("Nowhere/Atlantis", 0),  # no such file: the C library takes UTC
    ],
)
def test_zones_in_quarter_hours(quarters: InZone, zone: str, expected: int) -> None:
    assert quarters(zone, AUTUMN_S + 70 * 86_400) == expected


def test_a_zone_by_the_sun_is_rounded_down_to_a_quarter(quarters: InZone) -> None:
    """Liberia until 1972: 44 min 30 s behind. No zone of today is like it, and none makes an error."""
    assert quarters("Africa/Monrovia", 0.0) == -3


def test_real_moments_of_both_clocks_go_on() -> None:
    first, second = SystemClock().now(), SystemClock().now()
    assert second.tick_s >= first.tick_s
    assert abs(first.unix_s - time.time()) < 60
