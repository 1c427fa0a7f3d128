"""What the gateway is told from outside, checked once, then frozen: a flag goes before its environment variable.

Knows no command line library; `resolve` takes texts. Every setting is in `SETTINGS`, and a `CALZA_GATEWAY_` variable
that is not is an error, because a misspelt one would otherwise be silently without effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calza_gateway.settings.box_settings import (
    FREE_DISK_DEFAULT,
    OUTBOX_LIMIT_DEFAULT,
    Listen,
    parse_free_disk,
    parse_listen,
    parse_records,
)
from calza_gateway.settings.broker_spec import BrokerSpec, BrokerSpecError, parse_broker
from calza_gateway.settings.radio_spec import RadioSpec, RadioSpecError, default_radio, parse_radios
from calza_wire.topics import check_gateway

PREFIX: Final = "CALZA_GATEWAY_"
INTERVAL_RANGE_S: Final = (0.1, 86_400.0)
TIMEOUT_RANGE_S: Final = (1.0, 86_400.0)

SETTINGS: Final[Mapping[str, str | None]] = {
    "radio": None,  # several have commas between them; default: the first Bluetooth adapter
    "broker": "mqtt://127.0.0.1:1883",
    "password_file": None,
    "password": None,
    "ca_file": None,
    "id": None,
    "state": ".calza/gateway",
    "interval": "60",
    "timeout": "300",
    "metrics": None,  # default: none are offered
    "outbox_limit": OUTBOX_LIMIT_DEFAULT,
    "free_disk": FREE_DISK_DEFAULT,
}
"""Name and default of every setting; the environment variable is the prefix and the name in capitals."""


class SettingsError(ValueError):
    """A setting is missing, unknown or cannot be meant; the sentence names it. A misuse, hence exit code 2."""

    code = "bad_settings"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `calza gateway run` goes by. `timeout_s` limits `--once` as a whole, `free_disk` is in octets."""

    gateway: str
    radios: tuple[RadioSpec, ...]
    broker: BrokerSpec = field(repr=False)
    ca_file: Path | None
    state: Path
    interval_s: float
    timeout_s: float
    metrics: Listen | None = None
    outbox_limit: int = int(OUTBOX_LIMIT_DEFAULT)
    free_disk: int = parse_free_disk(FREE_DISK_DEFAULT)


def resolve(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """The settings from flags (None where not given) and environment. Raises `SettingsError`."""
    known = {PREFIX + name.upper() for name in SETTINGS}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"{', '.join(unknown)} is not a setting; known are {', '.join(sorted(known))}")
    texts = {
        name: flags.get(name) or environment.get(PREFIX + name.upper()) or default for name, default in SETTINGS.items()
    }
    gateway = texts["id"]
    if gateway is None:
        raise SettingsError(f"this gateway needs a name: give --id or {PREFIX}ID, as the server knows it")
    try:
        check_gateway(gateway)
        broker = parse_broker(texts["broker"] or "", gateway, _password(texts))
        radios = parse_radios(texts["radio"]) if texts["radio"] else (default_radio(),)
    except (BrokerSpecError, RadioSpecError) as error:
        raise SettingsError(str(error)) from error
    except ValueError as error:
        raise SettingsError(f"{gateway!r} cannot be the name of a gateway: {error}") from error
    try:
        metrics = parse_listen(texts["metrics"]) if texts["metrics"] else None
        outbox_limit, free_disk = parse_records(texts["outbox_limit"] or ""), parse_free_disk(texts["free_disk"] or "")
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return Settings(
        gateway=gateway,
        radios=radios,
        broker=broker,
        ca_file=_existing(texts["ca_file"]),
        state=Path(texts["state"] or ""),
        interval_s=_seconds("interval", texts["interval"], INTERVAL_RANGE_S),
        timeout_s=_seconds("timeout", texts["timeout"], TIMEOUT_RANGE_S),
        metrics=metrics,
        outbox_limit=outbox_limit,
        free_disk=free_disk,
    )


def _password(texts: Mapping[str, str | None]) -> str | None:
    """The broker password given apart from the broker: a file goes before the variable."""
    if texts["password_file"] is None:
        return texts["password"]
    try:
        return Path(texts["password_file"]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the password file {texts['password_file']}: {error}") from error


def _existing(text: str | None) -> Path | None:
    if text is None:
        return None
    path = Path(text)
    if not path.is_file():
        raise SettingsError(f"there is no certificate file {path}")
    return path


def _seconds(name: str, text: str | None, limits: tuple[float, float]) -> float:
    low, high = limits
    try:
        seconds = float(text or "")
    except ValueError as error:
        raise SettingsError(f"{name} is a number of seconds, not {text!r}") from error
    if not low <= seconds <= high:
        raise SettingsError(f"{name} is {low:g} to {high:g} seconds, not {seconds:g}")
    return seconds
