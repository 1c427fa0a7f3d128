"""`calza server`: run it, or its broker alone; register stockings; let gateways in.

Reads the clock, chance and the environment so that nothing else has to. Next file to read: `run`.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from calza_server import course_cli, order_cli
from calza_server.adapters.system_clock import SystemClock
from calza_server.cli_manners import DEFAULT_STATE, FAILED, MISUSED, JsonOption, StateOption, end, print_json
from calza_server.credentials import SERVER_USER, CredentialError, Credentials
from calza_server.ports import BrokerError, StoreError, VerdictBookError
from calza_server.private_files import write_private
from calza_server.registry import RegistryError, with_fleet
from calza_server.registry_edit import edit_registry
from calza_server.run_parts import RunError, SpecError

PASSWORD_VARIABLE: Final = "CALZA_SERVER_BROKER_PASSWORD"  # noqa: S105 - the name of a variable, not a password

app = typer.Typer(
    no_args_is_help=True,
    help="Receive, check and store readings; answer with a verdict.",
    epilog="Start with `calza server run`, then `calza server gateway add bedside` in another terminal.",
)
gateway_app = typer.Typer(no_args_is_help=True, help="Which gateways may log in at the broker.")
app.add_typer(gateway_app, name="gateway")
app.add_typer(order_cli.app, name="order")
app.add_typer(course_cli.app, name="course")

BrokerPortOption = Annotated[
    int, typer.Option("--mqtt-port", help="Port of the broker; 0: the one used last, or a free one.", min=0, max=65535)
]


@app.command(
    epilog="Examples: `calza server run`; `calza server run --http-port 0 --json`; "
    "`calza server run --broker mqtts://calza_server@broker.example:8883` "
    f"(password in {PASSWORD_VARIABLE} or the state folder)."
)
def run(
    state: StateOption = DEFAULT_STATE,
    http_port: Annotated[int, typer.Option(help="Port of pages and API; 0: a free one.", min=0, max=65535)] = 8080,
    broker: Annotated[str, typer.Option(help="auto, mosquitto, amqtt, or mqtt://USER@HOST:PORT.")] = "auto",
    mqtt_port: BrokerPortOption = 0,
    store: Annotated[str | None, typer.Option(help="sqlite:PATH or memory:; default: a file in --state.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run broker, ingest, API and pages until Ctrl-C. Listens on this machine only."""
    from calza_server.run import Ready, RunSettings, serve

    def ready(found: Ready) -> None:
        if as_json:
            print_json({"event": "ready", "http": found.http, "mqtt": found.mqtt, "broker": found.broker})
            return
        console = Console(soft_wrap=True)
        console.print(f"Pages and API  {found.http}")
        console.print(f"Gateways       {found.mqtt} ({found.broker})")
        console.print("Ctrl-C ends it.", style="dim")

    _log_to_stderr()
    settings = RunSettings(
        state=state.absolute(),
        http_port=http_port,
        mqtt_port=mqtt_port,
        broker=broker,
        broker_password=os.environ.get(PASSWORD_VARIABLE),
        store=store,
    )
    try:
        serve(settings, SystemClock(), secrets.token_bytes, ready)
    except SpecError as error:
        end(MISUSED, error)
    except (RunError, BrokerError, RegistryError, CredentialError, StoreError, VerdictBookError) as error:
        end(FAILED, error)


