"""The API over the small clinic: what it answers, and that every error has the one shape."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from calza_server.adapters.memory_store import MemoryStore
from calza_server.domain.recording.readings import Readings
from calza_server.ports import GatewaySeen, StoreError
from calza_server.web.headers import CONTENT_SECURITY_POLICY
from calza_wire.elapsed_time import ETS_EPOCH_UNIX_S, TimeSource, TimeStamp
from calza_wire.gateway_status import GatewayReport
from calza_wire.messages import GatewayClock
from tests.server.clinic import BROKEN, FREE, LEFT, RIGHT, START, open_clinic, worn_as_ordered
from tests.server.recorded import blocks_of, heard

OF_A_LEG = (
    *("verdict", "ledger", "orders", "explanation", "alerts", "dose", "versions", "export", "course"),
    *("live", "live/newest"),
)
SPEC_PATHS = {"/api/v1/legs", "/api/v1/presets", "/healthz", *(f"/api/v1/legs/{{leg_id}}/{each}" for each in OF_A_LEG)}


def test_legs_are_listed_in_order() -> None:
    legs = open_clinic().browser().get("/api/v1/legs").json()["legs"]
    assert [leg["id"] for leg in legs] == [LEFT, RIGHT, FREE, BROKEN]
    assert set(legs[0]) == {"id", "side", "name"}


def test_a_verdict_with_its_bounds() -> None:
    body = open_clinic().browser().get(f"/api/v1/legs/{LEFT}/verdict").json()
    assert body["verdict"] == "met"
    assert (body["days_met_lower"], body["days_met_upper"], body["days_required"]) == (4, 4, 3)
    assert body["worn_hours"] == {"lower": 48.0, "upper": 48.0}
    assert body["completeness"] == {
        "records_expected": 96,
        "records_held": 96,
        "records_missing": 0,
        "minutes_unplaced": 0,
        "minutes_clock_unsure": 0,
    }
    day = body["days"][1]
    assert (day["date"], day["worn_minutes"], day["excused_minutes"], day["outcome"]) == (
        "2026-03-03",
        720,
        120,
        "met",
    )
    assert body["rule_version"] == "calza-rule-2"
    assert len(body["fingerprint"]) == 64
    assert not body["running"]


def test_missing_data_shows_as_bounds_and_missing_records() -> None:
    body = open_clinic().browser().get(f"/api/v1/legs/{RIGHT}/verdict").json()
    assert body["verdict"] == "cannot_tell"
    assert (body["days_met_lower"], body["days_met_upper"]) == (2, 4)
    assert body["completeness"]["records_missing"] == 43
    assert body["worn_hours"]["lower"] == 24.0
    assert body["worn_hours"]["upper"] == pytest.approx(24 + (2 * 24 - 5))


@pytest.mark.parametrize(("days", "verdict"), [(1.5, "can_be_met"), (3.5, "already_met")])
def test_a_running_order(days: float, verdict: str) -> None:
    clinic = open_clinic(days=days)
    body = clinic.browser().get(f"/api/v1/legs/{LEFT}/verdict").json()
    assert body["verdict"] == verdict
    assert body["running"]
    assert body["days"][3]["ahead_minutes"] > 0


def test_nothing_ordered() -> None:
    body = open_clinic().browser().get(f"/api/v1/legs/{FREE}/verdict").json()
    assert body["verdict"] == "not_applicable"
    assert body["last_spoke"] is None


def test_the_ledger_as_runs() -> None:
    body = open_clinic().browser().get(f"/api/v1/legs/{LEFT}/ledger?from=2026-03-02T00:00Z&to=2026-03-03T00:00Z").json()
    assert (body["from"], body["to"]) == ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
    worn = [run for run in body["runs"] if run["state"] == "worn"]
    assert [(run["from"], run["minutes"], run["dose"]) for run in worn] == [("2026-03-02T07:00:00Z", 720, "yes")]
    assert (worn[0]["stocking"], worn[0]["log"]) == ("CZ-0001", b"log-one.".hex())
    assert (worn[0]["first_record"], worn[0]["last_record"]) == (7, 18)
    assert sum(run["minutes"] for run in body["runs"]) == 1440


def test_the_ledger_as_csv_says_the_same() -> None:
    browser = open_clinic().browser()
    answer = browser.get(f"/api/v1/legs/{RIGHT}/ledger?format=csv&from=2026-03-02T00:00Z")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == ["time", "state", "reason", "dose"]
    assert rows[0]["time"] == "2026-03-02T00:00Z"
    assert len(rows) == 4 * 1440
    runs = browser.get(f"/api/v1/legs/{RIGHT}/ledger?from=2026-03-02T00:00Z").json()["runs"]
    spelled = [(run["state"], run["reason"], run["dose"]) for run in runs for _ in range(run["minutes"])]
    assert [(row["state"], row["reason"], row["dose"]) for row in rows] == spelled
    assert all(datetime.fromisoformat(row["time"]).tzinfo for row in rows[:3])


@pytest.mark.parametrize(
    "span",
    [
        "?from=2027-01-01T00:00Z",
        "?to=2020-01-01T00:00Z",
        "?to=0001-01-01T00:00%2B23:00",
        "?from=2026-03-03T00:00Z&to=2026-03-03T00:00Z",
    ],
)
def test_a_span_without_a_minute_has_no_runs(span: str) -> None:
    body = open_clinic().browser().get(f"/api/v1/legs/{LEFT}/ledger{span}").json()
    assert body["runs"] == []


def test_a_plus_sign_left_raw_in_the_address_is_understood() -> None:
    answer = open_clinic().browser().get(f"/api/v1/legs/{LEFT}/ledger?from=2026-03-05T01:00:00+01:00")
    assert answer.json()["from"] == "2026-03-05T00:00:00Z"


def test_health() -> None:
    clinic = open_clinic()
    answer = clinic.browser().get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_a_clock_that_was_lost_is_waited_for_and_then_understood() -> None:
    """The stocking lost power before the order: its minutes count once a gateway has seen that clock, not before."""
    clinic = open_clinic()
    clinic.store = MemoryStore()
    slow_s = START * 60 - ETS_EPOCH_UNIX_S
    clinic.store.append(blocks_of(worn_as_ordered(), "CZ-0001", slow_s=slow_s, source=TimeSource.NOT_SYNCHRONISED))
    browser, address = clinic.browser(), f"/api/v1/legs/{LEFT}/verdict"
    before = browser.get(address).json()
    assert (before["verdict"], before["completeness"]["minutes_unplaced"]) == ("cannot_tell", 4 * 1440)
    ledger = browser.get(f"/api/v1/legs/{LEFT}/ledger").json()
    assert {run["reason"] for run in ledger["runs"]} == {"clock_untrusted", "paused"}

    seen = heard("CZ-0001", b"log-one.", 96, clinic.clock.ms)
    ticks = replace(seen, device_time=TimeStamp(0x01, 5, TimeSource.UNKNOWN))  # no clock at all: it places nothing
    clinic.store.add_sync(ticks, clinic.clock.ms)
    assert browser.get(address).json()["verdict"] == "cannot_tell"
    device_s = clinic.clock.ms // 1000 - slow_s
    clinic.store.add_sync(
        replace(seen, device_time=TimeStamp.at(device_s, source=TimeSource.NOT_SYNCHRONISED)), clinic.clock.ms
    )
    after = browser.get(address).json()
    assert (after["verdict"], after["completeness"]["minutes_unplaced"]) == ("met", 0)


def lost_clock_seen_late(*reports: tuple[GatewayClock, int]) -> dict[str, Any]:
    """The verdict's JSON when the stocking lost power before the order and was seen by these gateways, whose clocks
    are wrong by so many seconds and whose reports took two days."""
    clinic = open_clinic()
    clinic.store = MemoryStore()
    slow_s = START * 60 - ETS_EPOCH_UNIX_S
    clinic.store.append(blocks_of(worn_as_ordered(), "CZ-0001", slow_s=slow_s, source=TimeSource.NOT_SYNCHRONISED))
    clinic.clock.ms += 2 * 86_400_000
    at_ms = (START + 4 * 1440) * 60_000
    for number, (gateway_clock, wrong_s) in enumerate(reports):
        device_s = at_ms // 1000 - slow_s + number
        seen = heard("CZ-0001", b"log-one.", 96, at_ms + number * 1000)
        stamp = TimeStamp.at(device_s, source=TimeSource.NOT_SYNCHRONISED)
        gateway_ms = seen.gateway_ms + wrong_s * 1000
        seen = replace(seen, device_time=stamp, gateway_ms=gateway_ms, gateway_clock=gateway_clock)
        clinic.store.add_sync(seen, clinic.clock.ms)
    body = clinic.browser().get(f"/api/v1/legs/{LEFT}/verdict").json()
    assert isinstance(body, dict)
    return body


SURE, UNSURE = (GatewayClock.SYNCHRONISED, 0), (GatewayClock.UNSYNCHRONISED, -9 * 3600)


@pytest.mark.parametrize(
    ("reports", "unplaced", "unsure"),
    [
        ([SURE], 0, 0),
        ([(GatewayClock.UNKNOWN, 0)], 0, 0),
        ([(GatewayClock.UNSYNCHRONISED, 0)], 0, 4 * 1440),
        ([UNSURE, UNSURE, UNSURE, SURE], 0, 0),
        ([UNSURE, UNSURE, (GatewayClock.UNKNOWN, 0)], 0, 0),
        ([UNSURE, (GatewayClock.UNSYNCHRONISED, 0)], 4 * 1440, 0),
    ],
)
def test_gateways_that_doubt_their_own_clock_outvote_nobody(
    reports: list[tuple[GatewayClock, int]], unplaced: int, unsure: int
) -> None:
    body = lost_clock_seen_late(*reports)
    assert body["verdict"] == ("cannot_tell" if unplaced else "met")
    found = body["completeness"]
    assert (found["minutes_unplaced"], found["minutes_clock_unsure"]) == (unplaced, unsure)


def test_nobody_has_spoken_after_it_was_heard() -> None:
    """A gateway whose clock is five years ahead does not make a stocking speak in five years."""
    clinic = open_clinic()
    ahead = heard("CZ-0001", b"log-one.", 96, clinic.clock.ms)
    clinic.store.add_sync(replace(ahead, gateway_ms=ahead.gateway_ms + 5 * 365 * 86_400_000), clinic.clock.ms)
    body = clinic.browser().get(f"/api/v1/legs/{LEFT}/verdict").json()
    assert datetime.fromisoformat(body["last_spoke"]).timestamp() * 1000 == clinic.clock.ms


class BrokenStore(MemoryStore):
    """Fails to read as told."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def read(self, serial: str, from_device_s: int, to_device_s: int) -> Readings:
        raise self.error


