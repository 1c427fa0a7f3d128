"""`/metrics`: the figures about the data, for Prometheus. Names nobody; knows neither the figures nor their format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

if TYPE_CHECKING:
    from calza_server.ingest.metrics import Scrape


def metrics_route(scrape: Scrape) -> APIRouter:
    """The route /metrics: no part of the API, so it is not in its description."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    def metrics(request: Request) -> Response:
        """In a thread of its own, as every answer that looks at a store's figures."""
        shown = scrape(request.headers.get("accept", ""))
        return Response(shown.body, headers={"Content-Type": shown.content_type})

    return routes
