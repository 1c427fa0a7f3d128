"""What a Mosquitto that is not our child must read, in a folder of its own: it sees nothing else of our state.

Password hashes, rules, and the broker's certificate with its key. Whoever runs that Mosquitto tells it to look again
(SIGHUP) when a file here changes; for containers `deploy/mosquitto/start.sh` does. Opens no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from calza_server.access.tls_files import load, tls_files
from calza_server.adapters.mosquitto_broker import RULES
from calza_server.files.private_files import make_private_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from calza_server.access.credentials import Credentials

PASSWORDS_NAME: Final = "passwords"
RULES_NAME: Final = "rules"


def write_broker_files(state: Path, folder: Path, credentials: Credentials) -> tuple[Path, ...]:
    """Bring the folder up to date; the files that changed. Raises OSError, CredentialError, TlsError.

    The certificate is handed over where `calza server ca` has made one, and only if its key fits: with a pair that does
    not, a running Mosquitto refuses everybody.
    """
    made = tls_files(state)
    certificates: tuple[Path, ...] = ()
    if made.broker.certificate.exists():
        load(made.broker)
        certificates = (made.ca, made.broker.key, made.broker.certificate)
    make_private_folder(folder)
    copied = [(folder / each.name, each.read_text(encoding="utf-8")) for each in certificates]
    written = tuple(path for path, text in copied if _changed(path, text))
    return (*written, *write_who_may_log_in(folder, credentials))


def write_who_may_log_in(folder: Path, credentials: Credentials) -> tuple[Path, ...]:
    """Rules and passwords alone, as after a gateway was let in. Raises OSError, CredentialError."""
    credentials.server_password()  # drawn now if it never was: the server must be let in too
    passwords = "".join(f"{user}:{kept}\n" for user, kept in sorted(credentials.table().items()))
    make_private_folder(folder)
    wanted = {RULES_NAME: RULES, PASSWORDS_NAME: passwords}
    return tuple(folder / name for name, text in wanted.items() if _changed(folder / name, text))


def _changed(path: Path, text: str) -> bool:
    """Write the file unless it says so already: every change makes the broker look again."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_private(path, text)
    return True
