"""The live minute: one compound of numerics for fitting and pairing screens. Never stored, never counted, no tag."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from calza_wire.channels import ANKLE, CALF, CHANNELS, FLAGS, FLAGS_MAX, RIPPLE, SKIN, THIGH, Channel
from calza_wire.elapsed_time import TimeStamp
from calza_wire.errors import WireError
from calza_wire.medfloat import MedFloat
from calza_wire.nomenclature import Mdc
from calza_wire.observation import (
    Component,
    Compound,
    Numeric,
    Observation,
    decode_observation,
    encode_observation,
)
from calza_wire.octets import Octets


@dataclass(frozen=True, slots=True)
class LiveMinute:
    """What one minute came to: pressures and ripple in mmHg, skin in degC, `MinuteFlag` bits; `stamp` is its start."""

    stamp: TimeStamp
    ankle_mmhg: Decimal
    calf_mmhg: Decimal
    thigh_mmhg: Decimal
    ripple_mmhg: Decimal
    skin_c: Decimal
    flags: int

    def __post_init__(self) -> None:
        if not 0 <= self.flags <= FLAGS_MAX:
            raise ValueError(f"minute flags are outside 0..{FLAGS_MAX}")

    @classmethod
    def of_raw(cls, stamp: TimeStamp, ankle: int, calf: int, thigh: int, ripple: int, skin: int, flags: int) -> Self:
        """From raw samples as a minute block holds them."""
        return cls(
            stamp,
            ANKLE.physical(ankle),
            CALF.physical(calf),
            THIGH.physical(thigh),
            RIPPLE.physical(ripple),
            SKIN.physical(skin),
            flags,
        )

    def encode(self) -> bytes:
        """The observation body."""
        values = (self.ankle_mmhg, self.calf_mmhg, self.thigh_mmhg, self.ripple_mmhg, self.skin_c, Decimal(self.flags))
        components = tuple(
            Component(channel.type, Numeric(channel.unit, MedFloat.of(value)))
            for channel, value in zip(CHANNELS, values, strict=True)
        )
        return encode_observation(
            Observation(value=Compound(components), type=Mdc.MDCX_STOCKING_MINUTE, time_stamp=self.stamp)
        )

    @classmethod
    def decode(cls, octets: Octets) -> Self:
        """From the observation body; `WireError` "bad_value" for any other observation."""
        observation = decode_observation(bytes(octets))
        stamp, value = observation.time_stamp, observation.value
        if observation.type != Mdc.MDCX_STOCKING_MINUTE or stamp is None or not isinstance(value, Compound):
            raise WireError("bad_value", "an observation, but no live minute")
        if [component.type for component in value.components] != [channel.type for channel in CHANNELS]:
            raise WireError("bad_value", "a live minute has the six channels of a stocking in their order")
        ankle, calf, thigh, ripple, skin, flags = (
            _number(component, channel) for component, channel in zip(value.components, CHANNELS, strict=True)
        )
        if flags != flags.to_integral_value() or not 0 <= flags <= FLAGS_MAX:
            raise WireError("bad_value", f"the {FLAGS.name} of a live minute are not within 0..{FLAGS_MAX}")
        return cls(stamp, ankle, calf, thigh, ripple, skin, int(flags))


def _number(component: Component, channel: Channel) -> Decimal:
    value = component.value
    if not isinstance(value, Numeric) or value.unit != channel.unit or value.value.special is not None:
        raise WireError("bad_value", f"{channel.name} of a live minute is not a number in its unit")
    return value.value.decimal
