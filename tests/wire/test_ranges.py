"""Sets of record numbers against Python's own sets, and the gaps between what is held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calza_wire.ranges import RangeSet, RecordRange

numbers = st.sets(st.integers(0, 60))
pairs = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: RecordRange(min(pair), max(pair)))


@given(held=numbers)
def test_it_holds_what_it_was_made_of(held: set[int]) -> None:
    ranges = RangeSet.from_numbers([*held, *held])
    assert list(ranges.numbers()) == sorted(held)
    assert ranges.count == len(held)
    assert ranges.last == max(held, default=None)
    assert bool(ranges) == bool(held)
    assert {number for number in range(62) if number in ranges} == held
    assert RangeSet(reversed(ranges.ranges)) == ranges
    assert all(left.last + 1 < right.first for left, right in zip(ranges.ranges, ranges.ranges[1:], strict=False))


@given(held=numbers, other=numbers)
def test_add_and_subtract(held: set[int], other: set[int]) -> None:
    left, right = RangeSet.from_numbers(held), RangeSet.from_numbers(other)
    assert left.add(right) == RangeSet.from_numbers(held | other)
    assert left.subtract(right) == RangeSet.from_numbers(held - other)
    assert list(left.numbers()) == sorted(held), "a set never changes"
    assert hash(left.add(right)) == hash(right.add(left))


@given(held=numbers, item=pairs, number=st.integers(0, 60))
def test_add_and_subtract_ranges_and_numbers(held: set[int], item: RecordRange, number: int) -> None:
    ranges, span = RangeSet.from_numbers(held), set(range(item.first, item.last + 1))
    assert ranges.add(item) == RangeSet.from_numbers(held | span)
    assert ranges.subtract(item) == RangeSet.from_numbers(held - span)
    assert ranges.add(number) == RangeSet.from_numbers(held | {number})
    assert ranges.subtract(number) == RangeSet.from_numbers(held - {number})


@given(held=numbers, first=st.integers(0, 60), last=st.integers(0, 60))
def test_missing_between(held: set[int], first: int, last: int) -> None:
    missing = RangeSet.from_numbers(held).missing_between(first, last)
    assert set(missing.numbers()) == set(range(first, last + 1)) - held


def test_overlapping_and_touching_ranges_become_one() -> None:
    ranges = RangeSet(
        [RecordRange(5, 9), RecordRange(0, 3), RecordRange(4, 4), RecordRange(8, 12), RecordRange(20, 20)]
    )
    assert ranges.ranges == (RecordRange(0, 12), RecordRange(20, 20))
    assert repr(ranges) == "RangeSet(0..12, 20..20)"


def test_the_whole_number_line_is_one_range() -> None:
    everything = RangeSet([RecordRange(0, 2**32 - 1)])
    assert everything.count == 2**32
    assert everything.subtract(2**31).ranges == (RecordRange(0, 2**31 - 1), RecordRange(2**31 + 1, 2**32 - 1))


@pytest.mark.parametrize(("first", "last"), [(1, 0), (-1, 0), (0, 2**32)])
def test_no_range(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="not a range"):
        RecordRange(first, last)
