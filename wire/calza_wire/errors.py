"""The one exception a decoder raises. Our own mistakes are `ValueError`; this class is for octets made by a peer."""

from typing import Literal, get_args

Code = Literal[
    "truncated",  # the octets end before the value does
    "trailing",  # the value ends before the octets do
    "too_long",  # longer than any value may be
    "bad_length",  # the Length field fits neither convention
    "bad_class",  # an observation class that does not exist, or not in this place
    "bad_flags",  # a reserved flag is set, so what follows cannot be known
    "bad_value",  # a field holds a value outside its range
    "bad_topic",  # not one of our MQTT topics
    "bad_message",  # JSON that is not the message it should be
    "unsupported_version",  # a version of a message or of a vendor characteristic that we do not know
    "unsupported_op",  # a control-point op code that we do not know
    "bad_operator",  # a RACP operator that does not exist, or not with this op code
    "bad_operand",  # a RACP operand of the wrong size or order
    "unsupported_operand",  # a RACP filter other than the record number
    "not_a_minute_block",  # a good observation, but of another kind
    "log_mismatch",  # a minute block of another log than the one asked for
    "forged",  # the tag does not fit
]
CODES: tuple[str, ...] = get_args(Code)


class WireError(Exception):
    """Octets that are not what they should be: `code` is stable, `offset` counts octets from 0 where that is known."""

    def __init__(self, code: Code, message: str, offset: int | None = None) -> None:
        where = "" if offset is None else f" (at octet {offset})"
        super().__init__(f"{message}{where}")
        self.code: str = code
        self.offset = offset
