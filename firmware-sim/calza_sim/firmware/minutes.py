"""One minute of 10 Hz sampling, reduced to statistics. The firmware asks a `MinuteSource` and knows no sensor."""

from dataclasses import dataclass, fields
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_HZ: Final = 10
MINUTE_S: Final = 60
SAMPLES_PER_MINUTE: Final = SAMPLE_HZ * MINUTE_S
FEWEST_SAMPLES: Final = SAMPLES_PER_MINUTE // 2  # a minute cut short is kept if half of it was sampled
CHANNELS: Final = 4  # of a sample: ankle, calf and thigh in mmHg, skin in degC


@dataclass(frozen=True, slots=True)
class MinuteTable:
    """Statistics of n minutes: mean pressure and standard deviation per site (mmHg, [n, 3]), mean skin temperature
    (degC, [n]) and whether the charger was connected ([n]).
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    skin: NDArray[np.float64]
    charging: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.skin)

    @classmethod
    def joined(cls, tables: list["MinuteTable"]) -> "MinuteTable":
        """Several tables, one after the other; at least one."""
        return cls(*(np.concatenate([getattr(each, field.name) for each in tables]) for field in fields(cls)))


class MinuteSource(Protocol):
    """The sensors behind the firmware."""

    def minutes(self, starts_s: NDArray[np.float64], samples: NDArray[np.int64]) -> MinuteTable:
        """Sample from each of `starts_s` (true Unix seconds) on, `samples` times at 10 Hz, and reduce each minute.

        The answer for a minute must not depend on which other minutes are asked for with it.
        """


class MinuteAccumulator:
    """Collects the samples of one minute, in pieces of any size, and reduces them."""

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.float64]] = []

    @property
    def count(self) -> int:
        """Samples collected so far."""
        return sum(len(each) for each in self._pieces)

    def feed(self, samples: NDArray[np.float64]) -> None:
        """Add samples, [k, 4]: ankle, calf, thigh (mmHg) and skin (degC). Raises ValueError for another shape."""
        if samples.ndim != 2 or samples.shape[1] != CHANNELS:
            raise ValueError(f"samples have the shape [k, {CHANNELS}], not {samples.shape}")
        self._pieces.append(samples)

    def close(self, *, charging: bool) -> MinuteTable:
        """Reduce what was collected to one row and begin anew. Raises ValueError when nothing was collected."""
        if not self.count:
            raise ValueError("a minute without samples has no mean: drop it instead")
        samples = np.concatenate(self._pieces)
        self._pieces.clear()
        mean = samples.mean(axis=0)
        return MinuteTable(
            mean=mean[None, :3],
            deviation=samples[:, :3].std(axis=0)[None],
            skin=mean[3:],
            charging=np.array([charging]),
        )
