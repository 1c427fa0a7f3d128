"""Record Access Control Point (0x2A52): what a collector asks for and what the stocking answers.

Only the record-number filter is offered; the time filter of the specification is answered "operand not supported".
Source: Bluetooth SIG Generic Health Sensor Service 1.0, Record Access Control Point.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from calza_wire.errors import WireError
from calza_wire.octets import Octets, Reader, Writer

RECORD_NUMBER_FILTER: Final = 0x01


class RacpOp(IntEnum):
    """Op codes; "report stored records" (1) of older services is not part of GHS."""

    DELETE = 0x02
    ABORT = 0x03
    COUNT = 0x04
    NUMBER_RESPONSE = 0x05
    RESPONSE = 0x06
    COMBINED_REPORT = 0x07
    COMBINED_REPORT_RESPONSE = 0x08


class Operator(IntEnum):
    """Which records are meant."""

    NULL = 0
    ALL = 1
    AT_MOST = 2
    AT_LEAST = 3
    WITHIN = 4  # inclusive
    FIRST = 5
    LAST = 6


class ResponseCode(IntEnum):
    """Outcome of a request in a general response."""

    SUCCESS = 0x01
    OP_NOT_SUPPORTED = 0x02
    INVALID_OPERATOR = 0x03
    OPERATOR_NOT_SUPPORTED = 0x04
    INVALID_OPERAND = 0x05
    NO_RECORDS_FOUND = 0x06
    ABORT_UNSUCCESSFUL = 0x07
    NOT_COMPLETED = 0x08
    OPERAND_NOT_SUPPORTED = 0x09
    SERVER_BUSY = 0x0A


_BOUNDS: Final = {Operator.AT_MOST: 1, Operator.AT_LEAST: 1, Operator.WITHIN: 2}


@dataclass(frozen=True, slots=True)
class Selection:
    """Some records: all, up to `last`, from `first` on, first..last inclusive, the first one or the last one."""

    operator: Operator
    first: int | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        wants_first = self.operator in {Operator.AT_LEAST, Operator.WITHIN}
        wants_last = self.operator in {Operator.AT_MOST, Operator.WITHIN}
        if self.operator is Operator.NULL or (self.first is None) == wants_first or (self.last is None) == wants_last:
            raise ValueError(f"{self.operator.name} does not go with first={self.first}, last={self.last}")
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"{self.first}..{self.last} is not a range of record numbers")

    @classmethod
    def everything(cls) -> "Selection":
        """Every record."""
        return cls(Operator.ALL)

    @classmethod
    def at_least(cls, first: int) -> "Selection":
        """Records from `first` on."""
        return cls(Operator.AT_LEAST, first=first)

    @classmethod
    def at_most(cls, last: int) -> "Selection":
        """Records up to and including `last`."""
        return cls(Operator.AT_MOST, last=last)

    @classmethod
    def within(cls, first: int, last: int) -> "Selection":
        """Records first..last, both included."""
        return cls(Operator.WITHIN, first=first, last=last)

    def includes(self, number: int) -> bool:
        """Whether a number is selected; FIRST and LAST depend on what is stored and are a `ValueError` here."""
        if self.operator in {Operator.FIRST, Operator.LAST}:
            raise ValueError("FIRST and LAST select by what is stored, not by number")
        return (self.first is None or number >= self.first) and (self.last is None or number <= self.last)


@dataclass(frozen=True, slots=True)
class CombinedReport:
    """Send these records, then tell how many were sent."""

    selection: Selection


@dataclass(frozen=True, slots=True)
class CountRequest:
    """Tell how many of these records there are."""

    selection: Selection


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """Delete these records (the stocking refuses: its log is a ring)."""

    selection: Selection


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop the running procedure."""


Request: TypeAlias = CombinedReport | CountRequest | DeleteRequest | Abort


@dataclass(frozen=True, slots=True)
class NumberResponse:
    """How many records match; none is 0, not an error."""

    count: int


@dataclass(frozen=True, slots=True)
class GeneralResponse:
    """Outcome of the request with op code `op` (any octet, because it may be one we do not know)."""

    op: int
    code: ResponseCode


@dataclass(frozen=True, slots=True)
class CombinedReportResponse:
    """How many records were sent."""

    count: int


Response: TypeAlias = NumberResponse | GeneralResponse | CombinedReportResponse

_SELECTING: Final[dict[RacpOp, type[CombinedReport] | type[CountRequest] | type[DeleteRequest]]] = {
    RacpOp.COMBINED_REPORT: CombinedReport,
    RacpOp.COUNT: CountRequest,
    RacpOp.DELETE: DeleteRequest,
}
_OP_OF: Final = {kind: op for op, kind in _SELECTING.items()}


