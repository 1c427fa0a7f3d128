"""What is believed of an adapter and what is done about it: each ladder by hand, then any order of events."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calza_gateway.ports import Moment
from calza_gateway.recovery.adapter_doctor import AdapterDoctor, Remedy, Use
from calza_gateway.recovery.budget import Budget
from calza_gateway.reporting.standing import AdapterState

BUDGET = Budget()
DAY_S = 86_400.0


@dataclass
class Practice:
    """A doctor with time passing: what it sees is given, what it does is written down."""

    tick_s: float = 1000.0
    remedies: list[tuple[float, Remedy]] = field(default_factory=list)
    spared: bool = False
    refusal: str | None = None

    def __post_init__(self) -> None:
        self.doctor = AdapterDoctor("hci0", BUDGET, self.now)

    @property
    def now(self) -> Moment:
        return Moment(1_800_000_000.0 + self.tick_s, self.tick_s)

    @property
    def state(self) -> AdapterState:
        return self.doctor.standing.state

    def treat(self) -> Remedy:
        remedy = self.doctor.decide(self.now, stack_spared=self.spared)
        if remedy is not Remedy.NOTHING:
            self.doctor.began(remedy, self.now)
            self.tick_s += 2.0
            self.doctor.ended(remedy, self.now, self.refusal)
            self.remedies.append((self.tick_s, remedy))
        self.tick_s += self.doctor.pause_s(self.now)
        return remedy

    def silence(self) -> Remedy:
        """One turn of listening in vain."""
        self.tick_s += BUDGET.listen_s
        self.doctor.silent(BUDGET.listen_s, self.now)
        return self.treat()

    def fault(self, use: Use = Use.LISTEN, code: str = "stack_stuck") -> Remedy:
        """One use that the stack refused."""
        self.doctor.failed(use, code, "InProgress", self.now)
        return self.treat()

    def until_stuck(self, use: Use = Use.LISTEN, code: str = "stack_stuck") -> None:
        for _ in range(200):
            self.fault(use, code)
            if self.state is AdapterState.STUCK:
                return
        raise AssertionError("never stuck")


def test_a_fault_climbs_the_ladder_to_stuck_and_says_what_helps() -> None:
    practice = Practice()
    practice.until_stuck()
    assert [remedy for _, remedy in practice.remedies] == [Remedy.RESET, Remedy.RESET, Remedy.RESTART_STACK]
    assert practice.remedies[0][0] - 1000.0 < 10, "the first comes with the second error"
    assert practice.tick_s - 1000.0 < 120, "a person is asked after two minutes"
    standing = practice.doctor.standing
    assert (standing.resets, standing.restarts, standing.code) == (2, 1, "stack_stuck")
    assert standing.sentence is not None
    assert "sudo systemctl restart bluetooth" in standing.sentence


def test_one_error_alone_changes_nothing() -> None:
    practice = Practice()
    assert practice.fault() is Remedy.NOTHING
    practice.doctor.heard(practice.now)
    assert practice.fault() is Remedy.NOTHING
    assert practice.state is AdapterState.OK


def test_stuck_is_tried_again_rarely_and_ends_by_itself_when_the_adapter_works() -> None:
    practice = Practice()
    practice.until_stuck()
    began_s, before = practice.tick_s, len(practice.remedies)
    while practice.tick_s < began_s + 6 * 3600:
        practice.fault()
        assert practice.state is AdapterState.STUCK
    late = practice.remedies[before:]
    assert {remedy for _, remedy in late} == {Remedy.RESET, Remedy.RESTART_STACK}
    assert 30 <= len(late) <= 36
    practice.doctor.silent(10.0, practice.now)
    assert practice.state is AdapterState.OK
    assert practice.doctor.standing.sentence is None


def test_a_fault_of_connecting_is_not_cured_by_hearing() -> None:
    practice = Practice()
    practice.doctor.failed(Use.CONNECT, "stack_stuck", "no answer", practice.now)
    practice.doctor.heard(practice.now)
    practice.doctor.failed(Use.CONNECT, "stack_stuck", "no answer", practice.now)
    assert practice.treat() is Remedy.RESET
    practice.doctor.connected(practice.now)
    assert practice.state is AdapterState.OK


def test_links_that_cannot_be_ended_are_a_fault_however_well_the_visits_go() -> None:
    practice = Practice()
    for expected in (Remedy.NOTHING, Remedy.RESET):
        practice.doctor.heard(practice.now)
        practice.doctor.connected(practice.now)
        assert practice.fault(Use.HANG_UP) is expected
    practice.doctor.hung_up(practice.now)
    assert practice.state is AdapterState.OK


def test_nothing_more_is_done_before_a_remedy_was_seen_not_to_help() -> None:
    practice = Practice()
    practice.fault(Use.CONNECT)
    assert practice.fault(Use.CONNECT) is Remedy.RESET
    practice.tick_s += DAY_S
    practice.doctor.heard(practice.now)  # but nobody was connected to
    assert practice.treat() is Remedy.NOTHING


def test_what_fails_while_a_remedy_settles_is_held_against_nobody() -> None:
    practice = Practice()
    practice.doctor.began(Remedy.RESET, practice.now)
    practice.doctor.ended(Remedy.RESET, practice.now)
    other = Practice()
    other.doctor.stack_restarted(other.now)
    for one in (practice, other):
        assert one.doctor.pause_s(one.now) == BUDGET.settle_s
        for _ in range(10):
            one.doctor.failed(Use.LISTEN, "no_adapter", "not there yet", one.now)
        assert one.doctor.pause_s(one.now) == BUDGET.settle_s
        one.tick_s += BUDGET.settle_s
        assert one.fault() is Remedy.NOTHING, "the first that counts"
        assert one.doctor.standing.code is None


def test_a_relapse_goes_on_where_the_ladder_was_left() -> None:
    practice = Practice()
    for _ in range(8):
        practice.fault()
        practice.fault()
        practice.doctor.heard(practice.now)
        practice.tick_s += 60.0
    kinds = [remedy for _, remedy in practice.remedies]
    assert kinds[:3] == [Remedy.RESET, Remedy.RESET, Remedy.RESTART_STACK]
    assert practice.state is not AdapterState.STUCK, "it works in between"


def test_the_service_is_left_alone_while_another_adapter_lives_by_it() -> None:
    practice = Practice(spared=True)
    practice.until_stuck(code="no_adapter")
    assert [remedy for _, remedy in practice.remedies] == [Remedy.RESET, Remedy.RESET]
    assert "plugged in" in str(practice.doctor.standing.sentence)
    for _ in range(200):
        practice.fault(code="no_adapter")
    assert {remedy for _, remedy in practice.remedies} == {Remedy.RESET}


def test_a_refused_remedy_is_said() -> None:
    practice = Practice(refusal="systemd does not allow it")
    practice.until_stuck()
    assert "systemd does not allow it" in str(practice.doctor.standing.sentence)


def test_a_patient_out_for_a_day_with_the_only_stocking_causes_few_resets() -> None:
    practice = Practice()
    while practice.tick_s < 1000.0 + DAY_S:
        practice.silence()
        if practice.tick_s > 1100.0:
            assert practice.state is AdapterState.QUIET, "visible, and never stuck: perhaps nobody is home"
    gaps = [b - a for (a, _), (b, _) in pairwise(practice.remedies)]
    assert len(practice.remedies) == 11
    assert [remedy for _, remedy in practice.remedies].count(Remedy.RESTART_STACK) == 1
    assert all(later >= earlier - 15 for earlier, later in pairwise(gaps)), gaps
    practice.doctor.heard(practice.now)
    assert practice.state is AdapterState.OK


def test_one_away_while_another_is_heard_is_never_a_reason_to_reset() -> None:
    practice = Practice()
    while practice.tick_s < 1000.0 + DAY_S:
        for _ in range(5):
            assert practice.silence() is Remedy.NOTHING
        practice.doctor.heard(practice.now)
        practice.doctor.connected(practice.now)
    assert practice.state is AdapterState.OK


def test_hearing_but_never_connecting_is_a_reason_after_two_visits() -> None:
    practice = Practice()
    treated = []
    for _ in range(BUDGET.connects_lost):
        practice.doctor.heard(practice.now)
        practice.doctor.failed(Use.CONNECT, "connect_failed", "le-connection-abort-by-local", practice.now)
        treated.append(practice.treat())
    assert treated == [Remedy.NOTHING] * (BUDGET.connects_lost - 1) + [Remedy.RESET]
    assert practice.doctor.standing.code == "connects_fail"
    practice.doctor.connected(practice.now)
    assert practice.state is AdapterState.OK


@pytest.mark.parametrize("code", ["bond_lost", "not_paired", "gatt_error"])
def test_what_only_a_stocking_says_is_never_a_fault(code: str) -> None:
    practice = Practice()
    for _ in range(100):
        practice.doctor.connected(practice.now)
        practice.doctor.failed(Use.CONNECT, code, "refused", practice.now)
        assert practice.treat() is Remedy.NOTHING


EVENTS = st.sampled_from(
    ["heard", "silent", "connected", "listen_fault", "connect_fault", "hang_up_fault", "connect_failed", "wait"]
)


@settings(max_examples=150)
@given(happened=st.lists(EVENTS, max_size=120), spared=st.booleans())
def test_in_any_order_remedies_are_spaced_and_health_is_believed_at_once(happened: list[str], *, spared: bool) -> None:
    practice = Practice(spared=spared)
    doctor = practice.doctor
    for event in happened:
        match event:
            case "heard":
                doctor.heard(practice.now)
            case "silent":
                doctor.silent(BUDGET.listen_s, practice.now)
            case "connected":
                doctor.connected(practice.now)
                doctor.hung_up(practice.now)
                assert practice.state is AdapterState.OK
                assert doctor.standing.code is None
            case "listen_fault":
                doctor.failed(Use.LISTEN, "no_adapter", "gone", practice.now)
            case "connect_fault":
                doctor.failed(Use.CONNECT, "stack_stuck", "no answer", practice.now)
            case "hang_up_fault":
                doctor.failed(Use.HANG_UP, "stack_stuck", "no answer", practice.now)
            case "connect_failed":
                doctor.failed(Use.CONNECT, "connect_failed", "no luck", practice.now)
            case _:
                practice.tick_s += 60.0
        practice.treat()
        practice.tick_s += 1.0
        state = practice.state
        assert (doctor.standing.sentence is None) == (state is AdapterState.OK)
    for kind, spacing_s in (
        (Remedy.RESET, BUDGET.reset_spacing_s),
        (Remedy.RESTART_STACK, BUDGET.restart_spacing_s),
    ):
        ticks = [tick for tick, remedy in practice.remedies if remedy is kind]
        assert all(b - a >= spacing_s for a, b in pairwise(ticks))
    if spared:
        assert Remedy.RESTART_STACK not in {remedy for _, remedy in practice.remedies}
