"""`calza wire`: look into octets that travel. The one module of this package that needs Typer."""

import json
from enum import StrEnum
from typing import Annotated, Final

import typer

from calza_wire.describe import Json, describe
from calza_wire.elapsed_time import CurrentElapsedTime
from calza_wire.errors import WireError
from calza_wire.features import HealthSensorFeatures
from calza_wire.observation import decode_observation
from calza_wire.records import decode_record, digest

EXIT_FAILED: Final = 1
EXIT_MISUSED: Final = 2

app = typer.Typer(help="Look into the octets that travel.", no_args_is_help=True, pretty_exceptions_enable=False)


class Kind(StrEnum):
    """What the octets are said to be."""

    OBSERVATION = "observation"
    RECORD = "record"
    ELAPSED_TIME = "elapsed-time"
    FEATURES = "features"


@app.callback()
def wire() -> None:
    """Look into the octets that travel. The formats are described in wire/README.md."""


@app.command(
    epilog="Examples:\n\n"
    "calza wire decode 011b006300b84b020022729d2b290000060001013c4c0200200262000000\n\n"
    "calza wire decode --kind elapsed-time '22 a66a002c0000 07 00 01 01'"
)
def decode(
    octets: Annotated[str, typer.Argument(metavar="HEX", help="The octets in hex; blanks between octets are ignored.")],
    kind: Annotated[Kind, typer.Option(help="What they are.")] = Kind.OBSERVATION,
) -> None:
    """Print what the octets mean as JSON: terms named, decimal numbers as exact strings.

    Exit code 1 with an error code and an offset if they mean nothing, 2 if they are no hex.
    """
    try:
        raw = bytes.fromhex(octets)
    except ValueError:
        typer.echo("HEX must be pairs of hex digits, such as 0b2e; blanks between octets are ignored.", err=True)
        raise typer.Exit(EXIT_MISUSED) from None
    try:
        meaning = interpret(raw, kind)
    except WireError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    typer.echo(json.dumps(meaning, indent=2, ensure_ascii=False))


def interpret(octets: bytes, kind: Kind) -> Json:
    """What octets of one kind mean, as JSON; raises `WireError`."""
    match kind:
        case Kind.OBSERVATION:
            return describe(decode_observation(octets))
        case Kind.ELAPSED_TIME:
            return describe(CurrentElapsedTime.decode(octets))
        case Kind.FEATURES:
            return describe(HealthSensorFeatures.decode(octets))
        case Kind.RECORD:
            record = decode_record(octets)
            body = describe(decode_observation(record.body))
            return {"is": "Record", "number": record.number, "digest": digest(octets), "body": body}
