"""The live stream as a program reads it, over real HTTP: events, limits, what it asks for, and that it ends."""

from __future__ import annotations

import http.client
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from calza_server.adapters.memory_store import MemoryStore
from calza_server.adapters.memory_verdict_book import MemoryVerdictBook
from calza_server.api import live as live_module
from calza_server.api.live import live_routes
from calza_server.api.problems import install
from calza_server.app import create_app
from calza_server.live.live_hub import WATCHERS_MAX, LiveHub
from calza_server.ports import LiveSeen
from calza_server.running.run_parts import listen
from calza_wire.minute_block import MinuteFlag
from tests.server.clinic import BROKEN, FREE, LEFT, Clinic, open_clinic
from tests.server.recorded import ALL_WELL
from tests.server.test_live_hub import minute_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SERIAL = "CZ-0001"
LIMIT_S = 10.0


@dataclass
class Stream:
    """A response that is read event by event."""

    response: http.client.HTTPResponse

    def next(self) -> tuple[str, dict[str, object]]:
        """The next event that is not a comment: its name and data. Empty at the end."""
        name, data = "", {}
        while line := self.response.readline().decode().rstrip("\n"):
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data = json.loads(value)
        if not name and not self.response.closed:
            return self.next()  # a comment, or the advice on reconnecting
        return name, data

    def until(self, wanted: str) -> dict[str, object]:
        while True:
            name, data = self.next()
            assert name, f"the stream ended before {wanted}"
            if name == wanted:
                return data


@dataclass
class Served:
    """The clinic behind a real socket."""

    clinic: Clinic
    hub: LiveHub
    port: int
    asked: list[str]
    newest: dict[str, LiveSeen]

    @contextmanager
    def open(self, leg: str = LEFT, method: str = "GET") -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, f"/api/v1/legs/{leg}/live")
            response = connection.getresponse()
            yield response
            response.close()
        finally:
            connection.close()

    def until(self, condition: object) -> None:
        assert callable(condition)
        limit = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < limit
            time.sleep(0.005)


@contextmanager
def served() -> Iterator[Served]:
    clinic = open_clinic()
    asked: list[str] = []
    newest: dict[str, LiveSeen] = {}
    hub = LiveHub(lambda topic, _payload: asked.append(topic), time.monotonic)
    app = create_app(
        store=clinic.store,
        registry=clinic.registry,
        book=clinic.book,
        clock=clinic.clock,
        health=lambda: ALL_WELL,
        live=newest.get,
        feed=hub,
    )
    listener = listen(0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
    thread.start()
    try:
        yield Served(clinic, hub, int(listener.getsockname()[1]), asked, newest)
    finally:
        hub.close()
        server.should_exit = True
        thread.join()
        listener.close()


def test_it_says_who_is_asked_then_sends_each_minute_with_the_ordered_floor() -> None:
    with served() as here:
        here.clinic.clock.ms -= 4 * 86_400_000  # a day on which the order runs
        here.hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
        with here.open() as response:
            assert response.status == 200
            assert response.getheader("content-type") == "text/event-stream; charset=utf-8"
            assert response.getheader("cache-control") == "no-store"
            stream = Stream(response)
            name, state = stream.next()
            assert (name, state["gateways_online"], state["ends_after_s"]) == ("state", 1, 1800)
            assert "about a minute" in str(state["sentence"])
            assert here.asked == ["calza/v1/down/bedside/live"]
            seen = minute_of(SERIAL)
            faulty = replace(seen.minute, flags=int(MinuteFlag.CALF_FAULT | MinuteFlag.MOVING))
            here.hub.live_minute(replace(seen, minute=faulty, received_ms=here.clinic.clock.ms - 2_500))
            minute = stream.until("minute")
            assert (minute["stocking"], minute["age_s"], minute["ankle_floor_mmhg"]) == (SERIAL, 2, 18.0)
            assert (minute["ankle_mmhg"], minute["calf_mmhg"], minute["moving"]) == (26.0, None, True)


def test_the_wish_lapses_when_the_client_goes() -> None:
    with served() as here:
        here.hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
        with here.open() as response:
            Stream(response).until("state")
            assert here.hub.watching() == 1
        here.until(lambda: here.hub.watching() == 0)
        asked = len(here.asked)
        here.hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
        assert len(here.asked) == asked == 1


def test_it_is_renewed_and_shows_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "RENEW_S", 0.05)
    monkeypatch.setattr("calza_server.live.live_hub.ASK_AGAIN_S", 0.01)
    with served() as here:
        here.hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
        with here.open() as response:
            comments = 0
            while comments < 3:
                comments += response.readline().startswith(b": ")
        assert len(here.asked) >= 3


