"""Many minute blocks at once: the facts ingest checks, and the columns the ledger reads. Pure; knows no store.

Bodies of one length share one layout, so they are compared with its template and sliced as columns in one go; whatever
is laid out differently is read by the general decoder, one by one. Both ways accept exactly the same bodies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.recording.readings import CHANNELS, Readings
from calza_wire.elapsed_time import ETS_EPOCH_UNIX_S, NO_SOURCES
from calza_wire.errors import WireError
from calza_wire.minute_block import (
    LOG_ID_OCTETS,
    MINUTES_MAX,
    PERIOD_S,
    TAG_OCTETS,
    BlockLayout,
    MinuteFlag,
    Side,
    layout,
    minutes_of,
    parse_block,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

LONGEST_BLOCK_S: Final = MINUTES_MAX * PERIOD_S
_SIDES: Final = tuple(side.lower_leg % 256 for side in Side)
_SITE_FAULTS: Final = MinuteFlag.ANKLE_FAULT | MinuteFlag.CALF_FAULT | MinuteFlag.THIGH_FAULT
_ANY_FAULT: Final = np.uint8(_SITE_FAULTS | MinuteFlag.SKIN_FAULT)
# Which fault bits make a sample of each channel meaningless; the ripple is made from all three sites.
_FAULTS: Final = np.array(
    [MinuteFlag.ANKLE_FAULT, MinuteFlag.CALF_FAULT, MinuteFlag.THIGH_FAULT, _SITE_FAULTS, MinuteFlag.SKIN_FAULT],
    dtype=np.uint8,
)


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What must be known of a body before it may be kept. Its tag has not been verified.

    `pressure_max` (0.1 mmHg, ripple included) and `skin_max` (raw) are the highest samples no fault flag disowns.
    """

    start_s: int
    minutes: int
    synchronised: bool
    log_id: bytes
    tag: bytes
    tag_span: tuple[int, int]
    pressure_max: int
    skin_max: int


@dataclass(frozen=True, slots=True, eq=False)
class _Lot:
    """Equally long bodies as columns. `rows` says where each stood in the input."""

    rows: list[int]
    start_s: npt.NDArray[np.int64]  # one per body
    synchronised: npt.NDArray[np.bool_]
    values: npt.NDArray[np.int16]  # bodies x minutes x channels
    flags: npt.NDArray[np.uint8]  # bodies x minutes


def facts_of(bodies: Sequence[bytes]) -> list[BlockFacts | WireError]:
    """The facts of each body, in order; for a body that is no minute block, the error that says why."""
    found: dict[int, BlockFacts | WireError] = {}
    uniform, others = _split(bodies)
    for where, rows, octets in uniform:
        lot = _lot(where, rows, octets)
        pressure_max, skin_max = _highest(lot)
        for row, start, synchronised, pressure, skin in zip(
            rows,
            lot.start_s.tolist(),
            lot.synchronised.tolist(),
            pressure_max.tolist(),
            skin_max.tolist(),
            strict=True,
        ):
            body = bodies[row]
            found[row] = BlockFacts(
                start_s=start,
                minutes=where.minutes,
                synchronised=synchronised,
                log_id=body[where.log_id : where.log_id + LOG_ID_OCTETS],
                tag=body[where.tag : where.tag + TAG_OCTETS],
                tag_span=where.tag_tlv,
                pressure_max=pressure,
                skin_max=skin,
            )
    for row in others:
        try:
            found[row] = _facts_of_one(bodies[row])
        except WireError as error:
            found[row] = error
    return [found[row] for row in range(len(bodies))]


def readings_of(
    bodies: Sequence[bytes], record: npt.NDArray[np.int64], log: npt.NDArray[np.int16], logs: tuple[bytes, ...]
) -> Readings:
    """The minutes of the bodies in their order; `record` and `log` (an index into `logs`) have one entry per body.

    Raises WireError for a body that is no minute block: a store that kept one has been changed behind its back.
    """
    uniform, others = _split(bodies)
    lots = [_lot(*each) for each in uniform] + [_lot_of_one(row, bodies[row]) for row in others]
    if not lots:
        return Readings.none()
    minutes = np.empty(len(bodies), np.int64)
    for lot in lots:
        minutes[lot.rows] = lot.flags.shape[1]
    ends = np.cumsum(minutes)
    total = int(ends[-1])
    device_s = np.empty(total, np.int64)
    synchronised = np.empty(total, np.bool_)
    values = np.empty((total, CHANNELS), np.int16)
    flags = np.empty(total, np.uint8)
    for lot in lots:
        places = _places(lot, ends - minutes, only=len(lots) == 1)
        minute = np.arange(lot.flags.shape[1], dtype=np.int64)
        device_s[places] = (lot.start_s[:, None] + minute * PERIOD_S).ravel()
        synchronised[places] = np.repeat(lot.synchronised, len(minute))
        values[places] = lot.values.reshape(-1, CHANNELS)
        flags[places] = lot.flags.ravel()
    return Readings(
        device_s=device_s,
        synchronised=synchronised,
        record=np.repeat(record, minutes),
        log=np.repeat(log, minutes),
        logs=logs,
        values=values,
        flags=flags,
    )