def test_health_fails_with_a_problem_that_keeps_the_figures() -> None:
    clinic = open_clinic()
    clinic.health = replace(clinic.health, broker_connected=False, problem="The broker cannot be reached.")
    body = clinic.browser().get("/healthz").json()
    assert body["code"] == "unhealthy"
    assert body["detail"] == "The broker cannot be reached."
    assert body["health"]["broker_connected"] is False


def test_health_tells_how_each_gateway_is() -> None:
    clinic = open_clinic()
    report = GatewayReport(0, "stuck", 2, 1, 5, 60_000, 3, GatewayClock.UNSYNCHRONISED, ("disk_full", "stack_stuck"))
    clinic.health = replace(
        clinic.health,
        gateways=(
            GatewaySeen("bedside", "online", "calza 1", 120_000, report, 90_000),
            GatewaySeen("hall", "offline", "calza 1", 30_000),
        ),
    )
    body = clinic.browser().get("/healthz").json()
    assert body["gateways_online"] == 1
    assert body["gateways"] == [
        {
            "id": "bedside",
            "state": "online",
            "software": "calza 1",
            "last_heard": "1970-01-01T00:02:00Z",
            "report": {
                "received": "1970-01-01T00:01:30Z",
                "health": "stuck",
                "stockings": 2,
                "in_contact": 1,
                "waiting": 5,
                "oldest_waiting": "1970-01-01T00:01:00Z",
                "refused": 3,
                "clock": "unsynchronised",
                "codes": ["disk_full", "stack_stuck"],
            },
        },
        {
            "id": "hall",
            "state": "offline",
            "software": "calza 1",
            "last_heard": "1970-01-01T00:00:30Z",
            "report": None,
        },
    ]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/legs/", 404, "not_found"),
        ("GET", "/static/../app.py", 404, "not_found"),
        ("GET", "/api/v1/legs/p9/verdict", 404, "unknown_leg"),
        ("GET", "/api/v1/legs/p9/ledger", 404, "unknown_leg"),
        ("GET", "/api/v1/legs/%3Cscript%3E/verdict", 404, "unknown_leg"),
        ("GET", f"/api/v1/legs/{BROKEN}/verdict", 409, "unreadable_order"),
        ("GET", f"/api/v1/legs/{BROKEN}/ledger", 409, "unreadable_order"),
        ("GET", f"/api/v1/legs/{LEFT}/ledger?format=xml", 422, "bad_request"),
        ("GET", f"/api/v1/legs/{LEFT}/ledger?from=monday", 422, "bad_moment"),
        ("GET", f"/api/v1/legs/{LEFT}/ledger?to=2026-03-02T00:00", 422, "bad_moment"),
        ("GET", f"/api/v1/legs/{LEFT}/ledger?from=2026-03-03T00:00Z&to=2026-03-02T00:00Z", 422, "bad_span"),
        ("POST", "/api/v1/legs", 405, "method_not_allowed"),
        ("DELETE", f"/api/v1/legs/{LEFT}/verdict", 405, "method_not_allowed"),
        ("PUT", f"/api/v1/legs/{LEFT}/ledger", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("POST", "/static/calza.css", 405, "method_not_allowed"),
    ],
)
def test_every_error_has_the_one_shape(method: str, path: str, status: int, code: str) -> None:
    answer = open_clinic().browser().request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code"} <= set(body)
    assert (body["code"], body["type"], body["status"]) == (code, f"urn:calza:problem:{code}", status)
    assert body["detail"].endswith(".")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    if status == 405:
        assert answer.headers["allow"] == "GET"


