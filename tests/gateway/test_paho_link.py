"""The paho adapter against a real Mosquitto: presence, refusals, brokers that answer late, wrongly or not at all."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calza_gateway.adapters import paho_link
from calza_gateway.adapters.paho_link import PahoLink, Presence
from calza_gateway.ports import BrokerDown, BrokerMessage, BrokerRefused, BrokerUp
from calza_gateway.settings.broker_spec import parse_broker
from tests.contracts.test_mqtt_link_contract import DOWN, STATUS, UP, Events, running
from tests.gateway.mosquitto import Mosquitto, Server

WAIT_S = 10.0


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto.prepare(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def link_to(url: str, gateway: str = "home") -> PahoLink:
    return PahoLink(
        parse_broker(url, gateway),
        client_id=gateway,
        subscriptions=[DOWN.replace("home", gateway)],
        presence=Presence(STATUS.replace("home", gateway), b"online", b"offline"),
        jitter=lambda: 1.0,
    )


async def test_it_says_online_and_offline_retained(mosquitto: Mosquitto) -> None:
    with Server(mosquitto.port) as server:
        async with running(link_to(mosquitto.url())) as events:
            assert await events.wait_for(BrokerUp) == BrokerUp("5")
            await asyncio.to_thread(server.wait_for, STATUS, b"online")
        await asyncio.to_thread(server.wait_for, STATUS, b"offline")
    with Server(mosquitto.port) as late:
        await asyncio.to_thread(late.wait_for, STATUS, b"offline")
        assert late.heard == [(STATUS, b"offline", True)]


GATEWAY = """
import asyncio, sys
from calza_gateway.adapters.paho_link import PahoLink, Presence
from calza_gateway.settings.broker_spec import parse_broker
link = PahoLink(parse_broker(sys.argv[1], "home"), client_id="home", subscriptions=["calza/v1/down/home/receipt"],
                presence=Presence("calza/v1/up/home/status", b"online", b"offline"), jitter=lambda: 1.0)
asyncio.run(link.run(lambda event: print(event, flush=True)))
"""


async def test_the_will_says_offline_for_a_gateway_that_was_killed(mosquitto: Mosquitto) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with Server(mosquitto.port) as server:
        gateway = await asyncio.create_subprocess_exec(
            sys.executable, "-c", GATEWAY, mosquitto.url(), stdout=asyncio.subprocess.PIPE, env=environment
        )
        assert gateway.stdout is not None
        assert b"BrokerUp" in await gateway.stdout.readline()
        gateway.send_signal(signal.SIGKILL)
        await gateway.wait()
        await asyncio.to_thread(server.wait_for, STATUS, b"offline")


async def test_a_denied_topic_is_told_and_breaks_nothing(mosquitto: Mosquitto) -> None:
    link = link_to(mosquitto.url())
    async with running(link) as events:
        await events.wait_for(BrokerUp)
        assert link.publish("calza/v1/up/other/hello", b"not mine", qos=1)
        refusal = await events.wait_for(BrokerRefused)
        assert isinstance(refusal, BrokerRefused)
        assert refusal.code == "not_authorised"
        with Server(mosquitto.port) as server:
            assert link.publish(UP, b"mine", qos=1)
            await asyncio.to_thread(server.wait_for, UP, b"mine")


async def test_a_wrong_password_is_a_sentence_without_the_password(mosquitto: Mosquitto) -> None:
    url = f"mqtt://home:not-the-secret@127.0.0.1:{mosquitto.port}"
    async with running(link_to(url)) as events:
        down = await events.wait_for(BrokerDown)
        assert isinstance(down, BrokerDown)
        assert down.code == "bad_login"
        assert "secret" not in down.sentence


async def test_nobody_there_is_a_sentence_and_it_keeps_trying(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    async with running(link_to(mosquitto.url())) as events:
        down = await events.wait_for(BrokerDown)
        assert isinstance(down, BrokerDown)
        assert down.code == "unreachable"
        await asyncio.to_thread(mosquitto.start)
        await events.wait_for(BrokerUp)


async def test_a_broker_that_allows_less_in_flight_is_obeyed(tmp_path: Path) -> None:
    broker = Mosquitto.prepare(tmp_path)
    config = tmp_path / "mosquitto.conf"
    config.write_text(config.read_text().replace("max_inflight_messages 1000", "max_inflight_messages 3"))
    broker.start()
    try:
        link = link_to(broker.url())
        with Server(broker.port) as server:
            async with running(link) as events:
                await events.wait_for(BrokerUp)
                assert link._in_flight == 3
                for number in range(50):
                    assert link.publish(UP, b"%d" % number, qos=1)
                await asyncio.to_thread(server.wait_for, UP, b"49")
    finally:
        broker.kill()


async def test_a_broker_deaf_to_version_5_is_spoken_to_in_3_1_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """amqtt does not answer a version 5 CONNECT at all; this stand-in does the same, and says yes to level 4."""
    monkeypatch.setattr(paho_link, "CONNACK_LIMIT_S", 0.3)
    levels: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            connect = await reader.readexactly(9)
            levels.append(connect[8])
            if connect[8] == 4:
                writer.write(b"\x20\x02\x00\x00")
                while packet := await reader.read(4096):
                    at = packet.find(b"\x82")  # the SUBSCRIBE; its packet id follows the length octet
                    if at >= 0:
                        writer.write(b"\x90\x03" + packet[at + 2 : at + 4] + b"\x01")
            else:
                await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(link_to(f"mqtt://127.0.0.1:{port}")) as events:
        assert await events.wait_for(BrokerUp) == BrokerUp("3.1.1")
    assert levels[:2] == [5, 4]
    server.close()
    await server.wait_closed()


async def test_an_exception_in_a_callback_does_not_end_paho_s_thread(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = 0

    def sometimes(topic: str, payload: bytes) -> BrokerMessage:
        nonlocal failures
        if payload == b"poison":
            failures += 1
            raise ValueError("a fault of ours in a callback")
        return BrokerMessage(topic, payload)

    monkeypatch.setattr(paho_link, "BrokerMessage", sometimes)
    with Server(mosquitto.port) as server:
        async with running(link_to(mosquitto.url())) as events:
            await events.wait_for(BrokerUp)
            server.publish(DOWN, b"poison")
            server.publish(DOWN, b"food")
            message = await events.wait_for(BrokerMessage)
    assert failures == 1
    assert isinstance(message, BrokerMessage)
    assert message.payload == b"food"
    assert "a fault of ours" in caplog.text


async def test_cancelled_while_the_broker_hangs_it_still_ends(mosquitto: Mosquitto) -> None:
    assert mosquitto.process is not None
    events = Events()
    task = asyncio.create_task(link_to(mosquitto.url()).run(events))
    await events.wait_for(BrokerUp)
    mosquitto.process.send_signal(signal.SIGSTOP)
    task.cancel()
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(task, return_exceptions=True)
    mosquitto.process.send_signal(signal.SIGCONT)
