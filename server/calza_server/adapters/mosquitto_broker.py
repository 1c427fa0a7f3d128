"""Mosquitto as a child of this process: configured, started, watched, told of new credentials, stopped.

One thread does all of it and lives as long as the child may, because the child is tied to that thread (`with_parent`).
Knows no MQTT: whether it answers is seen by connecting.
"""

from __future__ import annotations

import errno
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

from calza_server.access.credentials import SERVER_USER, CredentialError, Credentials
from calza_server.access.tls_files import TlsError, load
from calza_server.files.private_files import OWNER_ONLY, make_private_folder, write_private
from calza_server.ports import BrokerAddress, BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from calza_server.access.tls_files import Leaf, TlsListener

HOST: Final = "127.0.0.1"
EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # addresses to listen on, not to call
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

# Reasons in the order of the lines. One set of rules for all listeners. Nobody without a credential. An offline
# server's queue: a fortnight of 200 stockings twice over; 0 (no limit) makes Mosquitto 2.0 disconnect whoever is denied
# a publish. The server may hold two groups unacknowledged. The longest message has 64 KiB and its topic. Without
# nodelay every receipt waits 40 ms. Sessions survive a restart; the guarantee is the gateway's outbox, not this file.
CONFIG: Final = """\
per_listener_settings false
{listeners}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rules
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
# A client id cannot be taken from another credential. It belongs to the listener for gateways alone: the server's own
# processes share one credential, and each has an id that nobody can guess.
FOR_GATEWAYS: Final = "use_username_as_clientid true"
LISTENER: Final = "listener {port} {host}"
# 1.2 is the least, not the only one. The files are copies: told to look at a key and a certificate that do not belong
# together, Mosquitto goes on with neither and refuses everybody, so it only ever sees pairs that were tried first.
TLS_LISTENER: Final = """\
listener {port} {host}
certfile {folder}/broker.pem
keyfile {folder}/broker.key
tls_version tlsv1.2"""
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
    """Keeps `calza_server.ports.Broker` in the folder `state`; `port` on the loopback address, for our own processes.

    With `tls` gateways are taken there, encrypted, by the same credentials and rules; without it they use `port` too.
    """

    def __init__(
        self,
        state: Path,
        port: int,
        credentials: Credentials,
        program: str | None = None,
        tls: TlsListener | None = None,
        servers_port: int | None = None,
    ) -> None:
        self._folder = state / "mosquitto"
        self._port = port
        self._credentials = credentials
        self._program = program
        self._tls = tls
        self._servers_port = servers_port
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._answered = threading.Event()  # the first start has succeeded or failed
        self._failure: BrokerError | None = None
        self._thread = threading.Thread(target=self._supervise, name="mosquitto", daemon=True)
        self._seen_table = 0
        self._seen_leaf: tuple[int, ...] = ()
        self._public_name: str | None = None

    def start(self) -> BrokerAddress:
        """See the port."""
        if self._tls is not None and self._tls.port == self._port:
            raise BrokerError(f"port {self._port} is the broker's own on loopback; give another --mqtt-port")
        program = self._program or find_mosquitto()
        if program is None:
            raise BrokerError("no mosquitto program was found: install Mosquitto, or give --broker amqtt for a trial")
        self._program = program
        try:
            password = self._credentials.server_password()
            make_private_folder(self._folder)
            self._write_configuration()
        except TlsError as error:
            raise BrokerError(str(error)) from error
        except (OSError, CredentialError) as error:
            raise BrokerError(f"the broker cannot be set up in {self._folder}: {error}") from error
        self._thread.start()
        self._answered.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return BrokerAddress(HOST, self._own_port, SERVER_USER, password)

    def stop(self) -> None:
        """See the port."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def gateways_url(self) -> str:
        """See the port; an address that only listens is shown as the name in the certificate."""
        if self._tls is None:
            return f"mqtt://{HOST}:{self._port}"
        host = (self._public_name if self._tls.host in EVERYWHERE else None) or self._tls.host
        return f"mqtts://{f'[{host}]' if ':' in host else host}:{self._tls.port}"

    @property
    def _own_port(self) -> int:
        """Where our own processes go: the listener written last, which answers when the others are there too."""
        return self._servers_port if self._servers_port and self._tls is None else self._port

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
        for_gateways = LISTENER.format(port=self._port, host=HOST)
        if self._tls is not None:
            from calza_server.adapters.certificates import read_facts

            self._seen_leaf = self._tls.files.broker.version()
            self._public_name = read_facts(self._copy_certificate(self._tls.files.broker)).public_name
            for_gateways = TLS_LISTENER.format(port=self._tls.port, host=self._tls.host, folder=self._folder)
        listeners = f"{for_gateways}\n{FOR_GATEWAYS}"
        if self._own_port != self._port or self._tls is not None:
            listeners += f"\n{LISTENER.format(port=self._own_port, host=HOST)}"
        config = CONFIG.format(listeners=listeners, folder=self._folder)
        if os.geteuid() == 0:
            # Started by root it becomes the user "mosquitto", who may not read these files when told to look again.
            config += "user root\n"
        write_private(self._folder / "mosquitto.conf", config)
        write_private(self._folder / "rules", RULES)
        self._write_passwords()

    def _copy_certificate(self, leaf: Leaf) -> str:
        """Hand the broker this certificate; its text. Raises TlsError for one that cannot be shown, OSError."""
        load(leaf)
        certificate = leaf.certificate.read_text(encoding="utf-8")
        write_private(self._folder / "broker.key", leaf.key.read_text(encoding="utf-8"))
        write_private(self._folder / "broker.pem", certificate)
        return certificate

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
        for host, port in self._listeners():
            self._wait_for_port(host, port)
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
        """Until the child dies or should: hand on a changed table of credentials and a renewed certificate."""
        while self.running and not self._stopping.wait(WATCH_S):
            if self._renewed() or self._table_version() != self._seen_table:
                self._reload()
        if not self._stopping.is_set():
            _log.error("the broker died; it is started again")

    def _renewed(self) -> bool:
        """Whether a certificate is there that the broker has not seen, and can be shown."""
        if self._tls is None:
            return False
        leaf = self._tls.files.broker
        version = leaf.version()
        if version == self._seen_leaf:
            return False
        self._seen_leaf = version  # good or not, it is looked at once
        try:
            self._copy_certificate(leaf)
        except (OSError, TlsError) as error:
            _log.warning("the broker goes on with the certificate it has: %s", error)
            return False
        _log.info("the broker takes the renewed certificate %s", leaf.certificate)
        return True

    def _reload(self) -> None:
        try:
            self._write_passwords()
        except (OSError, CredentialError) as error:
            _log.error("new credentials could not be handed to the broker: %s", error)
            return
        if self._child is not None:
            self._child.send_signal(signal.SIGHUP)

    def _listeners(self) -> list[tuple[str, int]]:
        plain = [(HOST, port) for port in dict.fromkeys((self._port, self._own_port))]
        return plain if self._tls is None else [(self._tls.host, self._tls.port), *plain]

    def _wait_for_port(self, host: str, port: int) -> None:
        """A broker that was just killed may need a moment to let go of its port."""
        taken = f"port {port} is taken by another program; give another --mqtt-port"
        self._wait_until(lambda: _port_free(host, port), RELEASE_LIMIT_S, taken)

    def _answers(self) -> bool:
        if not self.running:
            raise BrokerError(f"the broker ended at once; {self._folder / LOG_NAME} says why")
        with socket.socket() as probe:
            probe.settimeout(START_LIMIT_S)
            return probe.connect_ex((HOST, self._own_port)) == 0

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


def _port_free(host: str, port: int) -> bool:
    """Whether a broker could listen there now. Raises BrokerError for what waiting does not help."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise BrokerError(f"the broker cannot listen on {host}, port {port}: {error.strerror}") from error
    return True
