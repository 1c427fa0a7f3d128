"""The text of a label's QR code: a golden vector, there and back, and everything that is no label."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_wire.errors import WireError
from calza_wire.label_code import LabelCode

GOLDEN = LabelCode("CZ-000123", 42017, bytes(range(16)), bytes(range(0xF0, 0x100)))
GOLDEN_TEXT = "CALZA1:CZ-000123:042017:AAAQEAYEAUDAOCAJBIFQYDIOB4:6DY7F47U6X3PP6HZ7L57Z7P674"
QR_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")  # ISO/IEC 18004, alphanumeric mode

octets_16 = st.binary(min_size=16, max_size=16)
codes = st.builds(
    LabelCode,
    st.from_regex(r"[A-Z0-9-]{4,32}", fullmatch=True),
    st.integers(0, 999_999),
    octets_16,
    octets_16,
)


def test_the_golden_vector() -> None:
    assert GOLDEN.encode() == GOLDEN_TEXT
    assert LabelCode.decode(GOLDEN_TEXT) == GOLDEN


@given(codes)
def test_there_and_back_in_the_dense_alphabet_of_qr_codes(code: LabelCode) -> None:
    text = code.encode()
    assert LabelCode.decode(text) == code
    assert LabelCode.decode(f" {text.lower()}\r\n") == code
    assert QR_ALPHANUMERIC.fullmatch(text)


@given(codes, st.data())
def test_one_changed_character_never_reads_as_the_same_label(code: LabelCode, data: st.DataObject) -> None:
    text = code.encode()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:-=").filter(lambda c: c != text[at]))
    try:
        read = LabelCode.decode(text[:at] + other + text[at + 1 :])
    except WireError:
        return
    assert read != code


@given(st.text(max_size=120))
def test_any_text_is_a_label_or_a_wire_error(text: str) -> None:
    try:
        code = LabelCode.decode(text)
    except WireError:
        return
    assert code.encode() == text.strip().upper()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_value"),
        ("042017", "bad_value"),
        ("CALZA2:CZ-000123:042017:A:B", "unsupported_version"),
        (GOLDEN_TEXT[:-1], "bad_value"),
        (GOLDEN_TEXT + "A", "bad_value"),
        (GOLDEN_TEXT + "======", "bad_value"),
        (GOLDEN_TEXT[:-1] + "5", "bad_value"),  # the same octets with a stray bit
        (GOLDEN_TEXT.replace("042017", "42017"), "bad_value"),
        (GOLDEN_TEXT.replace("CZ-000123", "CZ/000123"), "bad_value"),
    ],
)
def test_what_is_no_label_is_refused_without_quoting_it(text: str, code: str) -> None:
    with pytest.raises(WireError) as caught:
        LabelCode.decode(text)
    assert caught.value.code == code
    assert "42017" not in str(caught.value)


def test_the_secrets_stay_out_of_repr() -> None:
    shown = repr(GOLDEN)
    assert "CZ-000123" in shown
    assert "42017" not in shown
    assert repr(GOLDEN.oob_random) not in shown


@pytest.mark.parametrize(
    ("serial", "passkey", "random", "confirm"),
    [
        ("cz-1", 1, bytes(16), bytes(16)),
        ("CZ-1", -1, bytes(16), bytes(16)),
        ("CZ-1", 1_000_000, bytes(16), bytes(16)),
        ("CZ-1", 1, bytes(15), bytes(16)),
        ("CZ-1", 1, bytes(16), bytes(17)),
    ],
)
def test_our_own_mistakes_are_value_errors(serial: str, passkey: int, random: bytes, confirm: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        LabelCode(serial, passkey, random, confirm)
