"""Ingest at work on a real broker, in a thread of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.server.gateway_double import LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calza_server.adapters.paho_source import PahoSource
    from calza_server.ingest.ingest import Ingest


@contextmanager
def at_work(ingest: Ingest, source: PahoSource) -> Iterator[None]:
    """From the subscription on, until the block ends; then thread and source are over."""
    stop = threading.Event()
    thread = threading.Thread(target=lambda: ingest.run(stop))
    source.start()
    assert source.wait_subscribed(LIMIT_S)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        source.close()
