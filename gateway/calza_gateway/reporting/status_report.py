"""Tells the server over MQTT how the gateway is: the retained status, without a serial and without a reading's time.

A change that somebody may have to act on is told within half a minute; figures that move all the time (how many records
wait) travel with the report that comes every five minutes anyway.
"""

from dataclasses import replace
from typing import Final

from calza_gateway.ports import MqttLink
from calza_gateway.reporting.upkeep import Overview
from calza_wire.gateway_status import CODES_MAX, GatewayReport, GatewayStatus
from calza_wire.messages import GatewayClock
from calza_wire.topics import Kind, up

EVERY_S: Final = 300.0  # so that a report older than ten minutes means trouble, at 288 small messages a day
CHANGE_GAP_S: Final = 30.0  # a state that flaps must not become a stream; nobody walks to a box within half a minute


def report(overview: Overview) -> GatewayReport:
    """What is told of it."""
    counts = overview.counts
    return GatewayReport(
        sent_ms=overview.now.unix_ms,
        health=overview.health.value,
        stockings=overview.stockings,
        in_contact=min(overview.in_contact, overview.stockings),
        waiting=counts.pending,
        oldest_ms=counts.oldest_ms,
        refused=counts.refused,
        clock=GatewayClock.of(overview.synchronised),
        codes=overview.codes[:CODES_MAX],
    )


class StatusReport:
    """A chore of `Upkeep`: publishes on a new connection, on change, and every `EVERY_S`."""

    def __init__(self, link: MqttLink, gateway: str, software: str) -> None:
        self._link = link
        self._topic = up(gateway, Kind.STATUS)
        self._software = software
        self._told: GatewayReport | None = None
        self._told_tick_s = 0.0
        self._connection = 0

    async def see(self, overview: Overview) -> None:
        """Publish if it is time. What cannot be published now is due again at the next look."""
        fresh = report(overview)
        if overview.connections == self._connection and not self._due(fresh, overview.now.tick_s):
            return
        payload = GatewayStatus("online", self._software, fresh).encode()
        if self._link.publish(self._topic, payload, qos=1, retain=True):
            self._told, self._told_tick_s, self._connection = fresh, overview.now.tick_s, overview.connections

    def _due(self, fresh: GatewayReport, tick_s: float) -> bool:
        age_s = tick_s - self._told_tick_s
        if self._told is None or age_s >= EVERY_S:
            return True
        told = self._told
        calm = replace(fresh, sent_ms=told.sent_ms, waiting=told.waiting, oldest_ms=told.oldest_ms)
        return calm != told and age_s >= CHANGE_GAP_S