def encode_request(request: Request) -> bytes:
    """The octets a collector writes."""
    writer = Writer()
    if isinstance(request, Abort):
        writer.u8(RacpOp.ABORT)
        writer.u8(Operator.NULL)
        return writer.getvalue()
    selection = request.selection
    writer.u8(_OP_OF[type(request)])
    writer.u8(selection.operator)
    if selection.operator in _BOUNDS:
        writer.u8(RECORD_NUMBER_FILTER)
        for bound in (selection.first, selection.last):
            if bound is not None:
                writer.u32(bound)
    return writer.getvalue()


def decode_request(octets: Octets) -> Request:
    """What a collector asks for; `refusal` turns the `WireError` this may raise into the answer to send."""
    reader = Reader(octets)
    code = reader.u8()
    if code not in (*_SELECTING, RacpOp.ABORT):
        raise WireError("unsupported_op", f"RACP op code {code:#04x} is not one of GHS", 0)
    op = RacpOp(code)
    number = reader.u8()
    if number > Operator.LAST or (op is RacpOp.ABORT) != (number == Operator.NULL):
        raise WireError("bad_operator", f"RACP operator {number:#04x} does not go with op code {code:#04x}", 1)
    operator = Operator(number)
    bounds = _read_bounds(reader, _BOUNDS.get(operator, 0))
    if op is RacpOp.ABORT:
        return Abort()
    first = bounds[0] if operator in {Operator.AT_LEAST, Operator.WITHIN} else None
    last = bounds[-1] if operator in {Operator.AT_MOST, Operator.WITHIN} else None
    return _SELECTING[op](Selection(operator, first, last))


def _read_bounds(reader: Reader, count: int) -> list[int]:
    if count:
        kind = reader.u8()
        if kind != RECORD_NUMBER_FILTER:
            raise WireError("unsupported_operand", f"RACP filter {kind:#04x} is not the record number", 2)
    if reader.remaining != 4 * count:
        raise WireError(
            "bad_operand", f"operand of {4 * count} octets expected, {reader.remaining} found", reader.offset
        )
    bounds = [reader.u32() for _ in range(count)]
    if bounds != sorted(bounds):
        raise WireError("bad_operand", "the range ends before it begins", 3)
    return bounds


_REFUSALS: Final = {
    "unsupported_op": ResponseCode.OP_NOT_SUPPORTED,
    "bad_operator": ResponseCode.INVALID_OPERATOR,
    "bad_operand": ResponseCode.INVALID_OPERAND,
    "truncated": ResponseCode.INVALID_OPERAND,
    "unsupported_operand": ResponseCode.OPERAND_NOT_SUPPORTED,
}


def refusal(octets: Octets, error: WireError) -> GeneralResponse:
    """The answer to a request that `decode_request` refused with `error`."""
    return GeneralResponse(octets[0] if len(octets) else 0, _REFUSALS[error.code])


def encode_response(response: Response) -> bytes:
    """The octets a stocking indicates."""
    writer = Writer()
    match response:
        case NumberResponse(count):
            writer.u8(RacpOp.NUMBER_RESPONSE)
            writer.u8(Operator.NULL)
            writer.u32(count)
        case CombinedReportResponse(count):
            writer.u8(RacpOp.COMBINED_REPORT_RESPONSE)
            writer.u8(Operator.NULL)
            writer.u32(count)
        case GeneralResponse(op, code):
            writer.u8(RacpOp.RESPONSE)
            writer.u8(Operator.NULL)
            writer.u8(op)
            writer.u8(code)
    return writer.getvalue()


def decode_response(octets: Octets) -> Response:
    """What a stocking answers."""
    reader = Reader(octets)
    op, operator = reader.u8(), reader.u8()
    if operator != Operator.NULL:
        raise WireError("bad_operator", f"a RACP response has operator 0, not {operator}", 1)
    response: Response
    if op == RacpOp.NUMBER_RESPONSE:
        response = NumberResponse(reader.u32())
    elif op == RacpOp.COMBINED_REPORT_RESPONSE:
        response = CombinedReportResponse(reader.u32())
    elif op == RacpOp.RESPONSE:
        request, code = reader.u8(), reader.u8()
        if not ResponseCode.SUCCESS <= code <= ResponseCode.SERVER_BUSY:
            raise WireError("bad_value", f"RACP response code {code:#04x} does not exist", 3)
        response = GeneralResponse(request, ResponseCode(code))
    else:
        raise WireError("unsupported_op", f"RACP response op code {op:#04x} is not one of GHS", 0)
    reader.finish()
    return response
