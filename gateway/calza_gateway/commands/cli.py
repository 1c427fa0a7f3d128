"""`calza gateway`: builds the adapters from what was asked for, and handles signals. Mounts `scan` and `pair` too.

Results go to standard output, everything else to standard error. Exit code 0: done, 1: failed, 2: misused.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from calza_gateway.commands import cli_health, cli_radio, cli_status
from calza_gateway.ports import OutboxError, RadioError
from calza_gateway.reporting.events import Tell
from calza_gateway.reporting.journal_log import journal_lines, log_to
from calza_gateway.reporting.progress import Bars, json_lines, log_lines
from calza_gateway.settings.box_settings import MetricsError
from calza_gateway.settings.settings import SETTINGS, Settings, SettingsError, resolve
from calza_gateway.state.bonds import StateError, read_stockings
from calza_gateway.state.lock import LockedError, only_one

FAILED: Final = 1
MISUSED: Final = 2

RUN_EXAMPLES = """
Examples:

  calza gateway run --id ward-3 --broker mqtts://ward-3@broker.example --password-file secret.txt

  calza gateway run --id home --radio sim:tcp://127.0.0.1:7800 --once --json

Every setting can also come from the environment: CALZA_GATEWAY_ID, CALZA_GATEWAY_BROKER, CALZA_GATEWAY_PASSWORD,
CALZA_GATEWAY_PASSWORD_FILE, CALZA_GATEWAY_CA_FILE, CALZA_GATEWAY_RADIO, CALZA_GATEWAY_STATE, CALZA_GATEWAY_INTERVAL,
CALZA_GATEWAY_TIMEOUT, CALZA_GATEWAY_METRICS, CALZA_GATEWAY_OUTBOX_LIMIT, CALZA_GATEWAY_FREE_DISK.
"""
app = typer.Typer(
    no_args_is_help=True,
    help="Read stockings over Bluetooth LE and forward them over MQTT.",
    epilog="Start with `calza gateway scan`, then `pair`, then `run`.",
)
cli_radio.register(app)


@app.command(epilog=RUN_EXAMPLES)
def run(
    id_: Annotated[
        str | None, typer.Option("--id", help="This gateway's id, as the server and the broker know it.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option(help=f"mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT]. Default: {SETTINGS['broker']}.")
    ] = None,
    password_file: Annotated[Path | None, typer.Option(help="A file with the broker password.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="The certificate authority of an mqtts broker.")] = None,
    radio: Annotated[
        list[str] | None, typer.Option(help="bluez, bluez:hci1 or sim:tcp://HOST:PORT; may be given several times.")
    ] = None,
    state: cli_status.StateOption = None,
    interval: Annotated[
        float | None, typer.Option(help=f"Seconds between two syncs of a stocking. Default: {SETTINGS['interval']}.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Stay connected and forward live minutes in between.")] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Sync every stocking once, wait until the server has confirmed all, and end.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option(help=f"Seconds that --once may take in all. Default: {SETTINGS['timeout']}.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Offer figures for Prometheus at HOST:PORT, such as 127.0.0.1:9464.")
    ] = None,
    outbox_limit: Annotated[
        int | None, typer.Option(help=f"Records the outbox may hold. Default: {SETTINGS['outbox_limit']}.")
    ] = None,
    free_disk: Annotated[
        int | None, typer.Option(help=f"Megabytes of the disk to leave free. Default: {SETTINGS['free_disk']}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line for programs.")] = False,
) -> None:
    """Sync the paired stockings and forward what they kept, for ever or once."""
    if live and once:
        _end(MISUSED, "give --live or --once, not both")
    flags = {
        "id": id_,
        "broker": broker,
        "password_file": _text(password_file),
        "ca_file": _text(ca_file),
        "radio": ",".join(radio) if radio else None,
        "state": _text(state),
        "interval": _text(interval),
        "timeout": _text(timeout),
        "metrics": metrics,
        "outbox_limit": _text(outbox_limit),
        "free_disk": _text(free_disk),
    }
    try:
        settings = resolve(flags, os.environ)
    except SettingsError as error:
        _end(MISUSED, str(error))
    journal = log_to(sys.stderr, os.environ)
    try:
        with only_one(settings.state), _display(as_json=as_json, journal=journal) as tell:
            stopped = "stopped before the end" if once else None
            failure = asyncio.run(_until_signalled(_run(settings, tell, live=live, once=once), stopped))
    except (LockedError, StateError, OutboxError, RadioError, MetricsError) as error:
        if as_json:
            _print_json({"event": "error", "reason": error.code, "sentence": str(error), "serial": None})
        _end(FAILED, str(error))
    if failure is not None:
        _end(FAILED, failure)


cli_status.register(app)
cli_health.register(app)


async def _run(settings: Settings, tell: Tell, *, live: bool, once: bool) -> str | None:
    """Build everything, run it, take it apart. The sentence to end with, None if all is well."""
    from calza_gateway import service
    from calza_gateway.adapters.paho_link import PahoLink, Presence
    from calza_gateway.adapters.radios import open_radio
    from calza_gateway.adapters.sqlite_outbox import SqliteOutbox
    from calza_gateway.adapters.system_clock import SystemClock
    from calza_gateway.box.box import Box
    from calza_gateway.commands.status import OUTBOX_FILE
    from calza_gateway.forwarding.outbox_limit import OutboxLimit
    from calza_gateway.settings.radio_spec import resolved
    from calza_wire.gateway_status import GatewayStatus
    from calza_wire.topics import DOWNWARDS, Kind, down, up

    stockings = read_stockings(settings.state)
    if not stockings:
        return f"no stocking is paired in {settings.state}: run `calza gateway pair` first"
    software = _software()
    presence = Presence(
        up(settings.gateway, Kind.STATUS),
        GatewayStatus("online", software).encode(),
        GatewayStatus("offline", software).encode(),
    )
    try:
        link = PahoLink(
            settings.broker,
            client_id=settings.gateway,
            subscriptions=[down(settings.gateway, kind) for kind in DOWNWARDS],
            presence=presence,
            jitter=random.random,
            ca_file=settings.ca_file,
        )
    except OSError as error:
        return f"the certificate file {settings.ca_file} cannot be used: {error}"
    limit = OutboxLimit.on_disk(settings.state, settings.outbox_limit, settings.free_disk)
    outbox = SqliteOutbox.open(settings.state / OUTBOX_FILE, limit)
    clock = SystemClock()
    box = Box(settings, clock, tell, os.environ)
    try:
        radios = {spec.name: open_radio(spec, settings.state) for spec in map(resolved, settings.radios)}
        try:
            parts = service.Parts(
                gateway=settings.gateway,
                software=software,
                stockings=stockings,
                radios=radios,
                outbox=outbox,
                link=link,
                clock=clock,
                tell=box.tell,
                interval_s=settings.interval_s,
                pulse=box.pulse,
            )
            beside = partial(box.beside, outbox=outbox, link=link, software=software, stockings=len(stockings))
            if once:
                return (await beside(service.once(parts, settings.timeout_s))).sentence
            await beside(service.serve(parts, live=live))
            return None
        finally:
            for radio in radios.values():
                await radio.close()
    finally:
        outbox.close()


async def _until_signalled(work: Coroutine[None, None, str | None], stopped: str | None) -> str | None:
    """Run the work; SIGTERM or Ctrl-C cancels it, so that everything ends in order. A second one ends it at once."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)

    def stop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        task.cancel()

    with suppress(NotImplementedError):  # Windows: Ctrl-C cancels the task by itself, and there is nothing else
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        return await task
    return stopped


@contextmanager
def _display(*, as_json: bool, journal: bool) -> Iterator[Tell]:
    console = Console(stderr=True)
    if as_json:
        yield json_lines(sys.stdout)
    elif console.is_terminal:
        with Bars(console) as bars:
            yield bars.tell
    else:
        yield journal_lines() if journal else log_lines


def _software() -> str:
    try:
        return f"calza {version('calza')}"
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "calza"


def _text(value: Path | float | None) -> str | None:
    return None if value is None else str(value)


def _print_json(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _end(code: int, sentence: str) -> NoReturn:
    Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
