"""Which broker `--broker` means: `mqtts://user:password@host:port`, `mqtt://...` on this machine, `mqtt311://...`.

In clear to another machine only by the word `mqtt+insecure`, so that nobody sends readings so by accident. Knows no
MQTT client.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from calza_wire.tls import is_loopback
from calza_wire.topics import check_gateway

PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "mqtt311": 1883, "mqtts311": 8883, "mqtt+insecure": 1883}
IN_CLEAR: Final = frozenset({"mqtt", "mqtt311"})
FORMS: Final = (
    "mqtts://HOST:PORT (on this machine mqtt://), with user:password@ before the host if the broker asks for it"
)
_CREDENTIALS: Final = re.compile(r"//[^/@]*@")


class BrokerSpecError(ValueError):
    """The broker asked for cannot be meant; the sentence says what to give instead, and never repeats a password."""

    code = "bad_broker"


class Protocol(StrEnum):
    """Which MQTT to speak. `AUTO` is 5, and 3.1.1 with a broker that does not answer to 5."""

    AUTO = "auto"
    V311 = "3.1.1"


@dataclass(frozen=True, slots=True)
class BrokerSpec:
    """Where the broker is and how to log in. The password is left out of every printed form."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None = field(repr=False)
    protocol: Protocol = Protocol.AUTO

    @property
    def place(self) -> str:
        """Host and port, for a sentence."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_broker(text: str, gateway: str, password: str | None = None) -> BrokerSpec:
    """What the text of `--broker` means; a password given apart goes before one in the text.

    Without a user name the gateway's own id is used as soon as there is a password, because the broker's access rules
    go by the user name. Raises `BrokerSpecError`.
    """
    shown = _CREDENTIALS.sub("//***@", text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BrokerSpecError(f"{shown!r} is not a broker: its host or port cannot be read; give {FORMS}") from error
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise BrokerSpecError(f"{shown!r} is not a broker: give {FORMS}")
    if parts.scheme in IN_CLEAR and not is_loopback(parts.hostname):
        raise BrokerSpecError(
            f"{shown!r} would send readings and password in clear over the network: give mqtts://, "
            "or mqtt+insecure:// if that network is protected by other means"
        )
    if password is None and parts.password is not None:
        password = unquote(parts.password)
    username = unquote(parts.username) if parts.username else (check_gateway(gateway) if password else None)
    return BrokerSpec(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        tls=parts.scheme.startswith("mqtts"),
        username=username,
        password=password,
        protocol=Protocol.V311 if parts.scheme.endswith("311") else Protocol.AUTO,
    )
