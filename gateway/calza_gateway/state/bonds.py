"""Which stockings this gateway is paired with: `stockings.json` in the state folder, and how such files are kept.

Knows files and JSON. Must not know the radio: the keys of the bonds are the radio stack's business.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from calza_wire.minute_block import Side

STOCKINGS_FILE = "stockings.json"
PRIVATE_FILE_MODE = 0o600  # who wears what, and the keys of the bonds, are nobody else's business on this machine
PRIVATE_FOLDER_MODE = 0o700


class StateError(Exception):
    """A file of the state folder cannot be read or written; `code` is stable, the sentence says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class PairedStocking:
    """One stocking this gateway is bonded with: serial from the garment, Bluetooth address, leg it is made for.

    `adapter` is the radio that holds the bond, as in "bluez:hci1" (BlueZ keeps bonds per adapter), None the only one.
    """

    serial: str
    address: str
    side: Side
    adapter: str | None = None


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step: mode 0600, durable on return, never half written.

    Raises StateError ("state_unwritable").
    """
    draft = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)
        draft.unlink(missing_ok=True)  # what a crash left behind may carry another mode
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StateError("state_unwritable", f"cannot write {path}: {error.strerror or error}") from error


def read_private(path: Path) -> object:
    """The parsed JSON of a state file, or None where there is none.

    Raises StateError: "state_unreadable", or "state_damaged" when it is not JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StateError("state_unreadable", f"cannot read {path}: {error}") from error
    try:
        parsed: object = json.loads(text)
    except ValueError as error:
        raise damaged(path, f"it is not JSON ({error})") from error
    return parsed


def damaged(path: Path, why: str) -> StateError:
    """The error for a state file whose content is not what this program writes."""
    return StateError("state_damaged", f"{path} is damaged: {why}. Move the file away and pair the stockings again.")


def read_stockings(state: Path) -> tuple[PairedStocking, ...]:
    """The stockings paired so far, in the order they were paired; none where there is no file yet.

    Raises StateError when the file is not exactly what `write_stockings` writes.
    """
    path = state / STOCKINGS_FILE
    parsed = read_private(path)
    if parsed is None:
        return ()
    if not isinstance(parsed, list):
        raise damaged(path, "it is not a list")
    stockings = tuple(_stocking(path, entry) for entry in parsed)
    for name, values in (("serial", [s.serial for s in stockings]), ("address", [s.address for s in stockings])):
        if len(set(values)) != len(values):
            raise damaged(path, f"a {name} appears twice")
    return stockings


def write_stockings(state: Path, stockings: Sequence[PairedStocking]) -> None:
    """Replace the list of paired stockings. Raises StateError ("state_unwritable")."""
    entries = [asdict(stocking) for stocking in stockings]
    write_private(state / STOCKINGS_FILE, json.dumps(entries, indent=2) + "\n")


def remember(stockings: Sequence[PairedStocking], paired: PairedStocking) -> tuple[PairedStocking, ...]:
    """The list with this stocking in it once: an older entry with its serial or its address gives way."""
    others = [s for s in stockings if s.serial != paired.serial and s.address != paired.address]
    return (*others, paired)


def _stocking(path: Path, entry: object) -> PairedStocking:
    """One entry; those written before gateways had several adapters have no `adapter`."""
    if not isinstance(entry, dict) or set(entry) | {"adapter"} != {"serial", "address", "side", "adapter"}:
        raise damaged(path, "an entry does not have exactly the keys serial, address, side and perhaps adapter")
    serial, address, side, adapter = entry["serial"], entry["address"], entry["side"], entry.get("adapter")
    if not (isinstance(serial, str) and serial and isinstance(address, str) and address):
        raise damaged(path, "a serial or an address is not a text")
    if not (adapter is None or (isinstance(adapter, str) and adapter)):
        raise damaged(path, "an adapter is neither a text nor null")
    if side not in tuple(Side):
        raise damaged(path, f"{side!r} is not a side (left or right)")
    return PairedStocking(serial, address, Side(side), adapter)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable: without it a power cut can bring the old file back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
