"""`calza server ca`: a private authority, and certificates for broker and server, in one step."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from calza_server.access.tls_files import TlsError, tls_files
from calza_server.adapters.system_clock import SystemClock
from calza_server.commands.cli_manners import DEFAULT_STATE, FAILED, MISUSED, JsonOption, StateOption, end, print_json
from calza_server.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

    from calza_server.ca import Kept

KEY_ADVICE: Final = (
    "Whoever has {key} can pose as this server: keep it offline, "
    "away from this machine, and put it back only for `calza server ca --renew`."
)
PIN_ADVICE: Final = (
    "Give {ca} to every gateway (--ca-file); it is no secret, and its fingerprint shows that it is this one."
)

app = typer.Typer(
    invoke_without_command=True,
    help="Make a private authority and certificates for broker and server; never replaces an authority.",
    epilog="Examples: `calza server ca --host clinic.example --host 192.0.2.7`; `calza server ca --renew`; "
    "`calza server ca show`.",
)


@app.callback()
def ca(
    context: typer.Context,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name or address that gateways and browsers use; several. Default: this machine's name."),
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Make both certificates anew, with new keys.")] = False,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Make what is missing and say what there is. A running server takes a renewed certificate by itself."""
    if context.invoked_subcommand is not None:
        sources = {name: context.get_parameter_source(name) for name in context.params}
        before = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
        if before:  # it would be without effect
            told = f"--{before[0].removeprefix('as_')} comes after `{context.invoked_subcommand}`, if at all"
            end(MISUSED, TlsError("bad_option", told))
        return
    from calza_server.ca import establish

    try:
        made = establish(state, host or (), socket.gethostname(), SystemClock().now_ms(), renew=renew)
    except TlsError as error:
        end(MISUSED if error.code == "bad_host" else FAILED, error)
    except (RunError, OSError) as error:
        end(FAILED, error)
    if as_json:
        print_json({"event": "certificates", "made": [str(path) for path in made], "files": _documents(state)})
        return
    for path in made:
        _say(f"made  {path}")
    _print(state)
    files = tls_files(state)
    _say(PIN_ADVICE.format(ca=files.ca))
    if files.ca_key.exists():
        _say(KEY_ADVICE.format(key=files.ca_key))


@app.command(epilog="Examples: `calza server ca show`; `calza server ca show --json`.")
def show(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """When each certificate ends, for which names it is, and its fingerprint."""
    if as_json:
        print_json({"event": "certificates", "files": _documents(state)})
    else:
        _print(state)


def _documents(state: Path) -> list[dict[str, object]]:
    now_ms = SystemClock().now_ms()
    return [
        {
            "file": str(each.path),
            "names": list(each.facts.names),
            "begins": each.facts.begins.isoformat(),
            "ends": each.facts.ends.isoformat(),
            "days_left": round(each.facts.days_left(now_ms), 1),
            "sha256": each.facts.fingerprint,
        }
        for each in _kept(state)
    ]


def _print(state: Path) -> None:
    from calza_server.ca import expiry_warnings

    now_ms = SystemClock().now_ms()
    for each in _kept(state):
        left = each.facts.days_left(now_ms)
        whose = "every gateway's trust anchor" if each.path == tls_files(state).ca else ", ".join(each.facts.names)
        _say(f"{each.path}: {whose}")
        _say(f"  ends {each.facts.ends:%Y-%m-%d}, in {left:.0f} days; SHA-256 {each.facts.fingerprint}")
    for sentence in expiry_warnings(state, now_ms):
        _say(f"Attention: {sentence}.")


def _say(line: str) -> None:
    """Plainly: in a fingerprint `:AB:` is no picture."""
    sys.stdout.write(f"{line}\n")


def _kept(state: Path) -> tuple[Kept, ...]:
    from calza_server.ca import kept

    try:
        found = kept(state)
    except (TlsError, OSError) as error:
        end(FAILED, error)
    if not found:
        missing = f"there is no certificate in {tls_files(state).folder}: `calza server ca` makes them"
        end(FAILED, TlsError("tls_no_certificate", missing))
    return found
