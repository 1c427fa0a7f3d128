"""Mosquitto as a child of this process: configured, started, watched, told of new credentials, stopped.

One thread does all of it and lives as long as the child may, because the child is tied to that thread (`with_parent`).
Knows no MQTT: whether it answers is seen by connecting.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calza_server.credentials import SERVER_USER, CredentialError, Credentials
from calza_server.ports import BrokerAddress, BrokerError
from calza_server.private_files import OWNER_ONLY, make_private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Callable

HOST: Final = "127.0.0.1"
LOG_NAME: Final = "mosquitto.log"  # of this run: it begins anew at every start
SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"  # where Debian puts it and an ordinary PATH does not look
START_LIMIT_S: Final = 10.0
RELEASE_LIMIT_S: Final = 3.0  # how long the port of a predecessor that was killed may still be taken
STOP_LIMIT_S: Final = 5.0  # it writes its sessions to disk; after that it is killed
WATCH_S: Final = 0.2  # how soon a changed table of credentials takes effect, and a dead child is seen
ANSWER_POLL_S: Final = 0.02
RESTART_MIN_S: Final = 0.5
RESTART_MAX_S: Final = 10.0
STEADY_S: Final = 30.0  # a child that lived so long did not die of its configuration: back to the shortest wait

# Reasons in the order of the lines. One listener, one set of rules. Nobody without a credential. A client id cannot be
# taken from another credential. An offline server's queue: a fortnight of 200 stockings twice over; 0 (no limit) makes
# Mosquitto 2.0 disconnect whoever is denied a publish. The server may hold two groups unacknowledged. The longest
# message has 64 KiB and its topic. Without nodelay every receipt waits 40 ms. Sessions survive a restart; the guarantee
# is the gateway's outbox, not this file.
CONFIG: Final = """\
per_listener_settings false
listener {port} {host}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rules
use_username_as_clientid true
max_queued_messages 100000
max_inflight_messages 1000
max_packet_size 66560
set_tcp_nodelay true
persistence true
persistence_location {folder}/
autosave_interval 5
log_dest stderr
log_type error
log_type warning
"""
RULES: Final = f"""\
user {SERVER_USER}
topic readwrite calza/v1/#

pattern write calza/v1/up/%u/#
pattern read calza/v1/down/%u/#
"""

_log = logging.getLogger(__name__)


def find_mosquitto() -> str | None:
    """The path of the program, or None."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:{SBIN}")


class MosquittoBroker:
    """Keeps `calza_server.ports.Broker` in the folder `state`; `port` on the loopback address."""

    def __init__(self, state: Path, port: int, credentials: Credentials, program: str | None = None) -> None:
        self._folder = state / "mosquitto"
        self._port = port
        self._credentials = credentials
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._answered = threading.Event()  # the first start has succeeded or failed
        self._failure: BrokerError | None = None
        self._thread = threading.Thread(target=self._supervise, name="mosquitto", daemon=True)
        self._seen_table = 0

    def start(self) -> BrokerAddress:
        """See the port."""
        program = self._program or find_mosquitto()
        if program is None:
            raise BrokerError("no mosquitto program was found: install Mosquitto, or give --broker amqtt for a trial")
        self._program = program
        try:
            password = self._credentials.server_password()
            make_private_folder(self._folder)
            self._write_configuration()
        except (OSError, CredentialError) as error:
            raise BrokerError(f"the broker cannot be set up in {self._folder}: {error}") from error
        self._thread.start()
        self._answered.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return BrokerAddress(HOST, self._port, SERVER_USER, password)

    def stop(self) -> None:
        """See the port."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def running(self) -> bool:
        """See the port."""
        child = self._child
        return child is not None and child.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id of the child while there is one."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def _write_configuration(self) -> None:
        config = CONFIG.format(port=self._port, host=HOST, folder=self._folder)
        if os.geteuid() == 0:
            # Started by root it becomes the user "mosquitto", who may not read these files when told to look again.
            config += "user root\n"
        write_private(self._folder / "mosquitto.conf", config)
        write_private(self._folder / "rules", RULES)
        self._write_passwords()

    def _write_passwords(self) -> None:
        self._seen_table = self._table_version()
        lines = [f"{username}:{each}\n" for username, each in sorted(self._credentials.table().items())]
        write_private(self._folder / "passwords", "".join(lines))

    def _table_version(self) -> int:
        try:
            return self._credentials.path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    # --- in the supervising thread ------------------------------------------------------------------------------------

    def _supervise(self) -> None:
        pause_s = RESTART_MIN_S
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                try:
                    self._spawn()
                except BrokerError as error:
                    if not self._answered.is_set():
                        self._failure = error
                        return
                    _log.error("the broker does not come back: %s", error)
                else:
                    self._answered.set()
                    self._watch()
                if time.monotonic() - began > STEADY_S:
                    pause_s = RESTART_MIN_S
                if not self._stopping.wait(pause_s):
                    pause_s = min(2 * pause_s, RESTART_MAX_S)
        finally:
            self._end_child()
            self._answered.set()

    def _spawn(self) -> None:
        """Start the child and wait until it answers. Raises BrokerError."""
        self._end_child()
        self._wait_for_port()
        command = [str(self._program), "-c", str(self._folder / "mosquitto.conf")]
        tied = [sys.executable, "-I", "-S", str(Path(__file__).with_name("with_parent.py")), str(os.getpid())]
        log = os.open(self._folder / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, OWNER_ONLY)
        try:
            # Its own session: Ctrl-C goes to the whole foreground group, and the broker must outlive the last commit.
            self._child = subprocess.Popen(  # noqa: S603 - our own program and arguments, no shell
                [*tied, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        finally:
            os.close(log)
        self._wait_until(self._answers, START_LIMIT_S, f"the broker did not answer within {START_LIMIT_S:.0f} s")

    def _watch(self) -> None:
        """Until the child dies or should: hand on what changes in the table of credentials."""
        while self.running and not self._stopping.wait(WATCH_S):
            if self._table_version() != self._seen_table:
                self._reload()
        if not self._stopping.is_set():
            _log.error("the broker died; it is started again")

    def _reload(self) -> None:
        try:
            self._write_passwords()
        except (OSError, CredentialError) as error:
            _log.error("new credentials could not be handed to the broker: %s", error)
            return
        if self._child is not None:
            self._child.send_signal(signal.SIGHUP)

    def _wait_for_port(self) -> None:
        """A broker that was just killed may need a moment to let go of its port."""
        taken = f"port {self._port} is taken by another program; give another --mqtt-port"
        self._wait_until(self._port_free, RELEASE_LIMIT_S, taken)

    def _port_free(self) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self._port))
            except OSError:
                return False
        return True

    def _answers(self) -> bool:
        if not self.running:
            raise BrokerError(f"the broker ended at once; {self._folder / LOG_NAME} says why")
        with socket.socket() as probe:
            probe.settimeout(START_LIMIT_S)
            return probe.connect_ex((HOST, self._port)) == 0

    def _wait_until(self, condition: Callable[[], bool], limit_s: float, otherwise: str) -> None:
        limit = time.monotonic() + limit_s
        while not condition():
            if self._stopping.is_set() or time.monotonic() > limit:
                raise BrokerError(otherwise)
            time.sleep(ANSWER_POLL_S)

    def _end_child(self) -> None:
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
        child.wait()
