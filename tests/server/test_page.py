"""The first page: what it says, that it escapes everything, and that it needs nothing from anywhere else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from calza_server.domain.verdicts.verdict import DayOutcome, Verdict
from calza_server.ports import LiveSeen
from calza_server.web import words
from calza_server.web.headers import CONTENT_SECURITY_POLICY
from calza_wire.elapsed_time import TimeSource, TimeStamp
from calza_wire.live_minute import LiveMinute
from calza_wire.minute_block import MinuteFlag
from tests.server.clinic import HOSTILE, Clinic, open_clinic
from tests.server.recorded import MemoryRegistry

VOID = {"meta", "link", "br", "rect", "line", "circle", "path"}


class Outline(HTMLParser):
    """Elements, attributes and text; fails on tags that are closed in the wrong order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page_of(clinic: Clinic) -> Outline:
    return Outline(clinic.browser().get("/").text)


def test_each_leg_has_its_verdict_in_words() -> None:
    page = page_of(open_clinic())
    assert "Met The stocking was worn as ordered." in page.words
    assert "Cannot tell Data is missing on 2 days, and it could change the answer either way." in page.words
    assert "Nothing ordered" in page.words
    assert "The order cannot be read The registry is faulty at /phases: is missing." in page.words
    assert "2 days reached, 4 possible, 3 needed" in page.words
    assert "53 of 96 held, 43 missing" in page.words
    assert "3 minutes ago" in page.words
    assert "24 to 67 h" in page.words


def test_every_name_is_escaped() -> None:
    answer = open_clinic().browser().get("/")
    assert "<script>" not in answer.text
    assert HOSTILE in Outline(answer.text).words


def test_nothing_on_the_page_comes_from_elsewhere_and_nothing_runs_but_our_one_script() -> None:
    answer = open_clinic().browser().get("/")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "script-src 'self';" in CONTENT_SECURITY_POLICY
    assert "connect-src 'self';" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    page = Outline(answer.text)
    for tag, attributes in page.elements:
        assert tag not in {"style", "iframe", "object", "embed", "form", "img"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src"):
            assert re.fullmatch(r"/[a-z][a-z./]*", attributes.get(name) or "/x")
    assert page.all("script") == [{"src": "/static/live.js", "defer": None}]
    script = open_clinic().browser().get("/static/live.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "innerHTML" not in script.text
    assert "http" not in script.text
    for link in page.all("link"):
        assert open_clinic().browser().get(str(link["href"])).status_code == 200
    css = open_clinic().browser().get("/static/calza.css").text
    assert "url(" not in css
    assert "@import" not in css


def test_strips_carry_their_meaning_in_shapes_and_in_words() -> None:
    page = page_of(open_clinic())
    strips = [one for one in page.all("svg") if one.get("class") == "strip"]
    assert len(strips) == 8
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for one in strips:
        assert one["role"] == "img"
        assert set(str(one["aria-labelledby"]).split()) <= set(ids)
    assert "worn 12 h, not worn 10 h, excused 2 h; 7 h needed." in page.words
    shapes = {(one.get("class"), one.get("fill")) for one in page.all("rect")}
    assert {("worn", None), ("not-worn", None), ("unknown", "url(#hatch)"), ("excused", "url(#dots)")} <= shapes
    assert {"hatch", "dots"} <= {one["id"] for one in page.all("pattern")}


def test_the_same_stands_in_a_table() -> None:
    page = page_of(open_clinic())
    assert len(page.all("details")) == 4, "reasons and figures of each of the two legs"
    assert "Tue 3 Mar 0 min 3 h 19 h 2 h 7 h cannot tell" in page.words


@pytest.mark.parametrize(("days", "refreshes"), [(2.4, True), (5.0, False)])
def test_it_refreshes_only_while_an_order_runs(days: float, refreshes: bool) -> None:
    metas = page_of(open_clinic(days=days)).all("meta")
    assert any(meta.get("http-equiv") == "refresh" for meta in metas) is refreshes


def test_days_to_come_are_not_called_missed() -> None:
    page = page_of(open_clinic(days=1.4))
    assert "Can still be met" in page.words
    assert "to come" in page.words
    assert "missed" not in page.words


def test_the_live_minute_is_shown_and_said_not_to_count() -> None:
    clinic = open_clinic()
    stamp = TimeStamp.at(clinic.clock.ms / 1000, source=TimeSource.NTP)
    minute = LiveMinute.of_raw(stamp, 263, 185, 99, 6, 7142, MinuteFlag.CALF_FAULT)
    live = LiveSeen("CZ-0001", "home", minute, clinic.clock.ms - 60_000)
    text = Outline(clinic.browser(live=live).get("/").text).words
    assert text.count("Live ankle 26, calf faulty, thigh 10 mmHg, skin 31.4 °C 1 minute ago, not counted") == 1


def test_live_is_offered_where_there_is_a_stocking_and_hidden_without_a_script() -> None:
    clinic = open_clinic()
    clinic.registry.retired["CZ-0003"] = 1
    panels = [one for one in page_of(clinic).all("section") if one.get("class") == "live"]
    assert [one["data-live"] for one in panels] == [f"/api/v1/legs/{leg}/live" for leg in ("p1-left", "p1-right")]
    assert all("hidden" in one for one in panels)
    page = page_of(clinic)
    assert len(page.all("button")) == 2
    assert [one.get("aria-live") for one in page.all("dl") if one.get("class") == "readings"] == ["polite"] * 2
    assert [one for one in page.all("p") if one.get("role") == "status"] != []


def test_the_page_refreshes_itself_only_without_a_script() -> None:
    text = open_clinic(days=2.4).browser().get("/").text
    assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in text
    assert '<body data-refresh-s="60">' in text
    assert "data-refresh-s" not in open_clinic(days=5).browser().get("/").text


def test_a_clinic_without_legs_says_so() -> None:
    clinic = open_clinic()
    clinic.registry = MemoryRegistry([])
    assert "No leg is registered yet." in page_of(clinic).words


def test_the_document_is_named_and_in_a_language() -> None:
    page = page_of(open_clinic())
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("meta")[1]["name"] == "viewport"
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (65, "1 h 05 min"), (1440, "24 h")]
)
def test_spans_read_naturally(minutes: int, text: str) -> None:
    assert words.span(minutes) == text


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(-5, "just now"), (0, "just now"), (1, "1 minute ago"), (119, "1 hour ago"), (3000, "2 days ago")],
)
def test_ages_read_naturally(minutes: int, text: str) -> None:
    assert words.ago(0, minutes * 60_000) == text


def test_every_answer_has_words() -> None:
    assert set(words.HEADLINES) == set(Verdict)
    assert set(words.OUTCOMES) == set(DayOutcome)
