"""The guards around the fallback broker, each against what amqtt does without it."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest
from amqtt.contexts import Action  # type: ignore[import-untyped]  # amqtt carries no types
from amqtt.session import Session  # type: ignore[import-untyped]  # amqtt carries no types

from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.adapters import amqtt_broker
from calza_server.adapters.amqtt_broker import AmqttBroker, GatewayRules, may
from calza_server.ports import BrokerError
from tests.server.conftest import free_port
from tests.server.gateway_double import GatewayDouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Fallback:
    """It runs, with one gateway let in."""

    def __init__(self, state: Path) -> None:
        credentials = Credentials(state, secrets.token_bytes)
        self.password = credentials.add("bedside")
        self.broker = AmqttBroker(free_port(), credentials)
        self.address = self.broker.start()

    def client(self, name: str, password: str, **how: str) -> GatewayDouble:
        return GatewayDouble(self.address.port, name, password, protocol=4, **how)  # type: ignore[arg-type]  # only texts

    def server(self) -> GatewayDouble:
        return self.client(SERVER_USER, self.address.password, reads="calza/v1/up/#")


@pytest.fixture
def fallback(tmp_path: Path) -> Iterator[Fallback]:
    running = Fallback(tmp_path)
    yield running
    running.broker.stop()


def test_a_client_id_must_be_the_name_logged_in_with(fallback: Fallback) -> None:
    with fallback.client("someone", fallback.password, username="bedside") as gateway:
        assert gateway.connack != "Success"


def test_a_will_in_anothers_name_is_refused(fallback: Fallback) -> None:
    with fallback.client("bedside", fallback.password, will="calza/v1/up/other/status") as gateway:
        assert gateway.connack != "Success"
    with fallback.client("bedside", fallback.password, will="calza/v1/up/bedside/status") as gateway:
        assert gateway.connack == "Success"


def test_a_shared_subscription_is_refused_rather_than_silently_deaf(fallback: Fallback) -> None:
    with fallback.client("bedside", fallback.password, reads="$share/g/calza/v1/down/bedside/#") as gateway:
        assert gateway.granted == ["Unspecified error"]


async def test_the_rules_go_by_the_client_id() -> None:
    """amqtt writes the user name of any login attempt, right or wrong, into the running session of that client id."""
    session = Session()
    session.client_id, session.username = "bedside", SERVER_USER
    rules = GatewayRules.__new__(GatewayRules)  # asked without a broker around it
    for topic, allowed in (("calza/v1/up/other/status", False), ("calza/v1/up/bedside/status", True)):
        assert await rules.topic_filtering(session=session, topic=topic, action=Action.PUBLISH) is allowed
    assert not await rules.topic_filtering(session=None, topic="calza/v1/up/bedside/status", action=Action.PUBLISH)


def test_another_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqtt_broker, "version", lambda _name: "0.12.2")
    with pytest.raises(BrokerError, match=r"only in release 0\.12\.1, not 0\.12\.2"):
        AmqttBroker(free_port(), Credentials(tmp_path, os.urandom)).start()


@pytest.mark.parametrize(
    ("user", "topic", "action", "allowed"),
    [
        ("a", "calza/v1/up/a/hello", Action.PUBLISH, True),
        ("a", "calza/v1/up/a", Action.PUBLISH, False),
        ("a", "calza/v1/up/ab/hello", Action.PUBLISH, False),
        ("a", "calza/v1/down/a/receipt", Action.PUBLISH, False),
        ("a", "calza/v1/down/a/#", Action.SUBSCRIBE, True),
        ("a", "calza/v1/down/+/receipt", Action.SUBSCRIBE, False),
        ("a", "calza/v1/up/a/#", Action.SUBSCRIBE, False),
        ("a", "$share/x/calza/v1/down/a/#", Action.SUBSCRIBE, False),
        ("a", "calza/v1/down/b/receipt", Action.RECEIVE, False),
        ("a", "calza/v1/down/a/receipt", Action.RECEIVE, True),
        (SERVER_USER, "calza/v1/up/+/hello", Action.SUBSCRIBE, True),
        (SERVER_USER, "calza/v1/down/a/receipt", Action.PUBLISH, True),
        (SERVER_USER, "$share/x/calza/v1/up/#", Action.SUBSCRIBE, False),
        (SERVER_USER, "#", Action.SUBSCRIBE, False),
    ],
)
def test_who_may_what(user: str, topic: str, action: Action, *, allowed: bool) -> None:
    assert may(user, topic, action) is allowed
