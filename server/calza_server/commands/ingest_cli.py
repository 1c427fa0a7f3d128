"""`calza server ingest` and `calza server api`: the parts of a server as processes of their own, to grow by."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from calza_server.adapters.metrics_listener import parse_listen
from calza_server.adapters.system_clock import SystemClock
from calza_server.commands.cli_manners import DEFAULT_STATE, JsonOption, StateOption, print_json
from calza_server.commands.run_options import (
    BrokerCaOption,
    BrokerUrlOption,
    HttpHostOption,
    HttpPortOption,
    TlsOption,
    broker_password,
    ends_plainly,
)
from calza_server.commands.store_cli import StoreOption
from calza_server.errors import SpecError
from calza_server.running.run_broker import BrokerWords
from calza_server.running.run_parts import LOOPBACK, store_token

if TYPE_CHECKING:
    from pathlib import Path

    from calza_server.running.run_apart import ApartSettings, PagesReady, WorkerReady

MetricsOption = Annotated[
    str | None,
    typer.Option("--metrics", help="HOST:PORT for /metrics and /healthz; off loopback with the server's certificate."),
]


def ingest(
    broker: BrokerUrlOption,
    state: StateOption = DEFAULT_STATE,
    broker_ca: BrokerCaOption = None,
    store: StoreOption = None,
    metrics: MetricsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run one ingest worker until Ctrl-C: it takes its share of what gateways send. Start as many as there is work.

    Several need a database that several may write to (--store influx+http://...), and a broker of MQTT 5.
    """

    def ready(found: WorkerReady) -> None:
        if as_json:
            shown = {"broker": found.broker, "client": found.client, "metrics": found.metrics}
            print_json({"event": "ready", **shown})
            return
        console = Console(soft_wrap=True)
        console.print(f"Takes its share from {found.broker} as {found.client}")
        if found.metrics is not None:
            console.print(f"Metrics and health   {found.metrics}")
        console.print("Ctrl-C ends it.", style="dim")

    with ends_plainly():
        from calza_server.running.run_apart import serve_ingest

        settings = _settings(state, broker, broker_ca, store)
        try:
            where = None if metrics is None else parse_listen(metrics)
        except ValueError as error:
            raise SpecError(str(error)) from error
        serve_ingest(settings, where, SystemClock(), secrets.token_bytes, ready)


def api(
    broker: BrokerUrlOption,
    state: StateOption = DEFAULT_STATE,
    broker_ca: BrokerCaOption = None,
    http_port: HttpPortOption = 8080,
    http_host: HttpHostOption = LOOPBACK,
    tls: TlsOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run pages and API alone until Ctrl-C; workers (`calza server ingest`) do the storing."""

    def ready(found: PagesReady) -> None:
        if as_json:
            print_json({"event": "ready", "http": found.http, "broker": found.broker})
            return
        console = Console(soft_wrap=True)
        console.print(f"Pages and API  {found.http}")
        console.print(f"Listens to     {found.broker}")
        console.print("Ctrl-C ends it.", style="dim")

    with ends_plainly():
        from calza_server.running.run_apart import serve_api
        from calza_server.running.run_pages import HttpWords

        settings = _settings(state, broker, broker_ca, store)
        serve_api(settings, HttpWords(http_port, http_host, tls), SystemClock(), secrets.token_bytes, ready)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command(
        epilog="Examples: `calza server ingest --broker mqtt://127.0.0.1:41885 --store "
        "'influx+http://127.0.0.1:8086?bucket=calza'`; "
        "`calza server ingest --broker mqtts://calza_server@broker.example:8884 --metrics 127.0.0.1:9465 --json`."
    )(ingest)
    app.command(
        epilog="Examples: `calza server api --broker mqtt://127.0.0.1:41885`; "
        "`calza server api --broker mqtts://calza_server@broker.example:8884 --tls --http-host 0.0.0.0`."
    )(api)


def _settings(state: Path, broker: str, broker_ca: Path | None, store: str | None) -> ApartSettings:
    from calza_server.running.run_apart import ApartSettings

    words = BrokerWords(broker, password=broker_password(), ca_file=broker_ca)
    return ApartSettings(state.absolute(), words, store, store_token(os.environ))
