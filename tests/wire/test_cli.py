"""`calza wire decode`: exact JSON on standard output, one sentence and an exit code otherwise."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from calza_wire.cli import Kind, app, interpret
from tests.wire.golden import Vector, vectors

RUNNER = CliRunner()
SHOWN = [vector for vector in vectors() if vector.kind in set(Kind)]


@pytest.mark.parametrize("vector", [v for v in SHOWN if v.error is None and v.kind != "record"], ids=str)
def test_every_good_vector(vector: Vector) -> None:
    result = RUNNER.invoke(app, ["decode", "--kind", vector.kind, vector.octets.hex()])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == vector.decoded
    assert result.stderr == ""


@pytest.mark.parametrize("vector", [v for v in SHOWN if v.error is not None and v.octets], ids=str)
def test_every_bad_vector(vector: Vector) -> None:
    result = RUNNER.invoke(app, ["decode", "--kind", vector.kind, vector.octets.hex()])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"{vector.error}: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_record_shows_its_number_its_name_and_its_body() -> None:
    (record,) = [v for v in SHOWN if v.kind == "record" and v.error is None]
    result = RUNNER.invoke(app, ["decode", "--kind", "record", record.octets.hex()])
    shown = json.loads(result.stdout)
    assert (shown["number"], len(shown["digest"])) == (7, 32)
    assert shown["body"]["type"]["name"] == "MDCX_STOCKING_MINUTE_BLOCK"
    assert shown["body"]["supplemental"] == [{"code": 460357, "name": "MDC_LOEXT_LEG_L"}]
    skin = shown["body"]["value"]["components"][4]["value"]
    assert skin["physical"] == ["33.25", "33.30"], "decimals keep their trailing zeros"


def test_the_offset_is_told() -> None:
    result = RUNNER.invoke(app, ["decode", "01ff"])
    assert (result.exit_code, result.stderr) == (1, "truncated: 2 octets expected, 1 left (at octet 1)\n")


@pytest.mark.parametrize("text", ["0", "zz", "01ff0", "0x01"])
def test_what_is_no_hex_is_misuse(text: str) -> None:
    result = RUNNER.invoke(app, ["decode", text])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "hex digits" in result.stderr


def test_blanks_between_octets_are_ignored() -> None:
    assert RUNNER.invoke(app, ["decode", "03 0700 0000 0300 4d616e"]).exit_code == 0


def test_an_unknown_kind_is_misuse() -> None:
    assert RUNNER.invoke(app, ["decode", "--kind", "letter", "00"]).exit_code == 2


def test_help_shows_examples_that_work() -> None:
    result = RUNNER.invoke(app, ["decode", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert "011b006300b84b020022729d2b290000060001013c4c0200200262000000" in result.stdout
    assert interpret(bytes.fromhex("22 a66a002c0000 07 00 01 01"), Kind.ELAPSED_TIME)


def test_only_the_command_line_needs_more_than_the_standard_library() -> None:
    package = Path(__file__).parents[2] / "wire" / "calza_wire"
    needing = [path.name for path in package.glob("*.py") if "typer" in path.read_text(encoding="utf-8").lower()]
    assert needing == ["cli.py"]
