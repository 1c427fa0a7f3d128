"""The JSON of live minutes, as events of a stream and as an answer. Knows no store, no route."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from calza_server.api.models import LegOut, Out
from calza_wire.minute_block import MinuteFlag

if TYPE_CHECKING:
    from decimal import Decimal

    from calza_server.ports import LiveSeen

MS_PER_S = 1000


class LiveMinuteOut(Out):
    """A minute as the stocking just told it: means over that minute. Shown, never stored, never counted."""

    stocking: str = Field(examples=["CALZA-0001"])
    gateway: str = Field(description="By which gateway it came.", examples=["bedside"])
    received: datetime
    age_s: int = Field(description="Seconds since it was received, when this was sent.", examples=[0])
    ankle_mmhg: float | None = Field(description="Null where the stocking calls its own sensor faulty.")
    calf_mmhg: float | None
    thigh_mmhg: float | None
    ripple_mmhg: float = Field(description="How much the pressure moved within the minute: a sign of life.")
    skin_c: float | None
    moving: bool
    charging: bool
    ankle_floor_mmhg: float | None = Field(description="What is ordered at the ankle now; null where nothing is.")

    @classmethod
    def of(cls, seen: LiveSeen, floor_mmhg: float | None, now_ms: int) -> LiveMinuteOut:
        """The JSON of a live minute."""
        minute = seen.minute

        def reading(value: Decimal, fault: MinuteFlag) -> float | None:
            return None if minute.flags & fault else float(value)

        return cls(
            stocking=seen.serial,
            gateway=seen.gateway,
            received=datetime.fromtimestamp(seen.received_ms / MS_PER_S, UTC),
            age_s=max(0, now_ms - seen.received_ms) // MS_PER_S,
            ankle_mmhg=reading(minute.ankle_mmhg, MinuteFlag.ANKLE_FAULT),
            calf_mmhg=reading(minute.calf_mmhg, MinuteFlag.CALF_FAULT),
            thigh_mmhg=reading(minute.thigh_mmhg, MinuteFlag.THIGH_FAULT),
            ripple_mmhg=float(minute.ripple_mmhg),
            skin_c=reading(minute.skin_c, MinuteFlag.SKIN_FAULT),
            moving=bool(minute.flags & MinuteFlag.MOVING),
            charging=bool(minute.flags & MinuteFlag.CHARGING),
            ankle_floor_mmhg=floor_mmhg,
        )


class LiveNewestOut(Out):
    """The newest live minute of each stocking of a leg since this server started; nothing was asked for."""

    leg: LegOut
    minutes: list[LiveMinuteOut]


class LiveStateOut(Out):
    """Event `state`: whether anybody can be asked."""

    gateways_online: int = Field(description="Gateways online that know a stocking of this leg; each was asked.")
    ends_after_s: int = Field(description="When this stream ends by itself.", examples=[1800])
    sentence: str


class LiveEndOut(Out):
    """Event `end`: the last one; the stream closes after it."""

    reason: Literal["time_limit", "server_closed"]
    sentence: str
