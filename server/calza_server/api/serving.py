"""Answers HTTP or HTTPS on a socket that listens already, in a thread of the caller's. Knows no route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from socket import socket
    from ssl import SSLContext

    from fastapi import FastAPI

STOP_LIMIT_S: Final = 5  # for requests that are still being answered


class HttpServer:
    """One server. `context` is for HTTPS."""

    def __init__(self, app: FastAPI, listener: socket, context: SSLContext | None) -> None:
        self._listener = listener
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=STOP_LIMIT_S,
                ssl_context_factory=None if context is None else lambda *_: context,
            )
        )

    def run(self) -> None:
        """Work until `end`. In a thread of its own uvicorn leaves the signals to us."""
        self._server.run(sockets=[self._listener])

    def end(self) -> None:
        """Answer what is under way, then end. From any thread."""
        self._server.should_exit = True
