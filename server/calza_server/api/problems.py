"""Every error of the server as RFC 9457 `application/problem+json`: one shape, one place. Knows no route.

`type` is `urn:calza:problem:<code>`; `code` never changes its meaning, `title` and `detail` are for people and may.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from calza_server.domain.verdicts.verdict_document_fields import DocumentError
from calza_server.ports import StoreError, VerdictBookError
from calza_server.views import UnknownLegError, UnknownOrderError, UnreadableOrderError
from calza_server.web.headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5  # a full or busy store is seldom well again sooner


class ProblemBody(BaseModel):
    """RFC 9457 problem details, with our stable `code`."""

    type: str = Field(examples=["urn:calza:problem:unknown_leg"])
    title: str = Field(examples=["No such leg"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No leg has this id. GET /api/v1/legs lists the legs there are."])
    instance: str = Field(examples=["/api/v1/legs/L-9/verdict"])
    code: str = Field(examples=["unknown_leg"])


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for the caller. `more` adds members of its own."""

    status: HTTPStatus
    code: str
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)


class ProblemError(Exception):
    """Raised by a route to answer with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    app.add_exception_handler(Exception, _answer)
    for kind in (
        ProblemError,
        HTTPException,
        RequestValidationError,
        StoreError,
        VerdictBookError,
        DocumentError,
        UnknownLegError,
        UnknownOrderError,
        UnreadableOrderError,
    ):
        app.add_exception_handler(kind, _answer)


def answer(problem: Problem, path: str) -> JSONResponse:
    """The response for a problem met at a path."""
    body = ProblemBody(
        type=f"urn:calza:problem:{problem.code}",
        title=problem.title,
        status=problem.status.value,
        detail=problem.detail,
        instance=path,
        code=problem.code,
    )
    return JSONResponse(
        {**body.model_dump(), **problem.more},
        status_code=problem.status.value,
        headers={**SECURITY_HEADERS, **problem.headers},
        media_type=PROBLEM_MEDIA_TYPE,
    )


async def _answer(request: Request, error: Exception) -> JSONResponse:
    return answer(_problem_of(error), request.url.path)


def _problem_of(error: Exception) -> Problem:
    match error:
        case ProblemError():
            return error.problem
        case UnknownLegError():
            detail = "No leg has this id. GET /api/v1/legs lists the legs there are."
            return Problem(HTTPStatus.NOT_FOUND, error.code, "No such leg", detail)
        case UnknownOrderError():
            return Problem(HTTPStatus.NOT_FOUND, error.code, "No such order", f"{error}.")
        case VerdictBookError() | DocumentError():
            detail = (
                "The book of frozen verdicts cannot be read. Nothing is lost that a backup has; see the server's log."
            )
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "book_broken", "The frozen verdicts cannot be read", detail)
        case UnreadableOrderError():
            detail = f"The order in the registry is faulty at {error.fault.pointer or '/'}: {error.fault.sentence}."
            more = {"pointer": error.fault.pointer}
            return Problem(HTTPStatus.CONFLICT, error.code, "The order cannot be read", detail, more=more)
        case StoreError():
            retry = {"Retry-After": str(RETRY_AFTER_S)}
            detail = "The store does not answer at the moment. Nothing is lost; ask again shortly."
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, f"store_{error.code}", "The store does not answer", detail, retry
            )
        case RequestValidationError():
            wrong = sorted({".".join(str(part) for part in fault["loc"]) for fault in error.errors()})
            detail = f"Not understood: {', '.join(wrong)}. The description of the API is at /api/v1/openapi.json."
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_request", "The request is not understood", detail)
        case HTTPException():
            return _of_http(error)
        case _:  # our mistake: the log has the trace, the caller gets no details
            detail = "The server made a mistake. It has been logged; asking again will likely not help."
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)


def _of_http(error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.NOT_FOUND:
        return Problem(status, "not_found", "Nothing here", "No page or resource has this address.", headers)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"This server only answers questions; this address takes {headers.get('Allow', 'GET')}."
        return Problem(status, "method_not_allowed", "Method not allowed", detail, headers)
    return Problem(status, f"http_{status.value}", status.phrase, f"{status.description or status.phrase}.", headers)
