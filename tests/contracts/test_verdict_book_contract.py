"""Every verdict book keeps its port's promises; the file one keeps them across crashes too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from calza_server.adapters.file_verdict_book import BOOK_NAME, FileVerdictBook
from calza_server.adapters.memory_verdict_book import MemoryVerdictBook
from calza_server.ports import VerdictBook, VerdictBookError

ORDER = "2026-03-02T10:30Z"
FIRST, SECOND = {"number": 1, "verdict": "met"}, {"number": 2, "verdict": "not_met"}


@pytest.fixture(params=["file", "memory"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> VerdictBook:
    makers: dict[str, Callable[[], VerdictBook]] = {
        "file": lambda: FileVerdictBook(tmp_path / BOOK_NAME),
        "memory": MemoryVerdictBook,
    }
    return makers[request.param]()


def test_an_order_nobody_froze_has_no_version(book: VerdictBook) -> None:
    assert book.versions("left", ORDER) == ()


def test_versions_come_back_in_the_order_they_were_frozen(book: VerdictBook) -> None:
    book.append("left", ORDER, FIRST)
    book.append("left", ORDER, SECOND)
    assert book.versions("left", ORDER) == (FIRST, SECOND)


def test_each_leg_and_each_order_has_its_own(book: VerdictBook) -> None:
    book.append("left", ORDER, FIRST)
    assert book.versions("right", ORDER) == ()
    assert book.versions("left", "2026-04-02T10:30Z") == ()


def test_what_is_done_to_a_version_afterwards_changes_nothing(book: VerdictBook) -> None:
    frozen = dict(FIRST)
    book.append("left", ORDER, frozen)
    frozen["verdict"] = "not_met"
    assert book.versions("left", ORDER) == (FIRST,)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_read_again_after_a_restart(tmp_path: Path) -> None:
    FileVerdictBook(tmp_path / BOOK_NAME).append("left", ORDER, FIRST)
    again = FileVerdictBook(tmp_path / BOOK_NAME)
    again.append("left", ORDER, SECOND)
    assert FileVerdictBook(tmp_path / BOOK_NAME).versions("left", ORDER) == (FIRST, SECOND)


def test_half_a_line_of_a_crash_is_cut_off_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / BOOK_NAME
    FileVerdictBook(path).append("left", ORDER, FIRST)
    with path.open("ab") as file:
        file.write(b'{"leg": "left", "or')
    again = FileVerdictBook(path)
    assert again.versions("left", ORDER) == (FIRST,)
    again.append("left", ORDER, SECOND)
    assert FileVerdictBook(path).versions("left", ORDER) == (FIRST, SECOND)


def test_a_line_somebody_changed_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / BOOK_NAME
    path.write_text('{"leg": "left"}\n', encoding="utf-8")
    with pytest.raises(VerdictBookError, match=r"line 1 of verdicts\.jsonl is no frozen verdict") as caught:
        FileVerdictBook(path)
    assert caught.value.code == "book_broken"


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    FileVerdictBook(tmp_path / BOOK_NAME).append("left", ORDER, FIRST)
    assert (tmp_path / BOOK_NAME).stat().st_mode & 0o777 == 0o600


def test_a_book_that_cannot_be_written_says_so_and_adds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    book = FileVerdictBook(folder / BOOK_NAME)
    folder.rmdir()
    with pytest.raises(VerdictBookError, match="could not be frozen") as caught:
        book.append("left", ORDER, FIRST)
    assert caught.value.code == "book_unwritable"
    assert book.versions("left", ORDER) == ()
