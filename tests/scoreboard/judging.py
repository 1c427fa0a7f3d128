"""One leg's score: detector, ledger and verdict, and every peer on the same minutes, held against the truth.

Knows where a leg's figures come from, not how they are summed up or written down.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from calza_server.domain.ledgers.ledger import Ledger
from calza_server.domain.states import Reason, State
from calza_server.domain.verdicts.verdict import DayOutcome, Verdict, VerdictReport, judge
from calza_sim.truth import MINUTE_S, TrueVerdict, truth_days
from calza_sim.wearer import local_seconds
from tests.scoreboard.edges import Edges, edges
from tests.scoreboard.orders import OWN
from tests.scoreboard.peers import PEERS
from tests.scoreboard.scores import Answers, Confusion, Day, answer, confusion, days

if TYPE_CHECKING:
    import numpy.typing as npt

    from calza_server.domain.orders.prescription import Prescription
    from tests.scoreboard.cases import Case

CALZA: Final = "Calza"
METHODS: Final = (CALZA, *PEERS)
# Unknown although there were readings; every other reason means that nothing was held to judge by.
UNDECIDED: Final = (Reason.AMBIGUOUS, Reason.SENSOR_FAULT)


@dataclass(frozen=True, slots=True)
class MethodScore:
    """How one method did on one leg, or on many added together. `orders`: by the name of the order."""

    minutes: Confusion = field(default_factory=Confusion)
    days: tuple[Day, ...] = ()
    edges: Edges = field(default_factory=Edges)
    orders: dict[str, Answers] = field(default_factory=dict)
    order_days: Answers = field(default_factory=Answers)

    def __add__(self, other: MethodScore) -> MethodScore:
        names = [*self.orders, *(name for name in other.orders if name not in self.orders)]
        return MethodScore(
            minutes=self.minutes + other.minutes,
            days=self.days + other.days,
            edges=self.edges + other.edges,
            orders={name: self.orders.get(name, Answers()) + other.orders.get(name, Answers()) for name in names},
            order_days=self.order_days + other.order_days,
        )

    @property
    def all_orders(self) -> Answers:
        """All orders together."""
        return sum(self.orders.values(), Answers())


@dataclass(frozen=True, slots=True)
class LegScore:
    """One leg's score by method, and the minutes of each reason the product left something unknown for."""

    source: str
    scenario: str
    seed: int
    methods: dict[str, MethodScore]
    unknown_min: dict[str, int]


def score(case: Case) -> LegScore:
    """Judge one leg every way."""
    worn = _aligned(case)
    midnights = _midnights(case)
    orders = case.prescriptions
    true = {name: truth_days(case.known, document) for name, document in case.orders.items()}
    ledgers = {name: case.ledger(order) for name, order in orders.items()}
    main = ledgers[OWN]
    missing = (main.state == State.UNKNOWN) & ~np.isin(main.reason, UNDECIDED)
    said = {CALZA: main.state} | {name: method(case.grid) for name, method in PEERS.items()}
    methods = {}
    for name, states in said.items():
        gone = missing if name == CALZA else ~case.grid.present
        given = ledgers if name == CALZA else {OWN: _as_ledger(case, states)}
        answers, by_day = _answers({each: orders[each] for each in given}, given, true)
        methods[name] = MethodScore(
            confusion(worn, states, gone),
            days(worn, states, gone, midnights),
            edges(worn, states, gone),
            answers,
            by_day,
        )
    reasons = Counter(main.reason[main.state == State.UNKNOWN].tolist())
    unknown_min = {Reason(code).word: count for code, count in sorted(reasons.items())}
    return LegScore(case.source, case.scenario, case.seed, methods, unknown_min)


def _aligned(case: Case) -> npt.NDArray[np.bool_]:
    """What was true of each minute of the grid. Raises ValueError where the truth does not cover it."""
    first = case.grid.start_minute - int(case.known.minute_s[0]) // MINUTE_S
    worn = case.known.worn[first : first + len(case.grid)]
    if first < 0 or len(worn) != len(case.grid):
        raise ValueError(f"the truth of {case.scenario}, seed {case.seed}, does not cover the minutes recorded")
    return worn


def _midnights(case: Case) -> list[int]:
    """Where in the grid each local day begins, and where the last one ends."""
    zone = ZoneInfo(case.timezone)
    day = datetime.fromtimestamp(case.grid.start_minute * MINUTE_S, zone).date()
    found: list[int] = []
    while not found or found[-1] < len(case.grid):
        found.append(round(local_seconds(day, 0.0, zone)) // MINUTE_S - case.grid.start_minute)
        day += timedelta(days=1)
    return found


def _as_ledger(case: Case, states: npt.NDArray[np.uint8]) -> Ledger:
    """A peer's minutes as a ledger, so that the same rule judges them."""
    ledger = Ledger.unknown(case.grid.start_minute, case.grid.end_minute)
    ledger.state[:] = states
    return ledger


def _answers(
    orders: dict[str, Prescription], ledgers: dict[str, Ledger], true: dict[str, TrueVerdict]
) -> tuple[dict[str, Answers], Answers]:
    """The answers to each order, and to every day of all of them."""
    by_order: dict[str, Answers] = {}
    by_day = Answers()
    for name, order in orders.items():
        report = judge(order, ledgers[name], order.end_minute)
        if true[name].verdict == Verdict.NOT_APPLICABLE == report.verdict:
            continue  # nothing was ordered and nothing was judged
        by_order[name] = answer(
            truly_met=true[name].verdict == "met", said=report.verdict.value, borderline=report.borderline
        )
        by_day += _day_answers(report, true[name])
    return by_order, by_day


def _day_answers(report: VerdictReport, true: TrueVerdict) -> Answers:
    total = Answers()
    for said, truly in zip(report.days, true.days, strict=True):
        if said.outcome is not DayOutcome.OPEN:
            total += answer(
                truly_met=truly.met,
                said=said.outcome.value,
                margin_min=float(truly.worn_min - truly.needed_min),
                borderline=said.borderline,
            )
    return total
