"""Which store a word means, and that no secret slips through the address."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.errors import SpecError
from calza_server.running.run_parts import open_store, store_token
from calza_server.store_spec import InfluxSpec, MemorySpec, SqliteSpec, parse_store


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("memory:", MemorySpec()),
        ("sqlite:/var/lib/calza/series.db", SqliteSpec(Path("/var/lib/calza/series.db"))),
        ("influx+http://127.0.0.1:8086?bucket=calza", InfluxSpec("http://127.0.0.1:8086", "", "calza")),
        (
            "influx+https://db.example:443/influx/?org=St.%20Anna&bucket=calza%26co",
            InfluxSpec("https://db.example:443/influx", "St. Anna", "calza&co"),
        ),
        ("influx+http://[::1]:8086?bucket=a/b&org=", InfluxSpec("http://[::1]:8086", "", "a/b")),
    ],
)
def test_a_store_by_its_word(text: str, spec: object) -> None:
    assert parse_store(text) == spec


def test_a_bucket_may_name_a_retention_policy_of_1_x() -> None:
    spec = InfluxSpec("http://h:1", "", "series/year")
    assert (spec.database, spec.retention_policy) == ("series", "year")
    assert InfluxSpec("http://h:1", "", "series").retention_policy == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "memory:x",
        "sqlite:",
        "influx://h:8086?bucket=b",
        "influx+http://h?bucket=b",
        "influx+http://:8086?bucket=b",
        "influx+http://h:port?bucket=b",
        "influx+http://h:99999?bucket=b",
        "influx+http://[h:8086?bucket=b",
        "influx+http://h:8086",
        "influx+http://h:8086?org=o",
        "influx+http://h:8086?bucket=",
        "influx+http://h:8086?bucket=/rp",
        "influx+http://h:8086?bucket=a&bucket=b",
        "influx+http://h:8086?bucket=b&token=hidden",
        "influx+http://h:8086?bucket=b#hidden",
        "influx+http://user:hidden@h:8086?bucket=b",
    ],
)
def test_what_names_no_store_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_store(text)
    assert "hidden" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_store_or_a_plain_refusal(text: str) -> None:
    for each in (text, f"influx+http://{text}", f"influx+http://h:1?{text}"):
        try:
            parse_store(each)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - both ways are right here


def test_the_token_comes_from_a_file_before_a_variable(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("of-the-file==\n")
    assert store_token({}) is None
    assert store_token({"CALZA_SERVER_STORE_TOKEN": "of-the-variable"}) == "of-the-variable"
    both = {"CALZA_SERVER_STORE_TOKEN": "of-the-variable", "CALZA_SERVER_STORE_TOKEN_FILE": str(path)}
    assert store_token(both) == "of-the-file=="


@pytest.mark.parametrize("octets", [b"", b"\n", b"hidden token", b"hidden\xff", b"hidden\x00"])
def test_a_damaged_token_is_refused_unseen(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(octets)
    with pytest.raises(SpecError, match="CALZA_SERVER_STORE_TOKEN_FILE") as caught:
        store_token({"CALZA_SERVER_STORE_TOKEN_FILE": str(path)})
    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__
    with pytest.raises(SpecError, match="cannot be read"):
        store_token({"CALZA_SERVER_STORE_TOKEN_FILE": str(tmp_path / "nowhere")})
