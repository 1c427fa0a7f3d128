"""The stocking's clock: drift, loss, and the checks of a write in the order of the Elapsed Time Service."""

import numpy as np
import pytest

from calza_sim.firmware.clock import DeviceClock, check_write
from calza_wire.elapsed_time import ETS_EPOCH_UNIX_S, TimeSource, TimeStamp

TRUE_S = 1_768_000_000.0
NTP = TimeStamp.at(TRUE_S, source=TimeSource.NTP, offset_quarters=4)
UNSET = TimeSource.NOT_SYNCHRONISED


def test_a_new_clock_counts_from_zero_and_wants_to_be_set() -> None:
    now = DeviceClock(TRUE_S).current(TRUE_S + 90.5)
    assert (now.stamp.value, now.stamp.source, now.needs_set, now.stamp.flags) == (90, UNSET, True, 0x32)


def test_a_set_clock_shows_what_it_was_given_and_drifts_from_there() -> None:
    clock = DeviceClock(TRUE_S - 1e6, drift_ppm=20.0)
    clock.set(NTP, TRUE_S)
    now = clock.current(TRUE_S)
    assert (now.stamp, now.needs_set) == (NTP, False)
    assert clock.seconds(TRUE_S + 1e6) - clock.seconds(TRUE_S) == pytest.approx(1e6 + 20.0, abs=1e-3)
    assert clock.true_s_of(np.array([clock.seconds(TRUE_S + 12_345.6)]))[0] == pytest.approx(
        TRUE_S + 12_345.6, abs=1e-5
    )


def test_power_loss_forgets_the_time_and_keeps_the_drift() -> None:
    clock = DeviceClock(TRUE_S, drift_ppm=-10.0)
    clock.set(NTP, TRUE_S)
    clock.restart(TRUE_S + 500.0)
    now = clock.current(TRUE_S + 600.0)
    assert (now.stamp.value, now.stamp.source, now.stamp.offset_quarters, now.needs_set) == (99, UNSET, 0, True)


def octets(*, flags: int = 0x32, value: int = NTP.value, source: int = 1, offset: int = 4) -> bytes:
    return bytes([flags]) + value.to_bytes(6, "little") + bytes([source]) + offset.to_bytes(1, "little", signed=True)


EARLY = 86_400  # 2000-01-02


@pytest.mark.parametrize(
    ("written", "current", "answer"),
    [
        (octets(), UNSET, 0x00),
        (octets(), TimeSource.GPS, 0x00),
        (octets(flags=0x22, offset=0), UNSET, 0x00),  # a missing bit passes
        (octets(source=4), UNSET, 0x00),
        (octets(source=4), TimeSource.MANUAL, 0x00),
        (octets()[:8], UNSET, 0x0D),
        (octets() + b"\0", UNSET, 0x0D),
        (octets() + b"\0\0", UNSET, 0x0D),
        (b"", UNSET, 0x0D),
        (octets(flags=0x72), UNSET, 0x81),  # reserved
        (octets(flags=0xB2), UNSET, 0x81),
        (octets(flags=0x36), UNSET, 0x81),  # 100 ms
        (octets(flags=0x3A), UNSET, 0x81),  # 1 ms
        (octets(flags=0x33), UNSET, 0x81),  # a tick counter
        (octets(value=2**48 - 1), UNSET, 0xFF),
        (octets(value=EARLY), UNSET, 0xFF),
        (octets(value=2**47), UNSET, 0xFF),
        (octets(offset=60), UNSET, 0xFF),
        (octets(offset=-49), UNSET, 0xFF),
        (octets(source=8), UNSET, 0xFF),
        (octets(source=7), UNSET, 0x80),
        (octets(source=4), TimeSource.NTP, 0x80),
        (octets(source=0), TimeSource.MANUAL, 0x80),
        # two faults: the earlier check answers
        (octets(flags=0xF2, value=2**48 - 1), UNSET, 0x81),
        (octets(flags=0x36, value=2**48 - 1), UNSET, 0xFF),
        (octets(flags=0x36, source=7), UNSET, 0x81),
        (octets(source=7, value=EARLY), UNSET, 0x80),
    ],
)
def test_a_write_is_checked_in_order(written: bytes, current: TimeSource, answer: int) -> None:
    assert check_write(written, current) == answer


def test_the_epoch_is_the_services() -> None:
    clock = DeviceClock(TRUE_S)
    clock.set(NTP, TRUE_S)
    assert clock.seconds(TRUE_S) == TRUE_S - ETS_EPOCH_UNIX_S
