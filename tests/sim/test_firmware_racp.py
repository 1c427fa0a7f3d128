"""Record access: every request a collector may write, and the octets it gets back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_sim.firmware import racp
from calza_sim.ports import RecordTransfer
from calza_wire.errors import WireError
from calza_wire.racp import decode_request


def answer(written: str, *, first: int = 51, after: int = 151) -> bytes | RecordTransfer:
    return racp.answer(bytes.fromhex(written), first_record=first, next_record=after)


@pytest.mark.parametrize(
    ("written", "indicated"),
    [
        ("0401", "0500 64000000"),  # count all: 100 of them
        ("0403 01 64000000", "0500 33000000"),  # count from 100 on
        ("0402 01 64000000", "0500 32000000"),  # count up to 100
        ("0404 01 3c000000 45000000", "0500 0a000000"),  # count 60..69
        ("0405", "0500 01000000"),
        ("0406", "0500 01000000"),
        ("0403 01 97000000", "0500 00000000"),  # nothing there is zero, not an error
        ("0201", "06000202"),  # delete: the log is a ring
        ("0202 01 64000000", "06000202"),
        ("0300", "06000301"),  # abort
        ("0709", "06000703"),  # bad operator
        ("0700", "06000703"),
        ("0301", "06000303"),
        ("0101", "06000102"),  # report, of older services
        ("0901", "06000902"),
        ("0703 02 64000000", "06000709"),  # filter on time
        ("0703 01 640000", "06000705"),
        ("0703 01 64000000 00", "06000705"),
        ("0704 01 45000000 3c000000", "06000705"),
        ("0701 01", "06000705"),
        ("07", "06000705"),
        ("", "06000005"),
        ("0703 01 97000000", "06000706"),  # no records found
        ("0702 01 32000000", "06000706"),
    ],
)
def test_requests_answered_at_once(written: str, indicated: str) -> None:
    assert answer(written) == bytes.fromhex(indicated)


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("0701", range(51, 151)),
        ("0703 01 64000000", range(100, 151)),
        ("0703 01 00000000", range(51, 151)),
        ("0702 01 64000000", range(51, 101)),
        ("0704 01 3c000000 45000000", range(60, 70)),
        ("0704 01 00000000 ffffffff", range(51, 151)),
        ("0704 01 96000000 96000000", range(150, 151)),
        ("0705", range(51, 52)),
        ("0706", range(150, 151)),
    ],
)
def test_transfers(written: str, numbers: range) -> None:
    transfer = answer(written)
    assert isinstance(transfer, RecordTransfer)
    assert transfer.numbers == tuple(numbers)
    assert transfer.response(len(numbers)) == b"\x08\x00" + len(numbers).to_bytes(4, "little")
    assert transfer.response(0) == bytes.fromhex("06000706")  # all of them overwritten meanwhile


@pytest.mark.parametrize("written", ["0701", "0705", "0706"])
def test_an_empty_log_has_no_records(written: str) -> None:
    assert answer(written, first=8, after=8) == bytes.fromhex("06000706")
    assert answer("04" + written[2:], first=8, after=8) == bytes.fromhex("050000000000")


def test_busy_while_live_sending_runs() -> None:
    assert racp.busy(bytes.fromhex("0701")) == bytes.fromhex("0600070a")


@given(st.binary(max_size=16), st.integers(0, 300), st.integers(0, 300))
def test_any_write_is_answered_within_what_is_held(written: bytes, first: int, held: int) -> None:
    answered = racp.answer(written, first_record=first, next_record=first + held)
    if isinstance(answered, RecordTransfer):
        assert answered.numbers
        assert set(answered.numbers) <= set(range(first, first + held))
        decode_request(written)
    else:
        assert answered[0] in {5, 6}
        assert answered[1] == 0
        if answered[0] == 6 and answered[3] in {3, 5, 9}:
            with pytest.raises(WireError):
                decode_request(written)
