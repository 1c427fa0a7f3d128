"""The scoreboard on a few legs: what the verdict must never do, and that the document says what was found."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from calza_server.domain.recording.grid import MinuteGrid
from calza_sim.scenarios import SCENARIOS
from calza_sim.truth import Truth
from tests.scoreboard.as_json import as_json
from tests.scoreboard.cases import (
    COHORT,
    FITTING,
    FITTING_SEEDS,
    HELD_OUT,
    NOISY,
    OTHER,
    SOURCES,
    Case,
    Job,
    Run,
    cases,
    jobs,
)
from tests.scoreboard.edges import Edges
from tests.scoreboard.figures import TARGETS, Board, total
from tests.scoreboard.judging import CALZA, METHODS, LegScore, MethodScore, score
from tests.scoreboard.orders import OWN, orders
from tests.scoreboard.page import page
from tests.scoreboard.runner import QUICK, judged
from tests.scoreboard.scores import Answers, Confusion, Day

START = 29_539_680  # 2026-03-01T16:00Z


@pytest.fixture(scope="module")
def board() -> Board:
    return judged(QUICK, processes=1)


def test_no_order_is_falsely_met_or_falsely_not_met(board: Board) -> None:
    for leg in board.legs:
        found = leg.methods[CALZA].all_orders
        assert (found.false_met, found.false_not_met) == (0, 0), f"{leg.source}: {leg.scenario}, seed {leg.seed}"


def test_what_was_never_on_a_leg_is_never_worn(board: Board) -> None:
    never = [leg for leg in board.legs if leg.scenario in {"never-worn", "stored-under-a-pile", "nothing-ordered"}]
    assert {leg.source for leg in never} == {FITTING, HELD_OUT, NOISY}
    for leg in never:
        assert leg.methods[CALZA].minutes.not_worn == 0, f"{leg.source}: {leg.scenario}, seed {leg.seed}"


def test_what_a_phone_took_with_it_stays_unknown(board: Board) -> None:
    lost = [leg for leg in board.legs if leg.scenario == "phone-lost-for-good"]
    assert len(lost) == 3
    for leg in lost:
        counted = leg.methods[CALZA].minutes
        assert 6 * 1_440 - 2 <= counted.worn_missing + counted.not_missing <= 6 * 1_440 + 2
        own = leg.methods[CALZA].orders[OWN]
        assert (own.judged, own.cannot_tell_share) == (1, 1.0)


def test_every_minute_is_counted_once_by_every_method(board: Board) -> None:
    for leg in board.legs:
        counts = [leg.methods[method].minutes for method in METHODS]
        assert len({sum(getattr(each, cell) for cell in each.__slots__) for each in counts}) <= 2  # pauses are excused
        assert all(each.worn_unknown == each.not_unknown == 0 for each in counts[1:]), "a peer never says unknown"


def test_the_same_seeds_give_the_same_text(board: Board) -> None:
    again = judged(replace(QUICK, scenarios=QUICK.scenarios[:2], cohort=1, world_legs=1), processes=1)
    kept = [leg for leg in board.legs if leg.scenario in {"perfect", "falls-short", "plain"}]
    kept[6:6] = [leg for leg in board.legs if leg.source == COHORT][:1]
    assert page(Board(tuple(kept)), QUICK) == page(again, QUICK)


def test_the_page_names_every_source_scenario_and_method(board: Board) -> None:
    text = page(board, QUICK)
    for name in (*SOURCES, *METHODS, *QUICK.scenarios, *(target.name for target in TARGETS)):
        assert name in text


def test_the_figures_for_programs_are_those_of_the_board(board: Board) -> None:
    read = json.loads(as_json(board, QUICK))
    assert read["legs"] == len(board.legs)
    for source in SOURCES:
        assert read["sources"][source]["methods"][CALZA]["f1"] == total(board.of(source)).minutes.f1
        assert set(read["sources"][source]["scenarios"]) == set(board.scenarios(source))


def leg_of(scenario: str, seed: int, **what: object) -> LegScore:
    mine = MethodScore(**what)  # type: ignore[arg-type]  # each caller names fields of the score
    return LegScore(HELD_OUT, scenario, seed, dict.fromkeys(METHODS, mine), {"ambiguous": 3})


def test_every_scenario_with_a_leg_that_misses_is_listed_with_its_worst_seed() -> None:
    good, bad, worse = Confusion(worn_worn=100), Confusion(98, 0, 3), Confusion(90, 0, 10)
    board = Board(
        (
            leg_of("calm", 1, minutes=good),
            leg_of("wild", 2, minutes=worse),
            leg_of("wild", 3, minutes=bad),
            leg_of("wild", 4, minutes=good),
            leg_of("late", 5, edges=Edges(don_min=(-4, 5))),
            leg_of("false", 6, orders={OWN: Answers(not_met=1)}),
            leg_of("hard", 7, orders={OWN: Answers(met_not=1)}),
        )
    )
    misses = board.misses(HELD_OUT)
    assert [(miss.scenario, miss.target.name, miss.seeds, miss.legs, miss.worst_seed) for miss in misses] == [
        ("wild", "minute F1", (2, 3), 3, 2),
        ("late", "don/doff, median", (5,), 1, 5),
        ("late", "don/doff, p95", (5,), 1, 5),
        ("false", "orders falsely met", (6,), 1, 6),
        ("hard", "orders falsely not met", (7,), 1, 7),
    ]
    text = page(board, QUICK)
    assert "| wild | minute F1 >= 0.99 | 2 of 3 | 0.9474 | `wild --seed 2` | 2, 3 |" in text
    assert "calm" not in text.split("## What missed a figure")[1]


def test_legs_add_up() -> None:
    one = MethodScore(Confusion(1, 2), (Day(5, 4, 6),), Edges((1,), (2,), 3, 4, 5), {OWN: Answers(met_met=1)})
    two = MethodScore(Confusion(10, 20), (Day(7, 7, 7),), Edges((-1,)), {OWN: Answers(met_not=1), "b": Answers(1)})
    both = one + two
    assert both.minutes == Confusion(11, 22)
    assert both.days == (Day(5, 4, 6), Day(7, 7, 7))
    assert both.edges == Edges((1, -1), (2,), 3, 4, 5)
    assert both.orders == {OWN: Answers(met_met=1, met_not=1), "b": Answers(1)}
    assert both.all_orders.judged == 3


def test_a_hand_made_leg_is_scored_as_counted_by_hand() -> None:
    """Three days from four in the afternoon on, worn 8 to 20 h; the last three hours are missing."""
    n = 3 * 1_440
    minute = START + np.arange(n)
    worn = (minute % 1_440 >= 480) & (minute % 1_440 < 1_200)
    grid = MinuteGrid.empty(START, START + n, logs=(b"by hand.",))
    rng = np.random.default_rng(5)
    for column, on in ((grid.ankle, 25.0), (grid.calf, 18.0), (grid.thigh, 10.0), (grid.ripple, 0.6)):
        column[:] = np.where(worn, on, 0.1) + rng.normal(0.0, 0.02, n)
    grid.skin[:] = np.where(worn, 31.5, 21.0)
    gone = minute >= START + n - 180
    for column in (grid.ankle, grid.calf, grid.thigh, grid.ripple, grid.skin):
        column[gone] = np.nan
    grid.present[:] = ~gone
    grid.log[~gone] = 0
    grid.record[~gone] = 1
    own: dict[str, object] = {
        "start": "2026-03-01T16:00:00+00:00",
        "timezone": "UTC",
        "phases": [{"days": 3, "mode": "daytime", "hours": 11, "days_required": 3}],
    }
    known = Truth(np.arange(START, START + 15 * 1_440) * 60, np.resize(worn, 15 * 1_440), (), (), ())
    case = Case(HELD_OUT, "by hand", 0, grid, known, "UTC", orders(own, START, "UTC"), None)
    found = score(case)
    mine = found.methods[CALZA]
    assert mine.minutes == Confusion(
        worn_worn=int((worn & ~gone).sum()),
        worn_missing=int((worn & gone).sum()),
        not_not=int((~worn & ~gone).sum()),
        not_missing=int((~worn & gone).sum()),
    )
    assert mine.minutes.f1 == 1.0
    assert mine.days == (Day(720, 720, 720), Day(720, 720, 720))
    assert mine.edges.don_min == (0, 0, 0)
    assert mine.edges.doff_min == (0, 0, 0)
    # the first day asks for 198 of its last 8 hours and has 240, the others for 594 and have 720
    assert mine.orders[OWN] == Answers(met_met=1)
    assert found.unknown_min == {"no_data": 180}
    assert set(found.methods) == set(METHODS)


def test_every_scenario_has_people_of_its_own_and_none_held_out_was_fitted_to() -> None:
    work = jobs(Run(persons=3, first_held_out=1_000, cohort=45, worlds=2))
    assert {job.scenario for job in work if job.source in {FITTING, HELD_OUT, NOISY}} == set(SCENARIOS)
    assert [job.seed for job in work if job.source == OTHER] == [1_000, 1_001]
    assert [(job.first, job.legs) for job in work if job.source == COHORT] == [(0, 20), (20, 20), (40, 5)]
    fitted = {job.seed for job in work if job.source == FITTING}
    held_out = {job.seed for job in work if job.source in {HELD_OUT, NOISY}}
    assert max(fitted) < FITTING_SEEDS <= 1_000 <= min(held_out)
    first = [(job.scenario, job.seed) for job in work if job.source == HELD_OUT]
    assert first == [(job.scenario, job.seed) for job in work if job.source == NOISY]
    assert len(set(first)) == 3 * len(SCENARIOS)


def test_noise_changes_what_is_read_and_nothing_that_is_true() -> None:
    (plain,), (noisy,) = (list(cases(Job(source, "falls-short", 1_001))) for source in (HELD_OUT, NOISY))
    assert (plain.known.worn == noisy.known.worn).all()
    off = ~plain.known.worn[: len(plain.grid)] & plain.grid.present & noisy.grid.present
    assert np.median(noisy.grid.ripple[off]) > 4 * np.median(plain.grid.ripple[off])
