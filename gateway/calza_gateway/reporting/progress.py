"""Showing what the gateway does: JSON lines for programs, bars on a terminal, lines in a log."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from calza_gateway.reporting import events
from calza_gateway.reporting.events import GatewayEvent

EVENT_NAMES: Final[dict[type[GatewayEvent], str]] = {
    events.Connected: "connected",
    events.SyncBegan: "sync_began",
    events.Progress: "progress",
    events.SyncEnded: "sync_ended",
    events.Broker: "broker",
    events.ReceiptCame: "receipt",
    events.Drained: "drained",
    events.LiveMinuteCame: "live",
    events.Problem: "error",
    events.AdapterChanged: "adapter",
    events.StockingChanged: "stocking",
}

_log = logging.getLogger("calza.gateway")


def sentence(event: GatewayEvent) -> str | None:
    """The event in words, None for one that is only worth a bar."""
    match event:
        case events.Connected(serial):
            return f"{serial}: connected"
        case events.SyncBegan(serial, expected):
            return f"{serial}: {expected} records to fetch"
        case events.SyncEnded():
            gone = f", {event.absent} no longer in the stocking" if event.absent else ""
            clock = ", clock set" if event.clock_set else ""
            return f"{event.serial}: {event.fetched} of {event.expected} records fetched{gone}{clock}"
        case events.Broker(_, _, text):
            return text
        case events.ReceiptCame(serial, stored, refused, pending):
            if event.reports and not stored + refused:
                return f"{serial}: {event.reports} sync reports settled by the server"
            turned_down = f", {refused} refused" if refused else ""
            return f"{serial}: {stored} records stored by the server{turned_down}, {pending} waiting"
        case events.Drained(refused):
            return "nothing waits for the server" + (f"; {refused} refused records are kept" if refused else "")
        case events.Problem(_, text, serial):
            return f"{serial}: {text}" if serial else text
        case events.AdapterChanged(adapter):
            return f"adapter {adapter.name}: {adapter.sentence or adapter.state.value}"
        case events.StockingChanged(stocking):
            return f"{stocking.serial}: {stocking.sentence or stocking.state.value.replace('_', ' ')}"
        case events.Progress() | events.LiveMinuteCame():  # readings do not belong in a log
            return None


def live_words(event: events.LiveMinuteCame) -> str:
    """A live minute for the person who fits a stocking."""
    return (
        f"{event.serial}: ankle {event.ankle_mmhg:.0f}, calf {event.calf_mmhg:.0f}, thigh {event.thigh_mmhg:.0f} mmHg,"
        f" skin {event.skin_c:.1f} degC"
    )


def as_json(event: GatewayEvent) -> str:
    """The event as one line of JSON; of a standing its own fields."""
    fields = event.standing if isinstance(event, events.AdapterChanged | events.StockingChanged) else event
    return json.dumps({"event": EVENT_NAMES[type(event)], **asdict(fields)})


def json_lines(out: TextIO) -> Callable[[GatewayEvent], None]:
    """Tell a program: one JSON document per line, at once."""

    def tell(event: GatewayEvent) -> None:
        out.write(as_json(event) + "\n")
        out.flush()

    return tell


def log_lines(event: GatewayEvent) -> None:
    """Tell a log: a line for everything but progress."""
    text = sentence(event)
    if text is not None:
        _log.log(logging.WARNING if isinstance(event, events.Problem) else logging.INFO, "%s", text)


class Bars:
    """Tell a person at a terminal: a bar per stocking, problems in between. A context manager."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def tell(self, event: GatewayEvent) -> None:
        """Show one event."""
        match event:
            case events.SyncBegan(serial, expected):
                if serial in self._bars:
                    self._progress.reset(self._bars[serial], total=expected)
                else:
                    self._bars[serial] = self._progress.add_task(serial, total=expected)
            case events.Progress(serial, fetched, _):
                if serial in self._bars:
                    self._progress.update(self._bars[serial], completed=fetched)
            case events.LiveMinuteCame():
                self._progress.console.print(live_words(event), markup=False, highlight=False)
            case events.Problem() | events.Broker() | events.SyncEnded() | events.AdapterChanged():
                self._progress.console.print(sentence(event), markup=False, highlight=False)
