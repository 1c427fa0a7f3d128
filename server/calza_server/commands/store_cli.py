"""`calza server init`: makes the series store ready before the first record comes, and says what it did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from calza_server.commands.cli_manners import DEFAULT_STATE, FAILED, MISUSED, JsonOption, StateOption, end, print_json
from calza_server.errors import SpecError
from calza_server.ports import StoreError
from calza_server.running.run_parts import default_store, open_store, store_token
from calza_server.store_spec import STORE_FORMS, STORE_VARIABLE, InfluxSpec, SqliteSpec, parse_store

if TYPE_CHECKING:
    from calza_server.store_spec import StoreSpec

DAY_S: Final = 86_400

StoreOption = Annotated[
    str | None, typer.Option("--store", help=f"{STORE_FORMS}; default: a file in --state.", envvar=STORE_VARIABLE)
]


def init(state: StateOption = DEFAULT_STATE, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Make the store ready: file, or bucket with its name in InfluxQL. Done again it changes nothing."""
    text = store or default_store(state.absolute())
    try:
        spec = parse_store(text)
    except ValueError as error:
        end(MISUSED, error)
    try:
        version, steps, kept_s = _prepared(spec, text)
    except SpecError as error:
        end(MISUSED, error)
    except StoreError as error:
        end(FAILED, error)
    if as_json:
        kept_days = None if kept_s is None else kept_s / DAY_S
        print_json({"event": "ready", "version": version, "steps": steps, "kept_days": kept_days})
    else:
        console = Console(soft_wrap=True)
        for step in (*([f"InfluxDB {version}"] if version else []), *steps):
            console.print(step, highlight=False)


def _prepared(spec: StoreSpec, text: str) -> tuple[str | None, tuple[str, ...], int | None]:
    """Version, what was done, and how many seconds readings are kept (None: for good)."""
    if isinstance(spec, InfluxSpec):
        from calza_server.adapters.influx_setup import prepare

        ready = prepare(spec, store_token(os.environ))
        return ready.version, ready.steps, ready.kept_s
    open_store(text).close()
    kept = f"{spec.path} is ready" if isinstance(spec, SqliteSpec) else "nothing to do: it is gone when the server ends"
    return None, (kept,), None
