"""Which radio `--radio` means: `bluez`, `bluez:hci1`, `native`, `sim:tcp://host:port`. Opens none (`radios` does)."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

BLUETOOTH_FOLDER = Path("/sys/class/bluetooth")  # where Linux lists the adapters it has a driver for
ADAPTER_NAME = re.compile(r"hci[0-9]{1,3}")
FORMS = "bluez, bluez:hci1, native or sim:tcp://127.0.0.1:PORT"


class RadioSpecError(ValueError):
    """The radio asked for cannot be meant, or there is none; the sentence says what to give instead."""

    code = "bad_radio"


@dataclass(frozen=True, slots=True)
class BluezRadio:
    """An adapter of this machine, by BlueZ; None is the first one."""

    adapter: str | None

    @property
    def name(self) -> str:
        """As `--radio` names it."""
        return "bluez" if self.adapter is None else f"bluez:{self.adapter}"


@dataclass(frozen=True, slots=True)
class NativeRadio:
    """The Bluetooth of a system other than Linux, by bleak's own backend for it."""

    @property
    def name(self) -> str:
        """As `--radio` names it."""
        return "native"


@dataclass(frozen=True, slots=True)
class SimulatedRadio:
    """The HCI port of a simulated radio."""

    host: str
    port: int

    @property
    def name(self) -> str:
        """As `--radio` names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"sim:tcp://{host}:{self.port}"


RadioSpec = BluezRadio | NativeRadio | SimulatedRadio


def parse_radio(text: str) -> RadioSpec:
    """What the text of `--radio` means. Raises RadioSpecError."""
    kind, _, rest = text.partition(":")
    if kind == "bluez" and (not rest or ADAPTER_NAME.fullmatch(rest)) and text != "bluez:":
        return BluezRadio(rest or None)
    if text == "native":
        return NativeRadio()
    if kind == "sim":
        return _simulated(text, rest)
    raise RadioSpecError(f"{text!r} is not a radio: give {FORMS}")


def parse_radios(text: str) -> tuple[RadioSpec, ...]:
    """Several radios with commas between them, none of them twice. Raises RadioSpecError."""
    specs = tuple(parse_radio(part.strip()) for part in text.split(","))
    if len(set(specs)) != len(specs):
        raise RadioSpecError(f"{text!r} names a radio twice")
    return specs


def default_radio(folder: Path = BLUETOOTH_FOLDER, platform: str = sys.platform) -> RadioSpec:
    """BlueZ where Linux has an adapter, else what the system has. Raises RadioSpecError on a Linux without one."""
    if not platform.startswith("linux"):
        return NativeRadio()
    if _adapters(folder):
        return BluezRadio(None)
    raise RadioSpecError(
        "this machine has no Bluetooth adapter: plug one in, or give --radio sim:tcp://127.0.0.1:PORT "
        "with the port of `calza sim run`"
    )


def resolved(spec: RadioSpec, folder: Path = BLUETOOTH_FOLDER) -> RadioSpec:
    """The same with the adapter that "bluez" means now: the lowest. What is reset must be what is used, and a bond made
    on "bluez:hci0" must be found by "bluez"."""
    if spec == BluezRadio(None):
        return BluezRadio(next(iter(_adapters(folder)), "hci0"))
    return spec


def _adapters(folder: Path) -> list[str]:
    """The adapters Linux has a driver for, the first one first."""
    if not folder.is_dir():
        return []
    return sorted((entry.name for entry in folder.iterdir() if ADAPTER_NAME.fullmatch(entry.name)), key=_number)


def _number(adapter: str) -> int:
    return int(adapter.removeprefix("hci"))


def _simulated(text: str, rest: str) -> SimulatedRadio:
    try:
        parts = urlsplit(rest)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # a port that is no number, or brackets that do not close
        raise RadioSpecError(f"{text!r} is not a radio: {error}; give {FORMS}") from error
    plain = not (parts.path or parts.query or parts.fragment or parts.username)
    if parts.scheme != "tcp" or not host or not port or not plain:
        raise RadioSpecError(f"{text!r} is not a simulated radio: give sim:tcp://HOST:PORT")
    return SimulatedRadio(host, port)
