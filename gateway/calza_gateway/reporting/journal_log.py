"""The log of a gateway that runs for months under systemd: priorities for the journal, and no flood.

The journal keeps the time and the process itself, so a line is `<priority>text` (sd-daemon(3)), without colours. What
is said again and again is said once, then as a count at growing distances. Routine is told as one line an hour.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from calza_gateway.reporting import events
from calza_gateway.reporting.events import GatewayEvent, Tell
from calza_gateway.reporting.progress import sentence
from calza_gateway.reporting.standing import AdapterState, StockingState

REPEAT_MIN_S: Final = 600.0  # the same again within ten minutes tells nobody anything new
REPEAT_MAX_S: Final = 21_600.0  # four times a day for what has lasted for weeks: who looks finds it on the last page
ROUTINE_EVERY_S: Final = 3_600.0  # a sign of life: 24 lines a day however many stockings
ALWAYS: Final = "always"  # the key of what is never a repetition
KEYS_MAX: Final = 500  # different messages remembered; more than that is a fault in itself and is let through

_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_log = logging.getLogger("calza.gateway")


def log_to(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Send this program's log there; whether it is the journal."""
    handler = logging.StreamHandler(stream)
    journal = is_journal(stream, environment)
    handler.setFormatter(JournalFormatter() if journal else logging.Formatter("%(message)s"))
    if journal:
        handler.addFilter(SaidOnce())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    _log.setLevel(logging.INFO)
    return journal


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether this stream is the one systemd connected to its journal (`JOURNAL_STREAM`, systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:  # not a file at all
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class JournalFormatter(logging.Formatter):
    """A record as lines of which each begins with its priority; the lines of a traceback stay together that way."""

    def format(self, record: logging.LogRecord) -> str:
        """The text for the stream."""
        level = next((number for least, number in _PRIORITIES if record.levelno >= least), 7)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines())


@dataclass(slots=True)
class _Repeated:
    said_s: float
    spacing_s: float
    hidden: int = 0


class SaidOnce(logging.Filter):
    """Lets a message pass when it is new or was not said for a while, then with how often it came meanwhile.

    Messages are the same if they have the same `key` (given by `extra`), or else logger and unformatted text. One that
    has kept quiet for its whole distance begins anew.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now_s = now_s
        self._known: dict[object, _Repeated] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to say it; adds the count to its text."""
        key = getattr(record, "key", None) or (record.name, record.msg)
        if key == ALWAYS:
            return True
        known, now_s = self._known.get(key), self._now_s()
        if known is None or now_s < known.said_s:  # a clock that was set back begins anew, too
            if len(self._known) >= KEYS_MAX:
                self._known.clear()
            self._known[key] = _Repeated(now_s, REPEAT_MIN_S)
            return True
        if now_s - known.said_s < known.spacing_s:
            known.hidden += 1
            return False
        if known.hidden:
            record.msg, record.args = f"{record.getMessage()} (and {known.hidden} times before)", ()
            known.spacing_s = min(REPEAT_MAX_S, 2 * known.spacing_s)
        else:
            known.spacing_s = REPEAT_MIN_S
        known.said_s, known.hidden = now_s, 0
        return True


def journal_lines(now_s: Callable[[], float] = time.time) -> Tell:
    """Tell the journal: problems and changes at once (`SaidOnce` sees to the rest), routine in one line an hour."""
    return _Journal(now_s).tell


class _Journal:
    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._routine: Counter[str] = Counter()
        self._states: dict[str, str] = {}
        self._since_s: float | None = None

    def tell(self, event: GatewayEvent) -> None:
        match event:
            case events.Connected():
                self._routine["connections"] += 1
            case events.SyncEnded():
                self._routine["syncs"] += 1
                self._routine["records fetched"] += event.fetched
            case events.ReceiptCame():
                self._routine["records stored by the server"] += event.stored
                self._routine["records refused"] += event.refused
                if event.refused:
                    self._say(logging.WARNING, event, ("refused", event.serial))
            case events.Problem(code, _, serial):
                self._say(logging.WARNING, event, (code, serial))
            case events.Broker(up, code):
                self._say(logging.INFO if up else logging.WARNING, event, ("broker", code))
            case events.AdapterChanged(standing):
                if self._news(standing.name, standing.state.value):
                    well = standing.state is AdapterState.OK
                    self._say(logging.INFO if well else logging.WARNING, event, (standing.name, standing.state))
            case events.StockingChanged(stocking):
                nothing_to_say = stocking.state is StockingState.UNKNOWN and stocking.sentence is None
                if not nothing_to_say and self._news(stocking.serial, stocking.state.value):
                    bad = stocking.state in {StockingState.TROUBLE, StockingState.NEEDS_PERSON}
                    self._say(logging.WARNING if bad else logging.INFO, event, (stocking.serial, stocking.state))
            case _:
                pass
        self._hourly()

    def _news(self, name: str, state: str) -> bool:
        before, self._states[name] = self._states.get(name), state
        return before != state

    def _say(self, level: int, event: GatewayEvent, key: tuple[object, ...]) -> None:
        text = sentence(event)
        if text is not None:
            _log.log(level, "%s", text, extra={"key": key})

    def _hourly(self) -> None:
        now_s = self._now_s()
        if self._since_s is None or now_s < self._since_s:
            self._since_s = now_s
        if now_s - self._since_s < ROUTINE_EVERY_S:
            return
        done = ", ".join(f"{count} {what}" for what, count in sorted(self._routine.items()) if count)
        _log.info("in the last hour: %s", done or "nothing", extra={"key": ALWAYS})
        self._routine.clear()
        self._since_s = now_s
