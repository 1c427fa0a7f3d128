"""The web application: API, page and their common manners, put together from ports handed in. Starts nothing.

There is no sign-in yet, so the runner binds it to loopback and it answers only requests that name a loopback host;
whoever publishes it names the host in `hosts` and puts a sign-in before it.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI

from calza_server.api.clinic import clinic_routes
from calza_server.api.health import health_route
from calza_server.api.leg_details import leg_detail_routes
from calza_server.api.legs import leg_routes
from calza_server.api.live import live_routes
from calza_server.api.metrics import metrics_route
from calza_server.api.problems import Problem, answer, install
from calza_server.live.live_hub import LiveHub
from calza_server.web.headers import LOOPBACK_HOSTS, Guard
from calza_server.web.pages import page_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from calza_server.ingest.metrics import Scrape
    from calza_server.live.live_feed import LiveFeed
    from calza_server.ports import Clock, Health, LiveSeen, Registry, SeriesStore, VerdictBook

DESCRIPTION = """
Was the prescribed compression stocking worn? Per leg: a verdict with its bounds, and the minutes behind it.

* Read-only. **No sign-in yet**: the server listens on this machine only.
* Missing data is never "not worn": a verdict is given only where what is missing could not change it.
* Every error is `application/problem+json` (RFC 9457); rely on its `code`.
* Times are ISO 8601 in UTC; days are calendar days of the order's time zone.
"""


def create_app(
    *,
    store: SeriesStore,
    registry: Registry,
    book: VerdictBook,
    clock: Clock,
    health: Callable[[], Health],
    live: Callable[[str], LiveSeen | None] = lambda _serial: None,
    feed: LiveFeed | None = None,
    scrape: Scrape | None = None,
    hosts: frozenset[str] = LOOPBACK_HOSTS,
) -> FastAPI:
    """The application. `live` gives the newest live minute of a serial, if any; `hosts` are the names it answers to.

    `feed` is where live minutes are asked for; without one, whoever looks is told that no gateway is online. `scrape`
    answers /metrics; without one there is no such page.
    """
    app = FastAPI(
        title="Calza",
        version="1",
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the stock documentation pages fetch scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    install(app)
    app.include_router(leg_routes(store, registry, book, clock))
    app.include_router(leg_detail_routes(store, registry, book, clock))
    app.include_router(live_routes(registry, clock, live, feed or LiveHub(_ask_nobody, time.monotonic)))
    app.include_router(clinic_routes(registry, clock))
    app.include_router(health_route(health))
    if scrape is not None:
        app.include_router(metrics_route(scrape))
    app.include_router(page_routes(store, registry, book, clock, live), include_in_schema=False)
    app.add_middleware(Guard, hosts=hosts, refuse=_refuse_host)
    return app


def _ask_nobody(_topic: str, _payload: bytes) -> None:
    """Where there is no broker nobody can be asked."""


def _refuse_host(path: str) -> Response:
    detail = "This server does not answer to that host name. Use http://127.0.0.1 or http://localhost with its port."
    return answer(Problem(HTTPStatus.MISDIRECTED_REQUEST, "unknown_host", "Unknown host name", detail), path)
