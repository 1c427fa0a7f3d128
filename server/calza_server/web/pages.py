"""The page at `/`, its stylesheet and its script: the one adapter to Jinja. `views` says what is true, `words` how."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from calza_server.domain.detection.detector import DETECTOR_VERSION
from calza_server.domain.states import State
from calza_server.domain.verdicts.explain import explain_verdict
from calza_server.views import LegReport, UnreadableOrderError, leg_report, standing_of
from calza_server.web import words
from calza_server.web.strip import DayStrip, day_strip

if TYPE_CHECKING:
    from collections.abc import Callable

    from calza_server.domain.alerting.alert_values import Alert
    from calza_server.domain.ledgers.dose import DoseReport
    from calza_server.domain.verdicts.explain import Statement
    from calza_server.domain.verdicts.verdict import DayResult
    from calza_server.ports import Clock, Leg, LiveSeen, Registry, SeriesStore, VerdictBook

REFRESH_S: Final = 60  # a minute is the finest grain there is
STATIC_MAX_AGE_S: Final = 3600
STATE_NAMES: Final = {
    State.WORN: "worn",
    State.NOT_WORN: "not worn",
    State.UNKNOWN: "unknown",
    State.EXCUSED: "excused",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One leg as the template takes it: its report, or the fault in its order; strips beside their days."""

    leg: Leg
    report: LegReport | None
    fault: str
    zone: ZoneInfo
    days: tuple[tuple[DayResult, DayStrip], ...]
    live: tuple[LiveSeen, ...]
    standing: str = ""
    alerts: tuple[Alert, ...] = ()
    dose: DoseReport | None = None
    reasons: tuple[Statement, ...] = ()
    can_be_live: bool = False


def page_routes(
    store: SeriesStore,
    registry: Registry,
    book: VerdictBook,
    clock: Clock,
    live: Callable[[str], LiveSeen | None],
) -> APIRouter:
    """The routes /, /static/calza.css, /static/live.js and /favicon.svg."""
    routes = APIRouter()
    template = _environment().get_template("legs.html")

    @routes.get("/", response_class=HTMLResponse)
    def page() -> str:
        now_ms = clock.now_ms()
        cards = [_card(store, registry, book, leg, now_ms, live) for leg in registry.legs()]
        running = any(card.report is not None and card.report.verdict.running for card in cards)
        return template.render(cards=cards, now_ms=now_ms, refresh_s=REFRESH_S if running else None)

    @routes.get("/static/calza.css")
    def stylesheet() -> Response:
        return _static("calza.css", "text/css")

    @routes.get("/static/live.js")
    def script() -> Response:
        return _static("live.js", "text/javascript")

    @routes.get("/favicon.svg")
    def icon() -> Response:
        return _static("favicon.svg", "image/svg+xml")

    return routes


def _card(
    store: SeriesStore,
    registry: Registry,
    book: VerdictBook,
    leg: Leg,
    now_ms: int,
    live: Callable[[str], LiveSeen | None],
) -> Card:
    try:
        report = leg_report(store, registry, leg.id, now_ms)
    except UnreadableOrderError as error:  # one leg's faulty order must not hide the other legs
        return Card(leg, None, str(error.fault), ZoneInfo("UTC"), (), ())
    zone = ZoneInfo(report.order.timezone)
    days = tuple((day, day_strip(day, report.ledger, report.verdict.as_of_minute, zone)) for day in report.verdict.days)
    seen = tuple(found for serial in report.serials if (found := live(serial)) is not None)
    standing = standing_of(book, report)
    return Card(
        leg,
        report,
        "",
        zone,
        days,
        seen,
        standing="" if standing is None else standing.sentence(report.order.timezone),
        alerts=report.alerts(),
        dose=report.dose(),
        reasons=explain_verdict(report.order, report.verdict, report.ledger),
        can_be_live=any(each.retired_minute is None for each in registry.stockings(leg.id)),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("calza_server.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words, state_names=STATE_NAMES, states=list(STATE_NAMES), detector_version=DETECTOR_VERSION
    )
    return environment


def _static(name: str, media_type: str) -> Response:
    octets = files("calza_server.web").joinpath("static", name).read_bytes()
    return Response(octets, media_type=media_type, headers={"Cache-Control": f"public, max-age={STATIC_MAX_AGE_S}"})
