"""`calza server order`: what is ordered for which leg. A running server notices every change by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.padding import Padding

from calza_server.commands.cli_manners import DEFAULT_STATE, FAILED, MISUSED, JsonOption, StateOption, end, print_json
from calza_server.documents.order_file import read_order
from calza_server.documents.preset_document import preset_document
from calza_server.domain.orders.presets import PROPOSAL_WORDS, PresetError, prescribe
from calza_server.domain.orders.rx_document import RuleError, read_prescription
from calza_server.errors import RunError
from calza_server.files.file_fault import FileFault
from calza_server.files.whole_file import read_file
from calza_server.registry import orders
from calza_server.registry.registry import RegistryError
from calza_server.registry.registry_edit import edit_registry, read_registry
from calza_server.registry.shipped_presets import preset as shipped_preset
from calza_server.registry.shipped_presets import presets as shipped_presets

if TYPE_CHECKING:
    from collections.abc import Callable

    from calza_server.domain.orders.prescription import Prescription
    from calza_server.registry.registry import RegistryContent

MOMENT: Final = "ISO 8601 with its offset, as in 2026-03-02T10:30+01:00."

app = typer.Typer(
    no_args_is_help=True,
    help="What is ordered: presets, orders of a leg, pauses, an early end.",
    epilog="Start with `calza server order presets`, then `calza server order give ana-left --preset davisville-3d`.",
)

LegArgument = Annotated[str, typer.Argument(help="The id of the leg, as `calza server register` was given it.")]


class Misuse(Exception):
    """A command line that cannot be meant; the sentence says what can. `code` is stable."""

    code: Final = "bad_option"


@app.command(epilog="Examples: `calza server order presets`; `calza server order presets --json`.")
def presets(as_json: JsonOption = False) -> None:
    """List the presets with their sources; those that are not verified are listed with the reason."""
    if as_json:
        print_json({"presets": [preset_document(each) for each in shipped_presets()]})
        return
    console = Console(highlight=False, markup=False)
    for each in shipped_presets():
        console.print(f"{each.id}: {each.title}", style="bold" if each.enabled else "dim")
        console.print(Padding(f"source: {each.source.text} ({each.source.reference})", (0, 0, 0, 4)))
        if each.needs:
            choices = "; ".join(f"{need.name}={'|'.join(one.value for one in need.options)}" for need in each.needs)
            console.print(Padding(f"to choose: {choices}", (0, 0, 0, 4)))
        if each.proposals:
            ours = ", ".join(PROPOSAL_WORDS[one] for one in each.proposals)
            console.print(Padding(f"our proposal, to be confirmed: {ours}", (0, 0, 0, 4)))
        if not each.enabled:
            console.print(Padding(f"cannot be ordered: {each.disabled_reason}", (0, 0, 0, 4)))
    for conflict in dict.fromkeys(each.conflict for each in shipped_presets() if each.conflict):
        console.print(conflict)


@app.command(
    epilog="Examples: `calza server order give ana-left --preset std-micro-14d --choose stocking=ral-2 "
    "--start 2026-03-02T10:30+00:00 --timezone Europe/London`; `calza server order give ana-left --file rx.json`."
)
def give(
    leg: LegArgument,
    preset: Annotated[str | None, typer.Option(help="The preset to make it from.")] = None,
    choose: Annotated[list[str] | None, typer.Option(help="What the preset leaves open.", metavar="NAME=VALUE")] = None,
    file: Annotated[Path | None, typer.Option(help="An order as JSON, in place of a preset.")] = None,
    start: Annotated[str | None, typer.Option(help=f"When it begins: {MOMENT} Default: now.")] = None,
    timezone: Annotated[str | None, typer.Option(help="The patient's zone, as in Europe/Rome. Default: UTC.")] = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Order something for a leg. An order that still runs is closed where this one starts, with its own verdict."""
    if (preset is None) == (file is None):
        end(MISUSED, Misuse("give --preset or --file: an order is made from one of them"))
    if file is not None and (start or timezone or choose):
        end(MISUSED, Misuse("--file says all there is to say; leave --start, --timezone and --choose out"))
    order = _from_file(file) if file is not None else _from_preset(str(preset), choose or [], start, timezone)
    _edit(state, leg, lambda content: orders.give(content, leg, order), as_json=as_json)


