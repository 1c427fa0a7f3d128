"""minutes.csv: what it may say, what is refused and where, and that nothing missing becomes a reading."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calza_server.documents import minutes_csv
from calza_server.documents.minutes_csv import COLUMNS, MinuteTable, read_minutes
from calza_server.files.file_fault import FileFault

HEADER = "time,ankle,calf,thigh,ripple,skin"
ROW = "2026-03-02T10:31Z,26.1,18.4,10.2,0.61,31.5"
AT = 29_540_791  # 2026-03-02T10:31Z


def table(*rows: str, header: str = HEADER) -> MinuteTable:
    return read_minutes("\n".join([header, *rows, ""]).encode())


def refused(octets: bytes | str) -> FileFault:
    with pytest.raises(FileFault) as caught:
        read_minutes(octets if isinstance(octets, bytes) else octets.encode(), "mine.csv")
    fault = caught.value
    assert fault.code == "minutes_invalid"
    assert str(fault).startswith(f"mine.csv, line {fault.line}, column {fault.column}")
    assert "\n" not in str(fault)
    return fault


def test_a_row_becomes_a_minute() -> None:
    read = table(ROW, "2026-03-02T10:33Z,25,,,,")
    assert read.minute.tolist() == [AT, AT + 2]
    assert read.line.tolist() == [2, 3]
    np.testing.assert_array_equal(read.values[:, 0], [26.1, 18.4, 10.2, 0.61, 31.5])
    np.testing.assert_array_equal(read.values[:, 1], [25, np.nan, np.nan, np.nan, np.nan])
    assert read.span == (AT, AT + 3)
    assert [read.line_of(AT + later) for later in (-1, 0, 1, 2, 3)] == [None, 2, None, 3, None]
    grid = read.grid(AT - 1, AT + 4)
    assert grid.present.tolist() == [False, True, False, True, False]
    assert grid.record.tolist() == [-1, 1, -1, 1, -1]
    assert grid.log.tolist() == [-1, 0, -1, 0, -1]
    assert np.isnan(grid.ankle).tolist() == [True, False, True, False, True]
    assert grid.skin[1] == np.float32(31.5)
    assert not grid.flags.any()


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T10:31Z",
        "2026-03-02T10:31:00Z",
        "2026-03-02 10:31:00.000Z",
        "2026-03-02t10:31z",
        "2026-03-02T10:31+00:00",
        "2026-03-02T10:31-00:00",
        "2026-03-02T10:31:00+0000",
        "2026-03-02 10:31:00+00",
        "2026-03-02T11:31+01:00",
        "2026-03-02T05:01:00-05:30",
        "2026-03-03T00:31+14:00",
        " 2026-03-02T10:31Z ",
        '"2026-03-02T10:31Z"',
    ],
)
def test_a_moment_may_be_written_in_these_ways(text: str) -> None:
    assert table(f"{text},26,18,10,0.6,31").minute.tolist() == [AT]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-03-02T10:31", "time zone"),
        ("2026-03-02T10:31:00", "time zone"),
        ("2026-03-02T10:31:20Z", "whole minute"),
        ("2026-03-02T10:31:00.5Z", "whole minute"),
        ("2026-03-02T10:31:60Z", "whole minute"),
        ("2026-03-02T10:31+01:00:30", "not a time"),
        ("2026-03-02T10:31+24:00", "no time of the calendar"),
        ("2026-03-02T10:31+01:60", "no time of the calendar"),
        ("2026-02-29T10:31Z", "no time of the calendar"),
        ("2026-13-01T10:31Z", "no time of the calendar"),
        ("2026-00-01T10:31Z", "no time of the calendar"),
        ("2026-03-02T24:00Z", "no time of the calendar"),
        ("2026-03-02T10:60Z", "no time of the calendar"),
        ("1969-12-31T10:00Z", "no time of the calendar"),
        ("9000-01-01T00:00Z", "no time of the calendar"),
        ("2026-03-02", "not a time"),
        ("2026-03-02T10Z", "not a time"),
        ("20260302T1031Z", "not a time"),
        ("2026-W10-1T10:31Z", "not a time"),
        ("02/03/2026 10:31", "not a time"),
        ("2026-03-02T10:31UTC", "not a time"),
        ("1772447460", "not a time"),
        ("\u0662026-03-02T10:31Z", "not a time"),
        ("2026-03-02T10:31:0\u0660Z", "not a time"),
        ("", "empty"),
    ],
)
def test_a_moment_that_does_not_say_its_minute_is_refused(text: str, why: str) -> None:
    fault = refused(f"{HEADER}\n{ROW}\n{text},26,18,10,0.6,31\n")
    assert (fault.line, fault.column, fault.name) == (3, 1, "time")
    assert why in fault.what
    assert "2026-03-02T10:31Z" in fault.what, "it says what to write"


@given(st.datetimes(datetime(1971, 1, 1), datetime(8999, 12, 31)))  # noqa: DTZ001 - read as UTC on the next line
@example(datetime(2028, 2, 29, 23, 59))  # noqa: DTZ001 - read as UTC on the next line
@example(datetime(2100, 3, 1))  # noqa: DTZ001 - read as UTC on the next line
def test_any_minute_of_the_calendar_is_understood(moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
    assert table(f"{moment:%Y-%m-%dT%H:%M}Z,1,1,1,1,1").minute.tolist() == [expected]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("26.1", 26.1),
        ("-1.5", -1.5),
        ("+3", 3),
        (".5", 0.5),
        ("5.", 5),
        ("1e-05", 1e-05),
        (" 26.1 ", 26.1),
        ('"26.1"', 26.1),
        ("-50", -50),
        ("500", 500),
        ("", np.nan),
        ("  ", np.nan),
    ],
)
def test_a_figure_may_be_written_in_these_ways(text: str, value: float) -> None:
    np.testing.assert_array_equal(table(f"2026-03-02T10:31Z,{text},18,10,0.6,31").values[0], [value])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nan", "not a number"),
        ("NaN", "not a number"),
        ("inf", "not a number"),
        ("-Infinity", "not a number"),
        ("1_0", "not a number"),
        ("0x1A", "not a number"),
        ("\u0662\u0666", "not a number"),
        ("26 mmHg", "not a number"),
        ("-", "not a number"),
        ("NA", "not a number"),
        ('"26,1"', "decimal comma"),
        ("-50.01", "-50 to 500 mmHg"),
        ("500.01", "-50 to 500 mmHg"),
        ("1e999", "-50 to 500 mmHg"),
    ],
)
def test_what_is_no_pressure_is_refused(text: str, why: str) -> None:
    fault = refused(f"{HEADER}\n{ROW}\n2026-03-02T10:32Z,26,{text},10,0.6,31\n")
    assert (fault.line, fault.column, fault.name) == (3, 3, "calf")
    assert why in fault.what


@pytest.mark.parametrize(
    ("column", "fine", "wrong", "limits"),
    [
        ("ripple", "0", "-0.01", "0 to 500 mmHg"),
        ("skin", "-40", "-40.01", "-40 to 125 degC"),
        ("skin", "125", "304.15", "-40 to 125 degC"),
        ("thigh", "-3.2", "-51", "-50 to 500 mmHg"),
    ],
)
def test_each_column_has_its_limits(column: str, fine: str, wrong: str, limits: str) -> None:
    header = f"time,{column}"
    assert table(f"2026-03-02T10:31Z,{fine}", header=header).values[COLUMNS.index(column)].tolist() == [float(fine)]
    fault = refused(f"{header}\n2026-03-02T10:31Z,{wrong}\n")
    assert (fault.line, fault.column, fault.name) == (2, 2, column)
    assert limits in fault.what


def test_the_first_fault_is_told() -> None:
    """By line, then by column, whatever the order of the columns in our own tables."""
    text = "skin,time,ankle\n31,2026-03-02T10:31Z,1\nx,2026-03-02T10:32,y\n31,bad,1\n"
    assert (refused(text).line, refused(text).column) == (3, 1)
    assert (refused(text.replace("x,", "31,")).line, refused(text.replace("x,", "31,")).column) == (3, 2)
    later = "skin,time,ankle\n31,2026-03-02T10:31Z,y\nx,2026-03-02T10:32Z,1\n"
    assert (refused(later).line, refused(later).column) == (2, 3)


@pytest.mark.parametrize(
    ("header", "column", "why"),
    [
        ("ankle,calf", 1, "no column time"),
        ("time", 2, "no column beside time"),
        ("time,ankle,pulse", 3, '"pulse" is not a column'),
        ("Time,ankle", 1, '"Time" is not a column'),
        ("time,ankle,", 3, '"" is not a column'),
        ("time,ankle,calf,ankle", 4, "twice, first as column 2"),
        ("time,ankle,time", 3, "twice"),
        ("time;ankle;calf", 1, "commas"),
        ("time\tankle", 1, "commas"),
        ('time,"ankle', 1, "CSV"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(header: str, column: int, why: str) -> None:
    fault = refused(f"{header}\n{ROW}\n")
    assert (fault.line, fault.column) == (1, column)
    assert why in fault.what


def test_columns_come_in_any_order_and_may_be_absent() -> None:
    read = table("31.5,26.1,2026-03-02T10:31Z", header="skin, ankle ,time")
    assert read.named == ("ankle", "skin")
    assert read.absent == ("calf", "thigh", "ripple")
    np.testing.assert_array_equal(read.values[:, 0], [26.1, np.nan, np.nan, np.nan, 31.5])


@pytest.mark.parametrize(
    "octets",
    [
        f"{HEADER}\n{ROW}",
        f"{HEADER}\n{ROW}\n",
        f"\ufeff{HEADER}\n{ROW}\n",
        f"{HEADER}\r\n{ROW}\r\n\r\n",
        f"{HEADER}\n{ROW}\n\n \n\t\n",
        f"{HEADER}\n,,,,,\n\n{ROW}\n,,,,,\n",
        f"\n{HEADER}\n{ROW}\n",
    ],
)
def test_line_ends_byte_order_marks_and_blank_lines_say_nothing(octets: str) -> None:
    read = read_minutes(octets.encode())
    assert read.minute.tolist() == [AT]
    assert octets.splitlines()[read.line[0] - 1].startswith("2026")


@pytest.mark.parametrize("octets", [b"", b"\xef\xbb\xbf", b"\n\n", HEADER.encode(), f"{HEADER}\n".encode()])
def test_an_empty_file_is_no_data_and_no_fault(octets: bytes) -> None:
    read = read_minutes(octets)
    assert len(read) == 0
    assert read.span is None
    assert not read.grid(AT, AT + 10).present.any()


def test_a_row_of_a_time_alone_is_missing_data() -> None:
    grid = table("2026-03-02T10:31Z,,,,,").grid(AT, AT + 1)
    assert not grid.present.any()
    assert grid.record.tolist() == [-1]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("2026-03-02T10:32Z,26,18", 4),
        (f"{ROW},7", 7),
        ("2026-03-02T10:32Z", 2),
        ("2026-03-02T10:32Z,26,1,18,4,10,2", 7),
    ],
)
def test_a_row_with_too_few_or_too_many_cells_is_refused(row: str, column: int) -> None:
    """A file cut off in the middle of a row must not become a reading."""
    fault = refused(f"{HEADER}\n{ROW}\n{row}\n")
    assert (fault.line, fault.column) == (3, column)
    assert "the header names 6" in fault.what


@pytest.mark.parametrize("row", ['2026-03-02T10:32Z,"26,18,10,0.6,31', '2026-03-02T10:32Z,"26"x,18,10,0.6,31'])
def test_quotes_that_do_not_close_are_refused_where_they_open(row: str) -> None:
    fault = refused(f'{HEADER}\n{ROW}\n{row}\n{ROW}\n{ROW[:-1]}"\n')
    assert fault.line == 3
    assert "quote" in fault.what


def test_text_that_is_not_utf8_is_refused_where_it_begins() -> None:
    fault = refused(f"{HEADER}\n{ROW}\n".encode() + b"2026-03-02T10:32Z,26,18\xb0,10,0.6,31\n")
    assert (fault.line, fault.column) == (3, 3)
    assert "UTF-8" in fault.what
    assert refused(f"{HEADER}\n{ROW}\n".encode("utf-16")).line == 1


def test_rows_come_in_any_order() -> None:
    rows = [f"2026-03-02T10:{minute:02d}Z,{minute},18,10,0.6,31" for minute in range(60)]
    mixed = random.Random(3).sample(rows, 60)
    read, sorted_read = table(*mixed), table(*rows)
    np.testing.assert_array_equal(read.minute, sorted_read.minute)
    np.testing.assert_array_equal(read.values, sorted_read.values)
    assert [mixed[line - 2] for line in read.line] == rows


def test_the_same_row_twice_counts_once() -> None:
    read = table(ROW, "2026-03-02T10:32Z,,,,,", ROW, "2026-03-02T11:31:00+01:00, 26.10,18.4,10.2,0.61,31.5")
    assert read.minute.tolist() == [AT, AT + 1]
    assert read.line.tolist() == [2, 3]


@pytest.mark.parametrize("other", ["26.2", ""])
def test_two_rows_that_differ_for_one_minute_are_refused_with_both_lines(other: str) -> None:
    """Also where one of them says nothing: which of the two is right cannot be known here."""
    fault = refused(f"{HEADER}\n{ROW}\n{ROW.replace('31Z', '30Z')}\n{ROW}\n{ROW.replace('26.1', other)}\n")
    assert (fault.line, fault.column) == (5, 1)
    assert "line 2" in fault.what
    assert "2026-03-02T10:31Z" in fault.what


def test_of_several_contradictions_the_first_in_the_file_is_told() -> None:
    early, late = ROW.replace("31Z", "05Z"), ROW.replace("31Z", "55Z")
    wrong = [row.replace("26.1", "27") for row in (ROW, late, early)]
    fault = refused("\n".join([HEADER, early, ROW, late, *wrong]))
    assert fault.line == 5
    assert "line 3" in fault.what


def test_more_than_two_years_are_refused() -> None:
    last = datetime(2026, 3, 2, 10, 30, tzinfo=UTC) + timedelta(days=731)
    row = f"{last:%Y-%m-%dT%H:%M}Z,26,18,10,0.6,31"
    assert table(row, ROW).span == (AT, AT + 731 * 1440)
    later = row.replace("10:30", "10:31")
    fault = refused(f"{HEADER}\n{later}\n{ROW}\n")
    assert (fault.line, fault.column) == (2, 1)
    assert "line 3" in fault.what
    assert "731 days" in fault.what


def test_a_long_table_is_read_in_parts_with_the_lines_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes_csv, "CHUNK_LINES", 7)
    rows = [f"2026-03-02T10:{minute:02d}Z,{minute},18,10,0.6,31" for minute in range(60)]
    read = table(*rows)
    assert read.line.tolist() == list(range(2, 62))
    assert read.values[0].tolist() == list(range(60))
    rows[50] = rows[50].replace("31", "warm")
    fault = refused("\n".join([HEADER, *rows]))
    assert (fault.line, fault.name) == (52, "skin")


def test_a_hostile_cell_cannot_drive_a_terminal() -> None:
    fault = refused(f"{HEADER}\n2026-03-02T10:31Z,26,\x1b[2J\u202e{'x' * 500},10,0.6,31\n")
    assert str(fault).isprintable()
    assert len(str(fault)) < 250


CELL = st.sampled_from(["", "26.1", "2026-03-02T10:31Z", "2026-03-02T10:32Z", "nan", '"', "é", "1e400", "x", " "])
LINE = st.one_of(st.sampled_from([HEADER, ROW, "", "time,skin"]), st.lists(CELL, max_size=8).map(",".join))
NEARLY = st.tuples(st.lists(LINE, max_size=12), st.sampled_from(["\n", "\r\n", "\r"])).map(lambda p: p[1].join(p[0]))


@given(st.one_of(st.binary(max_size=400), NEARLY.map(str.encode), st.binary(max_size=60).map(HEADER.encode().__add__)))
@example(b"\x00")
@example(f"{HEADER}\n\x00".encode())
@example(f"{HEADER}\r{ROW}\r".encode())
@example(f"{HEADER}\n2026-03-02T10:31Z,{'9' * 200_000},1,1,1,1".encode())
def test_any_octets_are_read_or_refused_with_a_place(octets: bytes) -> None:
    fault, read = None, None
    try:
        read = read_minutes(octets, "mine.csv")
    except FileFault as error:
        fault = error
    if fault is not None:
        assert fault.line is not None
        assert fault.column is not None
        assert 1 <= fault.line <= octets.count(b"\n") + 1
        assert str(fault).isprintable()
    if read is not None:
        assert (np.diff(read.minute) > 0).all()
        figures = read.values[~np.isnan(read.values)]
        assert ((figures >= -50) & (figures <= 500)).all()
