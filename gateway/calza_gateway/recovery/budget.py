"""How long, how often and how many times: every limit of the recovery, each with its reason.

Values only. A test that cannot wait hands in a `Budget` with shorter ones; nothing else may change them. Two open
projects were the models for the orders of magnitude: habluetooth (scanner watchdog) and bleak-retry-connector
(connecting); where a figure is theirs, it says so.
"""

from dataclasses import dataclass
from typing import Final

HOPELESS: Final = frozenset({"pairing_refused", "not_paired", "bond_lost", "wrong_stocking"})
"""Codes of a visit that no repetition can cure: a person has to pair again, or to find the right garment."""

ABSENT: Final = frozenset({"not_found"})
"""Codes that say a stocking is not there, which is nobody's fault and costs its battery nothing to try again."""

ADAPTER_AT_FAULT: Final = frozenset({"no_adapter", "stack_stuck"})
"""Codes that say nothing of the stocking: the adapter, the Bluetooth service or the bus did not do its part."""

RETRY_AT_ONCE: Final = frozenset({"connect_failed", "timeout", "disconnected"})
"""Codes of a connect that often succeeds a moment later: a missed connection event, a link that dies as it is born."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds and counts. The defaults are what a gateway runs with."""

    # --- one use of the radio -----------------------------------------------------------------------------------------

    listen_s: float = 10.0
    """One turn of listening. A stocking advertises every 0.1 to 1 s, so this is at least ten chances to hear it."""

    listen_alone_s: float = 3.0
    """Listening for the one that others were quicker than: three chances, and the others hardly notice."""

    connect_s: float = 20.0
    """One attempt to connect. Also the limit of bleak-retry-connector: shorter ones fail on slow adapters."""

    connect_attempts: int = 3
    """Attempts in one visit; a fourth rarely helps, and each costs the stocking half a second of receiving."""

    connect_pause_s: float = 0.5
    """Between two of them: BlueZ answers the next one with the error of the last while it still tidies up."""

    connect_visit_s: float = 45.0
    """All attempts of one visit together: then it is another stocking's turn."""

    visit_s: float = 300.0
    """One sync. A month's backlog on a bad link can take longer: it goes on at the next turn, after the others."""

    disconnect_s: float = 10.0
    """BlueZ takes about 2 s (measured); beyond this it hangs."""

    operation_s: float = 40.0
    """One GATT step. The peer has 30 s by the Core Specification (Vol 3, Part F, 3.3.3), the link's own limit is 35."""

    grace_s: float = 5.0
    """What a call may need to end after it was cancelled, or beyond a limit it was told; then it is left behind."""

    care_s: float = 30.0
    """One remedy. Switching an adapter takes 1 to 3 s, restarting the service under 10 on a slow box."""

    # --- one stocking -------------------------------------------------------------------------------------------------

    absent_pause_min_s: float = 1.0
    absent_pause_max_s: float = 15.0
    """Between two turns of listening for one that is away, doubling: who comes home is met within a quarter minute."""

    trouble_pause_min_s: float = 1.0
    trouble_pause_max_s: float = 300.0
    """After a visit that failed, doubling: a connection costs the stocking's battery, and a fault that has lasted for
    ten visits will not be gone in seconds."""

    person_pause_s: float = 600.0
    """After a code no repetition can cure. Not for ever: the person who pairs it again does not tell this program."""

    internal_pause_s: float = 30.0
    """After a fault of this program itself: it goes on, but does not fill the log."""

    # --- one adapter --------------------------------------------------------------------------------------------------

    silence_s: float = 60.0
    """Seconds of listening in vain, with something due, before the adapter itself is suspected: sixty advertisements
    of the slowest stocking. habluetooth waits for 90 s of wall time; here only listening counts."""

    connects_lost: int = 4
    """Visits in a row over all stockings that got no link or no answer, none succeeding. Hearing but never connecting
    is a known state of worn-out adapters that only a reset ends; up to three may be one stocking at the edge."""

    doubt_spacing_min_s: float = 300.0
    doubt_spacing_max_s: float = 14_400.0
    """Between two resets on suspicion alone, doubling: a patient who goes out with the only stocking causes eleven
    resets in a day and a night, not 1,440. Four hours at most, for an adapter that has gone deaf without a word."""

    doubts_before_restart: int = 2
    """Resets on suspicion before the service is restarted once: a scan that bluetoothd believes to be running."""

    fault_pause_s: float = 5.0
    """After the stack said no, before it is asked again: shorter only repeats the error."""

    faults_before_reset: int = 2
    """In a row. After the first one it is enough to ask again: that is how an upgrade of the service looks."""

    reset_spacing_s: float = 30.0
    """Between two resets on a plain error: firmware is loaded anew after each, and needs to be given its chance."""

    resets_before_restart: int = 2
    """The second catches an adapter that came up badly; a third has not been seen to help."""

    restart_spacing_s: float = 300.0
    """Between two restarts of the service, over all adapters of the machine: all their links end with it."""

    relapse_s: float = 300.0
    """A new error so soon after a recovery goes on where the ladder was left, or a reset every minute would look like
    health."""

    stuck_retry_s: float = 600.0
    """How often everything is tried again once nothing helped. An adapter that is plugged in again is found sooner:
    listening goes on."""

    stuck_pause_s: float = 30.0
    """Between two turns of listening while stuck."""

    settle_s: float = 3.0
    """After a remedy: kernel, service and adapter find each other, and what fails meanwhile is held against nobody."""
