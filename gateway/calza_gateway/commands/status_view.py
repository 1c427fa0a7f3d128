"""The status for a person: what is well in few words, what is not with the sentence that says what to do."""

from collections.abc import Iterator
from typing import Final

from rich.console import Group
from rich.text import Text

from calza_gateway.commands.status import Status, StockingStatus
from calza_gateway.reporting.standing import AdapterState, Health, StockingState
from calza_wire.messages import GatewayClock

REFUSED_SHOWN: Final = 20
COLOURS: Final = {Health.OK: "green", Health.DEGRADED: "yellow", Health.STUCK: "red"}
ALARMING: Final = frozenset({AdapterState.STUCK, StockingState.NEEDS_PERSON})
CLOCK_WORDS: Final = {
    GatewayClock.SYNCHRONISED: "this machine's clock is kept by a time server",
    GatewayClock.UNSYNCHRONISED: "no time server keeps this machine's clock: times may be wrong; see `timedatectl`",
    GatewayClock.UNKNOWN: "the system does not tell whether this machine's clock is right",
}


def view(status: Status, now_ms: int) -> Group:
    """Everything, to be printed by rich."""
    return Group(*_gateway(status, now_ms), *_stockings(status, now_ms), *_problems(status), *_refused(status))


def _gateway(status: Status, now_ms: int) -> Iterator[Text]:
    yield _state(status, now_ms)
    waiting = f"{status.pending} records wait for the server"
    if status.oldest_ms is not None:
        waiting += f", the oldest for {ago(now_ms - status.oldest_ms)}"
    yield Text(f"{waiting}; {status.reports} sync reports" if status.reports else waiting)
    yield Text(CLOCK_WORDS[status.clock])
    for one in status.adapters:
        remedies = (
            f"; {one.resets} resets, {one.restarts} restarts of the service" if one.resets or one.restarts else ""
        )
        since = ago((now_ms if status.running else status.standing_ms or now_ms) - one.since_ms)
        yield Text(f"adapter {one.name}: {one.state.value} for {since}{remedies}", _style(one.state))
        if one.sentence:
            yield Text(f"  {one.sentence}")


def _state(status: Status, now_ms: int) -> Text:
    if not status.running:
        if status.standing_ms is None:
            return Text("not running", "yellow")
        return Text(f"not running; the states below are history, {ago(now_ms - status.standing_ms)} old", "yellow")
    if status.health is None:
        return Text("running", "green")
    return Text(f"running, {status.health.value}", COLOURS[status.health])


def _stockings(status: Status, now_ms: int) -> Iterator[Text]:
    for one in status.stockings:
        leg = f"{one.side} leg" if one.side else "not paired"
        standing = one.standing
        state = "" if standing is None else f": {standing.state.value.replace('_', ' ')}"
        yield Text(f"{one.serial}, {leg}{state}", "" if standing is None else _style(standing.state))
        if standing is not None and standing.sentence:
            yield Text(f"  {standing.sentence}")
        yield Text(f"  last sync {_when(one.synced_ms, now_ms)}; last try {_when(one.tried_ms, now_ms)}{_found(one)}")
        yield Text(f"  {one.pending} waiting, {one.refused} refused, {one.receipted} stored by the server")


def _found(one: StockingStatus) -> str:
    """What the last visit found, as far as it got."""
    found = [] if one.outcome is None else [one.outcome]
    if one.backlog is not None:
        found.append(f"{one.backlog} records left in it")
    if one.clock_error_ms is not None:
        found.append(f"its clock {_clock_error(one.clock_error_ms)}")
    if one.battery_percent is not None:
        found.append(f"battery {one.battery_percent} %")
    return f": {', '.join(found)}" if found else ""


def _problems(status: Status) -> Iterator[Text]:
    for one in status.problems:
        yield Text(f"{one.serial}: {one.sentence}" if one.serial else one.sentence, "yellow" if status.running else "")


def _refused(status: Status) -> Iterator[Text]:
    for refusal in status.refusals[:REFUSED_SHOWN]:
        yield Text(f"refused: {refusal.serial} record {refusal.number}: {refusal.reason} ({refusal.detail})")
    if len(status.refusals) > REFUSED_SHOWN:
        yield Text(f"and {len(status.refusals) - REFUSED_SHOWN} more, see --json")


def _style(state: AdapterState | StockingState) -> str:
    return "red" if state in ALARMING else ""


def _when(at_ms: int | None, now_ms: int) -> str:
    return "never" if at_ms is None else f"{ago(now_ms - at_ms)} ago"


def _clock_error(milliseconds: int) -> str:
    """Fast or slow; a second is what the stocking's clock can tell."""
    if abs(milliseconds) < 1_000:
        return "right"
    return f"{ago(abs(milliseconds))} {'fast' if milliseconds > 0 else 'slow'}"


def ago(milliseconds: int) -> str:
    """A span in the largest unit that fits."""
    seconds = max(0, milliseconds // 1000)
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