def test_a_gateway_that_comes_online_is_asked_and_told_of() -> None:
    with served() as here, here.open() as response:
        stream = Stream(response)
        state = stream.until("state")
        assert state["gateways_online"] == 0
        assert "No gateway" in str(state["sentence"])
        here.hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
        assert stream.until("state")["gateways_online"] == 1
        assert here.asked == ["calza/v1/down/bedside/live"]


def test_what_is_fresh_comes_at_once_and_what_is_old_does_not() -> None:
    with served() as here:
        now_ms = here.clinic.clock.ms
        here.newest[SERIAL] = replace(minute_of(SERIAL), received_ms=now_ms - 40_000)
        with here.open() as response:
            name, minute = Stream(response).next()
            assert (name, minute["age_s"]) == ("minute", 40)
        here.newest[SERIAL] = replace(minute_of(SERIAL), received_ms=now_ms - 400_000)
        with here.open() as response:
            assert Stream(response).next()[0] == "state"


def test_it_ends_by_itself_and_says_why() -> None:
    clinic = open_clinic()
    hub = LiveHub(lambda _topic, _payload: None, time.monotonic)
    app = FastAPI()
    install(app)
    app.include_router(live_routes(clinic.registry, clinic.clock, lambda _serial: None, hub, ends_after_s=0.2))
    text = TestClient(app).get(f"/api/v1/legs/{LEFT}/live").text
    last = text.strip().split("\n\n")[-1].split("\n")
    assert last[0] == "event: end"
    assert json.loads(last[1].removeprefix("data: "))["reason"] == "time_limit"
    assert "battery" in last[1]
    assert hub.watching() == 0


def test_a_server_that_ends_tells_those_who_look_and_does_not_wait_for_them() -> None:
    with served() as here:
        connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=LIMIT_S)
        connection.request("GET", f"/api/v1/legs/{LEFT}/live")
        response = connection.getresponse()
        stream = Stream(response)
        stream.until("state")
        began = time.monotonic()
    assert time.monotonic() - began < 4, "well within what uvicorn waits for requests"
    assert stream.until("end")["reason"] == "server_closed"
    response.close()
    connection.close()


def test_head_asks_nothing_of_anybody() -> None:
    with served() as here:
        here.hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
        with here.open(method="HEAD") as response:
            assert response.status == 200
            assert response.read() == b""
        here.until(lambda: here.hub.watching() == 0)
        assert here.asked == []


@pytest.mark.parametrize(
    ("leg", "status", "code"),
    [("p9", 404, "unknown_leg"), (BROKEN, 409, "no_stocking")],
)
@pytest.mark.parametrize("tail", ["", "/newest"])
def test_what_cannot_be_looked_at_is_a_problem(leg: str, status: int, code: str, tail: str) -> None:
    answer = open_clinic().browser().get(f"/api/v1/legs/{leg}/live{tail}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_from_elsewhere_cannot_make_a_browser_ask(site: str) -> None:
    answer = open_clinic().browser().get(f"/api/v1/legs/{LEFT}/live", headers={"Sec-Fetch-Site": site})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_page")


def test_a_retired_stocking_is_not_asked() -> None:
    clinic = open_clinic()
    clinic.registry.retired["CZ-0003"] = 1
    assert clinic.browser().get(f"/api/v1/legs/{FREE}/live").json()["code"] == "no_stocking"


def test_more_screens_than_there_is_room_for_are_refused_with_a_time_to_come_back() -> None:
    with served() as here:
        for _ in range(WATCHERS_MAX):
            here.hub.watch([SERIAL], lambda _seen: None)
        with here.open() as response:
            assert response.status == 503
            assert response.getheader("retry-after") == "60"
            assert json.loads(response.read())["code"] == "too_many_watchers"


def test_the_newest_asks_for_nothing() -> None:
    clinic = open_clinic()
    seen = replace(minute_of(SERIAL), received_ms=clinic.clock.ms - 5_000)
    asked: list[str] = []
    hub = LiveHub(lambda topic, _payload: asked.append(topic), time.monotonic)
    hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
    app = create_app(
        store=MemoryStore(),
        registry=clinic.registry,
        book=MemoryVerdictBook(),
        clock=clinic.clock,
        health=lambda: ALL_WELL,
        live=lambda serial: seen if serial == SERIAL else None,
        feed=hub,
    )
    browser = TestClient(app, base_url="http://127.0.0.1")
    body = browser.get(f"/api/v1/legs/{LEFT}/live/newest").json()
    assert [(one["stocking"], one["age_s"], one["gateway"]) for one in body["minutes"]] == [(SERIAL, 5, "bedside")]
    assert browser.get(f"/api/v1/legs/{FREE}/live/newest").json()["minutes"] == []
    assert asked == []
