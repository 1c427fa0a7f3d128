"""`calza server health`: asks a running server or worker whether records are being kept. For health checks and scripts.

Needs the standard library alone, so it starts in a fraction of the time the server takes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import typer

from calza_server.commands.cli_manners import FAILED, MISUSED
from calza_wire.tls import trusting

DEFAULT_URL: Final = "http://127.0.0.1:8080/healthz"
ANSWER_LIMIT_S: Final = 5.0
ANSWER_OCTETS_AT_MOST: Final = 65_536  # what we read of an answer that may be anybody's


def health(
    url: Annotated[str, typer.Argument(help="Where it answers.")] = DEFAULT_URL,
    ca_file: Annotated[Path | None, typer.Option(help="The authority that made its certificate.")] = None,
) -> None:
    """Exit code 0 when all is well, 1 with a sentence when it is not."""
    if not url.startswith(("http://", "https://")):
        _end(MISUSED, f"{url!r} is no address: give one such as {DEFAULT_URL}")
    try:
        trusted = [HTTPSHandler(context=trusting(ca_file))] if url.startswith("https:") else []
        # No proxy: what is asked is on this machine or beside it.
        with build_opener(ProxyHandler({}), *trusted).open(url, timeout=ANSWER_LIMIT_S) as answer:
            answer.read(ANSWER_OCTETS_AT_MOST)
    except HTTPError as error:
        _end(FAILED, _detail(error))
    except URLError as error:
        _end(FAILED, f"nobody answers at {url}: {error.reason}")
    except OSError as error:  # a time-out in the middle of an answer, a file without certificates
        _end(FAILED, f"{url} cannot be asked: {error}")
    sys.stdout.write("ok\n")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command(
        epilog="Examples: `calza server health`; "
        "`calza server health https://127.0.0.1:8443/healthz --ca-file .calza/server/tls/ca.pem`."
    )(health)


def _detail(error: HTTPError) -> str:
    """The sentence of a problem document, or what there is."""
    try:
        document: object = json.loads(error.read(ANSWER_OCTETS_AT_MOST))
    except (ValueError, OSError):
        document = None
    detail = document.get("detail") if isinstance(document, dict) else None
    return str(detail) if detail else f"it answers {error.code} {error.reason}"


def _end(code: int, sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    raise typer.Exit(code)