@app.command(
    epilog="Example: `calza server order pause ana-left --from 2026-03-06T00:00+00:00 --to 2026-03-08T00:00+00:00 "
    "--reason 'skin blister'`."
)
def pause(
    leg: LegArgument,
    from_: Annotated[str, typer.Option("--from", help=f"When it begins: {MOMENT}")],
    to: Annotated[str, typer.Option(help=f"When it ends: {MOMENT}")],
    reason: Annotated[str, typer.Option(help="Why, in a few words.")],
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Ask for nothing for a while: the minutes are excused, and the days need so much less."""
    begins, ends = _moment(from_, "--from"), _moment(to, "--to")
    _edit(state, leg, lambda content: orders.pause(content, leg, begins, ends, reason), as_json=as_json)


@app.command(epilog="Example: `calza server order stop ana-left --at 2026-03-12T12:00+00:00 --note rash`.")
def stop(
    leg: LegArgument,
    at: Annotated[str, typer.Option(help=f"When it ends: {MOMENT}")],
    note: Annotated[str, typer.Option(help="Why, in a few words.")],
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """End an order before its last day; its verdict then says that the order was shortened."""
    moment = _moment(at, "--at")
    _edit(state, leg, lambda content: orders.stop(content, leg, moment, note), as_json=as_json)


@app.command(epilog="Example: `calza server order retire CALZA-0001 --at 2026-03-09T08:00+00:00`.")
def retire(
    serial: Annotated[str, typer.Argument(help="The serial of the stocking.")],
    at: Annotated[str, typer.Option(help=f"When it was taken out of use: {MOMENT}")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Take a stocking out of use, as when it is replaced: its silence afterwards says nothing of the leg."""
    moment = _moment(at, "--at")
    try:
        edit_registry(state, lambda content: orders.retire(content, serial, moment))
    except (RegistryError, RunError, OSError) as error:
        end(FAILED, error)
    _print(f"{serial} is out of use from {moment:%d %b %Y %H:%M} on")


@app.command(epilog="Example: `calza server order show ana-left --json`.")
def show(leg: LegArgument, state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Every order of a leg, oldest first."""
    try:
        given = [read_prescription(each) for each in orders.find_leg(read_registry(state), leg).orders]
    except (RegistryError, RuleError, OSError) as error:
        end(FAILED, error)
    if as_json:
        print_json({"leg": leg, "orders": [each.document() for each in given]})
        return
    for each in given:
        _print(_sentence(each))
    if not given:
        _print(f"nothing is ordered for {leg}")


def _from_file(file: Path) -> Prescription:
    try:
        return read_order(read_file(file), str(file))
    except FileFault as error:
        end(MISUSED, error)


def _from_preset(name: str, chosen: list[str], start: str | None, timezone: str | None) -> Prescription:
    choices: dict[str, str | int] = {}
    for each in chosen:
        key, equals, value = each.partition("=")
        if not equals:
            end(MISUSED, Misuse(f"--choose {each!r} must be NAME=VALUE"))
        choices[key] = value
    begins = datetime.now(UTC).replace(second=0, microsecond=0) if start is None else _moment(start, "--start")
    try:
        return prescribe(shipped_preset(name), begins, timezone or "UTC", **choices)
    except (PresetError, RuleError) as error:
        end(MISUSED, error)


def _moment(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        end(MISUSED, Misuse(f"{option} {text!r} must be {MOMENT}"))
    return moment


def _edit(state: Path, leg: str, change: Callable[[RegistryContent], RegistryContent], *, as_json: bool) -> None:
    try:
        newest = orders.find_leg(edit_registry(state, change), leg).prescription
        order = read_prescription(newest)
    except (RegistryError, RuleError, RunError, OSError) as error:
        end(FAILED, error)
    if as_json:
        print_json({"leg": leg, "order": order.document()})
    else:
        _print(f"{leg}: {_sentence(order)}")


def _sentence(order: Prescription) -> str:
    zone = ZoneInfo(order.timezone)
    first, after = (datetime.fromtimestamp(at * 60, zone) for at in (order.start_minute, order.end_minute))
    if not order.phases:
        return f"no compression, ordered {first:%d %b %Y}"
    phases = ", then ".join(
        f"{each.days} day{'s'[: each.days != 1]} {each.mode.value} {each.hours:g} h" for each in order.phases
    )
    label = f" ({order.label})" if order.label else ""
    return f"{phases}; from {first:%d %b %Y %H:%M} until {after:%d %b %Y %H:%M} {order.timezone}{label}"


def _print(text: str) -> None:
    Console(soft_wrap=True, highlight=False, markup=False).print(text)
