"""`calza server`: register stockings; let gateways in. Mounts every other command of the server too.

Commands read the clock, chance and the environment so that nothing else has to. Next file to read: `run_cli`.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calza_server.access.credentials import SERVER_USER, CredentialError, Credentials
from calza_server.commands import (
    broker_files_cli,
    ca_cli,
    course_cli,
    health_cli,
    ingest_cli,
    order_cli,
    run_cli,
    store_cli,
)
from calza_server.commands.cli_manners import DEFAULT_STATE, FAILED, MISUSED, JsonOption, StateOption, end, print_json
from calza_server.errors import RunError, SpecError
from calza_server.files.private_files import write_private
from calza_server.registry.registry import RegistryError, with_fleet
from calza_server.registry.registry_edit import edit_registry
from calza_server.store_spec import TOKEN_FILE_VARIABLE

app = typer.Typer(
    no_args_is_help=True,
    help="Receive, check and store readings; answer with a verdict.",
    epilog="Start with `calza server run`, then `calza server gateway add bedside` in another terminal.",
)
run_cli.register(app)
ingest_cli.register(app)
app.command(
    epilog="Example: `calza server init --store 'influx+http://127.0.0.1:8086?org=clinic&bucket=calza'` "
    f"(token in the file {TOKEN_FILE_VARIABLE} names)."
)(store_cli.init)
health_cli.register(app)
broker_files_cli.register(app)
gateway_app = typer.Typer(no_args_is_help=True, help="Which gateways may log in at the broker.")
app.add_typer(gateway_app, name="gateway")
app.add_typer(order_cli.app, name="order")
app.add_typer(course_cli.app, name="course")
app.add_typer(ca_cli.app, name="ca")


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
        credentials = Credentials(state, secrets.token_bytes)
        password = credentials.add(gateway)
        broker_files_cli.hand_over(credentials, os.environ)
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
        credentials = Credentials(state, secrets.token_bytes)
        credentials.remove(gateway)
        broker_files_cli.hand_over(credentials, os.environ)
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
