"""`calza server run` and `calza server broker`: everything on one machine, or its broker alone."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from calza_server.adapters.system_clock import SystemClock
from calza_server.commands.cli_manners import DEFAULT_STATE, JsonOption, StateOption, print_json
from calza_server.commands.run_options import (
    PASSWORD_VARIABLE,
    BrokerCaOption,
    BrokerHostOption,
    BrokerPortOption,
    HttpHostOption,
    HttpPortOption,
    ServersPortOption,
    TlsOption,
    broker_password,
    ends_plainly,
)
from calza_server.commands.store_cli import StoreOption
from calza_server.running.run_broker import BrokerWords
from calza_server.running.run_parts import LOOPBACK, store_token

if TYPE_CHECKING:
    from calza_server.running.run import BrokerReady, Ready


def run(
    state: StateOption = DEFAULT_STATE,
    http_port: HttpPortOption = 8080,
    http_host: HttpHostOption = LOOPBACK,
    broker: Annotated[
        str, typer.Option(help="auto, mosquitto, amqtt, or mqtts://USER@HOST:PORT.", envvar="CALZA_SERVER_BROKER")
    ] = "auto",
    mqtt_port: BrokerPortOption = 0,
    mqtt_host: BrokerHostOption = LOOPBACK,
    broker_ca: BrokerCaOption = None,
    tls: TlsOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run broker, ingest, API and pages until Ctrl-C. Listens on this machine only, unless told otherwise."""

    def ready(found: Ready) -> None:
        if as_json:
            print_json({"event": "ready", "http": found.http, "mqtt": found.mqtt, "broker": found.broker})
            return
        console = Console(soft_wrap=True)
        console.print(f"Pages and API  {found.http}")
        console.print(f"Gateways       {found.mqtt} ({found.broker})")
        console.print("Ctrl-C ends it.", style="dim")

    with ends_plainly():
        from calza_server.running.run import RunSettings, serve
        from calza_server.running.run_pages import HttpWords

        settings = RunSettings(
            state=state.absolute(),
            http=HttpWords(http_port, http_host, tls),
            broker=BrokerWords(broker, mqtt_port, tls, mqtt_host, password=broker_password(), ca_file=broker_ca),
            store=store,
            store_token=store_token(os.environ),
        )
        serve(settings, SystemClock(), secrets.token_bytes, ready)


def broker(
    state: StateOption = DEFAULT_STATE,
    kind: Annotated[str, typer.Option("--broker", help="auto, mosquitto or amqtt.")] = "auto",
    mqtt_port: BrokerPortOption = 0,
    mqtt_host: BrokerHostOption = LOOPBACK,
    servers_port: ServersPortOption = 0,
    tls: TlsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the broker alone until Ctrl-C. Gateways go to one port, `calza server ingest` and `api` to another."""

    def ready(found: BrokerReady) -> None:
        if as_json:
            print_json({"event": "ready", "mqtt": found.gateways, "servers": found.servers})
            return
        console = Console(soft_wrap=True)
        console.print(f"Gateways            {found.gateways}")
        console.print(f"Workers and pages   {found.servers} (this machine only)")

    with ends_plainly():
        from calza_server.running.run import serve_broker

        words = BrokerWords(kind, mqtt_port, tls, mqtt_host, servers_port)
        serve_broker(state.absolute(), words, secrets.token_bytes, ready)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command(
        epilog="Examples: `calza server run`; `calza server run --http-port 0 --json`; "
        "`calza server run --tls --mqtt-host 0.0.0.0`; "
        "`calza server run --broker mqtts://calza_server@broker.example:8883` "
        f"(password in {PASSWORD_VARIABLE} or the state folder)."
    )(run)
    app.command(
        epilog="Example: `calza server broker --mqtt-port 1883`, then `calza server ingest --broker mqtt://...` with "
        "the address it prints for workers."
    )(broker)
