"""Fetches the export of a leg from a running server. Knows the one address, and checks what comes before it is kept."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from calza_server.documents.export_file import document_text, read_export_file
from calza_server.files.file_fault import FileFault, printable
from calza_server.files.whole_file import OCTETS_AT_MOST

WAIT_S: Final = 30.0
SAID_AT_MOST_OCTETS: Final = 10_000  # of an answer that is no export


class NoExport(OSError):
    """The server gave no export. `code` is stable."""

    code: Final = "no_export"


class NoAddress(ValueError):
    """That is not where a server can be. `code` is stable."""

    code: Final = "no_address"


def fetch_export(server: str, leg: str, order: int | None = None) -> str:
    """The file of the export of one order of a leg, counted from 1; None: the newest.

    Raises NoExport, JudgedByAnotherRule, and NoAddress where `server` is none.
    """
    if not _is_address(server):
        raise NoAddress(f"--server {printable(server)} must be an address like http://127.0.0.1:8080")
    address = f"{server.rstrip('/')}/api/v1/legs/{quote(leg, safe='')}/export" + (
        "" if order is None else f"?order={order}"
    )
    request = Request(address, headers={"Accept": "application/json"})  # noqa: S310 - http and https only, see above
    try:
        with urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310 - http and https only, see above
            octets: bytes = answer.read(OCTETS_AT_MOST)
    except HTTPError as error:
        with error:
            raise NoExport(f"the server has no export of leg {printable(leg)}: {_said(error)}") from error
    except (HTTPException, OSError, UnicodeError) as error:
        why = getattr(error, "reason", None) or error
        raise NoExport(f"{printable(server)} cannot be reached: {printable(str(why))}") from error
    try:
        return document_text(read_export_file(octets, "the server's answer")[1])
    except FileFault as error:
        raise NoExport(str(error)) from error


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half a bracket, or a port that is no number
        return False


def _said(error: HTTPError) -> str:
    """What the server says itself (RFC 9457), or what its status means."""
    try:
        problem = json.loads(error.read(SAID_AT_MOST_OCTETS))
        detail = problem.get("detail") if isinstance(problem, dict) else None
    except (OSError, ValueError, RecursionError):
        detail = None
    if isinstance(detail, str) and detail:
        return printable(detail)
    return f"{error.code} {printable(error.reason)}"
