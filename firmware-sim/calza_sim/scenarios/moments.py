"""Times relative to the fitting: a day number and a local hour, since a scenario is written before anyone lives it."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from calza_sim.wearer import local_seconds


@dataclass(frozen=True, slots=True)
class At:
    """A local `hour` (0..24) of day `day`; day 0 is the calendar day of the fitting."""

    day: int
    hour: float = 0.0

    def true_s(self, start_s: float, zone: tzinfo) -> float:
        """True Unix seconds for someone fitted at `start_s` who lives in `zone`."""
        first_day = datetime.fromtimestamp(start_s, zone).date()
        return local_seconds(first_day + timedelta(days=self.day), self.hour, zone)

    def iso(self, start_s: float, zone: tzinfo) -> str:
        """The same as an ISO 8601 moment of that zone, to the second."""
        return datetime.fromtimestamp(self.true_s(start_s, zone), zone).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Note:
    """What the patient writes at a moment; kept word for word, never turned into wear."""

    at: At
    text: str


@dataclass(frozen=True, slots=True)
class Outage:
    """The battery is flat from `at` for `hours`: nothing is recorded, and the clock is lost."""

    at: At
    hours: float
