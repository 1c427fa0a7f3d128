"""The golden vectors and, for each kind of octets, what decodes and what encodes it. Shared by tests and fuzzer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from calza_wire.elapsed_time import CurrentElapsedTime, TimeStamp
from calza_wire.features import HealthSensorFeatures, ObservationSchedule, ValidRange
from calza_wire.gateway_status import GatewayStatus
from calza_wire.live_minute import LiveMinute
from calza_wire.live_request import LiveRequest
from calza_wire.medfloat import MedFloat, decode_sfloat
from calza_wire.messages import Hello, Receipt, SyncReport, Wanted
from calza_wire.minute_block import open_sealed, parse_block
from calza_wire.observation import Observation, decode_observation, encode_observation, read_observation
from calza_wire.racp import decode_request, decode_response, encode_request, encode_response
from calza_wire.records import decode_record, encode_record
from calza_wire.stocking_service import (
    Calibration,
    ControlReply,
    Identity,
    Label,
    LogStatus,
    SamplingSettings,
    decode_control,
)
from calza_wire.topics import Topic, down, parse, up

VECTORS = Path(__file__).parents[2] / "wire" / "vectors"

Decode = Callable[[bytes], object]


def decode_topic(octets: bytes) -> Topic:
    """MQTT topics are UTF-8; anything else is refused by the broker and by nobody here."""
    return parse(octets.decode("utf-8", errors="replace"))


DECODERS: dict[str, Decode] = {
    "calibration": Calibration.decode,
    "control": decode_control,
    "control-reply": ControlReply.decode,
    "elapsed-time": CurrentElapsedTime.decode,
    "features": HealthSensorFeatures.decode,
    "float": MedFloat.decode,
    "gateway-status": GatewayStatus.decode,
    "hello": Hello.decode,
    "identity": Identity.decode,
    "label": Label.decode,
    "live-minute": LiveMinute.decode,
    "live-request": LiveRequest.decode,
    "log-status": LogStatus.decode,
    "minute-block": parse_block,
    "observation": decode_observation,
    "racp-request": decode_request,
    "racp-response": decode_response,
    "receipt": Receipt.decode,
    "record": decode_record,
    "sampling-settings": SamplingSettings.decode,
    "schedule": ObservationSchedule.decode,
    "sfloat": decode_sfloat,
    "sync": SyncReport.decode,
    "time-stamp": TimeStamp.decode,
    "topic": decode_topic,
    "valid-range": ValidRange.decode,
    "wanted": Wanted.decode,
}
SEALED = "sealed-minute-block"
KINDS_WHOSE_PREFIX_MAY_BE_WHOLE = {"record", "topic", "valid-range"}


class _Encodes(Protocol):
    def encode(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sealing:
    """What a sealed block is opened with."""

    key: bytes
    system_id: bytes
    record_number: int


@dataclass(frozen=True, slots=True)
class Vector:
    """Octets and what they mean: `decoded` if they are good, the stable `error` code if not."""

    name: str
    kind: str
    octets: bytes
    origin: str
    decoded: object
    error: str | None
    sealing: Sealing | None

    @property
    def decode(self) -> Decode:
        """The decoder for this kind."""
        if self.sealing is None:
            return DECODERS[self.kind]
        sealing = self.sealing
        return partial(open_sealed, key=sealing.key, system_id=sealing.system_id, record_number=sealing.record_number)

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def files() -> list[dict[str, object]]:
    """Every vector file as it is."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(VECTORS.glob("*.json"))]


def vectors() -> list[Vector]:
    """Every vector that is octets of one kind; `segments.json` has a shape of its own."""
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        for item in json.loads(path.read_text(encoding="utf-8"))["vectors"]:
            if "hex" not in item:
                continue
            opened = item.get("open")
            found.append(
                Vector(
                    name=item["name"],
                    kind=item["kind"],
                    octets=bytes.fromhex(item["hex"]),
                    origin=item["origin"],
                    decoded=item.get("decoded"),
                    error=item.get("error"),
                    sealing=None
                    if opened is None
                    else Sealing(
                        bytes.fromhex(opened["key"]), bytes.fromhex(opened["system_id"]), opened["record_number"]
                    ),
                )
            )
    return found


def encode_again(kind: str, octets: bytes) -> bytes | None:
    """What our encoder makes of decoded octets, in the Length convention they came in; None if it has none."""
    value = DECODERS[kind](octets)
    match kind:
        case "observation":
            assert isinstance(value, Observation)
            return encode_observation(value, read_observation(octets).convention)
        case "racp-request":
            return encode_request(decode_request(octets))
        case "racp-response":
            return encode_response(decode_response(octets))
        case "record":
            record = decode_record(octets)
            return encode_record(record.number, record.body)
        case "control":
            return bytes((decode_control(octets),))
        case "topic":
            topic = decode_topic(octets)
            build = (
                up(topic.gateway, topic.kind, topic.serial)
                if topic.direction == "up"
                else down(topic.gateway, topic.kind)
            )
            return build.encode()
        case "sfloat" | "minute-block":
            return None
    return cast("_Encodes", value).encode()
