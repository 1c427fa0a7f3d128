"""Speaks to the service manager by its notify protocol (sd_notify(3)): a datagram of `NAME=value` lines, no library.

The libraries for it are single small files without a release for years, or need the C library of systemd; the protocol
is stable by promise. Without `NOTIFY_SOCKET` (not started by systemd, another system) there is nobody to tell.
"""

import logging
import socket
from collections.abc import Mapping

_log = logging.getLogger("calza.gateway")


class SystemdNotify:
    """`say` lines to the socket at `address`; a name that begins with "@" is in the abstract name space of Linux."""

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._failed = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "SystemdNotify | None":
        """The one this process was started with, if any."""
        address = environment.get("NOTIFY_SOCKET", "")
        return cls(address) if address.startswith(("/", "@")) else None  # vsock is for virtual machines as a whole

    def say(self, lines: str) -> None:
        """Send one datagram. A service manager that cannot be told is worth one line in the log, not the end."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.connect(self._address)
                sock.send(lines.encode())
        except OSError as error:
            if not self._failed:
                _log.warning("the service manager cannot be told how the gateway is: %s", error)
            self._failed = True
