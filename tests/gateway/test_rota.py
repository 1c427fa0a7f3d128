"""Whose turn it is, against every order of outcomes that hypothesis finds: fair, never too often, nobody starved."""

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from calza_gateway.ports import Moment
from calza_gateway.recovery.budget import Budget
from calza_gateway.recovery.rota import Rota
from calza_gateway.reporting.standing import StockingState

BUDGET = Budget()
INTERVAL_S = 60.0
START = Moment(1_800_000_000.0, 1000.0)
CODES = (
    "ok",
    "more",
    "connect_failed",
    "disconnected",
    "disk_full",
    "bond_lost",
    "no_adapter",
    "internal",
    "not_found",
)


def at(tick_s: float) -> Moment:
    return Moment(START.unix_s + tick_s - START.tick_s, tick_s)


@dataclass
class Life:
    """A rota and time passing over it."""

    serials: list[str]
    tick_s: float = START.tick_s
    visits: list[tuple[str, float, float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rota = Rota(self.serials, "hci0", INTERVAL_S, BUDGET, START)

    def turn(self, audible: set[str], first: Random, code: str, visit_s: float) -> str | None:
        """One turn: who was visited, None if nobody was due or heard."""
        audience = self.rota.audience(self.tick_s)
        if audience is None:
            due_s = self.rota.next_due_s()
            assert due_s is not None
            assert due_s > self.tick_s
            self.tick_s = due_s
            return None
        heard = sorted(audible & set(audience.serials))
        if not heard:
            self.tick_s += audience.seconds
            self.rota.not_heard(audience, at(self.tick_s), adapter_hears=True)
            return None
        serial = first.choice(heard)
        self.rota.chosen(serial, self.tick_s)
        began = self.tick_s
        self.tick_s += visit_s
        if code in {"ok", "more"}:
            self.rota.in_contact(serial, at(self.tick_s), more=code == "more")
        else:
            self.rota.failed(serial, code, "as the test wants it", at(self.tick_s))
        self.visits.append((serial, began, self.tick_s, code))
        return serial


@settings(max_examples=80)
@given(data=st.data(), count=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_whatever_happens_nobody_starves_and_nobody_is_visited_too_often(
    data: st.DataObject, count: int, seed: int
) -> None:
    life, first = Life([f"S{index}" for index in range(count)]), Random(seed)
    waited: dict[str, int] = {}
    for _ in range(40):
        audible = data.draw(st.sets(st.sampled_from(life.serials)))
        due = [serial for serial in life.serials if _is_due(life, serial)]
        visited = life.turn(
            audible, first, data.draw(st.sampled_from(CODES)), data.draw(st.sampled_from([0.0, 2.0, 300.0]))
        )
        for serial in life.serials:
            held_up = serial in due and serial in audible and serial != visited
            waited[serial] = waited.get(serial, 0) + 1 if held_up else 0
            assert waited[serial] <= 3 * count, f"{serial} was due and audible for {waited[serial]} turns"
    for serial in life.serials:
        own = [visit for visit in life.visits if visit[0] == serial]
        for before, after in pairwise(own):
            if before[3] == "ok":
                assert after[1] - before[2] >= INTERVAL_S
            elif before[3] == "bond_lost":
                assert after[1] - before[2] >= BUDGET.person_pause_s


def test_a_loud_broken_stocking_does_not_keep_a_quiet_one_waiting() -> None:
    """The worst case by hand: A is always heard first and always fails, or is never done."""
    for code in ("disconnected", "more"):
        life = Life(["A", "B"])
        order = [life.turn({"A", "B"}, _Always("A"), code, 100.0) for _ in range(6)]
        assert "B" in order[:3], order


def test_those_passed_over_are_listened_for_alone_the_longest_without_contact_first() -> None:
    life = Life(["A", "B", "C"])
    for _ in range(3):
        assert life.turn({"A", "B", "C"}, _Always("A"), "more", 1.0) == "A"
    alone = []
    for _ in range(2):
        audience = life.rota.audience(life.tick_s)
        assert audience is not None
        alone.append(audience.serials)
        life.turn({"A", "B", "C"}, _Always("A"), "ok", 1.0)
    assert alone == [("B",), ("C",)]


def test_pauses_grow_by_the_kind_of_failure() -> None:
    life = Life(["A"])
    pauses = []
    for _ in range(11):
        before = len(life.visits)
        while len(life.visits) == before:
            life.turn({"A"}, Random(0), "connect_failed", 0.0)
        due_s = life.rota.next_due_s()
        assert due_s is not None
        pauses.append(due_s - life.tick_s)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_one_that_is_away_is_met_soon_after_it_comes_home() -> None:
    life = Life(["A"])
    while life.tick_s < START.tick_s + 86_400:
        life.turn(set(), Random(0), "ok", 0.0)
    standing = life.rota.standing("A")
    assert standing.state is StockingState.AWAY
    assert standing.since_ms < START.unix_ms + 60_000, "away since it was first missed, not since the last look"
    home_s = life.tick_s
    while not life.visits:
        life.turn({"A"}, Random(0), "ok", 0.0)
    assert life.visits[0][1] - home_s <= BUDGET.absent_pause_max_s + BUDGET.listen_s


def test_only_news_is_told() -> None:
    rota = Rota(["A"], "hci0", INTERVAL_S, BUDGET, START)
    told = [rota.in_contact("A", START), rota.in_contact("A", START), rota.failed("A", "timeout", "slow", START)]
    told += [rota.failed("A", "timeout", "slow", START), rota.failed("A", "bond_lost", "pair again", START)]
    assert [one and one.state for one in told] == [
        StockingState.IN_CONTACT,
        None,
        StockingState.TROUBLE,
        None,
        StockingState.NEEDS_PERSON,
    ]
    assert rota.standing("A").next_try_ms == START.unix_ms + 600_000


def test_the_adapters_faults_are_held_against_no_stocking() -> None:
    rota = Rota(["A"], "hci0", INTERVAL_S, BUDGET, START)
    for _ in range(5):
        rota.failed("A", "stack_stuck", "no answer", START)
    assert rota.standing("A").state is StockingState.UNKNOWN
    assert rota.standing("A").failures == 0
    assert rota.next_due_s() == START.tick_s, "as soon as the adapter works"


def test_who_is_watched_live_is_due_at_once_but_not_past_a_lost_bond() -> None:
    rota = Rota(["A", "B"], "hci0", INTERVAL_S, BUDGET, START)
    rota.in_contact("A", START)
    rota.failed("B", "bond_lost", "pair again", START)
    for serial in ("A", "B"):
        rota.asked_for(serial, START.tick_s + 1)
    audience = rota.audience(START.tick_s + 1)
    assert audience is not None
    assert audience.serials == ("A",)
    rota.linked("A", linked=True)
    assert rota.audience(START.tick_s + 1) is None


def _is_due(life: Life, serial: str) -> bool:
    due = life.rota.standing(serial).next_try_ms
    return due is None or due <= round(at(life.tick_s).unix_s * 1000)


class _Always(Random):
    """Hears the same one first whenever it can be heard."""

    def __init__(self, serial: str) -> None:
        super().__init__(0)
        self._serial = serial

    def choice(self, seq):  # type: ignore[no-untyped-def]
        return self._serial if self._serial in seq else seq[0]
