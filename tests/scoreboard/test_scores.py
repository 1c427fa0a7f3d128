"""The scores themselves, on cases small enough to count on one's fingers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_server.domain.states import State
from tests.scoreboard.edges import Edges, edges, percentile
from tests.scoreboard.scores import Answers, Confusion, Day, answer, confusion, days, error_share, mean_error_min

Mask = npt.NDArray[np.bool_]
States = npt.NDArray[np.uint8]

LETTERS = {"w": State.WORN, "n": State.NOT_WORN, "u": State.UNKNOWN, "-": State.UNKNOWN, "x": State.EXCUSED}


def truly(text: str) -> Mask:
    return np.array([letter == "w" for letter in text])


def said(text: str) -> tuple[States, Mask]:
    """What was said, and where nothing is held: w worn, n not worn, u unknown, - missing, x excused."""
    return np.array([LETTERS[letter] for letter in text], np.uint8), np.array([letter == "-" for letter in text])


def test_every_minute_falls_into_its_cell() -> None:
    states, missing = said("wnu-" + "wnu-" + "x")
    found = confusion(truly("wwww" + "nnnn" + "w"), states, missing)
    assert found == Confusion(1, 1, 1, 1, 1, 1, 1, 1)


def test_f1_counts_an_unknown_minute_of_wear_as_missed_and_decided_f1_does_not() -> None:
    states, missing = said("wwwwwnuu" + "wn")
    found = confusion(truly("wwwwwwww" + "nn"), states, missing)
    assert found.f1 == pytest.approx(10 / 14)  # 5 right, 1 invented, 1 denied, 2 unknown
    assert found.f1_decided == pytest.approx(10 / 12)


def test_what_was_said_of_a_minute_counts_even_where_nothing_was_held() -> None:
    states, _ = said("wn")
    assert confusion(truly("ww"), states, np.ones(2, np.bool_)) == Confusion(worn_worn=1, worn_not=1)


def test_an_unknown_minute_without_wear_and_a_missing_one_cost_no_f1() -> None:
    states, missing = said("ww--" + "uu")
    assert confusion(truly("wwww" + "nn"), states, missing).f1 == 1.0


def test_f1_is_nothing_without_wear_and_nought_where_all_wear_was_invented() -> None:
    never = truly("nnnn")
    assert confusion(never, *said("nnnu")).f1 is None
    assert confusion(never, *said("nnwn")).f1 == 0.0


def test_the_unknown_share_is_of_the_minutes_held() -> None:
    assert confusion(truly("wwnn"), *said("wun-")).unknown_share == pytest.approx(1 / 3)
    assert Confusion().unknown_share == 0.0


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("wnu-")), min_size=1, max_size=60), st.integers(0, 60))
def test_scores_of_two_parts_add_up_to_the_score_of_the_whole(minutes: list[tuple[bool, str]], at: int) -> None:
    worn = np.array([on for on, _ in minutes])
    states, missing = said("".join(letter for _, letter in minutes))
    parts = [confusion(worn[part], states[part], missing[part]) for part in (slice(at), slice(at, None))]
    assert parts[0] + parts[1] == confusion(worn, states, missing)


def test_a_day_is_compared_by_its_confirmed_minutes_and_its_bounds() -> None:
    worn = truly("wwwwnnnn" + "wwwwnnnn" + "wwwwnnnn")
    states, missing = said("wwwunnnn" + "wwwwwwnn" + "wwnnnnnn")
    found = days(worn, states, missing, [0, 8, 16, 24])
    assert found == (Day(4, 3, 4), Day(4, 6, 6), Day(4, 2, 2))
    assert [day.error_min for day in found] == [1, 2, 2]
    assert [day.contained for day in found] == [True, False, False]
    assert [(day.over_min, day.under_min) for day in found] == [(0, 0), (2, 0), (0, 2)]
    assert error_share(found) == pytest.approx(5 / 12)
    assert mean_error_min(found) == pytest.approx(5 / 3)


def test_days_with_a_missing_or_excused_minute_and_days_cut_off_are_left_out() -> None:
    states, missing = said("ww-w" + "wxww" + "wwww" + "ww")
    assert days(truly("w" * 14), states, missing, [-2, 0, 4, 8, 12, 16]) == (Day(4, 4, 4),)


def test_nothing_worn_has_no_share_and_no_days_have_no_error() -> None:
    assert error_share((Day(0, 3, 3),)) is None
    assert error_share(()) is None
    assert mean_error_min(()) is None


def spans(length: int, *pairs: tuple[int, int]) -> Mask:
    worn = np.zeros(length, np.bool_)
    for start, end in pairs:
        worn[start:end] = True
    return worn


def states_of(worn: Mask) -> States:
    return np.where(worn, State.WORN, State.NOT_WORN).astype(np.uint8)


NOTHING_MISSING = np.zeros(400, np.bool_)


def test_edges_are_timed_from_the_true_one_to_the_said_one() -> None:
    found = edges(spans(400, (100, 200)), states_of(spans(400, (103, 198))), NOTHING_MISSING)
    assert found == Edges(don_min=(3,), doff_min=(-2,))
    assert found.distances_min == (3, 2)


def test_unknown_minutes_beside_wear_put_the_edge_at_the_worn_side() -> None:
    states = states_of(spans(400, (105, 195)))
    states[90:105] = states[195:220] = State.UNKNOWN
    assert edges(spans(400, (100, 200)), states, NOTHING_MISSING) == Edges(don_min=(5,), doff_min=(-5,))


def test_unknown_between_worn_minutes_is_no_edge_so_a_short_break_is_missed() -> None:
    states = states_of(spans(400, (100, 300)))
    states[200:208] = State.UNKNOWN
    found = edges(spans(400, (100, 200), (208, 300)), states, NOTHING_MISSING)
    assert found == Edges(don_min=(0,), doff_min=(0,), missed=2)


def test_an_edge_farther_than_half_an_hour_is_missed_and_invented() -> None:
    found = edges(spans(400, (100, 200)), states_of(spans(400, (131, 230))), NOTHING_MISSING)
    assert found == Edges(doff_min=(30,), missed=1, invented=1)


def test_no_said_edge_is_used_twice() -> None:
    true = spans(400, (100, 110), (115, 200))
    found = edges(true, states_of(spans(400, (114, 200))), NOTHING_MISSING)
    assert found == Edges(don_min=(-1,), doff_min=(0,), missed=2)


def test_a_don_never_matches_a_doff() -> None:
    found = edges(spans(400, (100, 400)), states_of(spans(400, (0, 100))), NOTHING_MISSING)
    assert found == Edges(missed=1, invented=1)


def test_edges_near_missing_data_are_not_timed_and_not_invented() -> None:
    missing = spans(400, (150, 170))
    states = states_of(spans(400, (100, 150), (185, 300)))
    states[missing] = State.UNKNOWN
    found = edges(spans(400, (100, 160), (180, 300)), states, missing)
    assert found == Edges(don_min=(0,), doff_min=(0,), unseen=2)


def test_edges_near_excused_minutes_are_not_timed() -> None:
    states = states_of(spans(400, (100, 200)))
    states[210:300] = State.EXCUSED
    assert edges(spans(400, (100, 200)), states, NOTHING_MISSING) == Edges(don_min=(0,), unseen=1)


def test_where_a_record_begins_and_ends_no_edge_is_invented_and_none_is_said() -> None:
    always = spans(400, (0, 400))
    assert edges(always, states_of(spans(400, (10, 390))), NOTHING_MISSING) == Edges()
    assert edges(spans(400, (10, 400)), states_of(always), NOTHING_MISSING) == Edges(missed=1)


def test_wear_at_the_ends_of_a_record_is_no_edge() -> None:
    always = spans(400, (0, 400))
    assert edges(always, states_of(always), NOTHING_MISSING) == Edges()


def test_a_record_that_opens_undecided_and_goes_on_worn_was_put_on_there() -> None:
    states = states_of(spans(400, (4, 200)))
    states[:4] = State.UNKNOWN
    assert edges(spans(400, (2, 200)), states, NOTHING_MISSING) == Edges(don_min=(2,), doff_min=(0,))


@given(st.integers(1, 30), st.integers(40, 90), st.integers(-15, 15))
def test_wear_moved_as_a_whole_is_timed_by_just_that(start: int, length: int, by: int) -> None:
    true = spans(400, (100 + start, 100 + start + length))
    found = edges(true, states_of(np.roll(true, by)), NOTHING_MISSING)
    assert found == Edges(don_min=(by,), doff_min=(by,))


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([5, 1, 2, 3], 50) == 2
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([], 95) is None
    assert Edges().median_min is None
    assert Edges(don_min=(-1, 0), doff_min=(9,)).p95_min == 9


@pytest.mark.parametrize(
    ("truth", "word", "name"),
    [
        (True, "met", "met_met"),
        (True, "not_met", "met_not"),
        (True, "cannot_tell", "met_cannot_tell"),
        (False, "met", "not_met"),
        (False, "not_met", "not_not"),
        (False, "cannot_tell", "not_cannot_tell"),
    ],
)
def test_an_answer_falls_into_one_cell(*, truth: bool, word: str, name: str) -> None:
    found = answer(truly_met=truth, said=word)
    assert {each for each in found.__slots__ if getattr(found, each)} == {name}
    assert found.judged == 1
    assert found.false_met == (name == "not_met")
    assert found.false_not_met == (name == "met_not")


def test_wrong_answers_keep_their_margin_and_right_ones_do_not() -> None:
    every = [
        answer(truly_met=met, said=word, margin_min=7.0 if met else -4.0)
        for met in (True, False)
        for word in ("met", "not_met", "cannot_tell")
    ]
    together = sum(every, Answers())
    assert together.short_min == (4.0,)
    assert together.spare_min == (7.0,)
    assert together.cannot_tell_share == pytest.approx(2 / 6)


@pytest.mark.parametrize(("truth", "word"), [(True, "not_met"), (False, "met")])
def test_a_wrong_answer_marked_borderline_is_told_from_one_that_is_not(*, truth: bool, word: str) -> None:
    marked = answer(truly_met=truth, said=word, borderline=True)
    plain = answer(truly_met=truth, said=word)
    assert (marked.marked, marked.unmarked) == (1, 0)
    assert (plain.marked, plain.unmarked) == (0, 1)


@pytest.mark.parametrize(("truth", "word"), [(True, "met"), (False, "not_met"), (True, "cannot_tell")])
def test_a_right_or_open_answer_is_never_counted_as_marked(*, truth: bool, word: str) -> None:
    found = answer(truly_met=truth, said=word, borderline=True)
    assert (found.marked, found.unmarked) == (0, 0)


def test_an_answer_that_is_not_final_is_refused() -> None:
    with pytest.raises(ValueError, match="'can_be_met' is no final answer"):
        answer(truly_met=True, said="can_be_met")
