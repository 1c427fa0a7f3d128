"""`/healthz`: whether records that arrive now are being kept. For machines that watch; says nothing about anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter

from calza_server.api.models import GatewayOut, HealthOut
from calza_server.api.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from calza_server.ports import Health


def health_route(health: Callable[[], Health]) -> APIRouter:
    """The route /healthz: 200 when all is well, otherwise a problem with status 503."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/healthz", summary="Are records being kept?")
    def healthz() -> HealthOut:
        """200 when the broker is connected and the store answers; otherwise 503, with the same figures in `health`."""
        seen = health()
        body = _body(seen)
        if seen.ok:
            return body
        detail = seen.problem or "Records that arrive now are not being kept; gateways keep them meanwhile."
        more = {"health": body.model_dump(mode="json")}
        raise ProblemError(Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unhealthy", "Not receiving", detail, more=more))

    return routes


def _body(seen: Health) -> HealthOut:
    last = seen.last_stored_ms
    return HealthOut(
        status="ok" if seen.ok else "failing",
        problem=seen.problem,
        broker_connected=seen.broker_connected,
        store_ok=seen.store_ok,
        stored=seen.stored,
        duplicates=seen.duplicates,
        conflicts=seen.conflicts,
        refused=seen.refused,
        last_stored=None if last is None else datetime.fromtimestamp(last / 1000, UTC),
        gateways_online=sum(gateway.state == "online" for gateway in seen.gateways),
        gateways=[GatewayOut.of(gateway) for gateway in seen.gateways],
    )
