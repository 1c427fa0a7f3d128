"""The options that commands which run for long have in common, and how such a command ends."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from calza_server.access.credentials import CredentialError
from calza_server.access.tls_files import TlsError
from calza_server.adapters.metrics_listener import ListenError
from calza_server.commands.cli_manners import FAILED, MISUSED, end
from calza_server.errors import RunError, SpecError
from calza_server.ports import BrokerError, StoreError, VerdictBookError
from calza_server.registry.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD_VARIABLE: Final = "CALZA_SERVER_BROKER_PASSWORD"  # noqa: S105 - the name of a variable, not a password

BrokerPortOption = Annotated[
    int, typer.Option("--mqtt-port", help="Port of the broker; 0: the one used last, or a free one.", min=0, max=65535)
]
ServersPortOption = Annotated[
    int,
    typer.Option(
        "--servers-port",
        help="The broker's port for workers and pages; 0: the one used last, or a free one.",
        min=0,
        max=65535,
    ),
]
BrokerHostOption = Annotated[
    str, typer.Option("--mqtt-host", help="Address the broker listens on; anything but loopback needs --tls.")
]
BrokerCaOption = Annotated[
    Path | None,
    typer.Option(
        "--broker-ca",
        help="Authority that made the broker's certificate; default: tls/ca.pem in --state if it is there.",
        envvar="CALZA_SERVER_BROKER_CA",
    ),
]
BrokerUrlOption = Annotated[
    str,
    typer.Option("--broker", help="mqtts://USER@HOST:PORT, or mqtt:// on this machine.", envvar="CALZA_SERVER_BROKER"),
]
HttpPortOption = Annotated[
    int, typer.Option("--http-port", help="Port of pages and API; 0: a free one.", min=0, max=65535)
]
HttpHostOption = Annotated[
    str, typer.Option("--http-host", help="Address of pages and API; anything but loopback needs --tls.")
]
TlsOption = Annotated[
    bool, typer.Option("--tls", help="Encrypt what others reach; `calza server ca` makes the certificates.")
]


def broker_password() -> str | None:
    """The broker's password from the environment."""
    return os.environ.get(PASSWORD_VARIABLE)


@contextmanager
def ends_plainly() -> Iterator[None]:
    """Log to standard error while the block runs; whatever ends it is one sentence and an exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("calza_server").setLevel(logging.INFO)
    try:
        yield
    except SpecError as error:
        end(MISUSED, error)
    except TlsError as error:
        end(MISUSED if error.code == "tls_needed" else FAILED, error)
    except (RunError, ListenError, BrokerError, RegistryError, CredentialError, StoreError, VerdictBookError) as error:
        end(FAILED, error)