@app.command(epilog="Example: `calza server broker --mqtt-port 1883`, then `calza server run --broker mqtt://...`.")
def broker(
    state: StateOption = DEFAULT_STATE,
    kind: Annotated[str, typer.Option("--broker", help="auto, mosquitto or amqtt.")] = "auto",
    mqtt_port: BrokerPortOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Run the broker alone until Ctrl-C."""
    from calza_server.run import serve_broker

    def ready(url: str) -> None:
        if as_json:
            print_json({"event": "ready", "mqtt": url})
        else:
            Console(soft_wrap=True).print(f"Gateways  {url}")

    _log_to_stderr()
    try:
        serve_broker(state.absolute(), kind, mqtt_port, secrets.token_bytes, ready)
    except SpecError as error:
        end(MISUSED, error)
    except (RunError, BrokerError, CredentialError) as error:
        end(FAILED, error)


@app.command(
    epilog="Example: `calza server register --fleet .calza/sim/fleet.json --leg CALZA-0001=ana-left "
    "--leg CALZA-0002=ana-right --prescription rx.json`."
)
def register(
    fleet: Annotated[Path, typer.Option(help="List of stockings with their keys, as their maker gives it.")],
    leg: Annotated[list[str], typer.Option(help="Which stocking is worn on which leg.", metavar="SERIAL=LEG")],
    prescription: Annotated[Path | None, typer.Option(help="What is ordered for these legs, as JSON.")] = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Make stockings and legs known; a running server notices by itself."""
    legs = {}
    for each in leg:
        serial, equals, leg_id = each.partition("=")
        if not equals:
            end(MISUSED, SpecError(f"--leg {each!r} must be SERIAL=LEG"))
        legs[serial] = leg_id
    try:
        order = None if prescription is None else _order(prescription)
        listed = _read(fleet)
        after = edit_registry(state, lambda before: with_fleet(before, listed, legs, order))
    except (RegistryError, RunError, OSError) as error:
        end(FAILED, error)
    if as_json:
        print_json({"event": "registered", "legs": legs})
    else:
        Console(soft_wrap=True).print(
            f"{len(legs)} registered; {len(after.known_stockings)} stockings known in {state}"
        )


@gateway_app.command("add", epilog="Example: `calza server gateway add bedside --password-file bedside.password`.")
def add_gateway(
    gateway: Annotated[str, typer.Argument(help="Its id: 1 to 32 of a-z, 0-9 and hyphen.")],
    password_file: Annotated[Path | None, typer.Option(help="Write the password here (0600), do not show it.")] = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Let a gateway in; its password is shown this once. Done again, it gets a new one and the old one ends."""
    try:
        password = Credentials(state, secrets.token_bytes).add(gateway)
        if password_file is not None:
            write_private(password_file, password + "\n")
    except CredentialError as error:
        end(MISUSED if error.code == "bad_gateway" else FAILED, error)
    except OSError as error:
        end(FAILED, error)
    shown = {"password": password} if password_file is None else {"password_file": str(password_file)}
    if as_json:
        print_json({"event": "added", "gateway": gateway, **shown})
    else:
        sys.stdout.write(f"{password}\n" if password_file is None else f"password in {password_file}\n")


@gateway_app.command("remove", epilog="Example: `calza server gateway remove bedside`.")
def remove_gateway(gateway: Annotated[str, typer.Argument(help="Its id.")], state: StateOption = DEFAULT_STATE) -> None:
    """Shut a gateway out; a running Mosquitto drops its connection at once."""
    try:
        Credentials(state, secrets.token_bytes).remove(gateway)
    except (CredentialError, OSError) as error:
        end(FAILED, error)


@gateway_app.command("list", epilog="Example: `calza server gateway list --json`.")
def list_gateways(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Which gateways may log in."""
    try:
        names = sorted(set(Credentials(state, secrets.token_bytes).table()) - {SERVER_USER})
    except (CredentialError, OSError) as error:
        end(FAILED, error)
    if as_json:
        print_json({"gateways": names})
    else:
        sys.stdout.write("".join(f"{name}\n" for name in names))


def _order(path: Path) -> dict[str, object]:
    """The prescription in a file, read strictly once so that a slip shows now and not on the page."""
    from calza_server.domain.orders.rx_document import RuleError, read_prescription

    try:
        document: object = json.loads(_read(path))
    except ValueError as error:
        raise RegistryError(str(path), "is not JSON") from error
    try:
        read_prescription(document)
    except RuleError as error:
        raise RegistryError(str(path), str(error)) from error
    if not isinstance(document, dict):
        raise RegistryError(str(path), "is not an object")
    return document


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("calza_server").setLevel(logging.INFO)
