"""Outages: from the first fault that hinders a service to the first proof, after the last of them, that it works again.

Pure bookkeeping over times in seconds; keeps figures, not histories. A service is the contact to one stocking, or the
delivery of its records. Faults that overlap, or that come before there was proof, make one outage; how long it took to
recover is counted from the end of the last.
"""

from collections import Counter
from dataclasses import dataclass, field

from tests.soak.forecast import Fault, Kind

MAX_COMPLAINTS = 50  # enough to see a pattern; a hundred thousand would be a leak of our own


@dataclass(slots=True)
class Tally:
    """What all outages of one service came to."""

    outages: int = 0
    recovered: Counter[Kind] = field(default_factory=Counter)
    longest_s: float = 0.0
    longest_after: str = ""
    longest_of: dict[Kind, float] = field(default_factory=dict)


@dataclass(slots=True)
class Service:
    """One service. Once it is clear, proof is owed within `bound_s`."""

    name: str
    bound_s: float
    tally: Tally = field(default_factory=Tally)
    complaints: list[str] = field(default_factory=list)
    longest_silence_s: float = 0.0
    _active: dict[int, Fault] = field(default_factory=dict)
    _joined: list[Fault] = field(default_factory=list)
    _clear_since_s: float = 0.0
    _proved_s: float = 0.0
    _complained: bool = False

    @property
    def clear(self) -> bool:
        """Whether nothing hinders it now."""
        return not self._active

    def began(self, fault: Fault) -> None:
        """A fault hinders it from now on."""
        self._active[fault.number] = fault
        self._joined.append(fault)

    def ended(self, fault: Fault, now_s: float) -> None:
        """That fault is over."""
        del self._active[fault.number]
        if not self._active:
            self._clear_since_s = now_s

    def proved(self, now_s: float) -> None:
        """It works."""
        self.longest_silence_s = max(self.longest_silence_s, now_s - self._proved_s)
        self._proved_s = now_s
        if self._active or not self._joined:
            return
        took_s = now_s - self._clear_since_s
        tally = self.tally
        tally.outages += 1
        if took_s > tally.longest_s:
            tally.longest_s, tally.longest_after = took_s, self._story()
        for fault in self._joined:
            tally.recovered[fault.kind] += 1
            tally.longest_of[fault.kind] = max(took_s, tally.longest_of.get(fault.kind, 0.0))
        self._joined.clear()
        self._complained = False

    def check(self, now_s: float) -> str | None:
        """A complaint, once for each outage, when proof is overdue. Also with no outage at all: silence is one."""
        since_s = max(self._clear_since_s, self._proved_s)
        if self._active or self._complained or now_s - since_s <= self.bound_s:
            return None
        self._complained = True
        complaint = f"{self.name}: no sign of life by second {now_s:.0f}, {now_s - since_s:.0f} s after {self._story()}"
        if len(self.complaints) < MAX_COMPLAINTS:
            self.complaints.append(complaint)
        return complaint

    def _story(self) -> str:
        if not self._joined:
            return "the last one, with no fault at all"
        told = ", ".join(f"{each.kind} (fault {each.number})" for each in self._joined[-4:])
        return told if len(self._joined) <= 4 else f"... {told}"
