"""Which series store is meant by a word of the command line or the environment. Pure: opens nothing, knows no adapter.

A token is never part of it: it would show in the process list and in logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

STORE_FORMS: Final = "sqlite:PATH, memory:, or influx+http://HOST:8086?org=ORG&bucket=BUCKET (influx+https:// with TLS)"
INFLUX_PREFIX: Final = "influx+"
STORE_VARIABLE: Final = "CALZA_SERVER_STORE"
TOKEN_VARIABLE: Final = "CALZA_SERVER_STORE_TOKEN"  # noqa: S105 - the name of a variable, not a token
TOKEN_FILE_VARIABLE: Final = "CALZA_SERVER_STORE_TOKEN_FILE"  # noqa: S105 - the name of a variable, not a token


@dataclass(frozen=True, slots=True)
class MemorySpec:
    """Gone when the process is."""


@dataclass(frozen=True, slots=True)
class SqliteSpec:
    """One file."""

    path: Path


@dataclass(frozen=True, slots=True)
class InfluxSpec:
    """A bucket of an InfluxDB at `url` (http or https, no slash at the end).

    `org` may be empty: InfluxDB 1.8 and 3 have none. `bucket` may be DATABASE/RETENTION-POLICY.
    """

    url: str
    org: str
    bucket: str

    @property
    def database(self) -> str:
        """The bucket's name in InfluxQL."""
        return self.bucket.partition("/")[0]

    @property
    def retention_policy(self) -> str:
        """The retention policy in InfluxQL, empty for the database's own."""
        return self.bucket.partition("/")[2]


StoreSpec = MemorySpec | SqliteSpec | InfluxSpec


def parse_store(text: str) -> StoreSpec:
    """The store a text names. Raises ValueError with a sentence that repeats nothing of an address."""
    kind, _, rest = text.partition(":")
    if kind == "sqlite" and rest:
        return SqliteSpec(Path(rest))
    if kind == "memory" and not rest:
        return MemorySpec()
    if kind in {"influx+http", "influx+https"}:
        return _influx(text.removeprefix(INFLUX_PREFIX))
    raise ValueError(f"that is not a store: give {STORE_FORMS}")


def check_token(token: str) -> str:
    """A token as it may go into a header. Raises ValueError, without the token."""
    if not token or not all("!" <= character <= "~" for character in token):
        raise ValueError("the token of the store is empty or has characters no token has; look at the file or variable")
    return token


def _influx(url: str) -> InfluxSpec:
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError as error:
        raise ValueError(f"the host or port of the store cannot be read: give {STORE_FORMS}") from error
    if not parts.hostname or not has_port or parts.fragment:
        raise ValueError(f"the store needs a host and a port: give {STORE_FORMS}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"no secret belongs into the address of the store: set {TOKEN_FILE_VARIABLE}")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    names = [name for name, _ in asked]
    if len(set(names)) != len(names) or not {"bucket"} <= set(names) <= {"bucket", "org"}:
        raise ValueError(f"the store needs a bucket, once, and may have an org: give {STORE_FORMS}")
    named = dict(asked)
    if not named["bucket"].partition("/")[0]:
        raise ValueError(f"the bucket of the store has no name: give {STORE_FORMS}")
    where = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
    return InfluxSpec(where, named.get("org", ""), named["bucket"])
