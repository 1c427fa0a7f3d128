"""`calza server broker-files`: hands a Mosquitto of its own what it must read; again after every change of gateways."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from calza_server.access.credentials import CredentialError, Credentials
from calza_server.access.tls_files import TlsError
from calza_server.commands.cli_manners import DEFAULT_STATE, FAILED, JsonOption, StateOption, end, print_json
from calza_server.running.broker_files import write_broker_files, write_who_may_log_in

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_VARIABLE: Final = "CALZA_SERVER_BROKER_FILES"


def broker_files(
    to: Annotated[Path, typer.Option(help="The folder Mosquitto reads.", envvar=FOLDER_VARIABLE)],
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Write passwords, rules and certificate for a Mosquitto that the server does not start itself."""
    try:
        written = write_broker_files(state, to, Credentials(state, secrets.token_bytes))
    except (CredentialError, TlsError, OSError) as error:
        end(FAILED, error)
    if as_json:
        print_json({"event": "written", "files": [str(path) for path in written]})
    else:
        sys.stdout.write("".join(f"wrote {path}\n" for path in written) or f"{to} is up to date\n")


def hand_over(credentials: Credentials, environment: Mapping[str, str]) -> None:
    """After a gateway was let in or shut out: tell the Mosquitto that has a folder of its own, if there is one.

    Raises CredentialError, OSError.
    """
    if folder := environment.get(FOLDER_VARIABLE):
        write_who_may_log_in(Path(folder), credentials)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(epilog="Example: `calza server broker-files --to /etc/mosquitto/calza`.")(broker_files)
