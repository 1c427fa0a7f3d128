"""Who may log in at the broker: one table for both brokers, in `broker.json` of the state folder.

Passwords are drawn by us, long and random, and kept only as Mosquitto's own hash. Knows no broker.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from calza_server.files.private_files import make_private_folder, write_private
from calza_wire.topics import check_gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TABLE_NAME: Final = "broker.json"
SERVER_PASSWORD_NAME: Final = "server-password"  # noqa: S105 - the name of a file, not a password
# No gateway can be called so: gateway ids know no underscore.
SERVER_USER: Final = "calza_server"
PASSWORD_OCTETS: Final = 24  # 192 random bits: cannot be guessed, however fast the hash
# The hash protects a stolen table; with such passwords it needs no slowness, and each round delays every client of a
# broker that is busy hashing while all gateways reconnect (1,000 rounds: under 1 ms each).
HASH_ROUNDS: Final = 1_000
SALT_OCTETS: Final = 12  # Mosquitto's own
HASH_OCTETS: Final = 64


class CredentialError(Exception):
    """The table of credentials cannot be used as asked; the sentence says what to do. `code` is stable."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Credentials:
    """The table in a state folder. `random_octets(n)` gives n octets nobody can foretell."""

    def __init__(self, state: Path, random_octets: Callable[[int], bytes]) -> None:
        self._state = make_private_folder(state)
        self._random_octets = random_octets
        self.path = state / TABLE_NAME

    def table(self) -> dict[str, str]:
        """User names and password hashes. Raises CredentialError for a table that cannot be read."""
        return read_table(self.path)

    def add(self, gateway: str) -> str:
        """Draw a password for a gateway, keep its hash, and return the password: it is shown this once.

        A gateway that has one gets a new one, and the old one ends. Raises CredentialError for a bad id.
        """
        try:
            check_gateway(gateway)
        except ValueError as error:
            raise CredentialError("bad_gateway", f"{error}; {gateway!r} does not") from error
        return self._set(gateway)

    def remove(self, gateway: str) -> None:
        """End a gateway's credential. Raises CredentialError if it has none."""
        with self._locked() as table:
            if table.pop(gateway, None) is None or gateway == SERVER_USER:
                raise CredentialError("unknown_gateway", f"no gateway called {gateway!r} has a credential here")
            self._write(table)

    def server_password(self) -> str:
        """The server's own password, drawn the first time it is asked for and kept beside the table."""
        path = self._state / SERVER_PASSWORD_NAME
        known = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        if known and matches(known, self.table().get(SERVER_USER, "")):
            return known
        drawn = self._set(SERVER_USER)
        write_private(path, drawn + "\n")
        return drawn

    def _set(self, username: str) -> str:
        drawn = base64.urlsafe_b64encode(self._random_octets(PASSWORD_OCTETS)).decode()
        with self._locked() as table:
            table[username] = hashed(drawn, self._random_octets(SALT_OCTETS))
            self._write(table)
        return drawn

    def _write(self, table: dict[str, str]) -> None:
        write_private(self.path, json.dumps(table, indent=2, sort_keys=True) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[dict[str, str]]:
        """The table, while no other process changes it."""
        with (self._state / f"{TABLE_NAME}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.table()


def read_table(path: Path) -> dict[str, str]:
    """The table in a file; empty if there is none. Raises CredentialError."""
    try:
        table: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CredentialError("unreadable_table", f"the credentials in {path} cannot be read: {error}") from error
    if not isinstance(table, dict) or not all(isinstance(each, str) for each in table.values()):
        raise CredentialError("unreadable_table", f"{path} is not a table of user names and password hashes")
    return {str(username): str(each) for username, each in table.items()}


def hashed(password: str, salt: bytes, rounds: int = HASH_ROUNDS) -> str:
    """The password as Mosquitto keeps it: `$7$rounds$salt$hash`, PBKDF2 with HMAC-SHA-512."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, HASH_OCTETS)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def matches(password: str, kept: str) -> bool:
    """Whether a password is the one whose hash is kept."""
    parts = kept.split("$")
    if len(parts) != 5 or parts[1] != "7":
        return False
    return hmac.compare_digest(hashed(password, base64.b64decode(parts[3]), int(parts[2])), kept)
