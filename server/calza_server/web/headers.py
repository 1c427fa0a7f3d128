"""What every answer carries and every request must: security headers, a known host name, HEAD where GET is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

WITHOUT_BODY: Final = "calza.without_body"  # in the scope of a HEAD: a body without end must not be begun
LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # health data has no place in a shared cache; a static file says otherwise itself
}


class Guard:
    """Wraps the whole application.

    A page elsewhere can make a browser call a loopback server by giving its own name our address (DNS rebinding); the
    Host header gives that away, so an unknown host is answered by `refuse(path)` and goes no further.
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], refuse: Callable[[str], Response]) -> None:
        self._app = app
        self._hosts = hosts
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _host(scope) not in self._hosts:
            await self._refuse(scope["path"])(scope, receive, send)
        else:
            inner = {**scope, "method": "GET", WITHOUT_BODY: True} if scope["method"] == "HEAD" else scope
            await self._app(inner, receive, _with_headers(send, without_body=inner is not scope))


def _host(scope: Scope) -> str:
    named = Headers(scope=scope).get("host", "").lower()
    return named.rsplit(":", 1)[0] if not named.endswith("]") else named  # an IPv6 name ends with its bracket


def _with_headers(send: Send, *, without_body: bool) -> Callable[[Message], Awaitable[None]]:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        elif without_body:
            message = {**message, "body": b""}
        await send(message)

    return sent
