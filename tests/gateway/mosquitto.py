"""A real Mosquitto as a child of a test: the product's access rules, a free port, killed and started at will."""

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
PASSWORDS = {"server": "server-secret", "home": "home-secret", "other": "other-secret"}
RULES = """
user server
topic readwrite calza/v1/#
pattern write calza/v1/up/%u/#
pattern read calza/v1/down/%u/#
"""
WAIT_S = 10.0


@dataclass
class Mosquitto:
    """`start`, `kill` and `start` again keep port and configuration; nothing is kept on disk."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def prepare(cls, folder: Path, extra: str = "") -> "Mosquitto":
        """Write its configuration; skips the test where there is no Mosquitto."""
        if PROGRAM is None:
            pytest.skip("there is no mosquitto program on this machine")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        for number, (user, password) in enumerate(PASSWORDS.items()):
            create = ["-c"] if number == 0 else []
            command = ["mosquitto_passwd", *create, "-b", str(folder / "passwords"), user, password]
            subprocess.run(command, check=True, capture_output=True)
        (folder / "rules").write_text(RULES)
        user = "user root\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous false\n{user}{extra}"
            f"password_file {folder}/passwords\nacl_file {folder}/rules\n"
            "max_inflight_messages 1000\nmax_queued_messages 100000\nset_tcp_nodelay true\n"
            f"log_dest file {folder}/log\n"
        )
        return cls(folder, port)

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        assert PROGRAM is not None
        self.process = subprocess.Popen([PROGRAM, "-c", str(self.folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + WAIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < give_up, "mosquitto does not answer"
                time.sleep(0.02)  # nothing tells when a child begins to listen
            else:
                return

    def kill(self) -> None:
        """SIGKILL, if it lives."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None

    def url(self, user: str = "home", scheme: str = "mqtt") -> str:
        return f"{scheme}://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}"


@dataclass
class Server:
    """What stands at the other end of the broker: hears everything, can answer."""

    port: int
    heard: list[tuple[str, bytes, bool]] = field(default_factory=list)
    changed: Condition = field(default_factory=Condition)

    def __enter__(self) -> Self:
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id="server",
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=True,
        )
        self.client.username_pw_set("server", PASSWORDS["server"])
        self.client.reconnect_delay_set(1, 1)
        self.client.on_message = self._on_message
        subscribed = Condition()
        ready: list[bool] = []

        def on_subscribe(*_: object) -> None:
            with subscribed:
                ready.append(True)
                subscribed.notify_all()

        self.client.on_subscribe = on_subscribe
        self.client.on_connect = lambda client, *_: client.subscribe("calza/v1/up/#", 1)
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()
        with subscribed:
            assert subscribed.wait_for(lambda: bool(ready), WAIT_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self.changed:
            self.heard.append((message.topic, bytes(message.payload), bool(message.retain)))
            self.on_heard(message.topic, bytes(message.payload))
            self.changed.notify_all()

    def on_heard(self, topic: str, payload: bytes) -> None:
        """For a server that answers."""

    def publish(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1)

    def wait_for(self, topic: str, payload: bytes) -> None:
        """Block until it has been heard."""
        with self.changed:
            found = self.changed.wait_for(lambda: any(h[:2] == (topic, payload) for h in self.heard), WAIT_S)
        assert found, f"{topic} was not heard; heard were {[h[0] for h in self.heard]}"
