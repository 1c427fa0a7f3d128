"""What a scenario is, and what a modifier changes about one. Data alone; joining them is `joining`."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from calza_sim.conditions import ORDINARY, Conditions
from calza_sim.scenarios.moments import At, Note, Outage
from calza_sim.scenarios.orders import STANDARD, Order
from calza_sim.wearer import DayPlan
from calza_sim.wearer_events import Event

HOUR_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """A later treatment of the same leg: its order, relative to its own fitting at `at`."""

    at: At
    order: Order


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run of planned days; the last plan repeats for ever. `phone_away`: day numbers, first and last inclusive.

    `expected` says in words for people what it should lead to, and `truly` what the truth should come to ("met",
    "not_met", "not_applicable"; empty: no claim). Neither is asked when a verdict is judged: `truth_days` is.
    """

    name: str
    description: str
    days: tuple[DayPlan, ...]
    phone_away: tuple[tuple[int, int], ...] = ()
    conditions: Conditions = ORDINARY
    expected: str = ""
    truly: str = ""
    row: str = ""  # its number in the acceptance set (1..25 and 16b), where it has one
    event: str = ""  # what happens to the garment, in a few words, where that is its point
    expects: str = ""  # what parts that live no scenario (server, pages) must show
    order: Order = STANDARD
    second_order: SecondOrder | None = None
    outages: tuple[Outage, ...] = ()
    clock_resets: tuple[At, ...] = ()
    late_upload_day: int | None = None  # what was recorded while the phone was away arrives on this day, not at once
    never_uploaded: bool = False  # it never arrives
    self_reports: tuple[Note, ...] = ()
    symptom_report: Note | None = None
    replayed: bool = False  # everything is sent a second time
    starts: str = ""  # local moment of the fitting, where it matters
    timezone: str = "UTC"
    lasts: int = 0  # days worth looking at; 0: those of the order, and two more

    def plans(self, count: int) -> tuple[DayPlan, ...]:
        """The plans of the first `count` days."""
        return (*self.days, *[self.days[-1]] * (count - len(self.days)))[:count]

    def outage_spans(self, start_s: float, zone: tzinfo) -> tuple[tuple[float, float], ...]:
        """When the battery is flat, true Unix seconds from..to, for someone fitted at `start_s`."""
        begun = [(each.at.true_s(start_s, zone), each.hours * HOUR_S) for each in self.outages]
        return tuple((at_s, at_s + length_s) for at_s, length_s in begun)

    def clock_reset_times(self, start_s: float, zone: tzinfo) -> tuple[float, ...]:
        """When the clock alone is lost, true Unix seconds."""
        return tuple(each.true_s(start_s, zone) for each in self.clock_resets)

    @property
    def length_days(self) -> int:
        """How many days to look at."""
        return self.lasts or self.order.days + 2

    @property
    def on_leg(self) -> bool:
        """Whether it is ever worn."""
        return any(each.worn for each in self.days)


@dataclass(frozen=True, slots=True)
class Modifier:
    """What else goes on while a scenario is lived: it changes no minute of wear.

    `events` happen on every day from `from_day` on. `leg`: it means nothing unless the stocking is worn at some time.
    """

    name: str
    description: str
    conditions: Conditions = ORDINARY
    events: tuple[Event, ...] = ()
    from_day: int = 0
    outages: tuple[Outage, ...] = ()
    clock_resets: tuple[At, ...] = ()
    phone_away: tuple[tuple[int, int], ...] = ()
    leg: bool = False
    expected: str = ""
