"""The connection to the broker, and what it tells."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BrokerUp:
    """Connected, subscribed, and the retained status says online. `protocol` is "5" or "3.1.1"."""

    protocol: str


@dataclass(frozen=True, slots=True)
class BrokerDown:
    """Not connected, or no longer; everything published and not receipted has to be published again."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class BrokerMessage:
    """A message on a topic this gateway subscribes to."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class BrokerRefused:
    """The broker refused a publish; `code` is stable ("not_authorised", "quota_exceeded", "refused")."""

    code: str
    sentence: str


BrokerEvent = BrokerUp | BrokerDown | BrokerMessage | BrokerRefused


class MqttLink(Protocol):
    """A connection to the broker that comes back by itself."""

    async def run(self, on_event: Callable[[BrokerEvent], None]) -> None:
        """Stay connected until cancelled; then say offline and disconnect. Events come in the event loop, in order."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        """Hand a message over; False (and nothing sent) when not connected. The broker keeps the newest message
        with `retain` for who comes later. That it took a message is told to nobody: only receipts count."""
        ...
