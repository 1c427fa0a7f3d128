"""The `calza` console command: finds the part that was asked for and imports that part alone.

A gateway box has no web server installed and a server has no radio, so nothing here may import a part
before its name was typed. The next file to read is the one `PARTS` names for the part you are interested in.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import typer


@dataclass(frozen=True, slots=True)
class Part:
    """Where a subcommand lives and what it says of itself in `calza --help`."""

    module: str
    help: str


PARTS: dict[str, Part] = {
    "demo": Part("calza_demo.cli", "The whole way on this machine: stockings, gateway, broker, server, verdict."),
    "sim": Part("calza_sim.cli", "Simulated stockings: real GATT servers on a virtual radio."),
    "gateway": Part("calza_gateway.commands.cli", "Read stockings over Bluetooth LE and forward them over MQTT."),
    "server": Part("calza_server.commands.cli", "Receive, check and store readings; answer with a verdict."),
    "verdict": Part(
        "calza_server.commands.verdict_cli", "Was it worn as ordered? From your own minutes, or from an export again."
    ),
    "wire": Part("calza_wire.cli", "Look into the octets that travel."),
}

EPILOG = "Start with `calza demo`. Each part explains itself: `calza gateway --help`."


def build(chosen: str | None) -> typer.Typer:
    """The command tree with only the chosen part imported; the others are named but empty."""
    root = typer.Typer(
        name="calza",
        help="Was the prescribed compression stocking really worn?",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, part in PARTS.items():
        app = import_module(part.module).app if name == chosen else typer.Typer()
        root.add_typer(app, name=name, help=part.help)
    return root


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; ends by SystemExit with 0 (done), 1 (failed) or 2 (misused)."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), None)
    build(chosen)(args=words, prog_name="calza")


if __name__ == "__main__":
    main()
