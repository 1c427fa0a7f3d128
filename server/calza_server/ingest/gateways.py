"""What the server knows of the gateways: who is there, and what each last said of itself. Pure; in memory only.

A hello, the will and the first word on a connection say nothing about how a gateway is: the last report then stays,
with the time it came, and whoever shows it shows that time too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from calza_server.ports import GatewaySeen

GATEWAYS_MAX: Final = 4_096  # the broker's credentials bound this too; a fault there must not fill the memory


class GatewayBook:
    """The newest of each gateway. Not safe for threads: the ingest guards it."""

    def __init__(self) -> None:
        self._seen: dict[str, GatewaySeen] = {}

    def heard(self, seen: GatewaySeen) -> None:
        """A gateway said something, or its will did."""
        before = self._seen.get(seen.gateway)
        if before is None and len(self._seen) >= GATEWAYS_MAX:
            return
        if before is not None and seen.report is None:
            seen = replace(seen, report=before.report, reported_ms=before.reported_ms)
        self._seen[seen.gateway] = seen

    def all(self) -> tuple[GatewaySeen, ...]:
        """Every gateway heard since this server started, by name."""
        return tuple(seen for _, seen in sorted(self._seen.items()))
