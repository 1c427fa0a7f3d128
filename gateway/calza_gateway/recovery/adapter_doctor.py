"""What is believed of one Bluetooth adapter, from what happened on it, and what to do about it next.

Pure: no asyncio, no radio; times are arguments. Two kinds of evidence, two ladders:

* A **fault**: the stack said no, or did not answer within the limit, twice in a row. Reset, reset again, restart the
  service, then *stuck*: told to a person, and everything tried again every ten minutes. It is over as soon as what
  failed works: listening by a turn that ends as it should, connecting by a link, hanging up by a link that ends.
* A **doubt**: somebody was due and nobody at all was heard for a minute of listening, or connects fail one after the
  other. It may be the adapter, or nobody is home. Reset, but after ever longer pauses, with one restart of the service
  among them, and never *stuck*. As long as anybody is heard, the silence of the others is no doubt: they are away.

After a remedy nothing more is tried before it has been seen not to help.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Final

from calza_gateway.ports import Moment
from calza_gateway.recovery.budget import ADAPTER_AT_FAULT, Budget
from calza_gateway.reporting.standing import AdapterStanding, AdapterState

DOUBLINGS_MAX: Final = 20  # beyond it every spacing is at its longest
CHECK_THE_ADAPTER: Final = (
    "check that the adapter is plugged in, run `rfkill unblock bluetooth`, then `sudo systemctl restart bluetooth`"
)
RESTART_IT: Final = (
    "restart the bluetooth service (`sudo systemctl restart bluetooth`); if that does not help, unplug the adapter and "
    "plug it in again, or restart this machine"
)


class Remedy(StrEnum):
    """What to do about an adapter, gentlest first."""

    NOTHING = "nothing"
    RESET = "reset"
    RESTART_STACK = "restart_stack"


class Use(Enum):
    """What the radio was used for."""

    LISTEN = auto()
    CONNECT = auto()  # and everything on a link: only the next link proves that it works again
    HANG_UP = auto()  # a link that cannot be ended drains the stocking, however well the rest goes


@dataclass(slots=True)
class _Fault:
    use: Use
    code: str
    sentence: str
    rung: int
    times: int = 0
    stuck: bool = False


class AdapterDoctor:
    """One adapter's record. `name` as the person knows it."""

    def __init__(self, name: str, budget: Budget, now: Moment) -> None:
        self._name = name
        self._budget = budget
        self._fault: _Fault | None = None
        self._relapse_rung = 0
        self._relapse_until = now.tick_s
        self._silent_s = 0.0  # listened in vain since anybody was last heard
        self._connects_lost = 0
        self._doubt_rung = 0
        self._evidence = False  # something went wrong since the last remedy
        self._excused_until = now.tick_s
        self._last: dict[Remedy, float] = {}
        self._under: Remedy = Remedy.NOTHING
        self._refusal: str | None = None  # why the last remedy could not be carried out
        self._standing = AdapterStanding(name, AdapterState.OK, now.unix_ms)

    @property
    def standing(self) -> AdapterStanding:
        """What is believed; another value whenever that changes."""
        return self._standing

    @property
    def hears(self) -> bool:
        """Whether silence may be taken for absence."""
        return self._fault is None

    # --- what happened ------------------------------------------------------------------------------------------------

    def heard(self, now: Moment) -> None:
        """A stocking was heard."""
        self._silent_s = 0.0
        if self._doubt() is None:
            self._doubt_rung = 0
        self._works(Use.LISTEN, now)

    def silent(self, seconds: float, now: Moment) -> None:
        """Somebody was due, and for so many seconds of listening nobody was heard; the listening itself went well."""
        self._silent_s += seconds
        self._evidence = True
        self._works(Use.LISTEN, now)

    def connected(self, now: Moment) -> None:
        """A link came up and was answered on."""
        self._silent_s = 0.0
        self._connects_lost = 0
        self._doubt_rung = 0
        self._works(Use.LISTEN, now)
        self._works(Use.CONNECT, now)

    def hung_up(self, now: Moment) -> None:
        """A link was ended when it was to end."""
        self._works(Use.HANG_UP, now)

    def failed(self, use: Use, code: str, sentence: str, now: Moment) -> None:
        """The radio could not do what it was asked. What tells only of the stocking is not held against it."""
        if now.tick_s < self._excused_until:
            return
        if code in ADAPTER_AT_FAULT:
            fault = self._fault
            if fault is None:
                fault = self._fault = _Fault(
                    use, code, sentence, self._relapse_rung if now.tick_s < self._relapse_until else 0
                )
            fault.use, fault.code, fault.sentence = use, code, sentence
            fault.times += 1
            fault.stuck = fault.stuck or fault.rung > self._budget.resets_before_restart
        elif use is Use.CONNECT:
            self._connects_lost += 1
        self._evidence = True
        self._review(now)

    # --- what to do ---------------------------------------------------------------------------------------------------

    def decide(self, now: Moment, *, stack_spared: bool) -> Remedy:
        """What to do now. With `stack_spared` the service is left alone, because it serves another adapter well."""
        if not self._evidence:
            return Remedy.NOTHING
        if self._fault is not None:
            return self._against_fault(self._fault, now, stack_spared=stack_spared)
        if self._doubt() is not None:
            return self._against_doubt(now, stack_spared=stack_spared)
        return Remedy.NOTHING

    def pause_s(self, now: Moment) -> float:
        """How long to leave the radio alone before it is used again."""
        if self._fault is not None:
            return self._budget.stuck_pause_s if self._fault.stuck else self._budget.fault_pause_s
        return max(0.0, self._excused_until - now.tick_s)

    def began(self, remedy: Remedy, now: Moment) -> None:
        """A remedy is being carried out."""
        self._under = remedy
        self._review(now)

    def ended(self, remedy: Remedy, now: Moment, refusal: str | None = None) -> None:
        """It was carried out, or could not be, and why. Whether it helped, only use will show."""
        self._under, self._refusal, self._evidence = Remedy.NOTHING, refusal, False
        self._last[remedy] = now.tick_s
        self._excused_until = now.tick_s + self._budget.settle_s
        restarted = remedy is Remedy.RESTART_STACK
        if self._fault is not None:
            past = self._budget.resets_before_restart
            self._fault.rung = max(self._fault.rung, past if restarted else 0) + 1
        else:
            self._doubt_rung += 1
        self._standing = replace(
            self._standing,
            resets=self._standing.resets + (not restarted),
            restarts=self._standing.restarts + restarted,
        )
        self._review(now)

    def stack_restarted(self, now: Moment) -> None:
        """The service was restarted for another adapter of this machine: what failed meanwhile does not count."""
        self._last[Remedy.RESTART_STACK] = now.tick_s
        self._excused_until = now.tick_s + self._budget.settle_s

    # --- the ladders --------------------------------------------------------------------------------------------------

    def _against_fault(self, fault: _Fault, now: Moment, *, stack_spared: bool) -> Remedy:
        budget, past = self._budget, self._budget.resets_before_restart
        if fault.times < budget.faults_before_reset or not self._since(Remedy.RESET, now, budget.reset_spacing_s):
            return Remedy.NOTHING
        if fault.rung < past:
            return Remedy.RESET
        if not fault.stuck and stack_spared:
            fault.rung, fault.stuck = past + 1, True
            self._review(now)
        if not fault.stuck:
            spaced = self._since(Remedy.RESTART_STACK, now, budget.restart_spacing_s)
            return Remedy.RESTART_STACK if spaced else Remedy.NOTHING
        if not all(self._since(remedy, now, budget.stuck_retry_s) for remedy in self._last):
            return Remedy.NOTHING
        return Remedy.RESET if stack_spared or (fault.rung - past) % 2 else Remedy.RESTART_STACK

    def _against_doubt(self, now: Moment, *, stack_spared: bool) -> Remedy:
        budget = self._budget
        doublings = min(max(self._doubt_rung - 1, 0), DOUBLINGS_MAX)
        spacing_s = float(min(budget.doubt_spacing_max_s, budget.doubt_spacing_min_s * 2.0**doublings))
        if not all(self._since(remedy, now, spacing_s) for remedy in self._last):
            return Remedy.NOTHING
        restart = self._doubt_rung == budget.doubts_before_restart and not stack_spared
        return Remedy.RESTART_STACK if restart else Remedy.RESET

    def _since(self, remedy: Remedy, now: Moment, spacing_s: float) -> bool:
        last = self._last.get(remedy)
        return last is None or now.tick_s - last >= spacing_s

    # --- beliefs ------------------------------------------------------------------------------------------------------

    def _doubt(self) -> str | None:
        """The code of the doubt there is, None without one."""
        if self._connects_lost >= self._budget.connects_lost:
            return "connects_fail"
        return "silence" if self._silent_s >= self._budget.silence_s else None

    def _works(self, use: Use, now: Moment) -> None:
        if self._fault is not None and self._fault.use is use:
            self._relapse_rung = min(self._fault.rung, self._budget.resets_before_restart)
            self._relapse_until = now.tick_s + self._budget.relapse_s
            self._fault = self._refusal = None
        self._review(now)

    def _review(self, now: Moment) -> None:
        state, code, sentence = self._belief()
        old = self._standing
        since_ms = old.since_ms if state is old.state else now.unix_ms
        self._standing = replace(old, state=state, since_ms=since_ms, code=code, sentence=sentence)

    def _belief(self) -> tuple[AdapterState, str | None, str | None]:
        fault, doubt = self._fault, self._doubt()
        if fault is not None and fault.stuck:
            return AdapterState.STUCK, fault.code, self._plea(fault)
        if self._under is Remedy.RESTART_STACK:
            return AdapterState.RESTARTING, "restart_stack", f"{self._name}: restarting the Bluetooth service"
        if self._under is Remedy.RESET:
            return AdapterState.RESETTING, "reset", f"{self._name}: switching the adapter off and on"
        if fault is not None and fault.rung:
            restarted = fault.rung > self._budget.resets_before_restart
            state = AdapterState.RESTARTING if restarted else AdapterState.RESETTING
            return state, fault.code, f"{self._name} is being repaired ({fault.sentence}{self._last_refusal()})"
        if doubt == "silence":
            sentence = f"{self._name} hears no stocking: nobody is in range, or the adapter has gone deaf"
            return AdapterState.QUIET, doubt, sentence
        if doubt is not None:
            sentence = f"{self._name} hears stockings and cannot connect to any of them"
            return AdapterState.RESETTING, doubt, sentence
        return AdapterState.OK, None, None

    def _plea(self, fault: _Fault) -> str:
        """What a person can do when nothing helped."""
        advice = CHECK_THE_ADAPTER if fault.code == "no_adapter" else RESTART_IT
        why = fault.sentence + self._last_refusal()
        return f"{self._name} does not work and could not be repaired ({why}). What helps: {advice}"

    def _last_refusal(self) -> str:
        return f"; the last repair failed: {self._refusal}" if self._refusal else ""