def _places(lot: _Lot, starts: npt.NDArray[np.int64], *, only: bool) -> slice | npt.NDArray[np.int64]:
    """Where a lot's minutes go among all: everywhere, if it is the only lot (its rows are then in order)."""
    if only:
        return slice(None)
    minute = np.arange(lot.flags.shape[1], dtype=np.int64)
    return (starts[lot.rows][:, None] + minute).ravel()


def _split(
    bodies: Sequence[bytes],
) -> tuple[list[tuple[BlockLayout, list[int], npt.NDArray[np.uint8]]], list[int]]:
    """Canonical bodies by length, as octets; and the rows of all others."""
    by_length: dict[int, list[int]] = {}
    for row, body in enumerate(bodies):
        by_length.setdefault(len(body), []).append(row)
    uniform: list[tuple[BlockLayout, list[int], npt.NDArray[np.uint8]]] = []
    others: list[int] = []
    for length, rows in by_length.items():
        minutes = minutes_of(length)
        if minutes is None:
            others += rows
            continue
        where = layout(minutes)
        joined = b"".join([bodies[row] for row in rows])
        octets = np.frombuffer(joined, np.uint8).reshape(len(rows), length)
        mask, template = np.frombuffer(where.mask, np.uint8), np.frombuffer(where.template, np.uint8)
        side = octets[:, where.side]
        fits = ((octets & mask) == template).all(axis=1) & ((side == _SIDES[0]) | (side == _SIDES[1]))
        if fits.all():
            uniform.append((where, rows, octets))
            continue
        others += [row for row, good in zip(rows, fits.tolist(), strict=True) if not good]
        if fits.any():
            uniform.append((where, [row for row, good in zip(rows, fits.tolist(), strict=True) if good], octets[fits]))
    return uniform, sorted(others)


def _lot(where: BlockLayout, rows: list[int], octets: npt.NDArray[np.uint8]) -> _Lot:
    count, minutes = len(rows), where.minutes
    clock = np.zeros((count, 8), np.uint8)
    clock[:, : where.time_source - where.time_value] = octets[:, where.time_value : where.time_source]
    values = np.empty((count, minutes, CHANNELS), np.int16)
    for channel, offset in enumerate(where.pressures):
        values[:, :, channel] = octets[:, offset : offset + 2 * minutes].view("<i2")
    return _Lot(
        rows=rows,
        start_s=clock.view("<i8")[:, 0] + ETS_EPOCH_UNIX_S,
        synchronised=~np.isin(octets[:, where.time_source], NO_SOURCES),
        values=values,
        flags=octets[:, where.flags : where.flags + minutes],
    )


def _lot_of_one(row: int, body: bytes) -> _Lot:
    block = parse_block(body).block
    columns = (block.ankle, block.calf, block.thigh, block.ripple, block.skin)
    return _Lot(
        rows=[row],
        start_s=np.array([block.start.unix_s], np.int64),
        synchronised=np.array([block.start.synchronised]),
        values=np.array(columns, np.int16).T[None],
        flags=np.array([block.flags], np.uint8),
    )


def _highest(lot: _Lot) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """The highest pressure and skin sample of each body, without the minutes in which the sensor was at fault."""
    sound = lot.values
    if (lot.flags & _ANY_FAULT).any():
        sound = np.where(lot.flags[:, :, None] & _FAULTS, 0, lot.values).astype(np.int16)
    highest = sound.max(axis=1)
    return highest[:, :-1].max(axis=1), highest[:, -1]


def _facts_of_one(body: bytes) -> BlockFacts:
    parsed = parse_block(body)
    pressure_max, skin_max = _highest(_lot_of_one(0, body))
    return BlockFacts(
        start_s=parsed.block.start.unix_s,
        minutes=parsed.block.minutes,
        synchronised=parsed.block.start.synchronised,
        log_id=parsed.log_id,
        tag=parsed.tag,
        tag_span=parsed.tag_span,
        pressure_max=int(pressure_max[0]),
        skin_max=int(skin_max[0]),
    )
