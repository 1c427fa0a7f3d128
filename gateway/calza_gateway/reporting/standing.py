"""How the gateway stands: what its supervisors believe of each adapter and each stocking, for people and for programs.

Values only. The supervisors (`calza_gateway.recovery`) make them, `status`, the MQTT status, the metrics and the log
show them. Nobody decides by them.
"""

from dataclasses import dataclass
from enum import StrEnum


class AdapterState(StrEnum):
    """What is believed of a Bluetooth adapter."""

    OK = "ok"
    QUIET = "quiet"  # nothing was heard although something was due: it may be the adapter, or nobody may be home
    RESETTING = "resetting"
    RESTARTING = "restarting"  # the system's Bluetooth service is being restarted
    STUCK = "stuck"  # every remedy was tried; they are tried again, rarely, and a person is asked to help


class StockingState(StrEnum):
    """What is believed of a stocking."""

    IN_CONTACT = "in_contact"
    AWAY = "away"  # not heard, while the adapter hears: out of range or flat, no fault of the gateway
    TROUBLE = "trouble"  # it is heard and visits fail; they are repeated
    NEEDS_PERSON = "needs_person"  # no repetition can cure it: a lost bond, another garment at its address
    UNKNOWN = "unknown"  # not tried yet, or the adapter is at fault


class Health(StrEnum):
    """The gateway in one word."""

    OK = "ok"
    DEGRADED = "degraded"  # something is being repaired, or a stocking is in trouble
    STUCK = "stuck"  # something waits for a person


@dataclass(frozen=True, slots=True)
class AdapterStanding:
    """One adapter. `since_ms` (Unix milliseconds) is when the state began; `code` and `sentence` say why and what to
    do, None when all is well. `resets` and `restarts` count remedies since the gateway started."""

    name: str
    state: AdapterState
    since_ms: int
    code: str | None = None
    sentence: str | None = None
    resets: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class StockingStanding:
    """One stocking, on the adapter that holds its bond. `failures` counts failed visits in a row; `next_try_ms` is when
    it is looked for again (Unix milliseconds)."""

    serial: str
    adapter: str
    state: StockingState
    since_ms: int
    code: str | None = None
    sentence: str | None = None
    failures: int = 0
    next_try_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GatewayStanding:
    """All of it."""

    adapters: tuple[AdapterStanding, ...]
    stockings: tuple[StockingStanding, ...]

    @property
    def health(self) -> Health:
        """Stuck when anything waits for a person, degraded while anything is being repaired."""
        if any(one.state is AdapterState.STUCK for one in self.adapters) or any(
            one.state is StockingState.NEEDS_PERSON for one in self.stockings
        ):
            return Health.STUCK
        repairing = {AdapterState.RESETTING, AdapterState.RESTARTING}
        if any(one.state in repairing for one in self.adapters) or any(
            one.state is StockingState.TROUBLE for one in self.stockings
        ):
            return Health.DEGRADED
        return Health.OK
