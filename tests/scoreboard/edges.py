"""When a stocking was put on and taken off, as said and as true: edges matched and timed. Pure counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]
    States = npt.NDArray[np.uint8]
    Indices = npt.NDArray[np.int64]

MATCH_WITHIN_MIN: Final = 30  # a said edge farther from a true one is not that edge; our proposal


@dataclass(frozen=True, slots=True)
class Edges:
    """Donnings and doffings: minutes from each true edge to the said one (negative: early); missed; invented.

    `unseen`: true edges so near missing data that nobody could have timed them; they count nowhere else.
    """

    don_min: tuple[int, ...] = ()
    doff_min: tuple[int, ...] = ()
    missed: int = 0
    invented: int = 0
    unseen: int = 0

    def __add__(self, other: Edges) -> Edges:
        return Edges(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def distances_min(self) -> tuple[int, ...]:
        """Of all matched edges, without sign."""
        return tuple(abs(each) for each in (*self.don_min, *self.doff_min))

    @property
    def median_min(self) -> float | None:
        """The median distance."""
        return percentile(self.distances_min, 50)

    @property
    def p95_min(self) -> float | None:
        """The distance that 95 of 100 matched edges keep."""
        return percentile(self.distances_min, 95)


def percentile(values: Sequence[int], share: int) -> float | None:
    """The smallest value that at least `share` percent do not exceed (nearest rank); None of nothing."""
    return float(np.percentile(values, share, method="inverted_cdf")) if len(values) else None


def edges(worn: Mask, said: States, missing: Mask) -> Edges:
    """Match each true edge to the nearest said one of its kind within half an hour, one to one.

    A said edge is where the decided state changes, unknown minutes passed over; it lies at the worn side.
    """
    blind = _near(missing | (said == State.EXCUSED))
    blind_end = blind.copy()
    blind_end[:MATCH_WITHIN_MIN] = blind_end[len(blind) - MATCH_WITHIN_MIN :] = True  # where a record begins or ends
    change = np.diff(worn.astype(np.int8))
    said_don, said_doff = _said_edges(said)
    out = Edges()
    for kind, true_at, said_at in (
        ("don_min", np.flatnonzero(change == 1) + 1, said_don),
        ("doff_min", np.flatnonzero(change == -1) + 1, said_doff),
    ):
        seen = true_at[~blind[true_at]]
        pairs = _matched(seen, said_at)
        used = {at for _, at in pairs}
        unclaimed = [at for at in said_at.tolist() if at not in used and not blind_end[min(at, len(blind) - 1)]]
        offsets = tuple(at - true for true, at in pairs)
        out += Edges(
            don_min=offsets if kind == "don_min" else (),
            doff_min=offsets if kind == "doff_min" else (),
            missed=len(seen) - len(pairs),
            invented=len(unclaimed),
            unseen=len(true_at) - len(seen),
        )
    return out


def _near(mask: Mask) -> Mask:
    """Within reach of a match of any minute of the mask."""
    reach = np.convolve(mask, np.ones(2 * MATCH_WITHIN_MIN + 1, np.int32), mode="same") if len(mask) else mask
    near: Mask = np.asarray(reach[: len(mask)] > 0)
    return near


def _said_edges(said: States) -> tuple[Indices, Indices]:
    """First worn minutes after not being worn, and first minutes after the last worn one before not being worn."""
    decided = np.flatnonzero((said == State.WORN) | (said == State.NOT_WORN))
    worn = said[decided] == State.WORN
    # a record that opens undecided and goes on worn was put on there
    opens = bool(len(decided)) and bool(worn[0]) and decided[0] > 0
    change = np.diff(worn.astype(np.int8), prepend=np.int8(0 if opens else worn[:1].sum()))
    don = decided[change == 1]
    doff = decided[np.flatnonzero(change == -1) - 1] + 1
    return don.astype(np.int64), doff.astype(np.int64)


def _matched(true_at: Indices, said_at: Indices) -> list[tuple[int, int]]:
    """Pairs of a true and a said edge, nearest first, each used once, in order of time."""
    distance = np.abs(true_at[:, None] - said_at[None, :])
    near = np.argwhere(distance <= MATCH_WITHIN_MIN)
    ranked = sorted(near.tolist(), key=lambda pair: (int(distance[pair[0], pair[1]]), pair))
    pairs: dict[int, int] = {}
    for true, at in ranked:
        if true not in pairs and at not in pairs.values():
            pairs[true] = at
    return [(int(true_at[true]), int(said_at[at])) for true, at in sorted(pairs.items())]
