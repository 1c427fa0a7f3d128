"""What the gateway needs from outside: a radio, an outbox, a connection to the broker, a clock.

Knows no library. The adapters under `calza_gateway.adapters` fulfil these protocols; the session, the relay and the
rounds are written against them alone.
"""

from calza_gateway.ports.broker import (
    BrokerDown,
    BrokerEvent,
    BrokerMessage,
    BrokerRefused,
    BrokerUp,
    MqttLink,
)
from calza_gateway.ports.clock import Clock, Moment
from calza_gateway.ports.outbox import (
    Contact,
    Outbox,
    OutboxCounts,
    OutboxError,
    OutboxFullError,
    OutboxRecord,
    OutboxReport,
    RefusedRecord,
    Settled,
    StockingCounts,
)
from calza_gateway.ports.radio import AdapterCare, Link, OobData, PairingAgent, Radio, RadioError, RadioReason, Sighting

__all__ = [
    "AdapterCare",
    "BrokerDown",
    "BrokerEvent",
    "BrokerMessage",
    "BrokerRefused",
    "BrokerUp",
    "Clock",
    "Contact",
    "Link",
    "Moment",
    "MqttLink",
    "OobData",
    "Outbox",
    "OutboxCounts",
    "OutboxError",
    "OutboxFullError",
    "OutboxRecord",
    "OutboxReport",
    "PairingAgent",
    "Radio",
    "RadioError",
    "RadioReason",
    "RefusedRecord",
    "Settled",
    "Sighting",
    "StockingCounts",
]