def test_an_order_that_cannot_be_read_is_pointed_at() -> None:
    body = open_clinic().browser().get(f"/api/v1/legs/{BROKEN}/verdict").json()
    assert body["pointer"] == "/phases"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreError("busy", "locked by /var/lib/secret.db"), 503, "store_busy"),
        (ZeroDivisionError("/var/lib/secret.db"), 500, "internal"),
    ],
)
@pytest.mark.parametrize("path", [f"/api/v1/legs/{LEFT}/verdict", f"/api/v1/legs/{LEFT}/ledger", "/"])
def test_our_own_troubles_are_told_without_details(error: Exception, status: int, code: str, path: str) -> None:
    clinic = open_clinic()
    answer = clinic.browser(store=BrokenStore(error)).get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.json()["code"] == code
    assert "secret" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""])
def test_a_strange_host_name_is_refused(host: str) -> None:
    """Otherwise any page could read a loopback server through a name of its own."""
    answer = open_clinic().browser().get("/api/v1/legs", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "unknown_host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8765", "[::1]", "[::1]:8765"])
def test_loopback_names_are_answered(host: str) -> None:
    assert open_clinic().browser().get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/legs", f"/api/v1/legs/{LEFT}/verdict"])
def test_head_is_get_without_the_body(path: str) -> None:
    browser = open_clinic().browser()
    head, get = browser.head(path), browser.get(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


def test_the_description_names_every_route_and_its_errors() -> None:
    spec = open_clinic().browser().get("/api/v1/openapi.json").json()
    assert set(spec["paths"]) == SPEC_PATHS
    for path in spec["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]
    answers = spec["paths"]["/api/v1/legs/{leg_id}/verdict"]["get"]["responses"]
    assert "application/problem+json" in answers["404"]["content"]
    assert "ProblemBody" in spec["components"]["schemas"]


def test_nothing_is_kept_by_caches_on_the_way() -> None:
    browser = open_clinic().browser()
    for path in ("/", "/api/v1/legs", f"/api/v1/legs/{LEFT}/verdict"):
        assert browser.get(path).headers["cache-control"] == "no-store"
    assert "max-age" in browser.get("/static/calza.css").headers["cache-control"]
