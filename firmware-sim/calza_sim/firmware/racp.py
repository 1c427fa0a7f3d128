"""The Record Access Control Point's server: what a request means for the records in flash. Sends nothing itself.

The log is a ring and never deletes on request: Delete is answered "op code not supported".
"""

from calza_sim.ports import RecordTransfer
from calza_wire.errors import WireError
from calza_wire.racp import (
    Abort,
    CombinedReport,
    CombinedReportResponse,
    CountRequest,
    DeleteRequest,
    GeneralResponse,
    NumberResponse,
    Operator,
    RacpOp,
    ResponseCode,
    Selection,
    decode_request,
    encode_response,
    refusal,
)


def answer(pdu: bytes, *, first_record: int, next_record: int) -> bytes | RecordTransfer:
    """Answer a write while records first_record..next_record - 1 are held and no transfer is running."""
    try:
        request = decode_request(pdu)
    except WireError as error:
        return encode_response(refusal(pdu, error))
    match request:
        case Abort():
            return abort()
        case DeleteRequest():
            return _refused(RacpOp.DELETE, ResponseCode.OP_NOT_SUPPORTED)
        case CountRequest(selection):
            return encode_response(NumberResponse(len(_selected(selection, first_record, next_record))))
        case CombinedReport(selection):
            numbers = _selected(selection, first_record, next_record)
            if not numbers:
                return _refused(RacpOp.COMBINED_REPORT, ResponseCode.NO_RECORDS_FOUND)
            return RecordTransfer(tuple(numbers), _sent)


def abort() -> bytes:
    """The indication that answers Abort."""
    return _refused(RacpOp.ABORT, ResponseCode.SUCCESS)


def busy(pdu: bytes) -> bytes:
    """The indication that answers any request but Abort while live sending runs: "server busy"."""
    return encode_response(GeneralResponse(pdu[0] if pdu else 0, ResponseCode.SERVER_BUSY))


def _selected(selection: Selection, first: int, after: int) -> range:
    match selection.operator:
        case Operator.FIRST:
            return range(first, min(first + 1, after))
        case Operator.LAST:
            return range(max(first, after - 1), after)
    low = first if selection.first is None else max(first, selection.first)
    high = after if selection.last is None else min(after, selection.last + 1)
    return range(low, max(low, high))


def _sent(count: int) -> bytes:
    """What a transfer ends with; nothing may have been left to send if the ring moved on meanwhile."""
    if not count:
        return _refused(RacpOp.COMBINED_REPORT, ResponseCode.NO_RECORDS_FOUND)
    return encode_response(CombinedReportResponse(count))


def _refused(op: RacpOp, code: ResponseCode) -> bytes:
    return encode_response(GeneralResponse(op, code))
