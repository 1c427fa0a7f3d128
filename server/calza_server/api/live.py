"""Routes for live minutes: a stream of server-sent events that holds a wish as long as it is open, and the newest.

Nothing is asked of a stocking unless such a stream is open, and none is open for ever.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from calza_server.api.legs import LegId, problems
from calza_server.api.models import LegOut
from calza_server.api.models_live import LiveEndOut, LiveMinuteOut, LiveNewestOut, LiveStateOut
from calza_server.api.problems import Problem, ProblemError
from calza_server.domain.ledgers.leg import ordered_floor
from calza_server.live.live_feed import RENEW_S, TooManyWatchersError
from calza_server.views import MINUTE_MS, UnknownLegError, order_of
from calza_server.web.headers import WITHOUT_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from calza_server.api.models import Out
    from calza_server.live.live_feed import LiveFeed, LiveWatch
    from calza_server.ports import Clock, Leg, LiveSeen, Registry

ENDS_AFTER_S: Final = 30 * 60.0  # time enough to fit a stocking; a screen left open must not cost a night of battery
FRESH_MS: Final = (
    90_000  # an older minute says nothing of the leg as it is now; a stocking that is live sends each 60 s
)
RETRY_MS: Final = 5_000  # what a browser waits before it connects again by itself
RETRY_AFTER_S: Final = 60  # when others may have stopped looking
STREAM_MEDIA_TYPE: Final = "text/event-stream"
# A page from elsewhere cannot read the stream, but it could make a browser open it, and that costs a battery.
OWN_PAGES: Final = frozenset({"same-origin", "none"})  # "none": typed by a person; programs do not send the header
UNBUFFERED: Final = {"X-Accel-Buffering": "no"}  # nginx would keep events back until there is a page of them

ASKED: Final = (
    "Waiting for the stocking. It answers within about a minute when it is in range of its gateway, "
    "and then sends the mean of each minute."
)
NOBODY: Final = "No gateway that knows this stocking is online. It is asked as soon as one comes online."
TIME_LIMIT: Final = "Ended after {minutes:g} minutes, to spare the stocking's battery."
SERVER_CLOSED: Final = "The server ended this. Ask again in a moment."


@dataclass(frozen=True, slots=True)
class _Watched:
    leg: Leg
    serials: tuple[str, ...]
    floor_mmhg: float | None


def live_routes(
    registry: Registry,
    clock: Clock,
    live: Callable[[str], LiveSeen | None],
    feed: LiveFeed,
    ends_after_s: float = ENDS_AFTER_S,
) -> APIRouter:
    """The routes under /api/v1/legs/{leg_id}/live. `live` gives the newest live minute of a serial."""
    routes = APIRouter(prefix="/api/v1/legs/{leg_id}/live", tags=["live"])

    def watched(leg_id: str) -> _Watched:
        leg = registry.leg(leg_id)
        if leg is None:
            raise UnknownLegError(leg_id)
        serials = tuple(each.serial for each in registry.stockings(leg_id) if each.retired_minute is None)
        if not serials:
            detail = "No stocking in use is registered for this leg, so there is none to ask."
            raise ProblemError(Problem(HTTPStatus.CONFLICT, "no_stocking", "No stocking", detail))
        return _Watched(leg, serials, _floor(leg, clock.now_ms() // MINUTE_MS))

    def newest_of(of: _Watched) -> list[LiveMinuteOut]:
        now_ms = clock.now_ms()
        seen = [found for serial in of.serials if (found := live(serial)) is not None]
        return [LiveMinuteOut.of(each, of.floor_mmhg, now_ms) for each in seen]

    async def events(of: _Watched, watch: LiveWatch, news: asyncio.Queue[LiveSeen | None]) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + ends_after_s
        known: int | None = None
        try:
            yield f"retry: {RETRY_MS}\n\n"  # before anything is asked: a client that goes at once costs nobody anything
            for minute in newest_of(of):
                if minute.age_s * 1000 < FRESH_MS:
                    yield _event("minute", minute)
            while (left_s := ends - loop.time()) > 0:
                reach = watch.renew()
                if reach is None:
                    yield _event("end", LiveEndOut(reason="server_closed", sentence=SERVER_CLOSED))
                    return
                if reach != known:
                    known, sentence = reach, ASKED if reach else NOBODY
                    yield _event(
                        "state",
                        LiveStateOut(gateways_online=reach, ends_after_s=round(ends_after_s), sentence=sentence),
                    )
                try:
                    async with asyncio.timeout(min(left_s, RENEW_S)):
                        seen = await news.get()
                except TimeoutError:
                    yield ": still here\n\n"  # shows a connection that broke, to both sides
                    continue
                if seen is not None:
                    yield _event("minute", LiveMinuteOut.of(seen, of.floor_mmhg, clock.now_ms()))
            sentence = TIME_LIMIT.format(minutes=ends_after_s / 60)
            yield _event("end", LiveEndOut(reason="time_limit", sentence=sentence))
        finally:
            watch.leave()

    @routes.get(
        "",
        summary="Live minutes, as they come",
        response_class=StreamingResponse,
        responses=problems(
            HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE
        )
        | {200: {"content": {STREAM_MEDIA_TYPE: {"example": "event: minute\ndata: {...}\n\n"}}}},
    )
    async def stream(leg_id: LegId, request: Request) -> Response:
        """Server-sent events: `state` (whom could be asked), `minute`, and at last `end` with the reason.

        As long as this is open the stocking is asked to stay connected and send each minute, which costs its battery;
        so close it when nobody looks. It ends by itself after half an hour.
        """
        if request.headers.get("sec-fetch-site", "none") not in OWN_PAGES:
            detail = "Only this server's own pages and programs may ask a stocking to be live."
            raise ProblemError(Problem(HTTPStatus.FORBIDDEN, "foreign_page", "Asked by another page", detail))
        of = await run_in_threadpool(watched, leg_id)
        if WITHOUT_BODY in request.scope:
            return Response(media_type=STREAM_MEDIA_TYPE)
        loop = asyncio.get_running_loop()
        news: asyncio.Queue[LiveSeen | None] = asyncio.Queue()

        def tell(seen: LiveSeen | None) -> None:
            if not loop.is_closed():  # whoever looked may be gone with everything, the feed tells from its own thread
                loop.call_soon_threadsafe(news.put_nowait, seen)

        try:
            watch = feed.watch(of.serials, tell)
        except TooManyWatchersError as error:
            detail = "As many screens look at live minutes as this server serves at a time. Close one, or try later."
            raise ProblemError(
                Problem(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    error.code,
                    "Too many watch",
                    detail,
                    {"Retry-After": str(RETRY_AFTER_S)},
                )
            ) from error
        return StreamingResponse(events(of, watch, news), media_type=STREAM_MEDIA_TYPE, headers=UNBUFFERED)

    @routes.get(
        "/newest",
        summary="The newest live minutes there are",
        responses=problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    def newest(leg_id: LegId) -> LiveNewestOut:
        """What came last while somebody looked, or from a gateway that is always live. Asks nothing of any stocking."""
        of = watched(leg_id)
        return LiveNewestOut(leg=LegOut.of(of.leg), minutes=newest_of(of))

    return routes


def _floor(leg: Leg, now_minute: int) -> float | None:
    """The ankle pressure ordered now in mmHg, None where none is. Raises UnreadableOrderError."""
    if not leg.orders:
        return None
    (floor,) = ordered_floor(order_of(leg, len(leg.orders)), now_minute, now_minute + 1).tolist()
    return floor if floor == floor else None  # NaN is not itself


def _event(name: str, content: Out) -> str:
    return f"event: {name}\ndata: {content.model_dump_json()}\n\n"
